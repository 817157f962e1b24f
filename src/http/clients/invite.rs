//! Invitations to an address, and the keys that sign them (Identity Service API 1.11, "Invitation storage").
//!
//! The address is a ghost's from the beginning, so nothing is stored until somebody comes: the ghost claims the
//! invitation at once. And nobody is told by mail; the person outside learns of it by what is written to them.

use super::{Clients, failed, fields, read};
use crate::{
    bridge::Claim,
    http::answer::{self, Refusal},
    matrix::KEY_ID,
};
use axum::{
    Json,
    body::Bytes,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use data_encoding::BASE64URL_NOPAD;
use ruma::{OwnedRoomId, OwnedUserId};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

/// What we need of what the homeserver tells.
#[derive(Deserialize)]
struct Invitation {
    medium: String,
    address: String,
    room_id: OwnedRoomId,
    sender: OwnedUserId,
}

/// The homeserver asks with the inviter's token. Who may not write to people outside gets the answer for an address that
/// nobody could have.
pub(super) async fn store(
    State(clients): State<Arc<Clients>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Result<Response, Refusal> {
    let user = clients.user(&headers, query.as_deref()).await?;
    let Invitation { medium, address, room_id, sender } = read(&body)?;
    if user != sender {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "M_FORBIDDEN", "this is not the token of the sender"));
    }
    clients.invitations.take(&user, 1)?;
    let bridge = &clients.bridge;
    let person = bridge.person_by_identifier(&medium, &address).filter(|_| bridge.may_invite(&user));
    let nobody = Refusal::new(StatusCode::BAD_REQUEST, "M_UNRECOGNIZED", "nobody can be invited by this address");
    let person = person.ok_or(nobody)?;
    let token = BASE64URL_NOPAD.encode(&rand::random::<[u8; 32]>());
    let key = bridge.signing_key().await.map_err(failed)?;
    let name = bridge.called(&person).await.map_err(failed)?;
    let claim = Claim {
        room: room_id,
        inviter: sender,
        ghost: person.ghost,
        medium,
        address,
        token: token.clone(),
        server: clients.name.clone(),
    };
    bridge.expect_invitation(&claim).await.map_err(failed)?;
    let keys = json!([{
        "public_key": key.public_key(), "key_validity_url": clients.public("/_matrix/identity/v2/pubkey/isvalid"),
    }]);
    Ok(Json(json!({ "token": token, "public_keys": keys, "display_name": name })).into_response())
}

pub(super) async fn public_key(
    State(clients): State<Arc<Clients>>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    if id != KEY_ID {
        return Ok(answer::not_found("there is no such key"));
    }
    let key = clients.bridge.signing_key().await.map_err(failed)?;
    Ok(Json(json!({ "public_key": key.public_key() })).into_response())
}

pub(super) async fn is_valid(
    State(clients): State<Arc<Clients>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let asked = fields(query.as_deref()).remove("public_key");
    let key = clients.bridge.signing_key().await.map_err(failed)?;
    Ok(Json(json!({ "valid": asked.is_some_and(|asked| asked == key.public_key()) })).into_response())
}

/// There are no keys for one invitation alone.
pub(super) async fn is_valid_once() -> Response {
    Json(json!({ "valid": false })).into_response()
}
