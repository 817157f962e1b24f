//! For those who watch over Fehmarn. No token, no secret, no names.

use super::Site;
use crate::store::{Counts, Queue};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Whether the homeserver has reached us since the start.
#[derive(Default)]
pub struct Readiness {
    pinged: AtomicBool,
}

impl Readiness {
    pub(super) fn homeserver_reached(&self) {
        self.pinged.store(true, Ordering::Relaxed);
    }

    pub fn is_homeserver_reached(&self) -> bool {
        self.pinged.load(Ordering::Relaxed)
    }
}

/// The process lives.
pub(super) async fn health() -> Response {
    Json(json!({ "status": "ok" })).into_response()
}

/// Messages can cross: 200 or 503, and what is missing.
pub(super) async fn ready(State(site): State<Arc<Site>>) -> Response {
    let homeserver = site.readiness.is_homeserver_reached();
    let store = &site.bridge.store;
    let counts =
        async { Ok::<_, crate::store::Error>((store.counts(Queue::Outbox).await?, store.counts(Queue::Inbox).await?)) };
    let (database, queues) = match counts.await {
        Ok((outbox, inbox)) => ("ok", json!({ "outbox": queue(outbox), "inbox": queue(inbox) })),
        Err(_) => ("failing", json!(null)),
    };
    let status = if homeserver && database == "ok" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let homeserver = if homeserver { "ok" } else { "has not reached us yet" };
    (status, Json(json!({ "homeserver": homeserver, "database": database, "queues": queues }))).into_response()
}

fn queue(counts: Counts) -> serde_json::Value {
    json!({ "waiting": counts.live, "dead": counts.dead })
}
