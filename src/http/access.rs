//! Only the homeserver may speak to us (Application Service API 1.11, "Authorization").

use super::{Site, answer};
use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
    middleware::Next,
    response::Response,
};
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// Lets a request pass that carries the `hs_token` as a bearer token; not one that has it in its URL, where logs see it.
pub(super) async fn homeserver_only(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    match bearer(request.headers()) {
        None => {
            answer::error(StatusCode::UNAUTHORIZED, "M_MISSING_TOKEN", "the Authorization header has no bearer token")
        }
        Some(token) if same(token, site.registration.hs_token.expose()) => next.run(request).await,
        Some(_) => answer::error(StatusCode::FORBIDDEN, "M_FORBIDDEN", "this is not the hs_token of the registration"),
    }
}

pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then_some(token)
}

/// How long this takes says nothing about where the two differ.
fn same(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}
