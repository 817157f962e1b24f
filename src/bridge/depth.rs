//! How much waits, for those who ask again and again.

use super::Bridge;
use crate::store::{Depth, Error, Queue};
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Mutex;

/// Counting takes at most this part of the time: with a million rows the answer is some seconds old.
const SHARE: u32 = 50;
/// What Fehmarn itself has to do in Matrix.
const OWN: &str = "matrix";

/// Both queues by connector, at one moment.
#[derive(Clone, Debug)]
pub struct Counted {
    pub at: Instant,
    took: Duration,
    pub queues: [(Queue, BTreeMap<&'static str, Depth>); 2],
}

/// The last count.
#[derive(Default)]
pub struct Depths(Mutex<Option<Counted>>);

impl Counted {
    fn is_fresh(&self) -> bool {
        self.at.elapsed() < self.took * SHARE
    }

    /// Live and dead rows of a queue.
    pub fn sums(&self, queue: Queue) -> (i64, i64) {
        let depths = self.queues.iter().filter(|(of, _)| *of == queue).flat_map(|(_, depths)| depths.values());
        depths.fold((0, 0), |(live, dead), depth| (live + depth.waiting + depth.held, dead + depth.dead))
    }
}

impl Bridge {
    /// What is in the queues, as of some moments ago. Those who ask at once share an answer, and whoever stops waiting
    /// leaves it to the others.
    pub async fn depths(self: &Arc<Self>) -> Result<Counted, Error> {
        let bridge = self.clone();
        let count = async move {
            let mut last = bridge.depths.0.lock().await;
            if let Some(counted) = last.as_ref().filter(|counted| counted.is_fresh()) {
                return Ok(counted.clone());
            }
            let counted = bridge.count_rows().await?;
            Ok(last.insert(counted).clone())
        };
        tokio::spawn(count).await.unwrap_or(Err(Error::Stopped))
    }

    async fn count_rows(&self) -> Result<Counted, Error> {
        let began = Instant::now();
        let names: Vec<&'static str> = self.connectors.keys().copied().collect();
        let hold = self.connectors.values().map(|port| port.capabilities().hold).max().unwrap_or_default();
        let of = async |queue| Ok::<_, Error>((queue, self.store.depths(queue, &names, OWN, hold).await?));
        let queues = [of(Queue::Outbox).await?, of(Queue::Inbox).await?];
        Ok(Counted { at: Instant::now(), took: began.elapsed(), queues })
    }

    /// The name of a row's connector among those that there are, for whoever counts.
    pub(super) fn connector_name(&self, name: &str) -> &'static str {
        self.connectors.get_key_value(name).map_or(OWN, |(name, _)| name)
    }
}
