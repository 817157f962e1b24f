//! What ghosts look like, and since when that is known.

use super::{Error, Store};
use ruma::UserId;
use sqlx::Row as _;

/// What was last found out of a remote person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looks {
    /// Milliseconds since 1970; `None`: nobody has asked yet.
    pub looked_up_at: Option<i64>,
    /// The hash of the picture that the ghost has.
    pub picture: Option<String>,
}

impl Store {
    pub async fn looks_of(&self, ghost: &UserId) -> Result<Looks, Error> {
        let row = sqlx::query("SELECT looked_up_at, picture FROM ghosts WHERE mxid = $1")
            .bind(ghost.as_str())
            .fetch_optional(&mut *self.reader().await?)
            .await?;
        let Some(row) = row else { return Ok(Looks::default()) };
        Ok(Looks { looked_up_at: row.try_get(0)?, picture: row.try_get(1)? })
    }

    pub async fn note_looks(&self, ghost: &UserId, looks: &Looks) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE ghosts SET looked_up_at = $1, picture = $2 WHERE mxid = $3")
            .bind(looks.looked_up_at)
            .bind(&looks.picture)
            .bind(ghost.as_str())
            .execute(&mut tx.connection)
            .await?;
        tx.commit().await
    }
}
