//! Up to where the homeserver has surely pushed everything, and the ghosts that may have missed something since.

use super::{Cursor, Error, Store, people::parse};
use ruma::OwnedUserId;

/// In the table that remotes share.
const HOMESERVER: &str = "homeserver";
const PUSHED: &str = "pushed";

impl Store {
    /// A place in the homeserver's order. Everything before it was pushed, or found; `None`: no such place is known.
    pub async fn pushed_to(&self) -> Result<Option<String>, Error> {
        Ok(self.cursor(HOMESERVER, PUSHED).await?.filter(|place| !place.is_empty()))
    }

    pub async fn set_pushed_to(&self, place: Option<&str>) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        let cursor = Cursor { name: PUSHED.into(), value: place.unwrap_or_default().into() };
        tx.set_cursor(HOMESERVER, &cursor).await?;
        tx.commit().await
    }

    /// Up to `limit` ghosts in the database's own order, after one id and up to another, should there be one.
    pub async fn ghosts_between(
        &self,
        after: &str,
        up_to: Option<&str>,
        limit: i64,
    ) -> Result<Vec<OwnedUserId>, Error> {
        let query = match up_to {
            Some(_) => "SELECT mxid FROM ghosts WHERE mxid > $1 AND mxid <= $3 ORDER BY mxid LIMIT $2",
            None => "SELECT mxid FROM ghosts WHERE mxid > $1 ORDER BY mxid LIMIT $2",
        };
        let mut query = sqlx::query(query).bind(after).bind(limit);
        if let Some(up_to) = up_to {
            query = query.bind(up_to);
        }
        let rows = query.fetch_all(&mut *self.reader().await?).await?;
        rows.iter().map(|row| parse(row, 0)).collect()
    }
}
