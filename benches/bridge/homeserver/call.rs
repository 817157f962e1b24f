//! A request in pieces, and its reply.

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::{Method, StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::HashMap;

const BODY_LIMIT: usize = 110 << 20;

pub struct Call {
    pub method: Method,
    /// Decoded, without empty segments: a state key may be empty.
    pub path: Vec<String>,
    pub query: HashMap<String, String>,
    pub token: String,
    pub body: Bytes,
}

impl Call {
    pub async fn read(request: Request) -> Option<Self> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path().split('/').filter(|s| !s.is_empty()).map(decode).collect();
        let query =
            url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        let token = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = token.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default().to_owned();
        let body = to_bytes(body, BODY_LIMIT).await.ok()?;
        Some(Self { method: parts.method, path, query, token, body })
    }

    pub fn segments(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).collect()
    }

    /// Null where it is no JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Percent-decoding of one path segment, where unlike in a query `+` is itself.
fn decode(segment: &str) -> String {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).filter(|_| *first == b'%').and_then(|two| std::str::from_utf8(two).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Percent-encoding of one path segment or query value.
pub fn segment(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

pub struct Reply {
    pub status: u16,
    pub body: Bytes,
}

impl Reply {
    pub fn ok(value: Value) -> Self {
        Self { status: 200, body: value.to_string().into() }
    }

    pub fn empty() -> Self {
        Self { status: 200, body: Bytes::from_static(b"{}") }
    }

    pub fn error(status: u16, code: &str, text: &str) -> Self {
        Self { status, body: json!({"errcode": code, "error": text}).to_string().into() }
    }

    pub fn not_found() -> Self {
        Self::error(404, "M_NOT_FOUND", "not found")
    }

    pub fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = StatusCode::from_u16(self.status).expect("a status of our own");
        response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
        response
    }
}
