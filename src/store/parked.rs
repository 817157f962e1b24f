//! Events that wait before the router until something is ready for them.

use super::{Error, Tx};
use ruma::{EventId, RoomId};
use sqlx::Row as _;

/// An event as the homeserver sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    pub event_id: String,
    /// The whole event, JSON.
    pub event: String,
}

impl Tx {
    pub async fn park(&mut self, room: &RoomId, event: &EventId, json: &str) -> Result<(), Error> {
        sqlx::query("INSERT INTO parked (room_id, event_id, event) VALUES ($1, $2, $3)")
            .bind(room.as_str())
            .bind(event.as_str())
            .bind(json)
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }

    /// The place after which the next parked event of this room will stand.
    pub async fn last_parked(&mut self, room: &RoomId) -> Result<i64, Error> {
        let row = sqlx::query("SELECT id FROM parked WHERE room_id = $1 ORDER BY id DESC LIMIT 1")
            .bind(room.as_str())
            .fetch_optional(&mut self.connection)
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?.unwrap_or(0))
    }

    /// The events of a room that were parked after the given place, in order.
    pub async fn parked(&mut self, room: &RoomId, after: i64) -> Result<Vec<Parked>, Error> {
        let rows = sqlx::query("SELECT event_id, event FROM parked WHERE room_id = $1 AND id > $2 ORDER BY id")
            .bind(room.as_str())
            .bind(after)
            .fetch_all(&mut self.connection)
            .await?;
        rows.iter().map(|row| Ok(Parked { event_id: row.try_get(0)?, event: row.try_get(1)? })).collect()
    }

    pub async fn unpark_room(&mut self, room: &RoomId) -> Result<(), Error> {
        sqlx::query("DELETE FROM parked WHERE room_id = $1").bind(room.as_str()).execute(&mut self.connection).await?;
        Ok(())
    }
}
