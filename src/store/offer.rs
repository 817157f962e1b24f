//! Free slots of a worker: whatever is claimed for them comes by one way, after the commit that claims it.

use super::{Error, Queue, Row, Store};
use std::{
    iter,
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

/// A free slot that a transaction keeps for a row.
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
    /// Offers the free ones among these slots. A row that can be done at once takes one in the very commit that adds
    /// it, and is held for `lease`; see also [`fill_slots`](Self::fill_slots). The offer ends with what is returned.
    pub fn offer(&self, queue: Queue, slots: Arc<Semaphore>, lease: Duration) -> mpsc::UnboundedReceiver<Claimed> {
        let (rows, receiver) = mpsc::unbounded_channel();
        *self.offered(queue) = Some(Offer { slots, lease, rows });
        receiver
    }

    /// Claims rows that are due for the slots that are free, the longest due first; returns how many.
    pub async fn fill_slots(&self, queue: Queue) -> Result<usize, Error> {
        let mut tx = self.begin().await?;
        // Not before: slots that wait for the writer are not free for what is being added.
        let slots: Vec<Slot> = iter::from_fn(|| self.free_slot(queue)).collect();
        let mut count = 0;
        if let Some(lease) = slots.first().map(|slot| slot.lease) {
            let rows = tx.claim(queue, slots.len(), lease).await?;
            count = rows.len();
            tx.pending(queue).claimed.extend(rows.into_iter().zip(slots));
        }
        tx.commit().await?;
        Ok(count)
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
