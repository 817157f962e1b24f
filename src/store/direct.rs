//! The one direct room of a member of staff and a ghost.

use super::{Error, Membership, Tx, people::parse, rooms::read_membership};
use ruma::{OwnedRoomId, RoomId, UserId};

/// A direct room, and how the two stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectRoom {
    pub room: OwnedRoomId,
    pub ghost: Membership,
    pub staff: Option<Membership>,
}

impl DirectRoom {
    /// Whether the member of staff has it before them. Who has invited a ghost that has not come yet is not known to be
    /// in the room, and is.
    pub fn is_in_use(&self) -> bool {
        self.ghost == Membership::Invite || self.staff.is_some()
    }
}

impl Tx {
    /// The newest direct room of the two in which the ghost is, or will be, and no other, and messages can cross.
    pub async fn direct_room(&mut self, staff: &UserId, ghost: &UserId) -> Result<Option<DirectRoom>, Error> {
        let row = sqlx::query(
            "SELECT p.room_id, g.membership, s.membership FROM portals p
             JOIN members g ON g.room_id = p.room_id AND g.mxid = p.direct_ghost
             LEFT JOIN members s ON s.room_id = p.room_id AND s.mxid = p.direct_user
             WHERE p.direct_ghost = $1 AND p.direct_user = $2 AND p.encrypted = 0
             AND NOT EXISTS (SELECT 1 FROM members o JOIN ghosts ON ghosts.mxid = o.mxid
                             WHERE o.room_id = p.room_id AND o.mxid <> $1) ORDER BY p.opened_at DESC LIMIT 1",
        )
        .bind(ghost.as_str())
        .bind(staff.as_str())
        .fetch_optional(&mut self.connection)
        .await?;
        let read = |row| {
            Ok(DirectRoom {
                room: parse(&row, 0)?,
                ghost: read_membership(&row, 1)?.unwrap_or(Membership::Invite),
                staff: read_membership(&row, 2)?,
            })
        };
        row.map(read).transpose()
    }

    /// Makes a portal the direct room of a pair; no other is any longer.
    pub async fn set_direct(&mut self, room: &RoomId, staff: &UserId, ghost: &UserId) -> Result<(), Error> {
        sqlx::query(
            "UPDATE portals SET direct_user = NULL, direct_ghost = NULL
             WHERE direct_user = $1 AND direct_ghost = $2 AND room_id <> $3",
        )
        .bind(staff.as_str())
        .bind(ghost.as_str())
        .bind(room.as_str())
        .execute(&mut self.connection)
        .await?;
        sqlx::query("UPDATE portals SET direct_user = $1, direct_ghost = $2 WHERE room_id = $3")
            .bind(staff.as_str())
            .bind(ghost.as_str())
            .bind(room.as_str())
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }
}
