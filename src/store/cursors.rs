//! How far a remote was read, and what was taken in already.

use super::{Error, Store, Tx, now, sql};
use sqlx::Row as _;
use std::collections::HashSet;

/// A named place in a remote's own order: `imap/INBOX` at `1700000000:42`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub name: String,
    pub value: String,
}

impl Store {
    pub async fn cursor(&self, connector: &str, name: &str) -> Result<Option<String>, Error> {
        let row = sqlx::query("SELECT value FROM cursors WHERE connector = $1 AND name = $2")
            .bind(connector)
            .bind(name)
            .fetch_optional(&mut *self.reader().await?)
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// Whether a source was taken in already.
    pub async fn was_seen(&self, source: &str) -> Result<bool, Error> {
        let row = sqlx::query("SELECT 1 FROM seen WHERE id = $1")
            .bind(source)
            .fetch_optional(&mut *self.reader().await?)
            .await?;
        Ok(row.is_some())
    }

    /// Forgets sources that were taken in before `time`; returns how many.
    pub async fn forget_seen(&self, before: i64) -> Result<u64, Error> {
        let mut tx = self.begin().await?;
        let done = sqlx::query("DELETE FROM seen WHERE at < $1").bind(before).execute(&mut tx.connection).await?;
        tx.commit().await?;
        Ok(done.rows_affected())
    }
}

impl Tx {
    pub(super) async fn set_cursor(&mut self, connector: &str, cursor: &Cursor) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO cursors (connector, name, value) VALUES ($1, $2, $3)
             ON CONFLICT (connector, name) DO UPDATE SET value = excluded.value",
        )
        .bind(connector)
        .bind(&cursor.name)
        .bind(&cursor.value)
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }

    /// Remembers the sources; returns those that were not known before.
    pub async fn first_seen(&mut self, sources: &[String]) -> Result<HashSet<String>, Error> {
        let mut new = HashSet::new();
        for chunk in sources.chunks(sql::ROWS_AT_ONCE) {
            let rows = sql::with_padding(chunk);
            let values = self.marks().values(rows.len(), 2);
            let mut query = sql::query(format!(
                "INSERT INTO seen (id, at) VALUES {values} ON CONFLICT (id) DO NOTHING RETURNING id"
            ));
            let at = now();
            for source in rows {
                query = query.bind(source).bind(at);
            }
            for row in query.fetch_all(&mut self.connection).await? {
                new.insert(row.try_get(0)?);
            }
        }
        Ok(new)
    }
}
