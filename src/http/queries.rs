//! What the homeserver asks about users and rooms. Answered without I/O: while it waits, the homeserver sends
//! no application service anything.

use super::{Site, answer};
use axum::{
    extract::{Path, State},
    response::Response,
};
use ruma::UserId;
use std::sync::Arc;

/// A user in our namespace exists if somebody could be written to at its address. It is made when it is invited.
pub(super) async fn user(State(site): State<Arc<Site>>, Path(user): Path<String>) -> Response {
    match UserId::parse(&user) {
        Ok(user) if site.bridge.stands_for_somebody(&user) => answer::done(),
        _ => answer::not_found("there is nobody with such an address"),
    }
}

pub(super) async fn room(State(_): State<Arc<Site>>) -> Response {
    answer::not_found("Fehmarn has no room aliases")
}
