//! Recording how rows ended, many at once.

use super::{Error, Finished, Message, Original, Outcome, Queue, Row, ThreadState, Tx, Version, now, sql};
use std::{collections::HashMap, sync::atomic::Ordering, time::Duration};

/// One call of [`Store::finish`].
pub(super) struct Finish {
    pub queue: Queue,
    pub finished: Finished,
    pub lease: Option<Duration>,
}

/// What came of a row that is done.
struct Done<'a> {
    messages: &'a [Message],
    thread: Option<&'a ThreadState>,
    originals: &'a [Original],
    versions: &'a [Version],
}

/// What ended at about the same time: a few statements for all of it.
pub(super) struct Ended<'a>(Vec<&'a Finish>);

impl<'a> Ended<'a> {
    /// What ended of this queue.
    pub(super) fn of(queue: Queue, items: &[&'a Finish]) -> Self {
        Self(items.iter().copied().filter(|item| item.queue == queue).collect())
    }

    pub(super) async fn write(&self, tx: &mut Tx, queue: Queue) -> Result<(), Error> {
        self.delete_done(tx, queue).await?;
        self.keep_the_rest(tx, queue).await?;
        tx.insert_messages(&self.done().flat_map(|done| done.messages).collect::<Vec<_>>()).await?;
        tx.insert_originals(&self.done().flat_map(|done| done.originals).collect::<Vec<_>>()).await?;
        tx.put_versions(&self.done().flat_map(|done| done.versions).collect::<Vec<_>>()).await?;
        // One row per thread and statement: PostgreSQL refuses to touch a row twice in one.
        let threads: HashMap<_, _> = self.done().filter_map(|done| done.thread).map(|t| (t.key(), t)).collect();
        tx.upsert_threads(&threads.into_values().collect::<Vec<_>>()).await?;
        let goes_on = |outcome: &Outcome| matches!(outcome, Outcome::Retry { .. } | Outcome::NotNow { .. });
        let lanes = self.0.iter().filter(|item| !goes_on(&item.finished.outcome));
        lanes.for_each(|item| tx.touch(queue, item.finished.lane.clone()));
        tx.enqueue(Queue::Inbox, self.0.iter().flat_map(|item| item.finished.follow_up.iter().cloned()).collect());
        Ok(())
    }

    /// Another row for each that wants one, in the order of the items.
    pub(super) async fn claim_more(&self, tx: &mut Tx, queue: Queue) -> Result<Vec<Option<Row>>, Error> {
        let limit = self.0.iter().filter(|item| item.lease.is_some()).count();
        let lease = self.0.iter().find_map(|item| item.lease).unwrap_or_default();
        let mut rows = Vec::new();
        if limit > 0 {
            tx.settle(queue).await?;
            // Else the worker's own look finds what falls due by time, or was made due by another process.
            if tx.pending(queue).grew || tx.store.0.unclaimed[queue as usize].load(Ordering::Relaxed) {
                rows = tx.claim(queue, limit, lease).await?;
            }
        }
        let mut rows = rows.into_iter();
        Ok(self.0.iter().map(|item| item.lease.and_then(|_| rows.next())).collect())
    }

    fn done(&self) -> impl Iterator<Item = Done<'a>> {
        self.0.iter().filter_map(|item| match &item.finished.outcome {
            Outcome::Done { messages, thread, originals, versions } => {
                Some(Done { messages, thread: thread.as_ref(), originals, versions })
            }
            _ => None,
        })
    }

    async fn delete_done(&self, tx: &mut Tx, queue: Queue) -> Result<(), Error> {
        let done = |item: &&&Finish| matches!(item.finished.outcome, Outcome::Done { .. });
        let ids: Vec<i64> = self.0.iter().filter(done).map(|item| item.finished.id).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let (table, (list, bound)) = (queue.table(), sql::any_of(1, &ids));
        let mut delete = sql::query(format!("DELETE FROM {table} WHERE id IN ({list})"));
        for id in bound {
            delete = delete.bind(*id);
        }
        delete.execute(&mut tx.connection).await?;
        Ok(())
    }

    async fn keep_the_rest(&self, tx: &mut Tx, queue: Queue) -> Result<(), Error> {
        let table = queue.table();
        for item in &self.0 {
            let query = match &item.finished.outcome {
                Outcome::Done { .. } => continue,
                Outcome::Retry { at, error } => {
                    sql::query(format!("UPDATE {table} SET due_at = $1, last_error = $2, leased = 0 WHERE id = $3"))
                        .bind(*at)
                        .bind(error)
                }
                Outcome::NotNow { at } => sql::query(format!(
                    "UPDATE {table} SET due_at = $1, attempts = attempts - 1, leased = 0 WHERE id = $2"
                ))
                .bind(*at),
                Outcome::Dead { error } => sql::query(format!(
                    "UPDATE {table} SET dead = 1, ready = 0, leased = 0, due_at = $1, last_error = $2 WHERE id = $3"
                ))
                .bind(now())
                .bind(error),
            };
            query.bind(item.finished.id).execute(&mut tx.connection).await?;
        }
        Ok(())
    }
}
