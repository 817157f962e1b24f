//! What waits for another side that can be reached again.

use super::{Error, Queue, Store, now, sql};
use sqlx::Row as _;

impl Store {
    /// Makes due what waits only because its other side could not be reached: of one connector, or of all if that is
    /// empty, and of it the rows for whose target `is_there` holds. For the moment in which that side can be reached
    /// again. Returns how many rows.
    pub async fn hurry(&self, queue: Queue, connector: &str, is_there: impl Fn(&str) -> bool) -> Result<u64, Error> {
        let table = queue.table();
        // Not as the writer: after a start with a million rows nobody has to wait for this look.
        let waiting = sql::query(format!(
            "SELECT id, target FROM {table} WHERE ready = 1 AND leased = 0 AND due_at > $1
             AND ($2 = '' OR connector = $2) AND last_error LIKE 'unreachable%'"
        ))
        .bind(now())
        .bind(connector)
        .fetch_all(&mut *self.reader().await?)
        .await?;
        let mut ids: Vec<i64> = Vec::new();
        for row in waiting {
            if is_there(&row.try_get::<String, _>(1)?) {
                ids.push(row.try_get(0)?);
            }
        }
        let mut rows = 0;
        // A commit for a few: nobody else waits long for the writer.
        for some in ids.chunks(sql::ROWS_AT_ONCE) {
            let (list, bound) = sql::any_of(2, some);
            let text = format!(
                "UPDATE {table} SET due_at = $1 WHERE id IN ({list}) AND ready = 1 AND leased = 0 AND due_at > $1"
            );
            let mut tx = self.begin().await?;
            let update = bound.fold(sql::query(text).bind(now()), |update, id| update.bind(*id));
            rows += update.execute(&mut tx.connection).await?.rows_affected();
            tx.pending(queue).grew = true;
            tx.commit().await?;
        }
        Ok(rows)
    }
}
