//! Ghosts and staff.

use super::{Error, Store, Tx, now};
use crate::ids::RemoteUserId;
use ruma::{OwnedUserId, RoomId, UserId};
use sqlx::{Row as _, any::AnyRow};

/// A ghost that the homeserver knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ghost {
    pub mxid: OwnedUserId,
    pub connector: String,
    pub remote_user: RemoteUserId,
    /// The display name that was last set.
    pub name: String,
}

impl Store {
    pub async fn ghost(&self, mxid: &UserId) -> Result<Option<Ghost>, Error> {
        let row = sqlx::query("SELECT mxid, connector, remote_user, name FROM ghosts WHERE mxid = $1")
            .bind(mxid.as_str())
            .fetch_optional(&mut *self.reader().await?)
            .await?;
        row.as_ref().map(read_ghost).transpose()
    }

    /// Remembers a ghost that was registered, or its new name.
    pub async fn save_ghost(&self, ghost: &Ghost) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO ghosts (mxid, connector, remote_user, name) VALUES ($1, $2, $3, $4)
             ON CONFLICT (mxid) DO UPDATE SET name = excluded.name",
        )
        .bind(ghost.mxid.as_str())
        .bind(&ghost.connector)
        .bind(ghost.remote_user.as_str())
        .bind(&ghost.name)
        .execute(&mut tx.connection)
        .await?;
        tx.commit().await
    }

    /// What a user is called in a room: a ghost by its newest name, others by the display name there.
    pub async fn name_in(&self, room: &RoomId, user: &UserId) -> Result<Option<String>, Error> {
        let row = sqlx::query(
            "SELECT name, 1 FROM ghosts WHERE mxid = $2
             UNION ALL SELECT name, 2 FROM members WHERE room_id = $1 AND mxid = $2 AND name IS NOT NULL
             ORDER BY 2 LIMIT 1",
        )
        .bind(room.as_str())
        .bind(user.as_str())
        .fetch_optional(&mut *self.reader().await?)
        .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// Whether the homeserver confirmed this member of staff after the given time.
    pub async fn user_confirmed_since(&self, mxid: &UserId, since: i64) -> Result<bool, Error> {
        let row = sqlx::query("SELECT confirmed_at FROM users WHERE mxid = $1 AND confirmed_at >= $2")
            .bind(mxid.as_str())
            .bind(since)
            .fetch_optional(&mut *self.reader().await?)
            .await?;
        Ok(row.is_some())
    }

    pub async fn confirm_user(&self, mxid: &UserId) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        tx.confirm_user(mxid).await?;
        tx.commit().await
    }
}

impl Tx {
    pub async fn confirm_user(&mut self, mxid: &UserId) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO users (mxid, confirmed_at) VALUES ($1, $2)
             ON CONFLICT (mxid) DO UPDATE SET confirmed_at = excluded.confirmed_at",
        )
        .bind(mxid.as_str())
        .bind(now())
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }
}

pub(super) fn read_ghost(row: &AnyRow) -> Result<Ghost, Error> {
    Ok(Ghost {
        mxid: parse(row, 0)?,
        connector: row.try_get(1)?,
        remote_user: RemoteUserId::new(row.try_get::<String, _>(2)?),
        name: row.try_get(3)?,
    })
}

/// Reads an id that this program wrote; anything else is a damaged database.
pub(super) fn parse<T>(row: &AnyRow, column: usize) -> Result<T, Error>
where
    T: for<'a> TryFrom<&'a str>,
    for<'a> <T as TryFrom<&'a str>>::Error: std::error::Error + Send + Sync + 'static,
{
    let text: String = row.try_get(column)?;
    T::try_from(&text).map_err(|e| sqlx::Error::Decode(format!("{text:?}: {e}").into()).into())
}
