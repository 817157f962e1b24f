//! The two durable queues. They are alike, so the code is one and the table is a parameter.
//!
//! A row is *ready* when it is the oldest live row of its lane; only ready rows are claimed, so that finding work costs
//! the same with ten rows and with a million. `due_at` is schedule, back-off and lease in one: claiming pushes it
//! forward, and what a crash leaves behind falls due again.

use super::{Durability, Error, Message, Store, ThreadState, Tx, now, sql};
use crate::ids::SourceId;
use sqlx::{Row as _, any::AnyRow};
use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Queue {
    /// Deliveries: Matrix to remote.
    Outbox = 0,
    /// Arrivals, and what Fehmarn itself has to do in Matrix.
    Inbox = 1,
}

impl Queue {
    pub fn table(self) -> &'static str {
        match self {
            Self::Outbox => "outbox",
            Self::Inbox => "inbox",
        }
    }
}

/// A row to be added. Rows of one lane are done one after the other, in the order of adding.
#[derive(Clone, Debug, PartialEq)]
pub struct NewRow {
    pub kind: &'static str,
    pub connector: String,
    pub lane: String,
    pub source: SourceId,
    /// Whom it is for, in words for `fehmarn queue list`.
    pub target: String,
    pub payload: Vec<u8>,
    /// Milliseconds since 1970; not before then.
    pub due_at: i64,
}

/// A claimed row.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub id: i64,
    pub kind: String,
    pub connector: String,
    pub lane: String,
    pub source: SourceId,
    pub target: String,
    pub payload: Vec<u8>,
    /// This attempt's number, from 1.
    pub attempts: u32,
    pub created_at: i64,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    pub id: i64,
    pub lane: String,
    pub outcome: Outcome,
    /// What Fehmarn has to say or do now; in the same commit.
    pub follow_up: Vec<NewRow>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Done; the row goes.
    Done { messages: Vec<Message>, thread: Option<ThreadState> },
    /// Not yet; again at this time.
    Retry { at: i64, error: String },
    /// Given up; kept for an admin, and the lane goes on.
    Dead { error: String },
}

/// A row as an admin sees it. Times in milliseconds since 1970.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    pub id: i64,
    pub kind: String,
    pub connector: String,
    pub lane: String,
    pub target: String,
    pub attempts: i64,
    pub due_at: i64,
    pub created_at: i64,
    pub last_error: Option<String>,
    pub dead: bool,
}

/// How full a queue is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub live: i64,
    pub dead: i64,
}

const LISTED: &str = "id, kind, connector, lane, target, attempts, due_at, created_at, last_error, dead";

impl Store {
    /// Claims up to `limit` due rows, the longest due first, and holds them for `lease`. A power cut may undo it, which
    /// is what should become of claims then.
    pub async fn claim(&self, queue: Queue, limit: usize, lease: Duration) -> Result<Vec<Row>, Error> {
        let mut tx = Tx::begin(self, Durability::Lazy).await?;
        let rows = tx.claim(queue, limit, lease).await?;
        tx.commit().await?;
        Ok(rows)
    }

    /// Makes due what a process that is no more was working on; returns how many rows. For the start, before claiming.
    pub async fn release_leases(&self, queue: Queue) -> Result<u64, Error> {
        let table = queue.table();
        let mut tx = self.begin().await?;
        let done = sql::query(format!("UPDATE {table} SET due_at = $1, leased = 0 WHERE ready = 1 AND leased = 1"))
            .bind(now())
            .execute(&mut tx.connection)
            .await?;
        tx.commit().await?;
        Ok(done.rows_affected())
    }

    /// Makes due what waits only because its other side could not be reached; of one connector, or of all if it is
    /// empty. For the moment in which it can be reached again. Returns how many rows.
    pub async fn hurry(&self, queue: Queue, connector: &str) -> Result<u64, Error> {
        let table = queue.table();
        let mut tx = self.begin().await?;
        let done = sql::query(format!(
            "UPDATE {table} SET due_at = $1 WHERE ready = 1 AND leased = 0 AND due_at > $1
             AND ($2 = '' OR connector = $2) AND last_error LIKE 'unreachable%'"
        ))
        .bind(now())
        .bind(connector)
        .execute(&mut tx.connection)
        .await?;
        tx.mark_grown(queue);
        tx.commit().await?;
        Ok(done.rows_affected())
    }

    /// When the next row falls due, in milliseconds since 1970; `None` when nothing waits.
    pub async fn next_due(&self, queue: Queue) -> Result<Option<i64>, Error> {
        let table = queue.table();
        let row = sql::query(format!("SELECT due_at FROM {table} WHERE ready = 1 ORDER BY due_at, id LIMIT 1"))
            .fetch_optional(self.readers())
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// Up to `limit` rows, dead ones first, then the oldest.
    pub async fn list(&self, queue: Queue, limit: i64) -> Result<Vec<Listed>, Error> {
        let table = queue.table();
        let rows = sql::query(format!("SELECT {LISTED} FROM {table} ORDER BY dead DESC, id LIMIT $1"))
            .bind(limit)
            .fetch_all(self.readers())
            .await?;
        rows.iter().map(read_listed).collect()
    }

    /// One row and its payload.
    pub async fn show(&self, queue: Queue, id: i64) -> Result<Option<(Listed, Vec<u8>)>, Error> {
        let table = queue.table();
        let row = sql::query(format!("SELECT {LISTED}, payload FROM {table} WHERE id = $1"))
            .bind(id)
            .fetch_optional(self.readers())
            .await?;
        row.map(|row| Ok((read_listed(&row)?, row.try_get(10)?))).transpose()
    }

    /// Makes a row due at once, a dead one live again with its age and attempts counted anew. `false`: no such row.
    pub async fn retry(&self, queue: Queue, id: i64) -> Result<bool, Error> {
        let table = queue.table();
        let mut tx = self.begin().await?;
        let row = sql::query(format!(
            "UPDATE {table} SET dead = 0, attempts = 0, due_at = $1, created_at = $1 WHERE id = $2 RETURNING lane"
        ))
        .bind(now())
        .bind(id)
        .fetch_optional(&mut tx.connection)
        .await?;
        let Some(row) = row else { return Ok(false) };
        let lane: String = row.try_get(0)?;
        // The row may be older than what was the oldest of its lane until now.
        sql::query(format!("UPDATE {table} SET ready = 0 WHERE lane = $1 AND dead = 0"))
            .bind(&lane)
            .execute(&mut tx.connection)
            .await?;
        tx.promote(queue, &BTreeSet::from([lane.as_str()])).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Deletes a row. `false`: no such row.
    pub async fn discard(&self, queue: Queue, id: i64) -> Result<bool, Error> {
        let table = queue.table();
        let mut tx = self.begin().await?;
        let row = sql::query(format!("DELETE FROM {table} WHERE id = $1 RETURNING lane"))
            .bind(id)
            .fetch_optional(&mut tx.connection)
            .await?;
        let Some(row) = row else { return Ok(false) };
        let lane: String = row.try_get(0)?;
        tx.promote(queue, &BTreeSet::from([lane.as_str()])).await?;
        tx.commit().await?;
        Ok(true)
    }

    pub async fn counts(&self, queue: Queue) -> Result<Counts, Error> {
        let table = queue.table();
        let rows =
            sql::query(format!("SELECT dead, COUNT(*) FROM {table} GROUP BY dead")).fetch_all(self.readers()).await?;
        let mut counts = Counts::default();
        for row in rows {
            match row.try_get::<i64, _>(0)? {
                0 => counts.live = row.try_get(1)?,
                _ => counts.dead = row.try_get(1)?,
            }
        }
        Ok(counts)
    }
}

impl Tx {
    /// Adds rows in this order. A source that is in the queue already is passed over.
    pub async fn enqueue(&mut self, queue: Queue, rows: Vec<NewRow>) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        let table = queue.table();
        let created_at = now();
        let lanes: BTreeSet<String> = rows.iter().map(|row| row.lane.clone()).collect();
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let chunk: Vec<NewRow> = rows.by_ref().take(sql::ROWS_AT_ONCE).collect();
            let values = sql::values(chunk.len(), 12);
            let mut insert = sql::query(format!(
                "INSERT INTO {table} (kind, connector, lane, source_id, target, payload, attempts, due_at, created_at,
                 dead, ready, leased) VALUES {values} ON CONFLICT (source_id) DO NOTHING"
            ));
            for row in chunk {
                insert = insert
                    .bind(row.kind)
                    .bind(row.connector)
                    .bind(row.lane)
                    .bind(row.source.as_str().to_owned())
                    .bind(row.target)
                    .bind(row.payload)
                    .bind(0i64)
                    .bind(row.due_at)
                    .bind(created_at)
                    .bind(0i64)
                    .bind(0i64)
                    .bind(0i64);
            }
            insert.execute(&mut self.connection).await?;
        }
        self.promote(queue, &lanes.iter().map(String::as_str).collect()).await
    }

    async fn claim(&mut self, queue: Queue, limit: usize, lease: Duration) -> Result<Vec<Row>, Error> {
        let table = queue.table();
        let found = sql::query(format!(
            "SELECT id, kind, connector, lane, source_id, target, payload, attempts, created_at FROM {table}
             WHERE ready = 1 AND due_at <= $1 ORDER BY due_at, id LIMIT $2"
        ))
        .bind(now())
        .bind(limit as i64)
        .fetch_all(&mut self.connection)
        .await?;
        let rows = found.iter().map(read_row).collect::<Result<Vec<_>, _>>()?;
        if !rows.is_empty() {
            let ids = sql::list(2, rows.len());
            let mut update = sql::query(format!(
                "UPDATE {table} SET due_at = $1, attempts = attempts + 1, leased = 1 WHERE id IN ({ids})"
            ))
            .bind(now() + lease.as_millis() as i64);
            for row in &rows {
                update = update.bind(row.id);
            }
            update.execute(&mut self.connection).await?;
        }
        Ok(rows)
    }

    /// Marks the oldest live row of each lane as ready. Safe to repeat.
    async fn promote(&mut self, queue: Queue, lanes: &BTreeSet<&str>) -> Result<(), Error> {
        let table = queue.table();
        let lanes: Vec<&str> = lanes.iter().copied().collect();
        for chunk in lanes.chunks(sql::ROWS_AT_ONCE) {
            let list = sql::list(1, chunk.len());
            let mut update = sql::query(format!(
                "UPDATE {table} SET ready = 1 WHERE ready = 0 AND id IN
                 (SELECT MIN(id) FROM {table} WHERE dead = 0 AND lane IN ({list}) GROUP BY lane)"
            ));
            for lane in chunk {
                update = update.bind(*lane);
            }
            if update.execute(&mut self.connection).await?.rows_affected() > 0 {
                self.mark_grown(queue);
            }
        }
        Ok(())
    }
}

pub(super) struct FinishItem {
    pub queue: Queue,
    pub finished: Finished,
    pub lease: Option<Duration>,
}

/// Rows of one queue that ended at about the same time: a few statements for all of them.
pub(super) struct FinishGroup<'a>(&'a [FinishItem]);

impl<'a> FinishGroup<'a> {
    pub(super) fn new(items: &'a [FinishItem]) -> Self {
        Self(items)
    }

    /// For each item, the row that was claimed for it.
    pub(super) async fn write(&self, tx: &mut Tx) -> Result<Vec<Option<Row>>, Error> {
        let Some(queue) = self.0.first().map(|item| item.queue) else { return Ok(Vec::new()) };
        self.delete_done(tx, queue).await?;
        self.keep_the_rest(tx, queue).await?;
        let messages = self.done().flat_map(|(messages, _)| messages).collect::<Vec<_>>();
        tx.insert_messages(&messages).await?;
        // One row per thread and statement: PostgreSQL refuses to touch a row twice in one.
        let threads: HashMap<_, _> =
            self.done().filter_map(|(_, thread)| thread.as_ref()).map(|t| (t.key(), t)).collect();
        tx.upsert_threads(&threads.into_values().collect::<Vec<_>>()).await?;
        let lanes = self.0.iter().filter(|item| !matches!(item.finished.outcome, Outcome::Retry { .. }));
        tx.promote(queue, &lanes.map(|item| item.finished.lane.as_str()).collect()).await?;
        let follow_up = self.0.iter().flat_map(|item| item.finished.follow_up.iter().cloned()).collect();
        tx.enqueue(Queue::Inbox, follow_up).await?;
        self.claim_more(tx, queue).await
    }

    async fn claim_more(&self, tx: &mut Tx, queue: Queue) -> Result<Vec<Option<Row>>, Error> {
        let limit = self.0.iter().filter(|item| item.lease.is_some()).count();
        let lease = self.0.iter().find_map(|item| item.lease).unwrap_or_default();
        let rows = if limit > 0 { tx.claim(queue, limit, lease).await? } else { Vec::new() };
        let mut rows = rows.into_iter();
        Ok(self.0.iter().map(|item| item.lease.and_then(|_| rows.next())).collect())
    }

    fn done(&self) -> impl Iterator<Item = (&'a Vec<Message>, &'a Option<ThreadState>)> {
        self.0.iter().filter_map(|item| match &item.finished.outcome {
            Outcome::Done { messages, thread } => Some((messages, thread)),
            _ => None,
        })
    }

    async fn delete_done(&self, tx: &mut Tx, queue: Queue) -> Result<(), Error> {
        let done = |item: &&FinishItem| matches!(item.finished.outcome, Outcome::Done { .. });
        let ids: Vec<i64> = self.0.iter().filter(done).map(|item| item.finished.id).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let (table, list) = (queue.table(), sql::list(1, ids.len()));
        let mut delete = sql::query(format!("DELETE FROM {table} WHERE id IN ({list})"));
        for id in ids {
            delete = delete.bind(id);
        }
        delete.execute(&mut tx.connection).await?;
        Ok(())
    }

    async fn keep_the_rest(&self, tx: &mut Tx, queue: Queue) -> Result<(), Error> {
        let table = queue.table();
        for item in self.0 {
            let query = match &item.finished.outcome {
                Outcome::Done { .. } => continue,
                Outcome::Retry { at, error } => {
                    sql::query(format!("UPDATE {table} SET due_at = $1, last_error = $2, leased = 0 WHERE id = $3"))
                        .bind(*at)
                        .bind(error)
                }
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

fn read_row(row: &AnyRow) -> Result<Row, Error> {
    Ok(Row {
        id: row.try_get(0)?,
        kind: row.try_get(1)?,
        connector: row.try_get(2)?,
        lane: row.try_get(3)?,
        source: SourceId::new(row.try_get::<String, _>(4)?),
        target: row.try_get(5)?,
        payload: row.try_get(6)?,
        attempts: u32::try_from(row.try_get::<i64, _>(7)?).unwrap_or(u32::MAX).saturating_add(1),
        created_at: row.try_get(8)?,
    })
}

fn read_listed(row: &AnyRow) -> Result<Listed, Error> {
    Ok(Listed {
        id: row.try_get(0)?,
        kind: row.try_get(1)?,
        connector: row.try_get(2)?,
        lane: row.try_get(3)?,
        target: row.try_get(4)?,
        attempts: row.try_get(5)?,
        due_at: row.try_get(6)?,
        created_at: row.try_get(7)?,
        last_error: row.try_get(8)?,
        dead: row.try_get::<i64, _>(9)? != 0,
    })
}
