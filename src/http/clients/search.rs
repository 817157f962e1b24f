//! The search for users, which an admin can route to us: the homeserver's own answer, and the person whom the term means
//! if it is an address. For clients that know no identity servers, as Element X, it is the only box to type one into.

use super::{Clients, token};
use crate::{
    bridge::Person,
    http::answer::{self, Refusal},
    matrix::Caller,
};
use axum::{
    body::{Body, Bytes},
    extract::{RawQuery, State},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT},
    },
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

#[derive(Deserialize)]
struct Search {
    search_term: String,
}

pub(super) async fn search(
    State(clients): State<Arc<Clients>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Response {
    if headers.get(USER_AGENT).is_some_and(|agent| agent.as_bytes().starts_with(b"Fehmarn/")) {
        tracing::error!("our own search for users comes back to us: homeserver.url must not lead through the proxy");
        return answer::error(StatusCode::LOOP_DETECTED, "M_UNKNOWN", "the search comes back to Fehmarn itself");
    }
    let token = token(&headers, query.as_deref());
    let Some(authorization) = token.and_then(|token| HeaderValue::try_from(format!("Bearer {token}")).ok()) else {
        return answer::error(StatusCode::UNAUTHORIZED, "M_MISSING_TOKEN", "a search needs an access token");
    };
    let caller = clients.bridge.homeserver.caller(authorization);
    let answer = match caller.search_users(body.clone()).await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::warn!(%error, "cannot ask the homeserver for users");
            return Refusal::new(StatusCode::BAD_GATEWAY, "M_UNKNOWN", "the homeserver cannot be asked")
                .into_response();
        }
    };
    let hits = if answer.status().is_success() { hits(&clients, &caller, &body).await } else { Vec::new() };
    match with_hits(answer.body(), hits) {
        Some(body) => (StatusCode::OK, [(CONTENT_TYPE, "application/json")], body).into_response(),
        None => passed_on(&answer),
    }
}

/// Those whom the term means; nobody for whom may not write to people outside.
async fn hits(clients: &Clients, caller: &Caller, body: &Bytes) -> Vec<Value> {
    let Ok(Search { search_term }) = serde_json::from_slice(body) else { return Vec::new() };
    let people = clients.bridge.people_meant_by(&search_term);
    if people.is_empty() {
        return Vec::new();
    }
    match caller.user().await {
        Ok(Some(user)) if clients.bridge.may_invite(&user) => {}
        Ok(_) => return Vec::new(),
        Err(error) => {
            tracing::warn!(%error, "cannot ask the homeserver who searches");
            return Vec::new();
        }
    }
    let several = people.len() > 1;
    let mut hits = Vec::new();
    for person in &people {
        hits.push(json!({ "user_id": person.ghost, "display_name": name(clients, person, several).await }));
    }
    hits
}

async fn name(clients: &Clients, person: &Person, several: bool) -> String {
    let known = clients.bridge.called(person).await;
    let name = known.unwrap_or_else(|_| person.address.to_string());
    match clients.bridge.networks.get(person.connector) {
        Some(network) if several => format!("{name} ({})", network.title),
        _ => name,
    }
}

/// The homeserver's answer with these in front; `None` if it stays as it is.
fn with_hits(answer: &Bytes, hits: Vec<Value>) -> Option<String> {
    if hits.is_empty() {
        return None;
    }
    let mut answer: Value = serde_json::from_slice(answer).ok()?;
    let results = answer.get_mut("results")?.as_array_mut()?;
    results.retain(|known| !hits.iter().any(|hit| hit.get("user_id") == known.get("user_id")));
    results.splice(0..0, hits);
    Some(answer.to_string())
}

fn passed_on(answer: &axum::http::Response<Bytes>) -> Response {
    let mut response = Response::new(Body::from(answer.body().clone()));
    *response.status_mut() = answer.status();
    for name in [CONTENT_TYPE, RETRY_AFTER] {
        if let Some(value) = answer.headers().get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hit_stands_first_and_only_once() {
        let answer = Bytes::from(r#"{"limited":true,"results":[{"user_id":"@a:x"},{"user_id":"@b:x"}]}"#);
        let hits = vec![json!({ "user_id": "@b:x", "display_name": "B" })];
        let expected = r#"{"limited":true,"results":[{"display_name":"B","user_id":"@b:x"},{"user_id":"@a:x"}]}"#;
        assert_eq!(with_hits(&answer, hits.clone()).as_deref(), Some(expected));
        assert_eq!(with_hits(&answer, Vec::new()), None);
        for odd in ["{}", r#"{"results":{}}"#, "<html>"] {
            assert_eq!(with_hits(&Bytes::from(odd), hits.clone()), None, "{odd}");
        }
    }
}
