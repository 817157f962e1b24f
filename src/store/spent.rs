//! How often somebody has done what is limited. In the database, so that a restart gives nobody a new day.

use super::{Error, Tx, people::parse, sql};
use ruma::{OwnedUserId, UserId};
use sqlx::Row as _;
use std::collections::HashMap;

/// Counted in the last minute and in the last day in which it was done at all; both are numbers since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    pub minute: i64,
    pub in_minute: i64,
    pub day: i64,
    pub in_day: i64,
}

impl Tx {
    /// `deed`: the name of what is counted. Who has never done it is not in the answer.
    pub async fn spent(&mut self, deed: &str, users: &[&UserId]) -> Result<HashMap<OwnedUserId, Spent>, Error> {
        let mut found = HashMap::new();
        for chunk in users.chunks(sql::ROWS_AT_ONCE) {
            let (list, bound) = sql::any_of(2, chunk);
            let mut query = sql::query(format!(
                "SELECT mxid, minute, in_minute, day, in_day FROM spent WHERE deed = $1 AND mxid IN ({list})"
            ))
            .bind(deed);
            for user in bound {
                query = query.bind(user.as_str());
            }
            for row in query.fetch_all(&mut self.connection).await? {
                let spent = Spent {
                    minute: row.try_get(1)?,
                    in_minute: row.try_get(2)?,
                    day: row.try_get(3)?,
                    in_day: row.try_get(4)?,
                };
                found.insert(parse(&row, 0)?, spent);
            }
        }
        Ok(found)
    }

    pub async fn set_spent(&mut self, deed: &str, spent: &[(&UserId, Spent)]) -> Result<(), Error> {
        for chunk in spent.chunks(sql::ROWS_AT_ONCE) {
            let values = self.marks().values(chunk.len(), 6);
            let mut query = sql::query(format!(
                "INSERT INTO spent (mxid, deed, minute, in_minute, day, in_day) VALUES {values}
                 ON CONFLICT (mxid, deed) DO UPDATE SET minute = excluded.minute, in_minute = excluded.in_minute,
                 day = excluded.day, in_day = excluded.in_day"
            ));
            for (user, Spent { minute, in_minute, day, in_day }) in chunk {
                query = query.bind(user.as_str()).bind(deed).bind(*minute).bind(*in_minute).bind(*day).bind(*in_day);
            }
            query.execute(&mut self.connection).await?;
        }
        Ok(())
    }
}
