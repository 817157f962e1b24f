//! What has to be accepted first (Identity Service API 1.11, "Terms of service").

use super::{Clients, Terms, failed, read};
use crate::http::answer::{self, Refusal};
use axum::{
    Json,
    body::Bytes,
    extract::{RawQuery, State},
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

impl Terms {
    /// What is kept of an acceptance: a new version has to be accepted anew.
    pub(super) fn id(&self) -> String {
        format!("{} {}", self.version, self.url)
    }
}

#[derive(Deserialize)]
struct Accept {
    user_accepts: Vec<String>,
}

pub(super) async fn show(State(clients): State<Arc<Clients>>) -> Response {
    let policies = clients.settings.terms.as_ref().map_or_else(
        || json!({}),
        |Terms { name, url, version }| {
            let text = json!({ "name": name, "url": url });
            json!({ "privacy_policy": { "version": version, "de": text, "en": text } })
        },
    );
    Json(json!({ "policies": policies })).into_response()
}

pub(super) async fn accept(
    State(clients): State<Arc<Clients>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Result<Response, Refusal> {
    let user = clients.signed_in(&headers, query.as_deref()).await?;
    let Accept { user_accepts } = read(&body)?;
    if let Some(terms) = clients.settings.terms.as_ref().filter(|terms| user_accepts.contains(&terms.url)) {
        clients.bridge.store.accept_terms(&user, &terms.id()).await.map_err(failed)?;
    }
    Ok(answer::done())
}
