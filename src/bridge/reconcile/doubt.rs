//! Whether the homeserver may have forgotten to push something, and which portals were read back since.

use crate::store::now;
use ruma::{OwnedRoomId, RoomId};
use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// How long a portal is trusted after it was read back: whatever goes unnoticed is found with the first message after
/// this time, and in the right order.
const TRUSTED_FOR: Duration = Duration::from_secs(12 * 3600);
const REMEMBERED: usize = 200_000;
/// A process that does not run for this long may have missed anything: a homeserver that restarts takes longer.
/// Milliseconds.
const GAP: i64 = 1_500;

/// How it stands with the homeserver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// Since when it works as it should; `None` while something is wrong, as at the start.
    pub well_since: Option<Instant>,
    /// How often something went wrong.
    pub troubles: u64,
}

#[derive(Default)]
pub(in crate::bridge) struct Doubt {
    state: watch::Sender<State>,
    /// The portals that were read back, and when.
    read: Mutex<HashMap<OwnedRoomId, Instant>>,
    /// The newest transaction, and when it first came.
    transaction: Mutex<Option<(String, Instant)>>,
    /// When this process was last seen running; milliseconds since 1970.
    pulse: AtomicI64,
}

impl Doubt {
    /// Something may have been forgotten from now on, until [`end`](Self::end).
    pub(in crate::bridge) fn begin(&self, why: &str) {
        let mut was_well = false;
        self.state.send_modify(|state| {
            was_well = state.well_since.take().is_some();
            state.troubles += 1;
        });
        if was_well {
            tracing::info!(why, "the homeserver may have forgotten to push something; reading back");
        }
    }

    /// The homeserver works as it should, and nothing went wrong since `state` was taken.
    pub(super) fn end(&self, state: State) -> bool {
        self.state.send_if_modified(|now| {
            let quiet = *now == state && now.well_since.is_none();
            if quiet {
                now.well_since = Some(Instant::now());
            }
            quiet
        })
    }

    pub(super) fn state(&self) -> State {
        *self.state.borrow()
    }

    pub(super) fn follow(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// Notes that this process runs, and whether it did not for a while: what then waited at our doors may be answered
    /// before anybody notices that the homeserver is another one.
    pub(super) fn beat(&self) {
        let now = now();
        let last = self.pulse.swap(now, Ordering::Relaxed);
        if last != 0 && (now - last).abs() > GAP {
            self.begin("Fehmarn did not run for a while");
        }
    }

    /// A transaction has come. Portals that it concerns must have been read back since the time that this returns: while
    /// something is wrong, since it first came, since whatever is older than its events was in the room by then.
    pub(super) fn note_transaction(&self, id: &str) -> Instant {
        let now = Instant::now();
        let mut newest = lock(&self.transaction);
        let first = match &*newest {
            Some((known, first)) if known == id => Some(*first),
            _ => None,
        };
        if first.is_some() {
            self.begin("the homeserver repeats a transaction");
        } else if newest.as_ref().is_some_and(|(known, _)| is_before(id, known)) {
            self.begin("the homeserver counts its transactions anew");
        }
        let first = first.unwrap_or(now);
        *newest = Some((id.to_owned(), first));
        let since = self.state().well_since.unwrap_or(first);
        now.checked_sub(TRUSTED_FOR).map_or(since, |trusted| since.max(trusted))
    }

    /// Whether a portal was read back after this time.
    pub(super) fn was_read(&self, room: &RoomId, since: Instant) -> bool {
        lock(&self.read).get(room).is_some_and(|at| *at >= since)
    }

    /// Everything that was in the portal at this time was taken in.
    pub(in crate::bridge) fn note_read(&self, room: &RoomId, at: Instant) {
        let mut read = lock(&self.read);
        if read.len() >= REMEMBERED {
            read.clear();
        }
        read.insert(room.to_owned(), at);
    }
}

/// Whether a transaction was made before another one, as far as their names tell. Homeservers count, but need not.
fn is_before(id: &str, other: &str) -> bool {
    matches!((id.parse::<u64>(), other.parse::<u64>()), (Ok(id), Ok(other)) if id < other)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ruma::room_id;

    fn calm() -> Doubt {
        let doubt = Doubt::default();
        assert!(doubt.end(doubt.state()));
        doubt
    }

    #[test]
    fn at_the_start_every_portal_is_in_doubt_and_when_all_is_well_each_is_read_once() {
        let (doubt, room) = (Doubt::default(), room_id!("!r:x"));
        for id in ["1", "2"] {
            let since = doubt.note_transaction(id);
            assert!(!doubt.was_read(room, since), "something is wrong: what was read for another one does not count");
            doubt.note_read(room, Instant::now());
            assert!(doubt.was_read(room, since));
        }
        assert!(doubt.end(doubt.state()));
        assert!(!doubt.was_read(room, doubt.note_transaction("3")));
        doubt.note_read(room, Instant::now());
        assert!(doubt.was_read(room, doubt.note_transaction("4")));
        assert!(doubt.was_read(room, doubt.note_transaction("5")));
    }

    #[test]
    fn what_was_read_for_a_transaction_counts_when_it_is_repeated() {
        let (doubt, room) = (Doubt::default(), room_id!("!r:x"));
        let since = doubt.note_transaction("7");
        doubt.note_read(room, Instant::now());
        assert_eq!(doubt.note_transaction("7"), since);
        assert!(doubt.was_read(room, since));
    }

    #[test]
    fn a_transaction_that_is_repeated_or_counted_anew_makes_us_doubt_and_one_that_follows_does_not() {
        for (ids, well) in
            [(["7", "8"], true), (["7", "7"], false), (["8", "7"], false), (["9", "10"], true), (["b", "a"], true)]
        {
            let doubt = calm();
            for id in ids {
                doubt.note_transaction(id);
            }
            assert_eq!(doubt.state().well_since.is_some(), well, "{ids:?}");
        }
    }

    #[test]
    fn the_doubt_does_not_end_for_whoever_has_not_seen_the_newest_trouble() {
        let doubt = calm();
        doubt.begin("first");
        let state = doubt.state();
        doubt.begin("second");
        assert!(!doubt.end(state));
        assert!(doubt.end(doubt.state()));
    }

    #[test]
    fn a_process_that_did_not_run_doubts() {
        let doubt = calm();
        doubt.beat();
        doubt.beat();
        assert!(doubt.state().well_since.is_some());
        doubt.pulse.fetch_sub(GAP + 1000, Ordering::Relaxed);
        doubt.beat();
        assert!(doubt.state().well_since.is_none());
    }
}
