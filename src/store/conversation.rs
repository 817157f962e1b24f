//! Where people of a network without rooms talk last.

use super::{Error, Store, people::parse};
use ruma::{OwnedRoomId, UserId};

impl Store {
    /// Of the rooms in which messages can cross, the ghost is, and the member of staff is or is invited: the one in which
    /// something was last said on this network.
    pub async fn last_conversation(
        &self,
        connector: &str,
        staff: &UserId,
        ghost: &UserId,
    ) -> Result<Option<OwnedRoomId>, Error> {
        let row = sqlx::query(
            "SELECT g.room_id FROM members g
             JOIN members s ON s.room_id = g.room_id AND s.mxid = $2
             JOIN portals p ON p.room_id = g.room_id AND p.encrypted = 0
             JOIN threads t ON t.room_id = g.room_id AND t.connector = $1
             JOIN messages m ON m.connector = t.connector AND m.remote_message = t.last
             WHERE g.mxid = $3 AND g.membership = 'join' ORDER BY m.at DESC LIMIT 1",
        )
        .bind(connector)
        .bind(staff.as_str())
        .bind(ghost.as_str())
        .fetch_optional(&mut *self.reader().await?)
        .await?;
        row.as_ref().map(|row| parse(row, 0)).transpose()
    }
}
