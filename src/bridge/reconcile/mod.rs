//! What the homeserver forgets to push is read back.
//!
//! Synapse (1.163) keeps events that wait behind a transaction in flight in its memory, and never pushes them after a
//! restart. And when it has caught up with an application service that was away, a transaction that is made in that
//! very moment is stored and not sent. The events are in their rooms all the same.
//!
//! So a portal is *read back*: everything in it after its watermark goes through the router, which passes over what
//! came before. It is read back
//! - before anything that was pushed is routed, while there is reason to [`doubt`], so that the order is kept;
//! - in the background when the doubt is over, and then on and on, slowly ([`rounds`]).
//!
//! What makes us doubt is found by [`watch`] and [`transaction`]. Invitations into rooms that nobody of us is in are found
//! in another way: [`invitations`].

mod doubt;
mod echoes;
mod invitations;
mod portal;
mod pushed;
mod ring;
mod rounds;
mod transaction;
mod watch;

pub(super) use invitations::run as look_for_invitations;
pub(super) use rounds::run as go_round;
pub(super) use watch::run as watch;

use doubt::Doubt;
use echoes::Echoes;
use invitations::Asked;
use pushed::Pushed;
use rand::distr::{Alphanumeric, SampleString};
use ring::Ring;
use ruma::EventId;
use std::sync::{Mutex, PoisonError};

/// What the ids of invitations begin with that their ghosts have found themselves.
const FOUND: &str = "$found-by-its-ghost-";

/// An id for an invitation of which the homeserver does not tell it.
fn found_id() -> String {
    format!("{FOUND}{}", Alphanumeric.sample_string(&mut rand::rng(), 16))
}

/// Whether this is no event of the homeserver's, but stands for the newest invitation of a ghost.
pub(super) fn is_found(invitation: &EventId) -> bool {
    invitation.as_str().starts_with(FOUND)
}

/// What is known of the homeserver's pushing. In memory only: after a start everything is in doubt.
#[derive(Default)]
pub struct Reconcile {
    pub(super) doubt: Doubt,
    pub(super) echoes: Echoes,
    pub(super) asked: Asked,
    pushed: Pushed,
    ring: Ring,
    /// Where the next question to the homeserver goes on. It may be an old place: nothing is read back from there.
    place: Mutex<Option<String>>,
}

impl Reconcile {
    /// Whether the homeserver may have forgotten to push something.
    pub fn is_in_doubt(&self) -> bool {
        self.doubt.state().well_since.is_none()
    }

    fn place(&self) -> Option<String> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_place(&self, place: Option<String>) {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }
}
