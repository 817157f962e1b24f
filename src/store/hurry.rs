//! What waits for another side that can be reached again.

use super::{Error, Queue, Store, now, sql};
use sqlx::{Row as _, any::AnyRow};

/// Rows that are looked at together: a million may wait.
const PAGE: i64 = 1000;

/// A row that waits.
struct Waiting {
    id: i64,
    due_at: i64,
    target: String,
}

impl Store {
    /// Makes due what waits only because its other side could not be reached: of one connector, or of all if that is
    /// empty, and of it the rows for whose target `is_there` holds. For the moment in which that side can be reached
    /// again. Returns how many rows.
    pub async fn hurry(&self, queue: Queue, connector: &str, is_there: impl Fn(&str) -> bool) -> Result<u64, Error> {
        let mut rows = 0;
        let (mut due_at, mut id) = (now(), 0);
        loop {
            let waiting = self.waiting(queue, connector, due_at, id).await?;
            let Some(last) = waiting.last() else { return Ok(rows) };
            (due_at, id) = (last.due_at, last.id);
            let ids: Vec<i64> = waiting.iter().filter(|row| is_there(&row.target)).map(|row| row.id).collect();
            // A commit for a few: nobody else waits long for the writer.
            for some in ids.chunks(sql::ROWS_AT_ONCE) {
                rows += self.make_due(queue, some).await?;
            }
        }
    }

    /// Those behind the given place, the first to fall due first. Not as the writer, for whom others wait.
    async fn waiting(&self, queue: Queue, connector: &str, due_at: i64, id: i64) -> Result<Vec<Waiting>, Error> {
        let table = queue.table();
        let rows = sql::query(format!(
            "SELECT id, due_at, target FROM {table} WHERE ready = 1 AND leased = 0
             AND due_at >= $1 AND (due_at > $1 OR id > $2)
             AND ($3 = '' OR connector = $3) AND last_error LIKE 'unreachable%' ORDER BY due_at, id LIMIT {PAGE}"
        ))
        .bind(due_at)
        .bind(id)
        .bind(connector)
        .fetch_all(&mut *self.reader().await?)
        .await?;
        let read = |row: &AnyRow| Ok(Waiting { id: row.try_get(0)?, due_at: row.try_get(1)?, target: row.try_get(2)? });
        rows.iter().map(read).collect()
    }

    async fn make_due(&self, queue: Queue, ids: &[i64]) -> Result<u64, Error> {
        let (table, (list, bound)) = (queue.table(), sql::any_of(2, ids));
        let text =
            format!("UPDATE {table} SET due_at = $1 WHERE id IN ({list}) AND ready = 1 AND leased = 0 AND due_at > $1");
        let mut tx = self.begin().await?;
        let update = bound.fold(sql::query(text).bind(now()), |update, id| update.bind(*id));
        let rows = update.execute(&mut tx.connection).await?.rows_affected();
        tx.pending(queue).grew = true;
        tx.commit().await?;
        Ok(rows)
    }
}
