//! What members of staff have chosen.

use super::{Error, Store, people::parse};
use ruma::{OwnedUserId, RoomId, UserId};
use sqlx::Row as _;

impl Store {
    /// The name of the language that somebody has chosen.
    pub async fn language_of(&self, user: &UserId) -> Result<Option<String>, Error> {
        let row = sqlx::query("SELECT language FROM users WHERE mxid = $1 AND language IS NOT NULL")
            .bind(user.as_str())
            .fetch_optional(&mut *self.reader().await?)
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// Who is in a portal, ghosts too, with whose direct room it is, and the name of the language that each has chosen.
    pub async fn languages_in(&self, room: &RoomId) -> Result<Vec<(OwnedUserId, Option<String>)>, Error> {
        let rows = sqlx::query(
            "SELECT m.mxid, u.language FROM members m LEFT JOIN users u ON u.mxid = m.mxid WHERE m.room_id = $1
             UNION SELECT p.direct_user, u.language FROM portals p LEFT JOIN users u ON u.mxid = p.direct_user
             WHERE p.room_id = $1 AND p.direct_user IS NOT NULL",
        )
        .bind(room.as_str())
        .fetch_all(&mut *self.reader().await?)
        .await?;
        rows.iter().map(|row| Ok((parse(row, 0)?, row.try_get(1)?))).collect()
    }

    pub async fn choose_language(&self, user: &UserId, language: &str) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO users (mxid, confirmed_at, language) VALUES ($1, 0, $2)
             ON CONFLICT (mxid) DO UPDATE SET language = excluded.language",
        )
        .bind(user.as_str())
        .bind(language)
        .execute(&mut tx.connection)
        .await?;
        tx.commit().await
    }
}
