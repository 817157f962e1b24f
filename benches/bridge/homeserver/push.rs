//! The homeserver's side of the application service API: one transaction in flight, repeated until it is accepted.

use super::{Homeserver, Registration, call::Call, call::Reply};
use std::{sync::Arc, time::Duration};

/// Synapse waits longer and longer, up to minutes; a benchmark does not.
const PAUSE: Duration = Duration::from_millis(100);
/// After this long Synapse sends the same transaction again.
const PATIENCE: Duration = Duration::from_secs(60);

impl Homeserver {
    pub(super) async fn push(self: Arc<Self>) {
        let Some(registration) = self.registration.get().cloned() else { return };
        for number in 1.. {
            let events = loop {
                let events = self.world().take();
                if !events.is_empty() {
                    break events;
                }
                self.queued.notified().await;
            };
            let body = format!(r#"{{"events":[{}]}}"#, events.join(","));
            while !self.put_transaction(&registration, number, &body).await {
                self.world().transactions.failed += 1;
                tokio::time::sleep(PAUSE).await;
            }
            self.world().acknowledge();
        }
    }

    async fn put_transaction(&self, registration: &Registration, number: usize, body: &str) -> bool {
        let request = self
            .http
            .put(format!("{}/_matrix/app/v1/transactions/{number}", registration.url))
            .bearer_auth(&registration.hs_token)
            .header("content-type", "application/json")
            .timeout(PATIENCE)
            .body(body.to_owned());
        let Ok(response) = request.send().await else { return false };
        let accepted = response.status().is_success();
        // Read to its end, so that the connection can be used again.
        response.bytes().await.is_ok() && accepted
    }

    /// The application service asks to be called back.
    pub(super) async fn ping(&self, call: &Call) -> Reply {
        let Some(registration) = self.registration.get() else { return Reply::not_found() };
        let body = serde_json::json!({"transaction_id": call.json()["transaction_id"]});
        let request = self
            .http
            .post(format!("{}/_matrix/app/v1/ping", registration.url))
            .bearer_auth(&registration.hs_token)
            .header("content-type", "application/json")
            .body(body.to_string());
        match request.send().await {
            Ok(response) if response.status().is_success() => Reply::ok(serde_json::json!({"duration_ms": 1})),
            Ok(_) => Reply::error(502, "M_BAD_STATUS", "the ping was refused"),
            Err(_) => Reply::error(502, "M_CONNECTION_FAILED", "the ping was not answered"),
        }
    }
}
