//! A TCP proxy in front of a server: cuts one Fehmarn off from it, without a word to all the others that use it.

use std::net::Ipv4Addr;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nobody listens, and what was connected is cut.
    Closed,
    /// Everything is taken and nothing is passed on.
    Stalled,
    /// What is asked for gets there, and nobody hears an answer.
    Mute,
    Open,
}

pub struct Gate {
    pub port: u16,
    target: u16,
    state: watch::Sender<State>,
    listening: Option<JoinHandle<()>>,
    abandoned: Vec<watch::Sender<State>>,
}

impl Gate {
    /// Closed at first.
    pub fn new(port: u16, target: u16) -> Self {
        Self { port, target, state: watch::Sender::new(State::Closed), listening: None, abandoned: Vec::new() }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub async fn open(&mut self) {
        self.state.send_replace(State::Open);
        self.listen().await;
    }

    pub async fn stall(&mut self) {
        self.state.send_replace(State::Stalled);
        self.listen().await;
    }

    pub async fn mute(&mut self) {
        self.state.send_replace(State::Mute);
        self.listen().await;
    }

    pub async fn close(&mut self) {
        self.state.send_replace(State::Closed);
        if let Some(listening) = self.listening.take() {
            listening.abort();
            // Only then is the port free.
            let _ = listening.await;
        }
        // Nor would a connection notice that the gate was closed, if it were opened again at once.
        self.state.closed().await;
    }

    /// What is connected never hears anything again, not even an end; who connects anew gets through.
    pub async fn abandon(&mut self) {
        self.state.send_replace(State::Stalled);
        if let Some(listening) = self.listening.take() {
            listening.abort();
            let _ = listening.await;
        }
        self.abandoned.push(std::mem::replace(&mut self.state, watch::Sender::new(State::Open)));
        self.listen().await;
    }

    async fn listen(&mut self) {
        if self.listening.is_some() {
            return;
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).await.unwrap();
        let (target, state) = (self.target, self.state.clone());
        self.listening = Some(tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(connect(near, target, state.subscribe()));
            }
        }));
    }
}

async fn connect(near: TcpStream, target: u16, mut state: watch::Receiver<State>) {
    let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await else { return };
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    let there = tokio::spawn(pass(near_in, far_out, state.clone(), &[State::Open, State::Mute]));
    let back = tokio::spawn(pass(far_in, near_out, state.clone(), &[State::Open]));
    let _ = state.wait_for(|state| *state == State::Closed).await;
    there.abort();
    back.abort();
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut state: watch::Receiver<State>,
    passes: &'static [State],
) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if state.wait_for(|state| passes.contains(state)).await.is_err()
            || to.write_all(&buffer[..length]).await.is_err()
        {
            return;
        }
    }
}
