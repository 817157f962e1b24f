//! The rooms in which the bot and one member of staff talk.

use super::{Error, Tx, people::parse, sql};
use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};
use std::collections::HashMap;

impl Tx {
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
