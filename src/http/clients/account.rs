//! Signing in with what the homeserver says of somebody (Identity Service API 1.11, "Authentication").

use super::{Clients, failed, read, token, token_hash};
use crate::http::answer::{self, Refusal};
use axum::{
    Json,
    body::Bytes,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

/// An OpenID token, as the homeserver has given it to the client.
#[derive(Deserialize)]
pub(super) struct Register {
    access_token: String,
    matrix_server_name: String,
}

/// Whoever is a user of our homeserver gets a token; what they may do is another question.
pub(super) async fn register(State(clients): State<Arc<Clients>>, body: Bytes) -> Result<Response, Refusal> {
    let Register { access_token, matrix_server_name } = read(&body)?;
    let bridge = &clients.bridge;
    let stranger = Refusal::new(StatusCode::FORBIDDEN, "M_FORBIDDEN", "only users of our own homeserver can sign in");
    if !matrix_server_name.eq_ignore_ascii_case(bridge.ghosts.server.as_str()) {
        return Err(stranger);
    }
    let user = bridge.federation.token_holder(&access_token).await.map_err(|error| {
        if error.code() == "M_UNKNOWN_TOKEN" {
            return Refusal::new(StatusCode::UNAUTHORIZED, "M_UNAUTHORIZED", "the homeserver does not know this token");
        }
        tracing::warn!(%error, "cannot ask the homeserver whose OpenID token this is");
        Refusal::new(StatusCode::BAD_GATEWAY, "M_UNKNOWN", "the homeserver cannot be asked whose token this is")
    })?;
    if user.server_name() != bridge.ghosts.server {
        return Err(stranger);
    }
    let token = BASE64URL_NOPAD.encode(&rand::random::<[u8; 32]>());
    bridge.store.add_token(&token_hash(&token), &user).await.map_err(failed)?;
    Ok(Json(json!({ "token": token })).into_response())
}

pub(super) async fn who(
    State(clients): State<Arc<Clients>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let user = clients.user(&headers, query.as_deref()).await?;
    Ok(Json(json!({ "user_id": user })).into_response())
}

pub(super) async fn log_out(
    State(clients): State<Arc<Clients>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    clients.signed_in(&headers, query.as_deref()).await?;
    if let Some(token) = token(&headers, query.as_deref()) {
        clients.bridge.store.drop_token(&token_hash(&token)).await.map_err(failed)?;
    }
    Ok(answer::done())
}
