//! How much is in a queue, by connector. Counted through indexes alone: a row may hold a whole mail.

use super::{Error, Queue, Store, now, sql};
use sqlx::Row as _;
use std::{collections::BTreeMap, time::Duration};

/// What of one connector is in a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Live rows, but for those that are held.
    pub waiting: i64,
    /// New ones that wait for more, see [`Capabilities::hold`](crate::connector::Capabilities::hold).
    pub held: i64,
    pub dead: i64,
    /// When the live row with the lowest number was added, in milliseconds since 1970.
    pub oldest: Option<i64>,
}

impl Store {
    /// Of the named connectors, and of everything else under `rest`. `hold`: the longest time that a row is held for.
    pub async fn depths(
        &self,
        queue: Queue,
        connectors: &[&'static str],
        rest: &'static str,
        hold: Duration,
    ) -> Result<BTreeMap<&'static str, Depth>, Error> {
        let mut depths = self.live(queue, connectors, rest).await?;
        let mut add = |rows: Vec<(String, i64)>, to: fn(&mut Depth) -> &mut i64| {
            for (name, count) in rows {
                let name = connectors.iter().copied().find(|known| *known == name).unwrap_or(rest);
                *to(depths.entry(name).or_default()) += count;
            }
        };
        add(self.dead(queue).await?, |depth| &mut depth.dead);
        if queue == Queue::Outbox && !hold.is_zero() {
            add(self.held(queue, hold).await?, |depth| &mut depth.held);
        }
        // Counted one after the other: what came between must not make a number negative.
        depths.values_mut().for_each(|depth| depth.waiting = (depth.waiting - depth.held).max(0));
        Ok(depths)
    }

    /// One walk through the index of the lanes, which begin with their connector's name.
    async fn live(
        &self,
        queue: Queue,
        connectors: &[&'static str],
        rest: &'static str,
    ) -> Result<BTreeMap<&'static str, Depth>, Error> {
        let table = queue.table();
        let mut columns = String::from("COUNT(*)");
        let mut is_named = Vec::new();
        for (n, name) in connectors.iter().enumerate() {
            let condition = format!("SUBSTR(lane, 1, {}) = ${}", name.len() + 1, n + 1);
            columns += &format!(", COUNT(CASE WHEN {condition} THEN 1 END), MIN(CASE WHEN {condition} THEN id END)");
            is_named.push(condition);
        }
        let others = if is_named.is_empty() { "1 = 1".into() } else { format!("NOT ({})", is_named.join(" OR ")) };
        columns += &format!(", MIN(CASE WHEN {others} THEN id END)");
        let prefixes: Vec<String> = connectors.iter().map(|name| format!("{name} ")).collect();
        let mut query = sql::query(format!("SELECT {columns} FROM {table} WHERE dead = 0"));
        for prefix in &prefixes {
            query = query.bind(prefix);
        }
        let row = query.fetch_one(&mut *self.reader().await?).await?;
        let mut left: i64 = row.try_get(0)?;
        let mut depths = BTreeMap::new();
        for (n, name) in connectors.iter().copied().enumerate() {
            let (waiting, oldest) = (row.try_get(1 + 2 * n)?, row.try_get(2 + 2 * n)?);
            left -= waiting;
            depths.insert(name, Depth { waiting, oldest: self.added_at(queue, oldest).await?, ..Depth::default() });
        }
        let oldest = self.added_at(queue, row.try_get(1 + 2 * connectors.len())?).await?;
        if left > 0 {
            depths.insert(rest, Depth { waiting: left, oldest, ..Depth::default() });
        }
        Ok(depths)
    }

    async fn added_at(&self, queue: Queue, id: Option<i64>) -> Result<Option<i64>, Error> {
        let (Some(id), table) = (id, queue.table()) else { return Ok(None) };
        let row = sql::query(format!("SELECT created_at FROM {table} WHERE id = $1"))
            .bind(id)
            .fetch_optional(&mut *self.reader().await?)
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    async fn dead(&self, queue: Queue) -> Result<Vec<(String, i64)>, Error> {
        let table = queue.table();
        let rows = sql::query(format!("SELECT connector, COUNT(*) FROM {table} WHERE dead = 1 GROUP BY connector"))
            .fetch_all(&mut *self.reader().await?)
            .await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }

    /// Those that fall due within the hold and were never tried. The hold is short, and so is this part of the index.
    async fn held(&self, queue: Queue, hold: Duration) -> Result<Vec<(String, i64)>, Error> {
        let (table, now) = (queue.table(), now());
        let rows = sql::query(format!(
            "SELECT connector, COUNT(*) FROM {table}
             WHERE ready = 1 AND due_at > $1 AND due_at <= $2 AND attempts = 0 GROUP BY connector"
        ))
        .bind(now)
        .bind(now + hold.as_millis() as i64)
        .fetch_all(&mut *self.reader().await?)
        .await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }
}
