//! Matrix to remote, first half: what the homeserver pushes becomes queue rows, in one commit for each transaction.

use super::{
    Bridge, Text,
    delivery::writer_name,
    event::{Change, Event, Kind},
    join::Join,
};
use crate::{
    matrix::format,
    store::{Error, Member, Membership, NewRow, Portal, Queue, Tx},
};
use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};
use std::collections::{BTreeSet, HashMap};

/// What one transaction of the homeserver amounts to.
#[derive(Default)]
struct Work {
    outbox: Vec<NewRow>,
    inbox: Vec<NewRow>,
}

impl Bridge {
    /// Takes events in, each as JSON, in order. After `Ok` what follows from them is durable; each event counts once,
    /// however often and however concurrently it comes. An event that is no event is passed over: the homeserver would
    /// repeat the whole transaction for ever, and hold back everything behind it.
    pub async fn route(&self, events: impl Iterator<Item = &str>) -> Result<(), Error> {
        let events: Vec<Event<'_>> = events.filter_map(|json| self.read_event(json)).collect();
        if events.is_empty() {
            return Ok(());
        }
        let mut tx = self.store.begin().await?;
        let ids: Vec<String> = events.iter().map(|event| event.id.to_string()).collect();
        let new = tx.first_seen(&ids).await?;
        let rooms: BTreeSet<&RoomId> = events.iter().map(|event| &*event.room).collect();
        let mut portals = tx.portals(&rooms.into_iter().collect::<Vec<_>>()).await?;
        let mut work = Work::default();
        for event in events.iter().filter(|event| new.contains(event.id.as_str())) {
            self.apply(&mut tx, event, &mut portals, &mut work).await?;
        }
        tx.enqueue(Queue::Outbox, work.outbox);
        tx.enqueue(Queue::Inbox, work.inbox);
        tx.commit().await
    }

    fn read_event<'a>(&self, json: &'a str) -> Option<Event<'a>> {
        match Event::parse(json, |sender| self.is_ours(sender)) {
            Ok(event) => event,
            Err(error) => {
                tracing::warn!(%error, bytes = json.len(), "the homeserver sent an event that is none; passed over");
                None
            }
        }
    }

    async fn apply(
        &self,
        tx: &mut Tx,
        event: &Event<'_>,
        portals: &mut HashMap<OwnedRoomId, Portal>,
        work: &mut Work,
    ) -> Result<(), Error> {
        if let Kind::Member { user, membership, name, direct } = &event.kind {
            return match (self.ghosts.is_ghost(user), membership) {
                (true, Change::Invite) => self.invited(tx, event, user, *direct, portals, work).await,
                (false, Change::Join) if portals.contains_key(&event.room) => {
                    let member = Member { membership: Membership::Join, name: name.clone() };
                    tx.set_member(&event.room, user, &member).await?;
                    portals.entry(event.room.clone()).or_default().members.insert(user.clone(), member);
                    Ok(())
                }
                (_, Change::Leave | Change::Ban) if portals.contains_key(&event.room) => {
                    let portal = portals.entry(event.room.clone()).or_default();
                    self.gone(tx, &event.room, portal, user).await
                }
                _ => Ok(()),
            };
        }
        let Some(portal) = portals.get_mut(&event.room) else { return Ok(()) };
        match &event.kind {
            Kind::RoomName(name) => {
                portal.name.clone_from(name);
                tx.set_room_name(&event.room, name.as_deref()).await
            }
            Kind::Encryption => {
                portal.encrypted = true;
                tx.set_encrypted(&event.room).await?;
                if let Some(speaker) = self.speaker(portal) {
                    let once = encrypted_once(&event.room);
                    work.inbox.extend(self.notice_once(tx, once, &event.room, speaker, &Text::EncryptedRoom).await?);
                }
                Ok(())
            }
            _ => self.written(tx, event, portal, work).await,
        }
    }

    /// A ghost was invited: whoever may write to people outside may bring them in.
    async fn invited(
        &self,
        tx: &mut Tx,
        event: &Event<'_>,
        ghost: &OwnedUserId,
        direct: bool,
        portals: &mut HashMap<OwnedRoomId, Portal>,
        work: &mut Work,
    ) -> Result<(), Error> {
        let refusal = if self.remote_of(ghost).is_none() {
            Some(Text::NotAnAddress)
        } else if !self.permissions.may_write(&event.sender, &self.ghosts.server) {
            Some(Text::NotAllowedToInvite)
        } else {
            None
        };
        if let Some(refusal) = refusal {
            work.inbox.push(self.decline_row(event, ghost, &refusal));
            return Ok(());
        }
        tx.open_portal(&event.room).await?;
        let portal = portals.entry(event.room.clone()).or_default();
        let alone = self.ghosts_in(portal).next().is_none();
        let member = Member { membership: Membership::Invite, name: None };
        tx.set_member(&event.room, ghost, &member).await?;
        portal.members.insert(ghost.clone(), member);
        if direct && alone {
            tx.set_direct(&event.room, &event.sender, ghost).await?;
        }
        let join = Join {
            room: event.room.clone(),
            ghost: ghost.clone(),
            invitation: event.id.clone(),
            parked_after: tx.last_parked(&event.room).await?,
        };
        work.inbox.push(join.row());
        Ok(())
    }

    /// Somebody is not in the room any more; nothing is kept for a ghost that will not come.
    pub(super) async fn gone(
        &self,
        tx: &mut Tx,
        room: &RoomId,
        portal: &mut Portal,
        user: &UserId,
    ) -> Result<(), Error> {
        portal.members.remove(user);
        tx.remove_member(room, user).await?;
        self.unpark_if_nobody_waits(tx, room, portal).await
    }

    pub(super) async fn unpark_if_nobody_waits(
        &self,
        tx: &mut Tx,
        room: &RoomId,
        portal: &Portal,
    ) -> Result<(), Error> {
        if self.ghosts_in(portal).any(|(_, membership)| membership == Membership::Invite) {
            return Ok(());
        }
        tx.unpark_room(room).await
    }

    /// Something was said in a room with ghosts.
    async fn written(&self, tx: &mut Tx, event: &Event<'_>, portal: &Portal, work: &mut Work) -> Result<(), Error> {
        if self.ghosts_in(portal).any(|(_, membership)| membership == Membership::Invite) {
            tx.park(&event.room, &event.id, event.json).await?;
        }
        let Some(speaker) = self.speaker(portal) else { return Ok(()) };
        match self.crossing(event, portal, None) {
            Crossing::Rows(rows) => work.outbox.extend(rows),
            Crossing::Nothing => {}
            Crossing::Refused(once, text) => {
                work.inbox.extend(self.notice_once(tx, once, &event.room, speaker, &text).await?);
            }
        }
        Ok(())
    }

    pub(super) fn ghosts_in<'p>(&self, portal: &'p Portal) -> impl Iterator<Item = (&'p UserId, Membership)> {
        let ghosts = portal.members.iter().filter(|(user, _)| self.ghosts.is_ghost(user));
        ghosts.map(|(user, member)| (&**user, member.membership))
    }

    /// The ghost through which Fehmarn itself speaks in a room.
    fn speaker<'p>(&self, portal: &'p Portal) -> Option<&'p UserId> {
        let joined = self.ghosts_in(portal).filter(|(_, membership)| *membership == Membership::Join);
        joined.map(|(user, _)| user).min()
    }

    /// A notice, should nobody have been told for this reason before.
    pub(super) async fn notice_once(
        &self,
        tx: &mut Tx,
        once: String,
        room: &RoomId,
        ghost: &UserId,
        text: &Text<'_>,
    ) -> Result<Option<NewRow>, Error> {
        let first = tx.first_seen(std::slice::from_ref(&once)).await?.contains(&once);
        Ok(first.then(|| self.notice(once, room.to_owned(), ghost.to_owned(), None, text)))
    }

    /// What follows for the remote side from something that was said. `only`: for this ghost alone.
    pub(super) fn crossing(&self, event: &Event<'_>, portal: &Portal, only: Option<&UserId>) -> Crossing {
        let content = match &event.kind {
            Kind::Message(content) => content,
            Kind::Encrypted => return Crossing::Refused(encrypted_once(&event.room), Text::EncryptedRoom),
            _ => return Crossing::Nothing,
        };
        if !self.permissions.may_write(&event.sender, &self.ghosts.server) {
            return Crossing::Refused(format!("not allowed {} {}", event.room, event.sender), Text::NotAllowedToWrite);
        }
        match format::written((**content).clone(), writer_name(event, portal)) {
            Some(written) => Crossing::Rows(self.deliveries(event, portal, &written, only)),
            None => Crossing::Nothing,
        }
    }
}

/// The source of the notice that a room is encrypted.
pub(super) fn encrypted_once(room: &RoomId) -> String {
    format!("encrypted {room}")
}

/// What follows for the remote side from something that was said.
pub(super) enum Crossing {
    Rows(Vec<NewRow>),
    Nothing,
    /// It cannot cross; said once for each source.
    Refused(String, Text<'static>),
}
