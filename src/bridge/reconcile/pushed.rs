//! Up to which place in its order the homeserver has surely pushed everything. Whoever asks it for what came later is
//! answered from its memory; for everything, it reads every room of theirs.

use super::super::Bridge;
use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// What the homeserver has not pushed after this time, though nothing went wrong, it does not push any more.
const SURELY: Duration = Duration::from_secs(600);

/// A place that will be sure, and since when the homeserver was there.
#[derive(Default)]
pub(super) struct Pushed(Mutex<Option<(String, Instant)>>);

impl Pushed {
    /// All is well, and the homeserver has come to this place. Returns a place that is sure by now.
    fn ripen(&self, place: String, now: Instant) -> Option<String> {
        let mut next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*next {
            Some((_, since)) if now.saturating_duration_since(*since) < SURELY => None,
            _ => next.replace((place, now)).map(|(ripe, _)| ripe),
        }
    }

    /// Something has gone wrong.
    pub(super) fn doubt(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Bridge {
    /// All is well. While some have not been asked yet what they have missed, it is asked for from the old place on.
    pub(super) async fn note_pushed(&self) {
        if !self.reconcile.ring.is_done() {
            return;
        }
        let Some(place) = self.reconcile.place() else { return };
        if let Some(ripe) = self.reconcile.pushed.ripen(place, Instant::now())
            && let Err(error) = self.store.set_pushed_to(Some(&ripe)).await
        {
            tracing::warn!(%error, "cannot note how far the homeserver has pushed; later again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_sure_when_nothing_went_wrong_for_long() {
        let (pushed, start) = (Pushed::default(), Instant::now());
        assert_eq!(pushed.ripen("1".into(), start), None);
        assert_eq!(pushed.ripen("2".into(), start + SURELY / 2), None);
        assert_eq!(pushed.ripen("3".into(), start + SURELY).as_deref(), Some("1"));
        assert_eq!(pushed.ripen("4".into(), start + SURELY), None);
        assert_eq!(pushed.ripen("5".into(), start + SURELY * 2).as_deref(), Some("3"));
        pushed.doubt();
        assert_eq!(pushed.ripen("6".into(), start + SURELY * 3), None, "what was before the trouble is not sure");
        assert_eq!(pushed.ripen("7".into(), start + SURELY * 4).as_deref(), Some("6"));
    }
}
