//! For those who watch over Fehmarn. No token, no secret, no names.

use super::Site;
use crate::store::Queue;
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
    let (database, queues) = match site.bridge.depths().await {
        Ok(counted) => {
            let queue = |queue| queue_sums(counted.sums(queue));
            ("ok", json!({ "outbox": queue(Queue::Outbox), "inbox": queue(Queue::Inbox) }))
        }
        Err(_) => ("failing", json!(null)),
    };
    let status = if homeserver && database == "ok" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let homeserver = if homeserver { "ok" } else { "has not reached us yet" };
    (status, Json(json!({ "homeserver": homeserver, "database": database, "queues": queues }))).into_response()
}

fn queue_sums((live, dead): (i64, i64)) -> serde_json::Value {
    json!({ "waiting": live, "dead": dead })
}
