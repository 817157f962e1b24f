//! The loop that works off a queue: claims what is due, tries it, records how it ended.

use super::Bridge;
use crate::{
    failure::{Failure, Reason, Retry, back_off},
    store::{Finished, Message, NewRow, Outcome, Queue, Row, ThreadState, now},
};
use futures_util::FutureExt;
use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Longer than any attempt: a row is never worked on twice at once.
const LEASE: Duration = Duration::from_secs(600);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(300);
/// An admin's `queue retry` comes from another process, which cannot wake us.
const LONGEST_NAP: Duration = Duration::from_secs(3);
/// Rows that are turned into events at once. The homeserver takes fewer; the rest waits for commits meanwhile.
const ARRIVALS_AT_ONCE: usize = 32;
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(1);
/// Stopping takes at most this long; what is cut off is repeated after the next start.
const DRAIN: Duration = Duration::from_secs(8);

/// What came of a row that is done.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub messages: Vec<Message>,
    pub thread: Option<ThreadState>,
    pub follow_up: Vec<NewRow>,
}

/// Works off one queue until `stop`.
pub(super) async fn run(bridge: Arc<Bridge>, queue: Queue, stop: CancellationToken) {
    let at_once = match queue {
        Queue::Outbox => bridge.connectors.values().map(|c| c.capabilities().concurrency).sum::<usize>().max(1),
        Queue::Inbox => ARRIVALS_AT_ONCE,
    };
    let slots = Arc::new(Semaphore::new(at_once));
    let tasks = TaskTracker::new();
    let cut_off = CancellationToken::new();
    while !stop.is_cancelled() {
        let Some(permits) = stop.run_until_cancelled(free_slots(&slots)).await else { break };
        match bridge.store.claim(queue, permits.len(), LEASE).await {
            Ok(rows) if rows.is_empty() => {
                drop(permits);
                let _ = stop.run_until_cancelled(nap(&bridge, queue)).await;
            }
            Ok(rows) => {
                for (row, permit) in rows.into_iter().zip(permits) {
                    let (bridge, cut_off) = (bridge.clone(), cut_off.clone());
                    tasks.spawn(async move { cut_off.run_until_cancelled(work(&bridge, queue, row, permit)).await });
                }
            }
            Err(error) => {
                tracing::error!(queue = queue.table(), %error, "cannot look for work; trying again");
                let _ = stop.run_until_cancelled(sleep(PAUSE_AFTER_ERROR)).await;
            }
        }
    }
    tasks.close();
    if timeout(DRAIN, tasks.wait()).await.is_err() {
        tracing::warn!(
            queue = queue.table(),
            rows = tasks.len(),
            "stopped in the middle of these; they are repeated after the next start"
        );
        cut_off.cancel();
        tasks.wait().await;
    }
}

/// Waits for one free slot, and takes all that are free then.
async fn free_slots(slots: &Arc<Semaphore>) -> Vec<OwnedSemaphorePermit> {
    let mut permits = Vec::new();
    if let Ok(permit) = slots.clone().acquire_owned().await {
        permits.push(permit);
    }
    while let Ok(permit) = slots.clone().try_acquire_owned() {
        permits.push(permit);
    }
    permits
}

/// Sleeps until something is added or falls due.
async fn nap(bridge: &Bridge, queue: Queue) {
    let until_due = match bridge.store.next_due(queue).await {
        Ok(Some(at)) => Duration::from_millis(u64::try_from(at - now()).unwrap_or(0).max(1)),
        _ => LONGEST_NAP,
    };
    let _ = timeout(until_due.min(LONGEST_NAP), bridge.store.grew(queue)).await;
}

/// One attempt. The slot is held until its outcome is durable: after a crash no more than the slots' number of
/// deliveries are repeated.
async fn work(bridge: &Bridge, queue: Queue, row: Row, _slot: OwnedSemaphorePermit) {
    let attempt = async {
        match queue {
            Queue::Outbox => bridge.attempt_delivery(&row).await,
            Queue::Inbox => bridge.attempt_inbox(&row).await,
        }
    };
    let result = match timeout(ATTEMPT_TIMEOUT, AssertUnwindSafe(attempt).catch_unwind()).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(Failure::transient(Reason::Internal, "a fault in the program ended this attempt")),
        Err(_) => Err(Failure::transient(Reason::Unreachable, "no end within five minutes")),
    };
    let finished = finish(bridge, queue, &row, result);
    while let Err(error) = bridge.store.finish(queue, finished.clone()).await {
        tracing::error!(queue = queue.table(), row = row.id, %error, "cannot record how this ended; trying again");
        sleep(PAUSE_AFTER_ERROR).await;
    }
}

fn finish(bridge: &Bridge, queue: Queue, row: &Row, result: Result<Done, Failure>) -> Finished {
    let (outcome, follow_up) = match result {
        Ok(Done { messages, thread, follow_up }) => (Outcome::Done { messages, thread }, follow_up),
        Err(failure) => {
            let dead = failure.is_permanent() || now() - row.created_at > bridge.give_up.as_millis() as i64;
            let next = if dead { None } else { Some(now() + wait(&failure, row.attempts).as_millis() as i64) };
            tracing::warn!(
                queue = queue.table(), row = row.id, kind = row.kind, connector = row.connector, attempt = row.attempts,
                reason = %failure.reason, detail = failure.detail, dead, "did not work"
            );
            let news = match queue {
                Queue::Outbox => bridge.delivery_news(row, &failure, dead),
                Queue::Inbox => Vec::new(),
            };
            let error = failure.to_string().replace('\0', "");
            let outcome = next.map_or_else(
                || Outcome::Dead { error: error.clone() },
                |at| Outcome::Retry { at, error: error.clone() },
            );
            (outcome, news)
        }
    };
    Finished { id: row.id, lane: row.lane.clone(), outcome, follow_up }
}

fn wait(failure: &Failure, attempts: u32) -> Duration {
    let wait = back_off(attempts, rand::random());
    match failure.retry {
        Retry::Transient(Some(least)) => wait.max(least),
        _ => wait,
    }
}
