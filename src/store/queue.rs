//! The two durable queues. They are alike, so the code is one and the table is a parameter.
//!
//! A row is *ready* when it is the oldest live row of its lane; only ready rows are claimed, so that finding work costs
//! the same with ten rows and with a million. `due_at` is schedule, back-off and lease in one: claiming pushes it
//! forward, and what a crash leaves behind falls due again.

use super::{Error, Message, Original, Selection, Store, ThreadState, Tx, Version, now, sql};
use crate::ids::SourceId;
use ruma::OwnedRoomId;
use sqlx::{Row as _, any::AnyRow};
use std::time::Duration;

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
    /// The room that it comes from or goes to, where that is known.
    pub room: Option<OwnedRoomId>,
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
    pub room: Option<OwnedRoomId>,
    /// Of a delivery: how the network knows the conversation of the row's room, when it was claimed.
    pub thread: Option<ThreadState>,
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
    Done { messages: Vec<Message>, thread: Option<ThreadState>, originals: Vec<Original>, versions: Vec<Version> },
    /// Not yet; again at this time.
    Retry { at: i64, error: String },
    /// Nothing was tried; at this time.
    NotNow { at: i64 },
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

pub(super) const LISTED: &str = "id, kind, connector, lane, target, attempts, due_at, created_at, last_error, dead";

impl Store {
    /// Makes due what a process that is no more was working on; returns how many rows. For the start, before claiming.
    /// `lease`: the longest that rows are held for, so that a million of others need not be looked at.
    pub async fn release_leases(&self, queue: Queue, lease: Duration) -> Result<u64, Error> {
        let (table, now) = (queue.table(), now());
        let mut tx = self.begin().await?;
        let done = sql::query(format!(
            "UPDATE {table} SET due_at = $1, leased = 0 WHERE ready = 1 AND leased = 1 AND due_at <= $2"
        ))
        .bind(now)
        .bind(now + lease.as_millis() as i64)
        .execute(&mut tx.connection)
        .await?;
        tx.commit().await?;
        Ok(done.rows_affected())
    }

    /// When the next row falls due, in milliseconds since 1970; `None` when nothing waits.
    pub async fn next_due(&self, queue: Queue) -> Result<Option<i64>, Error> {
        let table = queue.table();
        let row = sql::query(format!("SELECT due_at FROM {table} WHERE ready = 1 ORDER BY due_at, id LIMIT 1"))
            .fetch_optional(&mut *self.reader().await?)
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// Up to `limit` rows, dead ones first, then the oldest.
    pub async fn list(&self, queue: Queue, limit: i64) -> Result<Vec<Listed>, Error> {
        let mut rows = Vec::new();
        // Two statements: each walks along an index, and ends at the limit.
        for dead in [true, false] {
            let wanted = Selection { dead: Some(dead), ..Selection::default() };
            rows.extend(self.select(queue, &wanted, 0, limit - rows.len() as i64).await?);
        }
        Ok(rows)
    }

    /// One row and its payload.
    pub async fn show(&self, queue: Queue, id: i64) -> Result<Option<(Listed, Vec<u8>)>, Error> {
        let table = queue.table();
        let row = sql::query(format!("SELECT {LISTED}, payload FROM {table} WHERE id = $1"))
            .bind(id)
            .fetch_optional(&mut *self.reader().await?)
            .await?;
        row.map(|row| Ok((read_listed(&row)?, row.try_get(10)?))).transpose()
    }

    /// See [`Tx::retry`].
    pub async fn retry(&self, queue: Queue, id: i64) -> Result<bool, Error> {
        let mut tx = self.begin().await?;
        let found = tx.retry(queue, id).await?;
        tx.commit().await?;
        Ok(found)
    }

    /// Deletes a row. `false`: no such row.
    pub async fn discard(&self, queue: Queue, id: i64) -> Result<bool, Error> {
        Ok(self.discard_all(queue, &[id]).await? > 0)
    }

    pub async fn counts(&self, queue: Queue) -> Result<Counts, Error> {
        let table = queue.table();
        let mut counts = Counts::default();
        // Two statements: each has its own index.
        for (dead, count) in [(0, &mut counts.live), (1, &mut counts.dead)] {
            let query = sql::query(format!("SELECT COUNT(*) FROM {table} WHERE dead = {dead}"));
            *count = query.fetch_one(&mut *self.reader().await?).await?.try_get(0)?;
        }
        Ok(counts)
    }
}

impl Tx {
    /// Deletes a row. `false`: no such row.
    pub(super) async fn discard(&mut self, queue: Queue, id: i64) -> Result<bool, Error> {
        let table = queue.table();
        let row = sql::query(format!("DELETE FROM {table} WHERE id = $1 RETURNING lane"))
            .bind(id)
            .fetch_optional(&mut self.connection)
            .await?;
        let Some(row) = row else { return Ok(false) };
        self.touch(queue, row.try_get(0)?);
        Ok(true)
    }

    /// Makes a row due at once, a dead one live again with its age counted anew, and its attempts from two on: something
    /// was tried and said before. `false`: no such row.
    pub async fn retry(&mut self, queue: Queue, id: i64) -> Result<bool, Error> {
        let table = queue.table();
        let row = sql::query(format!(
            "UPDATE {table} SET dead = 0, attempts = 1, due_at = $1, created_at = $1 WHERE id = $2 RETURNING lane"
        ))
        .bind(now())
        .bind(id)
        .fetch_optional(&mut self.connection)
        .await?;
        let Some(row) = row else { return Ok(false) };
        let lane: String = row.try_get(0)?;
        // The row may be older than what was the oldest of its lane until now.
        sql::query(format!("UPDATE {table} SET ready = 0 WHERE lane = $1 AND dead = 0"))
            .bind(&lane)
            .execute(&mut self.connection)
            .await?;
        self.touch(queue, lane);
        Ok(true)
    }

    /// How many live rows a lane has.
    pub async fn rows_of(&mut self, queue: Queue, lane: &str) -> Result<i64, Error> {
        let table = queue.table();
        let row = sql::query(format!("SELECT COUNT(*) FROM {table} WHERE lane = $1 AND dead = 0"))
            .bind(lane)
            .fetch_one(&mut self.connection)
            .await?;
        Ok(row.try_get(0)?)
    }

    /// Claims up to `limit` due rows, the longest due first, and holds them for `lease`.
    pub(super) async fn claim(&mut self, queue: Queue, limit: usize, lease: Duration) -> Result<Vec<Row>, Error> {
        let table = queue.table();
        let now = now();
        // A bound limit would make SQLite compile the statement anew whenever it changes.
        let found = sql::query(format!(
            "UPDATE {table} SET due_at = $1, attempts = attempts + 1, leased = 1 WHERE id IN
                 (SELECT id FROM {table} WHERE ready = 1 AND due_at <= $2 ORDER BY due_at, id LIMIT {limit})
             RETURNING id, kind, connector, lane, source_id, target, payload, attempts, created_at, room_id"
        ))
        .bind(now + lease.as_millis() as i64)
        .bind(now)
        .fetch_all(&mut self.connection)
        .await?;
        let mut rows = found.iter().map(read_row).collect::<Result<Vec<_>, _>>()?;
        let left = rows.len() >= limit;
        self.pending(queue).grew &= left;
        self.pending(queue).left = Some(left);
        rows.sort_unstable_by_key(|row| row.id);
        if queue == Queue::Outbox {
            self.add_threads(rows.iter_mut()).await?;
        }
        Ok(rows)
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
        attempts: u32::try_from(row.try_get::<i64, _>(7)?).unwrap_or(u32::MAX),
        created_at: row.try_get(8)?,
        room: row.try_get::<Option<String>, _>(9)?.and_then(|room| OwnedRoomId::try_from(room).ok()),
        thread: None,
    })
}

pub(super) fn read_listed(row: &AnyRow) -> Result<Listed, Error> {
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
