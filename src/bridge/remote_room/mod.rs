//! Portals that are paired with a remote room.
//!
//! A remote room has a ghost, and is paired with the one portal that this ghost has joined: whoever may bring people
//! outside into a room may bring that in. Everybody of the staff in the portal is to be in the remote room, everybody in
//! the remote room is a ghost in the portal, and what staff say is one delivery to the room.
//!
//! | file | what |
//! |---|---|
//! | `pair` | portals made for remote rooms: by alias, and by the bot |
//! | `happening` | what happens in a remote room, in the portal |
//! | `occupants` | ghosts of those in a remote room come and go |
//! | `staff` | staff come and go, and are sent away |
//! | `moderation` | whom and what staff send away here is sent away there |
//! | `topic` | what the portal is about, in the remote room |

mod happening;
mod moderation;
mod occupants;
mod pair;
mod staff;
mod topic;

pub(super) use moderation::Readmission;
pub use pair::Location;
pub(super) use staff::Expel;

use super::{Bridge, Level};
use crate::{
    connector::{Attendance, Attendee, Connector},
    failure::Failure,
    ids::{LocalUser, RemoteRoomId, RemoteUserId},
    store::{Membership, Portal},
};
use ruma::{OwnedUserId, RoomId, UserId};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A remote room, as the bridge knows it.
pub(super) type Remote = (&'static str, RemoteRoomId);

impl Bridge {
    /// The remote room for which a ghost stands.
    pub(super) fn remote_room_of(&self, user: &UserId) -> Option<Remote> {
        let (connector, address) = self.ghosts.parse(user)?;
        // Most ghosts are people: this costs them no more than a look at the first letters.
        RemoteUserId::new(address).room()?;
        let (connector, remote) = self.remote_of(user).filter(|(name, _)| *name == connector)?;
        Some((connector, remote.room()?))
    }

    pub(super) fn room_ghost(&self, connector: &str, room: &RemoteRoomId) -> Option<OwnedUserId> {
        self.ghosts.ghost(connector, &RemoteUserId::of_room(room))
    }

    /// Whether this is a remote room, or somebody known only by the one they are in.
    pub(super) fn is_of_room(&self, connector: &str, remote: &RemoteUserId) -> bool {
        let is_occupant = |port: &Arc<dyn Connector>| port.room_of(remote).is_some();
        remote.room().is_some() || self.connectors.get(connector).is_some_and(is_occupant)
    }

    /// The remote rooms that a portal is paired with.
    pub(super) fn remote_rooms_in(&self, portal: &Portal) -> BTreeSet<Remote> {
        let joined = self.ghosts_in(portal).filter(|(_, membership)| *membership == Membership::Join);
        joined.filter_map(|(user, _)| self.remote_room_of(user)).collect()
    }

    /// Whether somebody gets what is said in one of these rooms through it, and so not once more.
    pub(super) fn is_served(&self, rooms: &BTreeSet<Remote>, connector: &'static str, person: &RemoteUserId) -> bool {
        if rooms.is_empty() {
            return false;
        }
        let room = self.connectors.get(connector).and_then(|port| port.room_of(person));
        room.is_some_and(|room| rooms.contains(&(connector, room)))
    }

    /// Whether there are people in a portal who do not get what is said in this remote room through it.
    pub(super) async fn has_others_beside(&self, portal: &RoomId, remote: &Remote) -> Result<bool, Failure> {
        let (connector, room) = remote;
        let beginning = self.connectors.get(connector).and_then(|port| port.occupants_of(room));
        let occupants = beginning.map(|beginning| self.ghosts.beginning(connector, &beginning));
        let Some(keeper) = self.room_ghost(connector, room) else { return Ok(false) };
        let ghosts = format!("@{}", self.ghosts.prefix);
        Ok(self.store.is_anybody_beside(portal, &ghosts, occupants.as_deref(), &keeper).await?)
    }

    /// Has networks look who is to be in their rooms.
    pub(super) fn attendance_changed(&self, rooms: &BTreeSet<Remote>) {
        let connectors: BTreeSet<&str> = rooms.iter().map(|(connector, _)| *connector).collect();
        connectors.into_iter().filter_map(|name| self.connectors.get(name)).for_each(|port| port.attendance_changed());
    }

    /// Everybody of the staff in a paired portal who may write; nobody where none of them may begin a conversation.
    pub(super) async fn attendees(&self, connector: &str) -> Result<Vec<Attendance>, Failure> {
        let mut rooms: BTreeMap<RemoteRoomId, (bool, Vec<Attendee>)> = BTreeMap::new();
        let mut passwords = self.store.room_passwords(connector).await?;
        for paired in self.store.paired(connector).await? {
            let (room, user) = (&paired.room, &paired.user);
            if self.is_ours(user) || !self.permissions.may_answer_in(room, user, &self.ghosts.server) {
                continue;
            }
            let (is_begun, staff) = rooms.entry(paired.remote).or_default();
            *is_begun |= self.permissions.may_begin_in(room, user, &self.ghosts.server);
            let name = paired.name.unwrap_or_else(|| user.localpart().to_owned());
            staff.push(Attendee { user: LocalUser::new(user.localpart()), name });
        }
        let begun = rooms.into_iter().filter(|(_, (is_begun, _))| *is_begun);
        Ok(begun.map(|(room, (_, staff))| Attendance { password: passwords.remove(&room), room, staff }).collect())
    }

    /// Whether a member of staff may see what is said outside.
    fn may_read(&self, user: &UserId) -> bool {
        *user.server_name() == self.ghosts.server && self.permissions.level(user) >= Level::Read
    }
}
