//! `PUT /transactions/{txnId}`: what happened in our rooms.

use super::{Site, answer};
use crate::metrics;
use axum::{
    body::Bytes,
    extract::{Path, State, rejection::BytesRejection},
    http::StatusCode,
    response::Response,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::{sync::Arc, time::Instant};

#[derive(Deserialize)]
struct Transaction<'a> {
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
    /// Who writes and who has read. Whatever stands there, it must not cost an event.
    #[serde(borrow, default)]
    ephemeral: Option<&'a RawValue>,
    /// The same, from homeservers that do not know the final name (MSC2409).
    #[serde(borrow, default, rename = "de.sorunome.msc2409.ephemeral")]
    ephemeral_early: Option<&'a RawValue>,
}

impl<'a> Transaction<'a> {
    fn passing(&self) -> impl Iterator<Item = &'a str> {
        let events = self.ephemeral.or(self.ephemeral_early);
        let events: Vec<&'a RawValue> = events.and_then(|it| serde_json::from_str(it.get()).ok()).unwrap_or_default();
        events.into_iter().map(RawValue::get)
    }
}

/// Answers 200 after the commit, never before. The transaction id tells no repeat from something new: homeservers use it
/// again after a restart; events are recognised by their own ids.
pub(super) async fn take(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(error) => {
            let too_large = error.status() == StatusCode::PAYLOAD_TOO_LARGE;
            let code = if too_large { "M_TOO_LARGE" } else { "M_UNKNOWN" };
            return answer::error(error.status(), code, &error.body_text());
        }
    };
    let transaction: Transaction<'_> = match serde_json::from_slice(&body) {
        Ok(transaction) => transaction,
        Err(error) => {
            tracing::warn!(%error, bytes = body.len(), "a transaction that is none");
            let code = if error.is_data() { "M_BAD_JSON" } else { "M_NOT_JSON" };
            return answer::error(StatusCode::BAD_REQUEST, code, &error.to_string());
        }
    };
    let began = Instant::now();
    let taken = site.bridge.take_transaction(&id, transaction.events.iter().map(|event| event.get())).await;
    metrics::transaction(if taken.is_ok() { "taken" } else { "refused" }, began.elapsed());
    match taken {
        Ok(()) => {
            site.bridge.take_passing(transaction.passing());
            answer::done()
        }
        Err(error) => {
            tracing::error!(%error, "a transaction could not be taken in; the homeserver will send it again");
            answer::error(StatusCode::SERVICE_UNAVAILABLE, "M_UNKNOWN", "the transaction could not be taken in")
        }
    }
}
