//! Rows as an admin chooses them: some of many.

use super::{
    Error, Listed, Queue, Store,
    queue::{LISTED, read_listed},
    sql,
};
use sqlx::Row as _;

/// Which rows. Empty: all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    pub connector: Option<String>,
    /// Of the address that a row is for.
    pub domain: Option<String>,
    /// With which the last error begins, as in `unreachable`.
    pub reason: Option<String>,
    /// Only dead ones, or only live ones.
    pub dead: Option<bool>,
}

impl Selection {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// A condition whose parameters begin with `$3`, and their values.
    fn condition(&self) -> (String, Vec<String>) {
        let (mut text, mut values) = (String::new(), Vec::new());
        if let Some(dead) = self.dead {
            // A literal, so that the index of the dead can be used.
            text += if dead { " AND dead = 1" } else { " AND dead = 0" };
        }
        let mut and = |condition: &str, value: String| {
            values.push(value);
            text += &format!(
                " AND {condition} ${}{}",
                values.len() + 2,
                if condition.ends_with('=') { "" } else { " ESCAPE '!'" }
            );
        };
        if let Some(connector) = &self.connector {
            and("connector =", connector.clone());
        }
        if let Some(domain) = &self.domain {
            and("LOWER(target) LIKE", format!("%@{}", literal(&domain.to_lowercase())));
        }
        if let Some(reason) = &self.reason {
            and("last_error LIKE", format!("{}:%", literal(reason)));
        }
        (text, values)
    }
}

/// A text for LIKE that means itself.
fn literal(text: &str) -> String {
    text.chars().flat_map(|c| matches!(c, '!' | '%' | '_').then_some('!').into_iter().chain([c])).collect()
}

impl Store {
    /// Up to `limit` of them, by number, beginning after this one.
    pub async fn select(&self, queue: Queue, wanted: &Selection, after: i64, limit: i64) -> Result<Vec<Listed>, Error> {
        let (table, (condition, values)) = (queue.table(), wanted.condition());
        let text = format!("SELECT {LISTED} FROM {table} WHERE id > $1{condition} ORDER BY id LIMIT $2");
        let mut query = sql::query(text).bind(after).bind(limit);
        for value in &values {
            query = query.bind(value);
        }
        query.fetch_all(&mut *self.reader().await?).await?.iter().map(read_listed).collect()
    }

    /// The highest number in use; 0 if there is none.
    pub async fn last_number(&self, queue: Queue) -> Result<i64, Error> {
        let table = queue.table();
        let query = sql::query(format!("SELECT MAX(id) FROM {table}"));
        let row = query.fetch_one(&mut *self.reader().await?).await?;
        Ok(row.try_get::<Option<i64>, _>(0)?.unwrap_or(0))
    }

    /// See [`Tx::retry`](super::Tx::retry); how many were there. One commit.
    pub async fn retry_all(&self, queue: Queue, ids: &[i64]) -> Result<usize, Error> {
        let mut tx = self.begin().await?;
        let mut found = 0;
        for id in ids {
            found += usize::from(tx.retry(queue, *id).await?);
        }
        tx.commit().await?;
        Ok(found)
    }

    /// Deletes rows; how many were there. One commit.
    pub async fn discard_all(&self, queue: Queue, ids: &[i64]) -> Result<usize, Error> {
        let mut tx = self.begin().await?;
        let mut found = 0;
        for id in ids {
            found += usize::from(tx.discard(queue, *id).await?);
        }
        tx.commit().await?;
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_for_others_means_itself() {
        assert_eq!(literal("a_b%c!d"), "a!_b!%c!!d");
    }
}
