//! The homeserver's side of the application service API: one transaction in flight, repeated until it is accepted.

use super::{Homeserver, Power, Registration, call::Call, call::Reply, world::Transaction};
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// Synapse waits longer and longer, up to minutes, or until it is asked for a ping; a benchmark does not.
const PAUSE: Duration = Duration::from_millis(100);
/// After this long Synapse sends the same transaction again.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a ping waits until everything is sent that was kept back.
const CATCHING_UP: Duration = Duration::from_millis(400);

impl Homeserver {
    pub(super) async fn push(self: Arc<Self>) {
        let Some(registration) = self.registration.get().cloned() else { return };
        let mut power = self.power();
        loop {
            let mut down = self.power();
            tokio::select! {
                () = self.push_while_up(&registration, &mut power) => return,
                _ = down.wait_for(|power| *power == Power::Down) => {}
            }
            self.world().crash();
            if power.wait_for(|power| *power == Power::Up).await.is_err() {
                return;
            }
        }
    }

    /// Ends only with this program.
    async fn push_while_up(&self, registration: &Registration, power: &mut watch::Receiver<Power>) {
        loop {
            if self.world().is_recovering() {
                self.catch_up(registration, power).await;
            }
            let transaction = loop {
                if let Some(transaction) = self.world().take() {
                    break transaction;
                }
                self.queued.notified().await;
            };
            if self.put(registration, power, &transaction).await {
                self.world().acknowledge();
            } else {
                self.world().keep_back();
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Sends what was kept back, the oldest first.
    async fn catch_up(&self, registration: &Registration, power: &mut watch::Receiver<Power>) {
        loop {
            let Some(transaction) = self.world().kept_back() else { break };
            if self.put(registration, power, &transaction).await {
                self.world().acknowledge_kept_back();
            } else {
                self.world().note_failure();
                tokio::time::sleep(PAUSE).await;
            }
        }
        self.world().recover(self.is_forgetful());
    }

    async fn put(
        &self,
        registration: &Registration,
        power: &mut watch::Receiver<Power>,
        transaction: &Transaction,
    ) -> bool {
        let accepted = self.put_transaction(registration, transaction).await;
        // Whoever is stopped reads no answer.
        power.wait_for(|power| *power != Power::Hung).await.is_ok() && accepted
    }

    async fn put_transaction(&self, registration: &Registration, transaction: &Transaction) -> bool {
        let request = self
            .http
            .put(format!("{}/_matrix/app/v1/transactions/{}", registration.url, transaction.number))
            .bearer_auth(&registration.hs_token)
            .header("content-type", "application/json")
            .timeout(PATIENCE)
            .body(transaction.body());
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
            // Synapse, too, says so while it has something left to send.
            Ok(response) if response.status().is_success() && !self.has_caught_up().await => {
                Reply::error(502, "M_BAD_STATUS", "still catching up")
            }
            Ok(response) if response.status().is_success() => Reply::ok(serde_json::json!({"duration_ms": 1})),
            Ok(_) => Reply::error(502, "M_BAD_STATUS", "the ping was refused"),
            Err(_) => Reply::error(502, "M_CONNECTION_FAILED", "the ping was not answered"),
        }
    }

    async fn has_caught_up(&self) -> bool {
        let caught_up = async {
            while self.world().is_recovering() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(CATCHING_UP, caught_up).await.is_ok()
    }
}
