//! The loop that works off a queue: claims what is due, tries it, records how it ended.

use super::{
    Bridge,
    crowd::{Attempt, Crowds, Place, most_slow},
    status::Accepted,
};
use crate::{
    failure::{Failure, Reason, Retry, back_off},
    ids::RemoteUserId,
    metrics,
    store::{Claimed, FARTHEST, Finished, Message, NewRow, Original, Outcome, Queue, Row, ThreadState, Version, now},
    supervise::keep_alive,
};
use futures_util::FutureExt;
use std::{
    collections::HashSet,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Longer than any attempt: a row is never worked on twice at once.
pub const LEASE: Duration = Duration::from_secs(600);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(300);
/// An admin's `queue retry` comes from another process, which cannot wake us.
const LONGEST_NAP: Duration = Duration::from_secs(3);
/// Rows that are turned into events at once. The homeserver takes fewer; the rest waits for commits meanwhile.
const ARRIVALS_AT_ONCE: usize = 64;
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(1);
/// Stopping takes at most this long; what is cut off is repeated after the next start.
const DRAIN: Duration = Duration::from_secs(8);
const FAULT: &str = "a fault in the program ended this attempt";

/// What came of a row that is done.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub messages: Vec<Message>,
    pub thread: Option<ThreadState>,
    pub originals: Vec<Original>,
    pub versions: Vec<Version>,
    pub follow_up: Vec<NewRow>,
    /// What clients are shown of it, should nothing come between.
    pub accepted: Option<Accepted>,
}

/// Who a row is handed to: a connector, and which of its servers, if there are several. Everything in the inbox goes to the
/// one homeserver.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Side {
    connector: String,
    server: String,
}

/// The other sides that were reached last time. Of what an earlier process has not reached, nothing is known: whom this one
/// reaches first, may have been away.
#[derive(Default)]
struct Reached(Mutex<HashSet<Side>>);

impl Reached {
    fn lose(&self, side: &Side) {
        self.sides().remove(side);
    }

    /// Whether this one was not reached before.
    fn find(&self, side: &Side) -> bool {
        let mut sides = self.sides();
        !sides.contains(side) && sides.insert(side.clone())
    }

    fn knows(&self, side: &Side) -> bool {
        self.sides().contains(side)
    }

    fn sides(&self) -> MutexGuard<'_, HashSet<Side>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a queue's loop and its attempts share.
struct Worker {
    bridge: Arc<Bridge>,
    queue: Queue,
    reached: Reached,
    crowds: Crowds,
    slots: Arc<Semaphore>,
    tasks: TaskTracker,
    stop: CancellationToken,
    /// Ends what is still under way when stopping takes too long.
    cut_off: CancellationToken,
}

/// Works off one queue until `stop`.
pub(super) async fn run(bridge: Arc<Bridge>, queue: Queue, stop: CancellationToken) {
    let at_once = match queue {
        Queue::Outbox => bridge.connectors.values().map(|c| c.capabilities().concurrency).sum::<usize>().max(1),
        Queue::Inbox => ARRIVALS_AT_ONCE,
    };
    let worker = Arc::new(Worker {
        bridge,
        queue,
        reached: Reached::default(),
        crowds: Crowds::default(),
        slots: Arc::new(Semaphore::new(at_once)),
        tasks: TaskTracker::new(),
        stop,
        cut_off: CancellationToken::new(),
    });
    let (stop, part) = (worker.stop.clone(), queue.table());
    let look_for_more = || worker.look_for_more();
    tokio::join!(worker.take_what_comes(), keep_alive(part, &stop, look_for_more));
    worker.drain().await;
}

impl Worker {
    /// Starts what was claimed for a slot.
    async fn take_what_comes(self: &Arc<Self>) {
        let mut rows = self.bridge.store.offer(self.queue, self.slots.clone(), LEASE);
        while let Some(Some(claimed)) = self.stop.run_until_cancelled(rows.recv()).await {
            self.start(claimed);
        }
        rows.close();
        while let Some(claimed) = rows.recv().await {
            self.start(claimed);
        }
    }

    fn start(self: &Arc<Self>, (row, slot): Claimed) {
        let worker = self.clone();
        // In a box: a task is moved about a dozen times before it runs, and all that may happen to a row is large.
        self.tasks.spawn(Box::pin(async move { worker.cut_off.run_until_cancelled(worker.work(row, slot)).await }));
    }

    /// Looks for what found no free slot, what falls due again, and what another process has made due.
    async fn look_for_more(&self) {
        while let Some(free) = self.stop.run_until_cancelled(self.slots.acquire()).await {
            drop(free);
            match self.bridge.store.fill_slots(self.queue).await {
                Ok(0) => drop(self.stop.run_until_cancelled(self.nap()).await),
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(queue = self.queue.table(), %error, "cannot look for work; trying again");
                    let _ = self.stop.run_until_cancelled(sleep(PAUSE_AFTER_ERROR)).await;
                }
            }
        }
    }

    async fn drain(&self) {
        self.tasks.close();
        if timeout(DRAIN, self.tasks.wait()).await.is_err() {
            let (queue, rows) = (self.queue.table(), self.tasks.len());
            tracing::warn!(queue, rows, "stopped in the middle of these; they are repeated after the next start");
            self.cut_off.cancel();
            self.tasks.wait().await;
        }
    }
}

impl Worker {
    /// Sleeps until something is added or falls due.
    async fn nap(&self) {
        let until_due = match self.bridge.store.next_due(self.queue).await {
            Ok(Some(at)) => Duration::from_millis(u64::try_from(at - now()).unwrap_or(0).max(1)),
            _ => LONGEST_NAP,
        };
        let _ = timeout(until_due.min(LONGEST_NAP), self.bridge.store.grew(self.queue)).await;
    }

    /// Works off one row after the other, as long as there are any. The slot is held until the outcome of each is
    /// durable: after a crash no more than the slots' number of deliveries are repeated.
    async fn work(self: &Arc<Self>, first: Row, _slot: OwnedSemaphorePermit) {
        let mut next = Some(first);
        while let Some(row) = next {
            let under_way = match self.enter(&row) {
                Ok(under_way) => under_way,
                Err(wait) => {
                    next = self.record(not_now(&row, wait)).await;
                    continue;
                }
            };
            let attempt = AssertUnwindSafe(self.attempt(&row)).catch_unwind().await;
            let (finished, accepted) = attempt.unwrap_or_else(|_| (after_fault(&self.bridge, self.queue, &row), None));
            drop(under_way);
            next = self.record(finished).await;
            if let Some(accepted) = accepted {
                self.bridge.statuses.add(accepted);
            }
        }
    }

    /// Whether there is a place for a row where it goes; when to look again if not. The homeserver is one place for all.
    fn enter(&self, row: &Row) -> Result<Option<Attempt<'_>>, Duration> {
        let connector = self.bridge.connectors.get(row.connector.as_str()).filter(|_| self.queue == Queue::Outbox);
        let Some(connector) = connector else { return Ok(None) };
        let domain = connector.domain(&RemoteUserId::new(row.target.as_str()));
        let place = Place { connector: row.connector.clone(), domain };
        self.crowds.enter(place, most_slow(connector.capabilities().concurrency), Instant::now()).map(Some)
    }

    async fn attempt(self: &Arc<Self>, row: &Row) -> (Finished, Option<Accepted>) {
        // In a box, as what is around it moves it, and all that may happen to a row is large.
        let attempt = Box::pin(async {
            match self.queue {
                Queue::Outbox => self.bridge.attempt_delivery(row).await,
                Queue::Inbox => self.bridge.attempt_inbox(row).await,
            }
        });
        let mut result = match timeout(ATTEMPT_TIMEOUT, AssertUnwindSafe(attempt).catch_unwind()).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Failure::transient(Reason::Internal, FAULT)),
            Err(_) => Err(Failure::transient(Reason::Unreachable, "no end within five minutes")),
        };
        self.watch(row, &result);
        let accepted = result.as_mut().ok().and_then(|done| done.accepted.take());
        (finish(&self.bridge, self.queue, row, result), accepted)
    }

    /// Writes down how a row ended, however long that takes; and takes the next one.
    async fn record(&self, finished: Finished) -> Option<Row> {
        loop {
            let lease = (!self.stop.is_cancelled()).then_some(LEASE);
            match self.bridge.store.finish(self.queue, finished.clone(), lease).await {
                Ok(next) => return next,
                Err(error) => {
                    let queue = self.queue.table();
                    tracing::error!(queue, row = finished.id, %error, "cannot record how this ended; trying again");
                    sleep(PAUSE_AFTER_ERROR).await;
                }
            }
        }
    }

    /// When the other side can be reached again, what waited for it need not wait out its back-off.
    fn watch(self: &Arc<Self>, row: &Row, result: &Result<Done, Failure>) {
        let side = match self.queue {
            Queue::Outbox => {
                Side { connector: row.connector.clone(), server: self.server(&row.connector, &row.target) }
            }
            Queue::Inbox => Side::default(),
        };
        match result {
            Err(failure) if failure.reason == Reason::Unreachable => self.reached.lose(&side),
            Ok(_) if self.reached.find(&side) => {
                // Many may wait, and this row is not to wait for them.
                let worker = self.clone();
                self.tasks.spawn(async move { worker.stop.run_until_cancelled(worker.hurry(&side)).await });
            }
            _ => {}
        }
    }

    async fn hurry(&self, side: &Side) {
        let is_there = |target: &str| {
            // It may be lost again before all of them had their turn.
            self.reached.knows(side) && (side.server.is_empty() || self.server(&side.connector, target) == side.server)
        };
        match self.bridge.store.hurry(self.queue, &side.connector, is_there).await {
            Ok(0) => {}
            Ok(rows) => tracing::info!(queue = self.queue.table(), ?side, rows, "can be reached again"),
            Err(error) => tracing::warn!(%error, "what waited goes on waiting for its time"),
        }
    }

    /// The server that takes what goes to this target of a connector.
    fn server(&self, connector: &str, target: &str) -> String {
        let connector = self.bridge.connectors.get(connector);
        connector.map(|connector| connector.side(&RemoteUserId::new(target))).unwrap_or_default()
    }
}

fn finish(bridge: &Bridge, queue: Queue, row: &Row, result: Result<Done, Failure>) -> Finished {
    let (outcome, follow_up) = match result {
        Ok(Done { messages, thread, originals, versions, follow_up, accepted: _ }) => {
            (Outcome::Done { messages, thread, originals, versions }, follow_up)
        }
        Err(failure) => {
            let dead = failure.is_permanent() || now() - row.created_at > bridge.give_up.as_millis() as i64;
            count(queue, bridge.connector_name(&row.connector), &failure, dead);
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

/// As if it had not been claimed.
fn not_now(row: &Row, wait: Duration) -> Finished {
    let outcome = Outcome::NotNow { at: now() + wait.as_millis() as i64 };
    Finished { id: row.id, lane: row.lane.clone(), outcome, follow_up: Vec::new() }
}

fn count(queue: Queue, connector: &'static str, failure: &Failure, dead: bool) {
    let (queue_name, reason) = (queue.table(), failure.reason.key());
    if !dead {
        return metrics::retry(queue_name, connector, reason);
    }
    metrics::given_up(queue_name, connector, reason);
    if queue == Queue::Outbox {
        metrics::delivery(connector, "failed", reason);
    }
}

/// After a fault in what follows an attempt: it is made again, and in the end given up.
fn after_fault(bridge: &Bridge, queue: Queue, row: &Row) -> Finished {
    let (id, kind, attempt) = (row.id, &row.kind, row.attempts);
    tracing::error!(
        queue = queue.table(),
        row = id,
        kind,
        attempt,
        "a fault in the program has ended the work on a row"
    );
    let failure = Failure::transient(Reason::Internal, FAULT);
    let dead = now() - row.created_at > bridge.give_up.as_millis() as i64;
    count(queue, bridge.connector_name(&row.connector), &failure, dead);
    let (error, at) = (failure.to_string(), now() + wait(&failure, row.attempts).as_millis() as i64);
    let outcome = if dead { Outcome::Dead { error } } else { Outcome::Retry { at, error } };
    Finished { id, lane: row.lane.clone(), outcome, follow_up: Vec::new() }
}

fn wait(failure: &Failure, attempts: u32) -> Duration {
    let wait = back_off(attempts, rand::random());
    match failure.retry {
        Retry::Transient(Some(least)) => wait.max(least).min(FARTHEST),
        _ => wait,
    }
}
