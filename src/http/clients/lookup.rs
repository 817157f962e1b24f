//! Which ghosts addresses have (Identity Service API 1.11, "Association lookup").

use super::{Algorithm, Clients, failed, read};
use crate::http::answer::Refusal;
use axum::{
    Json,
    body::Bytes,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use ruma::OwnedUserId;
use serde::Deserialize;
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};

/// Addresses of one request.
const AT_ONCE: usize = 1000;

#[derive(Deserialize)]
struct LookUp {
    addresses: Vec<String>,
    algorithm: String,
    pepper: String,
}

/// A client takes sha256 where it is offered, so the one that is configured is the only one.
pub(super) async fn details(
    State(clients): State<Arc<Clients>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    clients.user(&headers, query.as_deref()).await?;
    let pepper = clients.bridge.pepper().await.map_err(failed)?;
    let algorithm = clients.settings.lookup.as_str();
    Ok(Json(json!({ "algorithms": [algorithm], "lookup_pepper": pepper })).into_response())
}

/// Who may not write to people outside finds nobody.
pub(super) async fn look_up(
    State(clients): State<Arc<Clients>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Result<Response, Refusal> {
    let user = clients.user(&headers, query.as_deref()).await?;
    let LookUp { mut addresses, algorithm, pepper } = read(&body)?;
    // PostgreSQL takes no NUL in a text.
    addresses.retain(|address| !address.contains('\0'));
    let wrong = |code, message| Refusal::new(StatusCode::BAD_REQUEST, code, message);
    if addresses.len() > AT_ONCE {
        return Err(wrong("M_TOO_LARGE", "at most 1000 addresses at once"));
    }
    if algorithm != clients.settings.lookup.as_str() {
        return Err(wrong("M_INVALID_PARAM", "this algorithm is not offered"));
    }
    let ours = clients.bridge.pepper().await.map_err(failed)?;
    if pepper != ours {
        let body = json!({
            "errcode": "M_INVALID_PEPPER", "error": "this is not the pepper of hash_details",
            "algorithm": algorithm, "lookup_pepper": ours,
        });
        return Ok((StatusCode::BAD_REQUEST, Json(body)).into_response());
    }
    clients.addresses.take(&user, addresses.len())?;
    let found = if !clients.bridge.may_invite(&user) {
        BTreeMap::new()
    } else {
        match clients.settings.lookup {
            Algorithm::Sha256 => clients.bridge.ghosts_by_hash(&addresses).await.map_err(failed)?,
            Algorithm::None => plain(&clients, addresses),
        }
    };
    Ok(Json(json!({ "mappings": found })).into_response())
}

/// `bob@example.org email`: address and medium.
fn plain(clients: &Clients, addresses: Vec<String>) -> BTreeMap<String, OwnedUserId> {
    let ghost = |asked: &str| {
        let (address, medium) = asked.rsplit_once(' ')?;
        Some(clients.bridge.person_by_identifier(medium, address)?.ghost)
    };
    addresses
        .into_iter()
        .filter_map(|asked| Some((ghost(&asked)?, asked)))
        .map(|(ghost, asked)| (asked, ghost))
        .collect()
}
