//! Deliveries that have not been sent: what is written meanwhile may still change them.

use super::{Error, Queue, Tx, now, sql};
use crate::ids::SourceId;
use sqlx::{Row as _, any::AnyRow};

/// Rows of a lane that a transaction may want to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those whose time has not come.
    Held,
    /// All, also what was given up.
    All,
}

/// How far a row of the outbox has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Never tried, and its time has not come.
    Held,
    /// Nobody is working on it now.
    Waiting,
    /// It is being sent in this moment.
    Leased,
    /// It was given up.
    Dead,
}

/// A delivery that is still in the outbox.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    pub id: i64,
    pub connector: String,
    pub lane: String,
    pub source: SourceId,
    pub progress: Progress,
    /// Milliseconds since 1970.
    pub due_at: i64,
    pub created_at: i64,
    pub payload: Vec<u8>,
}

impl Tx {
    /// The deliveries of these lanes, in order. Nobody else claims them before the commit: the update that changes
    /// nothing takes hold of the rows where a database has several writers.
    pub async fn waiting(&mut self, lanes: &[String], scope: Scope) -> Result<Vec<Waiting>, Error> {
        let now = now();
        let mut found = Vec::new();
        for chunk in lanes.chunks(sql::ROWS_AT_ONCE) {
            let conditions = match scope {
                Scope::Held => {
                    vec![format!("dead = 0 AND attempts = 0 AND leased = 0 AND due_at > ${}", chunk.len() + 1)]
                }
                // Two statements: each has its own index.
                Scope::All => vec!["dead = 0".to_owned(), "dead = 1".to_owned()],
            };
            let list = sql::list(1, chunk.len());
            for condition in conditions {
                let mut query = sql::query(format!(
                    "UPDATE outbox SET due_at = due_at WHERE lane IN ({list}) AND kind = 'delivery' AND {condition}
                     RETURNING id, connector, lane, source_id, attempts, due_at, created_at, dead, leased, payload"
                ));
                for lane in chunk {
                    query = query.bind(lane);
                }
                if scope == Scope::Held {
                    query = query.bind(now);
                }
                for row in query.fetch_all(&mut self.connection).await? {
                    found.push(read_waiting(&row, now)?);
                }
            }
        }
        found.sort_unstable_by_key(|row| row.id);
        Ok(found)
    }

    /// Changes what a delivery says, and when it is due.
    pub async fn revise(&mut self, id: i64, payload: Vec<u8>, due_at: i64) -> Result<(), Error> {
        sqlx::query(
            "UPDATE outbox SET payload = $1, due_at = CASE WHEN leased = 1 THEN due_at ELSE $2 END WHERE id = $3",
        )
        .bind(payload)
        .bind(due_at)
        .bind(id)
        .execute(&mut self.connection)
        .await?;
        self.pending(Queue::Outbox).grew |= due_at <= now();
        Ok(())
    }

    /// Takes a delivery out of its lane.
    pub async fn withdraw(&mut self, id: i64, lane: String) -> Result<(), Error> {
        sqlx::query("DELETE FROM outbox WHERE id = $1").bind(id).execute(&mut self.connection).await?;
        self.touch(Queue::Outbox, lane);
        Ok(())
    }
}

fn read_waiting(row: &AnyRow, now: i64) -> Result<Waiting, Error> {
    let (attempts, due_at): (i64, i64) = (row.try_get(4)?, row.try_get(5)?);
    let (dead, leased) = (row.try_get::<i64, _>(7)? != 0, row.try_get::<i64, _>(8)? != 0);
    let progress = match (dead, leased) {
        (true, _) => Progress::Dead,
        (_, true) => Progress::Leased,
        _ if attempts == 0 && due_at > now => Progress::Held,
        _ => Progress::Waiting,
    };
    Ok(Waiting {
        id: row.try_get(0)?,
        connector: row.try_get(1)?,
        lane: row.try_get(2)?,
        source: SourceId::new(row.try_get::<String, _>(3)?),
        progress,
        due_at,
        created_at: row.try_get(6)?,
        payload: row.try_get(9)?,
    })
}
