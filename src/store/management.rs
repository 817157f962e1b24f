//! The rooms in which the bot and one member of staff talk.

use super::{Error, Store, Tx, people::parse, sql};
use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};
use std::collections::HashMap;

impl Store {
    /// The newest room in which the bot talks with somebody.
    pub async fn management_room_of(&self, user: &UserId) -> Result<Option<OwnedRoomId>, Error> {
        let query = "SELECT room_id FROM management_rooms WHERE mxid = $1 ORDER BY active_at DESC LIMIT 1";
        let row = sqlx::query(query).bind(user.as_str()).fetch_optional(&mut *self.reader().await?).await?;
        row.as_ref().map(|row| parse(row, 0)).transpose()
    }

    /// As [`Store::active_portals`], of the bot's rooms.
    pub async fn active_management_rooms(&self, since: i64, limit: i64) -> Result<Vec<OwnedRoomId>, Error> {
        let query = "SELECT room_id FROM management_rooms WHERE active_at >= $1 ORDER BY active_at DESC LIMIT $2";
        let rows = sqlx::query(query).bind(since).bind(limit).fetch_all(&mut *self.reader().await?).await?;
        rows.iter().map(|row| parse(row, 0)).collect()
    }

    /// As [`Store::longest_unread`], of the bot's rooms.
    pub async fn longest_unread_management_rooms(&self, before: i64, limit: i64) -> Result<Vec<OwnedRoomId>, Error> {
        let query = "SELECT room_id FROM management_rooms WHERE read_at < $1 ORDER BY read_at LIMIT $2";
        let rows = sqlx::query(query).bind(before).bind(limit).fetch_all(&mut *self.reader().await?).await?;
        rows.iter().map(|row| parse(row, 0)).collect()
    }
}

impl Tx {
    /// Where reading back begins in a room of the bot: what is older was answered, or is nothing that it was asked.
    pub async fn begin_reading_as_bot(&mut self, room: &RoomId, place: &str, at: i64) -> Result<(), Error> {
        sqlx::query("UPDATE management_rooms SET read_to = $1, read_at = $2, active_at = $2 WHERE room_id = $3")
            .bind(place)
            .bind(at)
            .bind(room.as_str())
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }

    /// Those of these rooms in which the bot talks with somebody, and with whom.
    pub async fn management_rooms(&mut self, rooms: &[&RoomId]) -> Result<HashMap<OwnedRoomId, OwnedUserId>, Error> {
        let mut found = HashMap::new();
        for chunk in rooms.chunks(sql::ROWS_AT_ONCE) {
            let list = sql::list(1, chunk.len());
            let mut query = sql::query(format!("SELECT room_id, mxid FROM management_rooms WHERE room_id IN ({list})"));
            for room in chunk {
                query = query.bind(room.as_str());
            }
            for row in query.fetch_all(&mut self.connection).await? {
                found.insert(parse(&row, 0)?, parse(&row, 1)?);
            }
        }
        Ok(found)
    }

    pub async fn open_management_room(&mut self, room: &RoomId, user: &UserId) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO management_rooms (room_id, mxid) VALUES ($1, $2)
             ON CONFLICT (room_id) DO UPDATE SET mxid = excluded.mxid",
        )
        .bind(room.as_str())
        .bind(user.as_str())
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }

    pub async fn close_management_room(&mut self, room: &RoomId) -> Result<(), Error> {
        sqlx::query("DELETE FROM management_rooms WHERE room_id = $1")
            .bind(room.as_str())
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }
}
