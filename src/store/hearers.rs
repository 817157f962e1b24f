//! Who of a room's ghosts hears of what leaves nothing behind.

use super::{Error, Store, people::parse};
use ruma::{OwnedUserId, RoomId};

impl Store {
    /// The ghosts that have joined a portal in which messages can cross, at most so many. `prefix`: what the ids of
    /// ghosts begin with. Reads only.
    pub async fn hearers(&self, room: &RoomId, prefix: &str, most: usize) -> Result<Vec<OwnedUserId>, Error> {
        let rows = sqlx::query(
            "SELECT m.mxid FROM portals p JOIN members m ON m.room_id = p.room_id
             WHERE p.room_id = $1 AND p.encrypted = 0 AND m.membership = 'join' AND m.mxid LIKE $2 ESCAPE '!'
             ORDER BY m.mxid LIMIT $3",
        )
        .bind(room.as_str())
        .bind(format!("{}%", prefix.replace('!', "!!").replace('_', "!_").replace('%', "!%")))
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(&mut *self.reader().await?)
        .await?;
        rows.iter().map(|row| parse(row, 0)).collect()
    }
}
