//! Portals that are made for remote rooms: when somebody asks for the alias, and when they ask the bot.

use super::super::{Bridge, GhostIds};
use crate::{
    connector::RoomProfile,
    failure::{Failure, Reason},
    ids::{RemoteRoomId, RemoteUserId},
    matrix::joint::JointRoom,
    store::{Member, Membership, now},
};
use ruma::{OwnedRoomAliasId, OwnedRoomId, OwnedUserId, RoomAliasId, UserId};
use std::time::Instant;

/// Anybody can ask for an alias, and nobody says who has. So many rooms may wait for the first who comes.
const DESERTED: i64 = 50;

/// A remote room, as somebody looks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    pub connector: &'static str,
    pub room: RemoteRoomId,
    pub alias: OwnedRoomAliasId,
}

impl GhostIds {
    /// The alias of a remote room's portal: `#_xmpp_room=40conference.example.org:server`.
    pub fn alias(&self, connector: &str, room: &RemoteRoomId) -> Option<OwnedRoomAliasId> {
        let ghost = self.ghost(connector, &RemoteUserId::new(room.as_str()))?;
        RoomAliasId::parse(format!("#{}:{}", ghost.localpart(), self.server)).ok()
    }

    fn parse_alias(&self, alias: &RoomAliasId) -> Option<(&'static str, String)> {
        self.parse(&UserId::parse(format!("@{}:{}", alias.alias(), alias.server_name())).ok()?)
    }
}

impl Bridge {
    /// The remote room that one network knows by this address.
    pub fn location(&self, connector: &str, text: &str) -> Option<Location> {
        let (connector, port) = self.connectors.get_key_value(connector)?;
        let room = port.parse_room(text)?;
        Some(Location { connector, alias: self.ghosts.alias(connector, &room)?, room })
    }

    /// The remote room of an alias.
    pub fn location_behind(&self, alias: &RoomAliasId) -> Option<Location> {
        let (connector, address) = self.ghosts.parse_alias(alias)?;
        self.location(connector, &address).filter(|location| location.alias == *alias)
    }

    /// Somebody asks for an alias that the homeserver does not know. Whether it leads to a room now.
    pub async fn open_alias(&self, alias: &RoomAliasId) -> Result<bool, Failure> {
        let Some(location) = self.location_behind(alias) else { return Ok(false) };
        let Some(ghost) = self.room_ghost(location.connector, &location.room) else { return Ok(false) };
        if let Some(room) = self.store.room_with(&ghost).await? {
            self.homeserver.intent(&ghost).set_alias(&room, alias).await?;
            return Ok(true);
        }
        if self.store.deserted(&format!("@{}", self.ghosts.prefix)).await? >= DESERTED {
            tracing::warn!("many rooms were asked for into which nobody came; no more are made");
            return Ok(false);
        }
        let Some(profile) = self.connector(location.connector)?.room(&location.room).await? else { return Ok(false) };
        self.pair(&location, &ghost, &profile, None).await?;
        Ok(true)
    }

    /// Makes the portal of a remote room. `invite`: who wants it. May be repeated.
    pub(in crate::bridge) async fn pair(
        &self,
        location: &Location,
        ghost: &UserId,
        profile: &RoomProfile,
        invite: Option<&UserId>,
    ) -> Result<OwnedRoomId, Failure> {
        let Location { connector, room: remote, alias } = location;
        let name = profile.name.as_deref().unwrap_or(remote.as_str());
        self.meet(connector, &RemoteUserId::of_room(remote), Some(name)).await?;
        let intent = self.homeserver.intent(ghost);
        let joint = JointRoom {
            made_for: format!("room {remote}"),
            alias: alias.alias().to_owned(),
            name: name.to_owned(),
            invite: invite.map(ToOwned::to_owned),
            marks: self.marks(ghost),
        };
        let began = Instant::now();
        let room = match intent.create_joint_room(&joint).await? {
            Some(room) => room,
            None => match intent.room_behind(alias).await? {
                // An earlier attempt, or another one who asked at the same time.
                Some(room) if intent.has_made(&room).await? => room,
                _ => return Err(Failure::permanent(Reason::Refused, "the alias belongs to another room")),
            },
        };
        let mut tx = self.store.begin().await?;
        tx.open_portal(&room).await?;
        // Everything in it is for us.
        tx.begin_reading(&room, "", now()).await?;
        tx.set_room_name(&room, Some(name)).await?;
        tx.note_remote_room(connector, remote, ghost).await?;
        tx.set_member(&room, ghost, &Member { membership: Membership::Join, name: None }).await?;
        if let Some(user) = invite {
            tx.expect_member(&room, user).await?;
        }
        tx.commit().await?;
        self.reconcile.doubt.note_read(&room, began);
        Ok(room)
    }

    /// The portal that a remote room has, and its ghost.
    pub(in crate::bridge) async fn portal_of(
        &self,
        location: &Location,
    ) -> Result<Option<(OwnedRoomId, OwnedUserId)>, Failure> {
        let Some(ghost) = self.room_ghost(location.connector, &location.room) else { return Ok(None) };
        Ok(self.store.room_with(&ghost).await?.map(|room| (room, ghost)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ruma::{room_alias_id, server_name};

    #[test]
    fn a_remote_room_and_its_alias_lead_to_each_other() {
        let server = server_name!("server.org").to_owned();
        let ids = GhostIds { prefix: "_".into(), server, connectors: vec!["sms", "chat"] };
        let alias = ids.alias("chat", &RemoteRoomId::new("bau@rooms.test")).unwrap();
        assert_eq!(alias, "#_chat_bau=40rooms.test:server.org");
        assert_eq!(ids.parse_alias(&alias), Some(("chat", "bau@rooms.test".to_owned())));
        for other in [room_alias_id!("#bau:server.org"), room_alias_id!("#_chat_bau=40rooms.test:other.org")] {
            assert_eq!(ids.parse_alias(other), None);
        }
    }
}
