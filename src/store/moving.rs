//! What waits follows a clock that was set. With a million rows that takes seconds, and the writer is for all: so it is done
//! in portions, each in a commit of its own.
//!
//! A clock that goes forward is read by nobody before all rows have moved, one that goes back at once: what has not moved
//! then waits a little longer, and nothing looks due that is not. What somebody is working on is held anew by the commit in
//! which the clock changes. A row that fails meanwhile may be tried again at once.

use super::{Error, Queue, Store, Tx, now, sql};
use sqlx::{AnyConnection, Row as _};
use std::time::Duration;

/// Rows in one commit: some hundredths of a second.
const PORTION: i64 = 2000;
const QUEUES: [Queue; 2] = [Queue::Outbox, Queue::Inbox];

/// Rows on their way to another clock.
pub struct Move {
    pub milliseconds: i64,
    /// Of each queue, the last row that has moved, and the last one that has to.
    rows: [(i64, i64); 2],
}

impl Store {
    /// All rows that there are now are to move.
    pub async fn begin_move(&self, milliseconds: i64) -> Result<Move, Error> {
        let mut rows = [(0, 0); 2];
        for (queue, (_, last)) in QUEUES.into_iter().zip(&mut rows) {
            *last = last_row(queue, &mut *self.reader().await?).await?;
        }
        Ok(Move { milliseconds, rows })
    }

    /// Moves the next portion. `false`: that was the last one.
    pub async fn move_portion(&self, on_its_way: &mut Move) -> Result<bool, Error> {
        for (queue, (moved, last)) in QUEUES.into_iter().zip(&mut on_its_way.rows) {
            if *moved >= *last {
                continue;
            }
            let mut tx = self.begin().await?;
            let end = tx.end_of_portion(queue, *moved, *last).await?;
            tx.move_rows(queue, on_its_way.milliseconds, *moved, end).await?;
            tx.pending(queue).grew = true;
            tx.commit().await?;
            *moved = end;
            return Ok(true);
        }
        Ok(false)
    }

    /// The clock changes with this commit: holds what is being worked on for `lease` under the new one. What was added
    /// since [`begin_move`](Self::begin_move) has its times from the old one, and moves too.
    pub async fn change_clock(&self, on_its_way: &mut Move, lease: Duration) -> Result<Tx, Error> {
        let (lease, milliseconds) = (lease.as_millis() as i64, on_its_way.milliseconds);
        let mut tx = self.begin().await?;
        for (queue, (_, last)) in QUEUES.into_iter().zip(&mut on_its_way.rows) {
            if milliseconds > 0 {
                tx.move_rows(queue, milliseconds, *last, i64::MAX).await?;
            } else {
                *last = last_row(queue, &mut tx.connection).await?;
            }
            let table = queue.table();
            sql::query(format!("UPDATE {table} SET due_at = $1 WHERE ready = 1 AND leased = 1 AND due_at <= $2"))
                .bind(now() + milliseconds + lease)
                .bind(now() + lease)
                .execute(&mut tx.connection)
                .await?;
            tx.pending(queue).grew = true;
        }
        Ok(tx)
    }
}

async fn last_row(queue: Queue, connection: &mut AnyConnection) -> Result<i64, Error> {
    let query = sql::query(format!("SELECT COALESCE(MAX(id), 0) FROM {}", queue.table()));
    Ok(query.fetch_one(connection).await?.try_get(0)?)
}

impl Tx {
    async fn end_of_portion(&mut self, queue: Queue, after: i64, last: i64) -> Result<i64, Error> {
        let (table, skip) = (queue.table(), PORTION - 1);
        let row = sql::query(format!(
            "SELECT id FROM {table} WHERE dead = 0 AND id > $1 AND id <= $2 ORDER BY id LIMIT 1 OFFSET {skip}"
        ))
        .bind(after)
        .bind(last)
        .fetch_optional(&mut self.connection)
        .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?.unwrap_or(last))
    }

    /// The age of what is being worked on, and age and wait of all else.
    async fn move_rows(&mut self, queue: Queue, milliseconds: i64, after: i64, end: i64) -> Result<(), Error> {
        let table = queue.table();
        sql::query(format!(
            "UPDATE {table} SET created_at = created_at + $1,
             due_at = CASE WHEN leased = 1 THEN due_at ELSE due_at + $1 END
             WHERE dead = 0 AND id > $2 AND id <= $3"
        ))
        .bind(milliseconds)
        .bind(after)
        .bind(end)
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }
}
