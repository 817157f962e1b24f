//! Free slots of a worker: rows that are committed go straight there, already claimed.

use super::{Queue, Row, Store};
use std::{
    sync::{Arc, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// A claimed row, and the slot that it takes.
pub type Claimed = (Row, OwnedSemaphorePermit);

/// What a worker has said of its slots.
pub(super) struct Offer {
    slots: Arc<Semaphore>,
    lease: Duration,
    rows: mpsc::UnboundedSender<Claimed>,
}

/// A free slot that a transaction keeps for a row of its own.
pub(super) struct Slot {
    permit: OwnedSemaphorePermit,
    rows: mpsc::UnboundedSender<Claimed>,
    pub lease: Duration,
}

impl Slot {
    /// After the commit. A worker that has stopped meanwhile finds the row at its next start.
    pub(super) fn give(self, row: Row) {
        let _ = self.rows.send((row, self.permit));
    }
}

impl Store {
    /// Rows of this queue that find a free slot when they are added are claimed in the same commit, and come here. The
    /// others wait for [`claim`](Self::claim) and [`finish`](Self::finish).
    pub fn offer(&self, queue: Queue, slots: Arc<Semaphore>, lease: Duration) -> mpsc::UnboundedReceiver<Claimed> {
        let (rows, receiver) = mpsc::unbounded_channel();
        *self.offered(queue) = Some(Offer { slots, lease, rows });
        receiver
    }

    pub(super) fn free_slot(&self, queue: Queue) -> Option<Slot> {
        let offered = self.offered(queue);
        let offer = offered.as_ref().filter(|offer| !offer.rows.is_closed())?;
        let permit = offer.slots.clone().try_acquire_owned().ok()?;
        Some(Slot { permit, rows: offer.rows.clone(), lease: offer.lease })
    }

    fn offered(&self, queue: Queue) -> MutexGuard<'_, Option<Offer>> {
        self.0.offers[queue as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
