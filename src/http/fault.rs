//! A fault in the program ends one request, and says so; whoever asked may ask again.

use super::answer;
use axum::{
    extract::{MatchedPath, Request},
    http::StatusCode,
    middleware::Next,
    response::Response,
};
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;

pub(super) async fn catch(request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().cloned();
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_) => {
            let path = path.as_ref().map_or("", MatchedPath::as_str);
            tracing::error!(path, "a fault in the program has ended a request");
            answer::error(StatusCode::INTERNAL_SERVER_ERROR, "M_UNKNOWN", "a fault in the program")
        }
    }
}
