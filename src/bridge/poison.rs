//! An event that ends a step of the program holds nobody up: the homeserver would push it again and again, and everything
//! behind it would wait.

use super::{Bridge, event::Event};
use crate::{
    failure::{Failure, Reason},
    metrics,
    store::{Error, Watermark},
};
use futures_util::FutureExt;
use std::{panic::AssertUnwindSafe, slice};

/// So often may an event fail alone before it is left out: the fault may have been another one.
const TRIES: u32 = 3;

impl Bridge {
    /// Takes events in, in order, and notes up to where portals were read back. After `Ok` what follows from them is
    /// durable; each event counts once, however often and however concurrently it comes. How many were new.
    ///
    /// # Errors
    /// Also when a fault in the program ended it. The same events may come again; which of them is to blame is found out,
    /// and the third time it is left out.
    pub(super) async fn route(&self, events: &[Event<'_>], watermarks: &[Watermark]) -> Result<usize, Failure> {
        if let Some(result) = self.try_route(events, watermarks).await {
            return Ok(result?);
        }
        let mut count = 0;
        for event in events {
            match self.try_route(slice::from_ref(event), &[]).await {
                Some(result) => count += result?,
                None => self.blame(event).await?,
            }
        }
        let last = self.try_route(&[], watermarks).await;
        last.unwrap_or_else(|| Ok(0))?;
        Ok(count)
    }

    /// `None`: it ended in a fault, and nothing was kept.
    async fn try_route(&self, events: &[Event<'_>], watermarks: &[Watermark]) -> Option<Result<usize, Error>> {
        AssertUnwindSafe(self.route_all(events, watermarks)).catch_unwind().await.ok()
    }

    /// An event that failed alone: an error, until it is left out.
    async fn blame(&self, event: &Event<'_>) -> Result<(), Failure> {
        let tries = self.poison.recall(&event.id).unwrap_or(0) + 1;
        self.poison.remember(event.id.clone(), tries);
        let (id, room) = (&event.id, &event.room);
        if tries < TRIES {
            tracing::error!(event = %id, %room, tries, "a fault in the program: an event cannot be taken in");
            return Err(Failure::transient(Reason::Internal, "a fault in the program ended this step"));
        }
        let mut tx = self.store.begin().await?;
        tx.first_seen(&[id.to_string()]).await?;
        tx.commit().await?;
        metrics::left_out();
        tracing::error!(event = %id, %room, tries, "an event cannot be taken in and is left out; nobody gets it");
        Ok(())
    }
}
