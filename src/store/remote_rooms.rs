//! Remote rooms, the portals that they are paired with, and who of the staff is to be in them.

use super::{Error, Membership, Store, Tx, now, people::parse, rooms::read_membership};
use crate::ids::{Password, RemoteRoomId};
use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};
use sqlx::Row as _;
use std::collections::BTreeMap;

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

    /// What lets people into those remote rooms of a network that want a password.
    pub async fn room_passwords(&self, connector: &str) -> Result<BTreeMap<RemoteRoomId, Password>, Error> {
        let rows =
            sqlx::query("SELECT remote_room, password FROM remote_rooms WHERE connector = $1 AND password IS NOT NULL")
                .bind(connector)
                .fetch_all(&mut *self.reader().await?)
                .await?;
        let read = |row: &sqlx::any::AnyRow| {
            let text = |n: usize| row.try_get::<String, _>(n);
            Ok((RemoteRoomId::new(text(0)?), Password::new(text(1)?)))
        };
        rows.iter().map(read).collect()
    }

    /// Whether there are ghosts in a portal, or on their way there, other than the one of its remote room and those of its
    /// occupants. It is asked at each message from there, and reads one row. `ghosts`, `occupants`: how their ids begin.
    pub async fn is_anybody_beside(
        &self,
        room: &RoomId,
        ghosts: &str,
        occupants: Option<&str>,
        keeper: &UserId,
    ) -> Result<bool, Error> {
        let row = sqlx::query(
            "SELECT m.mxid FROM members m WHERE m.room_id = $1 AND m.mxid <> $2
             AND SUBSTR(m.mxid, 1, LENGTH($3)) = $3 AND ($4 = '' OR SUBSTR(m.mxid, 1, LENGTH($4)) <> $4) LIMIT 1",
        )
        .bind(room.as_str())
        .bind(keeper.as_str())
        .bind(ghosts)
        .bind(occupants.unwrap_or_default())
        .fetch_optional(&mut *self.reader().await?)
        .await?;
        Ok(row.is_some())
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

    /// A remote room wants this password: whoever it has not let in may try again. `false`: the room is not known.
    pub async fn set_room_password(
        &mut self,
        connector: &str,
        remote: &RemoteRoomId,
        password: &Password,
    ) -> Result<bool, Error> {
        let changed = sqlx::query("UPDATE remote_rooms SET password = $3 WHERE connector = $1 AND remote_room = $2")
            .bind(connector)
            .bind(remote.as_str())
            .bind(password.expose())
            .execute(&mut self.connection)
            .await?;
        sqlx::query("DELETE FROM shut_out WHERE connector = $1 AND remote_room = $2")
            .bind(connector)
            .bind(remote.as_str())
            .execute(&mut self.connection)
            .await?;
        Ok(changed.rows_affected() > 0)
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
