//! `POST /ping`: the homeserver, asked by us, shows that it reaches us (Application Service API 1.11, "Pinging").

use super::{Site, answer};
use axum::{extract::State, response::Response};
use std::sync::Arc;

pub(super) async fn pong(State(site): State<Arc<Site>>) -> Response {
    site.readiness.homeserver_reached();
    answer::done()
}
