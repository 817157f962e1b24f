//! Remote rooms, the portals that they are paired with, and who of the staff is to be in them.

use super::{Error, Membership, Store, Tx, now, people::parse, rooms::read_membership};
use crate::ids::RemoteRoomId;
use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};
use sqlx::Row as _;

/// Somebody who has joined a portal that is paired with a remote room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paired {
    pub remote: RemoteRoomId,
    pub room: OwnedRoomId,
    pub user: OwnedUserId,
    /// The display name in that room.
    pub name: Option<String>,
}

impl Store {
    /// The portal with which the remote room of this ghost is paired: the one that it has joined.
    pub async fn room_with(&self, ghost: &UserId) -> Result<Option<OwnedRoomId>, Error> {
        let row =
            sqlx::query("SELECT room_id FROM members WHERE mxid = $1 AND membership = 'join' ORDER BY room_id LIMIT 1")
                .bind(ghost.as_str())
                .fetch_optional(&mut *self.reader().await?)
                .await?;
        row.as_ref().map(|row| parse(row, 0)).transpose()
    }

    pub async fn membership(&self, room: &RoomId, user: &UserId) -> Result<Option<Membership>, Error> {
        let row = sqlx::query("SELECT membership FROM members WHERE room_id = $1 AND mxid = $2")
            .bind(room.as_str())
            .bind(user.as_str())
            .fetch_optional(&mut *self.reader().await?)
            .await?;
        row.as_ref().map_or(Ok(None), |row| read_membership(row, 0))
    }

    /// Who has joined the portals that are paired with remote rooms of a network, ghosts included, without those whom the
    /// remote room has shut out.
    pub async fn paired(&self, connector: &str) -> Result<Vec<Paired>, Error> {
        let rows = sqlx::query(
            "SELECT r.remote_room, m.room_id, m.mxid, m.name FROM remote_rooms r
             JOIN members g ON g.mxid = r.ghost AND g.membership = 'join'
             JOIN members m ON m.room_id = g.room_id AND m.membership = 'join'
             LEFT JOIN shut_out s ON s.connector = r.connector AND s.remote_room = r.remote_room AND s.mxid = m.mxid
             WHERE r.connector = $1 AND s.mxid IS NULL ORDER BY r.remote_room, m.mxid",
        )
        .bind(connector)
        .fetch_all(&mut *self.reader().await?)
        .await?;
        let read = |row: &sqlx::any::AnyRow| {
            Ok(Paired {
                remote: RemoteRoomId::new(row.try_get::<String, _>(0)?),
                room: parse(row, 1)?,
                user: parse(row, 2)?,
                name: row.try_get(3)?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// How many remote rooms are paired with portals into which nobody has come yet.
    pub async fn deserted(&self, prefix: &str) -> Result<i64, Error> {
        let row = sqlx::query(
            "SELECT COUNT(*) FROM remote_rooms r JOIN members g ON g.mxid = r.ghost AND g.membership = 'join'
             WHERE NOT EXISTS (SELECT 1 FROM members m WHERE m.room_id = g.room_id AND m.membership = 'join'
                               AND SUBSTR(m.mxid, 1, LENGTH($1)) <> $1)",
        )
        .bind(prefix)
        .fetch_one(&mut *self.reader().await?)
        .await?;
        Ok(row.try_get(0)?)
    }
}

impl Tx {
    /// See [`Store::room_with`].
    pub async fn room_with(&mut self, ghost: &UserId) -> Result<Option<OwnedRoomId>, Error> {
        let row =
            sqlx::query("SELECT room_id FROM members WHERE mxid = $1 AND membership = 'join' ORDER BY room_id LIMIT 1")
                .bind(ghost.as_str())
                .fetch_optional(&mut self.connection)
                .await?;
        row.as_ref().map(|row| parse(row, 0)).transpose()
    }

    /// Notes that this ghost stands for a remote room.
    pub async fn note_remote_room(
        &mut self,
        connector: &str,
        remote: &RemoteRoomId,
        ghost: &UserId,
    ) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO remote_rooms (connector, remote_room, ghost) VALUES ($1, $2, $3)
             ON CONFLICT (connector, remote_room) DO NOTHING",
        )
        .bind(connector)
        .bind(remote.as_str())
        .bind(ghost.as_str())
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }

    /// A remote room does not want this member of staff.
    pub async fn shut_out(&mut self, connector: &str, remote: &RemoteRoomId, user: &UserId) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO shut_out (connector, remote_room, mxid, at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (connector, remote_room, mxid) DO UPDATE SET at = excluded.at",
        )
        .bind(connector)
        .bind(remote.as_str())
        .bind(user.as_str())
        .bind(now())
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }

    /// They may try again.
    pub async fn let_in(&mut self, connector: &str, remote: &RemoteRoomId, user: &UserId) -> Result<(), Error> {
        sqlx::query("DELETE FROM shut_out WHERE connector = $1 AND remote_room = $2 AND mxid = $3")
            .bind(connector)
            .bind(remote.as_str())
            .bind(user.as_str())
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }
}
