//! Portals with very many members, of whom routing needs only a few.

use super::{Error, Member, Membership, Portal, Tx, people::parse, rooms::read_membership, sql};
use ruma::{OwnedRoomId, RoomId, UserId};
use sqlx::Row as _;
use std::collections::{HashMap, HashSet};

/// Up to so many members are read without asking who matters.
const LARGE: usize = 100;

/// Who matters in a large room.
#[derive(Clone, Copy, Debug)]
pub struct Concerned<'a> {
    /// What the ids of ghosts begin with.
    pub prefix: &'a str,
    /// Those who have done something.
    pub users: &'a [&'a UserId],
}

impl Tx {
    /// As [`portals`](Self::portals); of large rooms only those members who matter.
    pub async fn portals_for(
        &mut self,
        rooms: &[&RoomId],
        concerned: Concerned<'_>,
    ) -> Result<HashMap<OwnedRoomId, Portal>, Error> {
        let (large, small): (Vec<&RoomId>, Vec<&RoomId>) =
            rooms.iter().partition(|room| self.store.0.large_rooms.recall(**room).is_some());
        let mut portals = self.portals(&small).await?;
        let grown = portals.iter().filter(|(_, portal)| portal.members.len() > LARGE);
        grown.for_each(|(room, _)| self.store.0.large_rooms.remember((*room).clone(), ()));
        for room in large {
            if let Some(portal) = self.large_portal(room, concerned).await? {
                portals.insert(room.to_owned(), portal);
            }
        }
        Ok(portals)
    }

    async fn large_portal(&mut self, room: &RoomId, concerned: Concerned<'_>) -> Result<Option<Portal>, Error> {
        let users: HashSet<&UserId> = concerned.users.iter().copied().collect();
        let list = sql::list(3, users.len().max(1));
        let mut query = sql::query(format!(
            "SELECT p.name, p.encrypted, m.mxid, m.membership, m.name FROM portals p
             JOIN members m ON m.room_id = p.room_id
             WHERE p.room_id = $1 AND (m.mxid LIKE $2 ESCAPE '!' OR m.mxid IN ({list}))"
        ))
        .bind(room.as_str())
        .bind(format!("{}%", concerned.prefix.replace('!', "!!").replace('_', "!_").replace('%', "!%")));
        if users.is_empty() {
            query = query.bind("");
        }
        for user in users {
            query = query.bind(user.as_str());
        }
        let mut found: Option<Portal> = None;
        for row in query.fetch_all(&mut self.connection).await? {
            let portal = found.get_or_insert_default();
            portal.name = row.try_get(0)?;
            portal.encrypted = row.try_get::<i64, _>(1)? != 0;
            let membership = read_membership(&row, 3)?.unwrap_or(Membership::Invite);
            portal.members.insert(parse(&row, 2)?, Member { membership, name: row.try_get(4)? });
        }
        Ok(found)
    }
}
