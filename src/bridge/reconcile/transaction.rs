//! What the homeserver pushes, and what it should have pushed before.

use super::{
    super::{Bridge, event::Kind},
    doubt::Doubt,
};
use crate::{failure::Failure, metrics};
use ruma::OwnedRoomId;
use std::collections::BTreeSet;

/// A transaction that was not answered with success. The homeserver will keep back what follows, and can forget
/// something when it has caught up.
struct Unanswered<'a> {
    doubt: &'a Doubt,
    answered: bool,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.doubt.begin("a transaction was not taken in");
        }
    }
}

impl Bridge {
    /// Takes a transaction in: its events, each as JSON, in order. After `Ok` what follows from them is durable, and so
    /// is what was written in the same portals before.
    pub async fn take_transaction(&self, id: &str, events: impl Iterator<Item = &str>) -> Result<(), Failure> {
        let doubt = &self.reconcile.doubt;
        doubt.beat();
        let since = doubt.note_transaction(id);
        let mut unanswered = Unanswered { doubt, answered: false };
        let events = self.read_events(events, |own| self.reconcile.echoes.heard(own));
        let rooms: BTreeSet<OwnedRoomId> =
            events.iter().filter(|event| !doubt.was_read(&event.room, since)).map(|event| event.room.clone()).collect();
        if !rooms.is_empty() {
            self.read_back(&rooms.into_iter().collect::<Vec<_>>(), true).await?;
        }
        metrics::events(self.route(&events, &[]).await?);
        for event in &events {
            if let Kind::Member { user, .. } = &event.kind {
                self.reconcile.asked.heard(user);
            }
        }
        self.passing.changed_by(&events);
        unanswered.answered = true;
        Ok(())
    }
}
