//! Stands between Synapse and a Fehmarn, and notes when each event was pushed.
//!
//! Synapse (1.163) does not always push in the order in which things were written. In the moment in which it ends a
//! recovery it can forget what comes just then: its sender sees "down" and only stores the transaction, its recoverer
//! has just seen that there are no more, and the transaction waits until the next recovery. What Fehmarn promises is
//! judged by what was pushed.

use super::slot::Slot;
use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Request, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use reqwest::Client;
use serde_json::Value;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
use tokio::net::TcpListener;

/// When an event was first on its way, and when it was first answered with 200: readings of one clock that counts.
#[derive(Clone, Copy, Debug)]
pub struct Push {
    pub tried: usize,
    pub accepted: Option<usize>,
}

#[derive(Clone)]
pub struct Recorder(Arc<Inner>);

struct Inner {
    target: String,
    http: Client,
    clock: AtomicUsize,
    pushes: Mutex<HashMap<String, Push>>,
    refuses: AtomicBool,
}

impl Recorder {
    /// Listens where Synapse looks for the slot's Fehmarn, which itself listens on `port`.
    pub async fn start(slot: &Slot, port: u16) -> Self {
        let recorder = Self(Arc::new(Inner {
            target: format!("http://127.0.0.1:{port}"),
            http: Client::new(),
            clock: AtomicUsize::new(0),
            pushes: Mutex::default(),
            refuses: AtomicBool::new(false),
        }));
        let listener = TcpListener::bind(("127.0.0.1", slot.listen_port)).await.unwrap();
        let routes = Router::new().fallback(pass).layer(DefaultBodyLimit::disable()).with_state(recorder.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        recorder
    }

    pub fn push_of(&self, event: &str) -> Option<Push> {
        self.0.pushes.lock().unwrap().get(event).copied()
    }

    /// Answers the next transaction with 503. The recovery that follows brings what the one before had forgotten.
    pub fn refuse_next(&self) {
        self.0.refuses.store(true, Ordering::Relaxed);
    }

    fn note(&self, events: &[String], accepted: bool) {
        let now = self.0.clock.fetch_add(1, Ordering::Relaxed);
        let mut pushes = self.0.pushes.lock().unwrap();
        for event in events {
            let push = pushes.entry(event.clone()).or_insert(Push { tried: now, accepted: None });
            if accepted {
                push.accepted.get_or_insert(now);
            }
        }
    }
}

async fn pass(State(recorder): State<Recorder>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let events = if head.uri.path().contains("/transactions/") { event_ids(&body) } else { Vec::new() };
    if !events.is_empty() && recorder.0.refuses.swap(false, Ordering::Relaxed) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    recorder.note(&events, false);
    let url = format!("{}{}", recorder.0.target, head.uri);
    let answer = recorder.0.http.request(head.method, url).headers(head.headers).body(body).send().await;
    // A Fehmarn that is down, or was killed before it answered.
    let Ok(answer) = answer else { return StatusCode::BAD_GATEWAY.into_response() };
    let status = answer.status();
    let Ok(body) = answer.bytes().await else { return StatusCode::BAD_GATEWAY.into_response() };
    if status.is_success() {
        recorder.note(&events, true);
    }
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}

fn event_ids(transaction: &Bytes) -> Vec<String> {
    let transaction: Value = serde_json::from_slice(transaction).unwrap_or_default();
    let events = transaction["events"].as_array().into_iter().flatten();
    events.filter_map(|event| event["event_id"].as_str()).map(str::to_owned).collect()
}
