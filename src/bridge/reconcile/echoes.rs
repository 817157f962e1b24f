//! What our own ghosts send comes back in a transaction. If it does not, others may be missing too.

use ruma::{EventId, OwnedEventId};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// An echo is there in well under a second, if the homeserver is not very busy.
const PATIENCE: Duration = Duration::from_secs(10);
/// A sample is enough: whatever loses one loses more.
const AWAITED: usize = 256;
const EARLY: usize = 1024;

#[derive(Default)]
pub(in crate::bridge) struct Echoes(Mutex<Known>);

#[derive(Default)]
struct Known {
    awaited: HashMap<OwnedEventId, Instant>,
    /// Echoes that came before the answer to the request, which happens often.
    early: HashSet<OwnedEventId>,
    by_age: VecDeque<OwnedEventId>,
}

impl Echoes {
    /// The homeserver has answered that this is the event.
    pub(in crate::bridge) fn expect(&self, event: &EventId) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.early.remove(event) && known.awaited.len() < AWAITED {
            known.awaited.insert(event.to_owned(), Instant::now());
        }
    }

    pub(in crate::bridge) fn heard(&self, event: &EventId) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.awaited.remove(event).is_some() {
            return;
        }
        if known.by_age.len() >= EARLY
            && let Some(oldest) = known.by_age.pop_front()
        {
            known.early.remove(&oldest);
        }
        known.early.insert(event.to_owned());
        known.by_age.push_back(event.to_owned());
    }

    /// Whether an echo has stayed away. It is not waited for any longer.
    pub(super) fn are_missing(&self) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.awaited.len();
        known.awaited.retain(|_, since| since.elapsed() < PATIENCE);
        known.awaited.len() < before
    }

    #[cfg(test)]
    fn age(&self) {
        let mut known = self.0.lock().unwrap();
        known.awaited.values_mut().for_each(|since| *since -= PATIENCE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ruma::event_id;

    #[test]
    fn an_echo_that_stays_away_is_missed_once() {
        let echoes = Echoes::default();
        echoes.expect(event_id!("$a"));
        assert!(!echoes.are_missing(), "it has time");
        echoes.age();
        assert!(echoes.are_missing());
        assert!(!echoes.are_missing());
    }

    #[test]
    fn an_echo_may_come_before_or_after_the_answer() {
        let echoes = Echoes::default();
        echoes.heard(event_id!("$early"));
        echoes.expect(event_id!("$early"));
        echoes.expect(event_id!("$late"));
        echoes.heard(event_id!("$late"));
        echoes.age();
        assert!(!echoes.are_missing());
    }

    #[test]
    fn memory_has_an_end() {
        let echoes = Echoes::default();
        for n in 0..5000 {
            let id = OwnedEventId::try_from(format!("${n}")).unwrap();
            echoes.expect(&id);
            echoes.heard(&OwnedEventId::try_from(format!("$other{n}")).unwrap());
        }
        let known = echoes.0.lock().unwrap();
        assert_eq!((known.awaited.len(), known.early.len(), known.by_age.len()), (AWAITED, EARLY, EARLY));
    }
}
