//! Answers in the form of the Matrix specification ("Standard error response").

use axum::{
    Json,
    http::{StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use serde_json::json;
use std::time::Duration;

pub(super) fn error(status: StatusCode, code: &str, message: &str) -> Response {
    (status, Json(json!({ "errcode": code, "error": message }))).into_response()
}

/// Why a request is not answered as it wishes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refusal {
    pub status: StatusCode,
    pub code: &'static str,
    pub message: &'static str,
    /// Not to be tried again before this time has passed.
    pub wait: Option<Duration>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &'static str, message: &'static str) -> Self {
        Self { status, code, message, wait: None }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self.wait {
            None => error(self.status, self.code, self.message),
            Some(wait) => {
                let milliseconds = wait.as_millis() as u64;
                let body = json!({ "errcode": self.code, "error": self.message, "retry_after_ms": milliseconds });
                let seconds = [(RETRY_AFTER, milliseconds.div_ceil(1000).to_string())];
                (self.status, seconds, Json(body)).into_response()
            }
        }
    }
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
