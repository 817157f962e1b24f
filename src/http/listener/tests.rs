//! Over real connections, with less patience.

use super::*;
use axum::{
    body::Bytes,
    routing::{get, post},
};
use std::{net::SocketAddr, time::Instant};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinHandle,
};

const SHORT: Limits = Limits {
    connections: 2,
    head: Duration::from_millis(600),
    request: Duration::from_millis(600),
    answer: Duration::from_millis(600),
    stop: Duration::from_millis(300),
};
/// Nothing of the limits: only so that a test ends that fails.
const PATIENCE: Duration = Duration::from_secs(30);
const WHOLE: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

struct Running {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

async fn running(limits: Limits) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let routes = Router::new()
        .route("/", get(async || "here"))
        .route("/much", get(async || vec![b'x'; 64 << 20]))
        .route("/told", post(async |told: Bytes| told.len().to_string()));
    Running { address, stop: stop.clone(), task: tokio::spawn(serve(listener, routes, limits, stop)) }
}

async fn connect(running: &Running) -> TcpStream {
    TcpStream::connect(running.address).await.unwrap()
}

/// All that is said until the other side ends.
async fn hear_all(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    // What comes after what we have not said is a reset.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut heard)).await.expect("the connection does not end");
    String::from_utf8_lossy(&heard).into_owned()
}

async fn hear_some(stream: &mut TcpStream) -> String {
    let mut heard = vec![0; 4096];
    let length = timeout(PATIENCE, stream.read(&mut heard)).await.expect("nothing is said").unwrap();
    String::from_utf8_lossy(&heard[..length]).into_owned()
}

/// Says one byte after the other until nobody listens any more.
async fn drip(stream: &mut TcpStream) {
    let dripping = async {
        while stream.write_all(b"x").await.is_ok() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, dripping).await.expect("it is listened to without end");
}

#[tokio::test]
async fn who_never_finishes_the_head_of_a_request_is_sent_away() {
    let running = running(SHORT).await;
    for begun in ["", "GET", "GET / HTTP/1.1\r\nHost: x\r\nX-Long: "] {
        let mut client = connect(&running).await;
        client.write_all(begun.as_bytes()).await.unwrap();
        assert_eq!(hear_all(&mut client).await, "", "{begun:?}");
    }
    // One byte after the other is never silence.
    let mut client = connect(&running).await;
    client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: ").await.unwrap();
    drip(&mut client).await;
}

#[tokio::test]
async fn who_says_nothing_after_an_answer_is_sent_away() {
    let running = running(SHORT).await;
    let mut client = connect(&running).await;
    for _ in 0..3 {
        client.write_all(WHOLE).await.unwrap();
        assert!(hear_some(&mut client).await.starts_with("HTTP/1.1 200"));
        sleep(SHORT.head / 3).await;
    }
    assert_eq!(hear_all(&mut client).await, "");
}

#[tokio::test]
async fn who_never_finishes_the_body_of_a_request_is_told_so_and_sent_away() {
    let running = running(SHORT).await;
    for begun in ["Content-Length: 100\r\n\r\nx", "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"] {
        let mut client = connect(&running).await;
        client.write_all(format!("POST /told HTTP/1.1\r\nHost: x\r\n{begun}").as_bytes()).await.unwrap();
        assert!(hear_all(&mut client).await.starts_with("HTTP/1.1 408"), "{begun:?}");
    }
    let mut client = connect(&running).await;
    client.write_all(b"POST /told HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n").await.unwrap();
    drip(&mut client).await;
    // A body that nobody wants to read.
    let mut client = connect(&running).await;
    client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n").await.unwrap();
    assert!(hear_all(&mut client).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn who_does_not_take_the_answer_is_sent_away() {
    let running = running(Limits { connections: 1, ..SHORT }).await;
    let mut client = connect(&running).await;
    client.write_all(b"GET /much HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    // It has the only place, and takes nothing.
    let mut other = connect(&running).await;
    other.write_all(WHOLE).await.unwrap();
    assert!(hear_some(&mut other).await.starts_with("HTTP/1.1 200"));
    assert!(hear_all(&mut client).await.len() < 64 << 20);
}

#[tokio::test]
async fn who_comes_when_there_is_no_place_waits_for_one() {
    let running = running(Limits { head: PATIENCE, ..SHORT }).await;
    let mut held = [connect(&running).await, connect(&running).await];
    for client in &mut held {
        client.write_all(WHOLE).await.unwrap();
        hear_some(client).await;
    }
    let mut waiting = connect(&running).await;
    waiting.write_all(WHOLE).await.unwrap();
    assert!(timeout(Duration::from_millis(300), waiting.readable()).await.is_err(), "there was a third place");
    drop(held);
    assert!(hear_some(&mut waiting).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn at_the_word_to_stop_what_is_in_flight_has_a_moment_and_who_waits_is_sent_away() {
    let running = running(Limits { connections: 10, head: PATIENCE, request: PATIENCE, ..SHORT }).await;
    let (mut idle, mut busy, mut stuck) = (connect(&running).await, connect(&running).await, connect(&running).await);
    idle.write_all(WHOLE).await.unwrap();
    hear_some(&mut idle).await;
    for client in [&mut busy, &mut stuck] {
        client.write_all(b"POST /told HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nx").await.unwrap();
    }
    sleep(Duration::from_millis(100)).await;
    let began = Instant::now();
    running.stop.cancel();
    assert_eq!(hear_all(&mut idle).await, "");
    busy.write_all(b"x").await.unwrap();
    assert!(hear_all(&mut busy).await.ends_with('2'));
    running.task.await.unwrap();
    assert!(began.elapsed() >= SHORT.stop, "nobody waited for the one in flight");
    assert!(TcpStream::connect(running.address).await.is_err());
}
