//! What a homeserver asks of an application service, made by hand.

use super::{servers, slot::Slot, wait::unique};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

pub struct Homeserver {
    url: String,
    pub token: String,
    http: Client,
}

impl Homeserver {
    /// With the token that Fehmarn knows its homeserver by.
    pub fn of(slot: &Slot) -> Self {
        Self::asking(slot, slot.listen_port)
    }

    /// For a Fehmarn that listens where the real homeserver does not find it: that one pushes whenever it likes.
    pub fn asking(slot: &Slot, port: u16) -> Self {
        // Each request on a connection of its own: after some answers Fehmarn closes it.
        let http = Client::builder().pool_max_idle_per_host(0).build().unwrap();
        Self { url: format!("http://127.0.0.1:{port}"), token: slot.registered("hs_token"), http }
    }

    /// Status and `errcode`.
    pub async fn ask(&self, method: Method, path: &str, token: Option<&str>, body: &str) -> (StatusCode, String) {
        let mut request = self.http.request(method, format!("{}{path}", self.url)).body(body.to_owned());
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.unwrap();
        let (status, bytes) = (answer.status(), answer.bytes().await.unwrap());
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        (status, answer["errcode"].as_str().unwrap_or_default().to_owned())
    }

    pub async fn get(&self, path: &str) -> (StatusCode, String) {
        self.ask(Method::GET, path, Some(&self.token), "").await
    }

    pub async fn put(&self, transaction: &str, body: &str) -> (StatusCode, String) {
        let path = format!("/_matrix/app/v1/transactions/{transaction}");
        self.ask(Method::PUT, &path, Some(&self.token), body).await
    }

    pub async fn push(&self, transaction: &str, events: &[Value]) -> StatusCode {
        self.put(transaction, &json!({ "events": events }).to_string()).await.0
    }
}

/// A text message as it would stand in a transaction.
pub fn message(room: &str, sender: &str, words: &str) -> Value {
    json!({
        "type": "m.room.message", "event_id": format!("${}", unique("by-hand")), "room_id": room, "sender": sender,
        "origin_server_ts": 1_700_000_000_000_i64, "content": { "msgtype": "m.text", "body": words },
    })
}

/// The whole id of a user of the homeserver.
pub fn user(localpart: &str) -> String {
    format!("@{localpart}:{}", servers().server_name)
}
