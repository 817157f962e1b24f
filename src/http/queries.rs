//! What the homeserver asks about users and rooms. About users it is answered without I/O: while it waits, the homeserver
//! sends no application service anything.

use super::{Site, answer};
use axum::{
    extract::{Path, State},
    response::Response,
};
use ruma::{RoomAliasId, UserId};
use std::sync::Arc;

/// A user in our namespace exists if somebody could be written to at its address. It is made when it is invited.
pub(super) async fn user(State(site): State<Arc<Site>>, Path(user): Path<String>) -> Response {
    match UserId::parse(&user) {
        Ok(user) if site.bridge.is_asked_for(&user) => answer::done(),
        _ => answer::not_found("there is nobody with such an address"),
    }
}

/// An alias in our namespace leads to the portal of a remote room, which is made by asking for it: the homeserver looks
/// for the alias again when it has our answer.
pub(super) async fn room(State(site): State<Arc<Site>>, Path(alias): Path<String>) -> Response {
    let none = || answer::not_found("there is no such room");
    let Ok(alias) = RoomAliasId::parse(&alias) else { return none() };
    match site.bridge.open_alias(&alias).await {
        Ok(true) => answer::done(),
        Ok(false) => none(),
        Err(failure) => {
            tracing::warn!(detail = failure.detail, "a room cannot be made now");
            none()
        }
    }
}
