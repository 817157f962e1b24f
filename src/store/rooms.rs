//! Portals and who is in them.

use super::{Error, Store, Tx, people::parse, sql};
use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};
use sqlx::{Row as _, any::AnyRow};
use std::collections::{BTreeMap, HashMap};

/// A room with ghosts in it, as far as routing needs to know it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Portal {
    pub name: Option<String>,
    pub encrypted: bool,
    pub members: HashMap<OwnedUserId, Member>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub membership: Membership,
    /// The display name in this room.
    pub name: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Membership {
    /// Of a ghost: it has not joined yet, or what was written since its invitation is not queued yet.
    Invite,
    Join,
}

impl Membership {
    fn as_str(self) -> &'static str {
        match self {
            Self::Invite => "invite",
            Self::Join => "join",
        }
    }
}

impl Store {
    /// The newest room in which these are and nobody else, of whom `ghost` has joined.
    pub async fn room_of(&self, members: &[&UserId], ghost: &UserId) -> Result<Option<OwnedRoomId>, Error> {
        let list = sql::list(3, members.len());
        let mut query = sql::query(format!(
            "SELECT p.room_id FROM portals p
             JOIN members g ON g.room_id = p.room_id AND g.mxid = $1 AND g.membership = 'join'
             WHERE (SELECT COUNT(*) FROM members m WHERE m.room_id = p.room_id) = $2
             AND (SELECT COUNT(*) FROM members m WHERE m.room_id = p.room_id AND m.mxid IN ({list})) = $2
             ORDER BY p.opened_at DESC LIMIT 1"
        ))
        .bind(ghost.as_str())
        .bind(i64::try_from(members.len()).unwrap_or(i64::MAX));
        for member in members {
            query = query.bind(member.as_str());
        }
        query.fetch_optional(&mut *self.reader().await?).await?.as_ref().map(|row| parse(row, 0)).transpose()
    }

    /// The room that has taken the place of this one.
    pub async fn successor(&self, room: &RoomId) -> Result<Option<OwnedRoomId>, Error> {
        let row = sqlx::query("SELECT successor FROM portals WHERE room_id = $1 AND successor IS NOT NULL")
            .bind(room.as_str())
            .fetch_optional(&mut *self.reader().await?)
            .await?;
        row.as_ref().map(|row| parse(row, 0)).transpose()
    }

    /// The rooms whose place this one has taken.
    pub async fn predecessors(&self, room: &RoomId) -> Result<Vec<OwnedRoomId>, Error> {
        let rows = sqlx::query("SELECT room_id FROM portals WHERE successor = $1")
            .bind(room.as_str())
            .fetch_all(&mut *self.reader().await?)
            .await?;
        rows.iter().map(|row| parse(row, 0)).collect()
    }

    /// Who is in a room.
    pub async fn members(&self, room: &RoomId) -> Result<BTreeMap<OwnedUserId, Membership>, Error> {
        let rows = sqlx::query("SELECT mxid, membership FROM members WHERE room_id = $1")
            .bind(room.as_str())
            .fetch_all(&mut *self.reader().await?)
            .await?;
        rows.iter().map(|row| Ok((parse(row, 0)?, read_membership(row, 1)?.unwrap_or(Membership::Invite)))).collect()
    }
}

impl Tx {
    /// The portals among these rooms.
    pub async fn portals(&mut self, rooms: &[&RoomId]) -> Result<HashMap<OwnedRoomId, Portal>, Error> {
        let mut portals: HashMap<OwnedRoomId, Portal> = HashMap::new();
        for chunk in rooms.chunks(sql::ROWS_AT_ONCE) {
            let (list, bound) = sql::any_of(1, chunk);
            let mut query = sql::query(format!(
                "SELECT p.room_id, p.name, p.encrypted, m.mxid, m.membership, m.name
                 FROM portals p JOIN members m ON m.room_id = p.room_id WHERE p.room_id IN ({list})"
            ));
            for room in bound {
                query = query.bind(room.as_str());
            }
            for row in query.fetch_all(&mut self.connection).await? {
                let portal = portals.entry(parse(&row, 0)?).or_default();
                portal.name = row.try_get(1)?;
                portal.encrypted = row.try_get::<i64, _>(2)? != 0;
                let membership = read_membership(&row, 4)?.unwrap_or(Membership::Invite);
                let member = Member { membership, name: row.try_get(5)? };
                portal.members.insert(parse(&row, 3)?, member);
            }
        }
        Ok(portals)
    }

    /// Makes the room a portal, if it is not one yet.
    pub async fn open_portal(&mut self, room: &RoomId) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO portals (room_id, encrypted, opened_at) VALUES ($1, 0, $2) ON CONFLICT (room_id) DO NOTHING",
        )
        .bind(room.as_str())
        .bind(super::now())
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }

    /// Takes what is known of a room over to the one that has taken its place: whose direct room it is, and how networks
    /// know its conversation. Matrix threads stay behind.
    pub async fn succeed(&mut self, room: &RoomId, successor: &RoomId) -> Result<(), Error> {
        for text in [
            "INSERT INTO portals (room_id, name, encrypted, direct_user, direct_ghost, opened_at)
             SELECT $2, name, 0, direct_user, direct_ghost, opened_at FROM portals WHERE room_id = $1
             ON CONFLICT (room_id) DO UPDATE SET direct_user = COALESCE(portals.direct_user, excluded.direct_user),
             direct_ghost = COALESCE(portals.direct_ghost, excluded.direct_ghost)",
            "UPDATE portals SET successor = $2, direct_user = NULL, direct_ghost = NULL WHERE room_id = $1",
            "INSERT INTO threads (room_id, thread, connector, subject, root, last, previous)
             SELECT $2, thread, connector, subject, root, last, previous FROM threads WHERE room_id = $1 AND thread = ''
             ON CONFLICT (room_id, connector, thread) DO NOTHING",
        ] {
            sqlx::query(text).bind(room.as_str()).bind(successor.as_str()).execute(&mut self.connection).await?;
        }
        Ok(())
    }

    pub async fn set_room_name(&mut self, room: &RoomId, name: Option<&str>) -> Result<(), Error> {
        sqlx::query("UPDATE portals SET name = $1 WHERE room_id = $2")
            .bind(name)
            .bind(room.as_str())
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }

    /// Encryption cannot be switched off again.
    pub async fn set_encrypted(&mut self, room: &RoomId) -> Result<(), Error> {
        sqlx::query("UPDATE portals SET encrypted = 1 WHERE room_id = $1")
            .bind(room.as_str())
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }

    pub async fn set_member(&mut self, room: &RoomId, mxid: &UserId, member: &Member) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO members (room_id, mxid, membership, name) VALUES ($1, $2, $3, $4)
             ON CONFLICT (room_id, mxid) DO UPDATE SET membership = excluded.membership, name = excluded.name",
        )
        .bind(room.as_str())
        .bind(mxid.as_str())
        .bind(member.membership.as_str())
        .bind(&member.name)
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }

    /// Somebody was invited by us. Should they have come already, then what is known of them stays.
    pub async fn expect_member(&mut self, room: &RoomId, mxid: &UserId) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO members (room_id, mxid, membership) VALUES ($1, $2, $3)
             ON CONFLICT (room_id, mxid) DO NOTHING",
        )
        .bind(room.as_str())
        .bind(mxid.as_str())
        .bind(Membership::Invite.as_str())
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }

    pub async fn remove_member(&mut self, room: &RoomId, mxid: &UserId) -> Result<(), Error> {
        sqlx::query("DELETE FROM members WHERE room_id = $1 AND mxid = $2")
            .bind(room.as_str())
            .bind(mxid.as_str())
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }
}

pub(super) fn read_membership(row: &AnyRow, column: usize) -> Result<Option<Membership>, Error> {
    let text: Option<String> = row.try_get(column)?;
    Ok(text.map(|text| if text == Membership::Join.as_str() { Membership::Join } else { Membership::Invite }))
}
