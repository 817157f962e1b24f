//! A bridge that is just clever enough to show that the benchmark counts right, and that makes mistakes on demand.

use super::{
    homeserver::{Homeserver, Registration, ghost, room, segment},
    sink::{Sink, Taker},
    tally::markers,
};
use axum::{
    Router,
    extract::Request,
    http::{StatusCode, header},
};
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::{net::TcpListener, sync::mpsc};

const TOKEN: &str = "stand-in";

/// What it does wrong, by the number of the message in each direction.
#[derive(Clone, Copy)]
pub struct Mistakes {
    pub lose: usize,
    pub repeat: usize,
    pub misplace: usize,
}

pub struct StandIn {
    pub lmtp: SocketAddr,
    pub seen: Arc<Mutex<Seen>>,
}

/// How it was pushed to.
#[derive(Default)]
pub struct Seen {
    pub largest: usize,
    pub ids: Vec<String>,
    pub refused: Option<String>,
}

impl StandIn {
    pub async fn start(homeserver: Arc<Homeserver>, mail: Taker, mistakes: Mistakes) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let sender_localpart = "_bot".to_owned();
        homeserver.register(Registration { url, as_token: TOKEN.into(), hs_token: TOKEN.into(), sender_localpart });
        let seen = Arc::<Mutex<Seen>>::default();
        let side =
            Arc::new(Side { homeserver: homeserver.clone(), http: client()?, mail, mistakes, seen: seen.clone() });
        let app = Router::new().fallback(move |request| side.clone().handle(request));
        tokio::spawn(async move { axum::serve(listener, app).await });
        let lmtp = receive(homeserver, mistakes).await?;
        Ok(Self { lmtp, seen })
    }
}

fn client() -> anyhow::Result<reqwest::Client> {
    Ok(reqwest::Client::builder().no_proxy().build()?)
}

/// From Matrix to mail.
struct Side {
    homeserver: Arc<Homeserver>,
    http: reqwest::Client,
    mail: Taker,
    mistakes: Mistakes,
    seen: Arc<Mutex<Seen>>,
}

impl Side {
    async fn handle(self: Arc<Self>, request: Request) -> StatusCode {
        let token = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        if token != Some(&format!("Bearer {TOKEN}")) {
            return StatusCode::FORBIDDEN;
        }
        let id = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
        let body = axum::body::to_bytes(request.into_body(), usize::MAX).await.unwrap_or_default();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let events = body["events"].as_array().cloned().unwrap_or_default();
        {
            let mut seen = self.seen.lock().expect("lock");
            seen.largest = seen.largest.max(events.len());
            seen.ids.push(id.clone());
            if seen.ids.len() == 3 {
                // The same transaction has to come again.
                seen.refused = Some(id);
                return StatusCode::INTERNAL_SERVER_ERROR;
            }
        }
        for event in &events {
            self.take(event).await;
        }
        StatusCode::OK
    }

    async fn take(&self, event: &Value) {
        let text = |key: &str| event[key].as_str().unwrap_or_default();
        let sender = text("sender");
        if text("type") == "m.room.member" && event["content"]["membership"] == "invite" {
            let user = text("state_key");
            let localpart = user.trim_start_matches('@').split(':').next().unwrap_or_default();
            self.ask("register", user, json!({"username": localpart, "type": "m.login.application_service"})).await;
            self.ask(&format!("join/{}", segment(text("room_id"))), user, json!({})).await;
        }
        if text("type") == "m.room.message" && sender.starts_with("@staff") {
            let number = markers(event["content"]["body"].as_str().unwrap_or_default().as_bytes());
            let pair = sender.trim_start_matches("@staff").split(':').next().unwrap_or_default();
            self.hand_over(number[0], pair);
        }
    }

    fn hand_over(&self, number: usize, pair: &str) {
        let mail = format!("Subject: stand-in\r\n\r\ntok{number:06}kot\r\n");
        let to = if number == self.mistakes.misplace {
            "nobody@ext.example".into()
        } else {
            format!("user{pair}@ext.example")
        };
        let times = if number == self.mistakes.repeat { 2 } else { 1 };
        for _ in 0..if number == self.mistakes.lose { 0 } else { times } {
            (self.mail)(std::slice::from_ref(&to), mail.as_bytes());
        }
    }

    async fn ask(&self, path: &str, user: &str, body: Value) {
        let url = format!("{}/_matrix/client/v3/{path}?user_id={}", self.homeserver.url(), segment(user));
        self.http.post(url).bearer_auth(TOKEN).body(body.to_string()).send().await.expect("our own homeserver");
    }
}

/// From mail to Matrix: returns the address that mail is taken at.
async fn receive(homeserver: Arc<Homeserver>, mistakes: Mistakes) -> anyhow::Result<SocketAddr> {
    let (sender, mut mails) = mpsc::unbounded_channel();
    let taker = move |recipients: &[String], mail: &[u8]| {
        let pair = recipients[0].trim_start_matches("staff").split('@').next().and_then(|pair| pair.parse().ok());
        let _ = sender.send((pair.unwrap_or(usize::MAX), markers(mail)[0]));
    };
    let listener = Sink::start(Box::new(taker)).await?;
    let http = client()?;
    tokio::spawn(async move {
        while let Some((pair, number)) = mails.recv().await {
            let pair = if number == mistakes.misplace { pair + 1 } else { pair };
            let times = if number == mistakes.repeat { 2 } else { 1 };
            for time in 0..if number == mistakes.lose { 0 } else { times } {
                let path = format!("{}/send/m.room.message/{number}.{time}", segment(&room(pair)));
                let user = segment(&ghost(pair));
                let url = format!("{}/_matrix/client/v3/rooms/{path}?user_id={user}", homeserver.url());
                let body = format!(r#"{{"msgtype":"m.text","body":"tok{number:06}kot"}}"#);
                http.put(url).bearer_auth(TOKEN).body(body).send().await.expect("our own homeserver");
            }
        }
    });
    Ok(listener.address)
}
