//! Notices when the homeserver was away, or believes that we were.

use super::super::Bridge;
use crate::matrix::Error;
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How long one question waits. It breaks at once when the homeserver goes away.
const QUESTION: Duration = Duration::from_secs(20);
/// A homeserver needs a moment to note that we did not answer, and another one to note that it has caught up.
const MOMENT: Duration = Duration::from_millis(500);
const BEAT: Duration = Duration::from_millis(500);

/// Watches until `stop`. `id`: of our registration.
pub(in crate::bridge) async fn run(bridge: Arc<Bridge>, id: String, stop: CancellationToken) {
    let watching = async {
        loop {
            bridge.wait_until_well(&id).await;
            bridge.wait_for_trouble(&id).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = watching => {}
        () = beat(&bridge) => {}
    }
}

async fn beat(bridge: &Bridge) {
    loop {
        bridge.reconcile.doubt.beat();
        if bridge.reconcile.echoes.are_missing() {
            bridge.reconcile.doubt.begin("what our own users have sent does not come back");
        }
        sleep(BEAT).await;
    }
}

impl Bridge {
    /// Returns when the homeserver reaches us, has nothing left to catch up with, and it stayed like that for a moment.
    async fn wait_until_well(&self, id: &str) {
        let doubt = &self.reconcile.doubt;
        loop {
            let state = doubt.state();
            sleep(MOMENT).await;
            if self.is_well(id, Duration::ZERO).await {
                sleep(MOMENT).await;
                if doubt.end(state) {
                    return;
                }
            }
        }
    }

    /// Returns as soon as something is wrong.
    async fn wait_for_trouble(&self, id: &str) {
        let doubt = &self.reconcile.doubt;
        let mut states = doubt.follow();
        self.reconcile.pushed.doubt();
        while doubt.state().well_since.is_some() {
            tokio::select! {
                _ = states.changed() => {}
                well = self.is_well(id, QUESTION) => {
                    if well {
                        self.note_pushed().await;
                    } else {
                        doubt.begin("the homeserver went away, or believes that we did");
                    }
                    // The answer may come at once, again and again.
                    sleep(MOMENT).await;
                }
            }
        }
    }

    /// Whether the homeserver stays for a while, and afterwards reaches us.
    async fn is_well(&self, id: &str, stays: Duration) -> bool {
        self.stays(stays).await && self.is_reached(id).await && self.is_reached(id).await
    }

    async fn stays(&self, longest: Duration) -> bool {
        match self.homeserver.wait(&self.bot, self.reconcile.place(), longest).await {
            Ok(place) => {
                self.reconcile.set_place(Some(place));
                true
            }
            Err(error) if error.is_about_the_request() && !is_inner_fault(&error) => {
                tracing::debug!(%error, "the homeserver does not let us wait");
                self.reconcile.set_place(None);
                sleep(longest).await;
                true
            }
            Err(error) => {
                tracing::debug!(%error, "the homeserver went away");
                false
            }
        }
    }

    /// The ping also makes the homeserver send at once what it keeps back. Synapse, while it does so, answers 502 to a
    /// ping that reached us; only of two in a row the second one says whether it has anything left.
    async fn is_reached(&self, id: &str) -> bool {
        match self.homeserver.ping(id).await {
            Ok(_) => true,
            // A homeserver that cannot ping.
            Err(error) => error.is_not_found(),
        }
    }
}

fn is_inner_fault(error: &Error) -> bool {
    matches!(error, Error::Refused { status: 500.., .. })
}
