//! What was said in rooms of messages that are in trouble, and whether the bot is there to say more.

use super::{Error, Store, Tx, now, people::parse};
use crate::ids::RemoteUserId;
use ruma::{EventId, OwnedEventId, OwnedUserId, RoomId};
use serde::{Deserialize, Serialize};
use sqlx::Row as _;

/// A message to one person that is in trouble.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    pub event: OwnedEventId,
    pub connector: String,
    pub remote_user: RemoteUserId,
}

/// The notice that tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub notice: OwnedEventId,
    /// Who said it, and alone can change it.
    pub speaker: OwnedUserId,
}

impl Store {
    /// What was said of this trouble.
    pub async fn told(&self, trouble: &Trouble) -> Result<Option<Told>, Error> {
        let row = sqlx::query(
            "SELECT notice_id, speaker FROM notices WHERE event_id = $1 AND connector = $2 AND remote_user = $3",
        )
        .bind(trouble.event.as_str())
        .bind(&trouble.connector)
        .bind(trouble.remote_user.as_str())
        .fetch_optional(&mut *self.reader().await?)
        .await?;
        row.map(|row| Ok(Told { notice: parse(&row, 0)?, speaker: parse(&row, 1)? })).transpose()
    }

    pub async fn note_told(&self, trouble: &Trouble, told: &Told) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO notices (event_id, connector, remote_user, notice_id, speaker, at) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (event_id, connector, remote_user)
             DO UPDATE SET notice_id = excluded.notice_id, speaker = excluded.speaker, at = excluded.at",
        )
        .bind(trouble.event.as_str())
        .bind(&trouble.connector)
        .bind(trouble.remote_user.as_str())
        .bind(told.notice.as_str())
        .bind(told.speaker.as_str())
        .bind(now())
        .execute(&mut tx.connection)
        .await?;
        tx.commit().await
    }

    /// Forgets notices from before the given time; returns how many.
    pub async fn forget_notices(&self, before: i64) -> Result<u64, Error> {
        let mut tx = self.begin().await?;
        let done = sqlx::query("DELETE FROM notices WHERE at < $1").bind(before).execute(&mut tx.connection).await?;
        tx.commit().await?;
        Ok(done.rows_affected())
    }

    /// Whether the bot is in a portal; `None`: nobody has tried to bring it in, or it is no portal.
    pub async fn bot_is_in(&self, room: &RoomId) -> Result<Option<bool>, Error> {
        let row = sqlx::query("SELECT bot_is_in FROM portals WHERE room_id = $1")
            .bind(room.as_str())
            .fetch_optional(&mut *self.reader().await?)
            .await?;
        let known = row.map(|row| row.try_get::<Option<i64>, _>(0)).transpose()?.flatten();
        Ok(known.map(|known| known != 0))
    }
}

impl Tx {
    /// The message of which a notice tells.
    pub async fn trouble_of(&mut self, notice: &EventId) -> Result<Option<OwnedEventId>, Error> {
        let row = sqlx::query("SELECT event_id FROM notices WHERE notice_id = $1 LIMIT 1")
            .bind(notice.as_str())
            .fetch_optional(&mut self.connection)
            .await?;
        row.map(|row| parse(&row, 0)).transpose()
    }

    /// Forgets that a message went to somebody from whom it came back: it is sent anew.
    pub async fn forget_returned(&mut self, trouble: &Trouble) -> Result<(), Error> {
        sqlx::query(
            "DELETE FROM messages WHERE event_id = $1 AND connector = $2 AND remote_user = $3 AND state = 'failed'",
        )
        .bind(trouble.event.as_str())
        .bind(&trouble.connector)
        .bind(trouble.remote_user.as_str())
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }

    pub async fn set_bot(&mut self, room: &RoomId, is_in: bool) -> Result<(), Error> {
        sqlx::query("UPDATE portals SET bot_is_in = $1 WHERE room_id = $2")
            .bind(i64::from(is_in))
            .bind(room.as_str())
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }
}
