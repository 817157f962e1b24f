//! Answers in the form of the Matrix specification ("Standard error response").

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

pub(super) fn error(status: StatusCode, code: &str, message: &str) -> Response {
    (status, Json(json!({ "errcode": code, "error": message }))).into_response()
}

/// `{}`: done.
pub(super) fn done() -> Response {
    Json(json!({})).into_response()
}

pub(super) fn not_found(message: &str) -> Response {
    error(StatusCode::NOT_FOUND, "M_NOT_FOUND", message)
}

pub(super) async fn unrecognized() -> Response {
    error(StatusCode::NOT_FOUND, "M_UNRECOGNIZED", "Fehmarn knows no such path")
}

pub(super) async fn wrong_method() -> Response {
    error(StatusCode::METHOD_NOT_ALLOWED, "M_UNRECOGNIZED", "this path knows another method")
}
