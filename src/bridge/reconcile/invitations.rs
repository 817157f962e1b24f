//! Invitations that the homeserver forgets to push.
//!
//! Of a room without a ghost in it we know nothing, and so nobody reads it back. But the invited ghost sees its
//! invitation, and so does the bot. They look for some themselves:
//! - whom the homeserver asked for, when no event followed: Synapse asks for each new ghost just before it pushes its
//!   invitation;
//! - after a doubt, the bot, then those in whose portals somebody wrote lately, and slowly all others ([`ring`](super::ring)).
//!   They ask for what came after the place up to which everything was [pushed](super::pushed): a Synapse (1.163) needs
//!   4 ms of one processor for that, 32 for a ghost in one room that asks for everything, and minutes for a bot in all
//!   portals of a large installation.

use super::super::Bridge;
use crate::{failure::Failure, matrix, metrics, store::now};
use ruma::{OwnedUserId, UserId};
use serde_json::json;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// What the homeserver asks for is pushed in the next moment, if it is not very busy.
const PATIENCE: Duration = Duration::from_secs(5);
const EVERY: Duration = Duration::from_secs(1);
/// More are not kept in mind: somebody asks for whatever comes to their mind.
const AWAITED: usize = 10_000;

/// Ghosts that the homeserver asked for and has pushed nothing of yet.
#[derive(Default)]
pub(in crate::bridge) struct Asked(Mutex<HashMap<OwnedUserId, Instant>>);

impl Asked {
    pub(in crate::bridge) fn note(&self, ghost: &UserId) {
        let mut asked = self.lock();
        if asked.len() < AWAITED {
            asked.insert(ghost.to_owned(), Instant::now());
        }
    }

    /// Something about this user was pushed.
    pub(super) fn heard(&self, user: &UserId) {
        self.lock().remove(user);
    }

    /// Those who have waited long enough; they wait no more.
    fn due(&self) -> Vec<OwnedUserId> {
        let mut asked = self.lock();
        let due: Vec<OwnedUserId> =
            asked.iter().filter(|(_, since)| since.elapsed() >= PATIENCE).map(|(ghost, _)| ghost.clone()).collect();
        for ghost in &due {
            asked.remove(ghost);
        }
        due
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<OwnedUserId, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks until `stop` for those who were asked for.
pub(in crate::bridge) async fn run(bridge: Arc<Bridge>, stop: CancellationToken) {
    while stop.run_until_cancelled(sleep(EVERY)).await.is_some() {
        for ghost in bridge.reconcile.asked.due() {
            if let Err(failure) = bridge.look_for_new(&ghost).await {
                tracing::warn!(%failure, "cannot look for an invitation; trying again");
                bridge.reconcile.asked.note(&ghost);
            }
        }
    }
}

impl Bridge {
    /// The homeserver asks whether there is such a user; whether there could be.
    pub fn is_asked_for(&self, user: &UserId) -> bool {
        let is_there = self.stands_for_somebody(user);
        if is_there && *user != self.bot {
            self.reconcile.asked.note(user);
        }
        is_there
    }

    async fn look_for_new(&self, ghost: &UserId) -> Result<(), Failure> {
        let Some((connector, remote)) = self.remote_of(ghost) else { return Ok(()) };
        self.ensure_ghost(connector, &remote).await?;
        self.look_for_invitations(ghost, None).await.map(drop)
    }

    /// Takes in the invitations of one of ours that were never pushed; how many. `since`: those after this place.
    pub(super) async fn look_for_invitations(&self, user: &UserId, since: Option<&str>) -> Result<usize, Failure> {
        let invitations = match self.homeserver.intent(user).invitations(since).await {
            Err(matrix::Error::Refused { status: 400, code, .. }) if since.is_some() && !code.is_empty() => {
                tracing::warn!(code, "the homeserver's order is another one; looking for invitations begins anew");
                self.store.set_pushed_to(None).await?;
                return Ok(0);
            }
            Err(error)
                if error.is_about_the_request() && !matches!(error, matrix::Error::Refused { status: 500.., .. }) =>
            {
                tracing::debug!(%error, "one of ours cannot look for invitations");
                return Ok(0);
            }
            invitations => invitations?,
        };
        let mut found = Vec::new();
        for invited in invitations {
            // It was pushed, and the ghost is on its way.
            if self.store.membership(&invited.room, user).await?.is_some() {
                continue;
            }
            let event = json!({
                "type": "m.room.member", "event_id": super::found_id(), "room_id": invited.room,
                "sender": invited.sender, "state_key": user, "origin_server_ts": now(), "content": invited.content,
            });
            found.push(event.to_string());
        }
        let taken = self.route(&self.read_events(found.iter().map(String::as_str), |_| ()), &[]).await?;
        metrics::reconciled(taken);
        if taken > 0 {
            tracing::info!(
                taken,
                bot = *user == self.bot,
                "one of ours has found invitations, most likely never pushed"
            );
        }
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ruma::user_id;

    #[test]
    fn who_was_asked_for_is_due_once_unless_something_was_heard() {
        let asked = Asked::default();
        let (bob, eve) = (user_id!("@_email_bob:x"), user_id!("@_email_eve:x"));
        asked.note(bob);
        asked.note(eve);
        assert!(asked.due().is_empty(), "they have time");
        asked.heard(eve);
        asked.lock().values_mut().for_each(|since| *since -= PATIENCE);
        assert_eq!(asked.due(), [bob]);
        assert!(asked.due().is_empty());
    }

    #[test]
    fn memory_has_an_end() {
        let asked = Asked::default();
        for n in 0..AWAITED + 10 {
            asked.note(&UserId::parse(format!("@_email_{n}:x")).unwrap());
        }
        assert_eq!(asked.lock().len(), AWAITED);
    }
}
