//! Matrix to remote, first half: what the homeserver pushes becomes queue rows, in one commit for each transaction.

use super::{
    Bridge, Text,
    event::{Change, Event, Kind},
    join::Join,
    limit::Deed,
    reconcile::is_found,
    work::{Scene, Work},
};
use crate::metrics;
use crate::store::{Concerned, Error, Member, Membership, NewRow, Portal, Tx, Watermark, now};
use ruma::{EventId, OwnedRoomId, OwnedUserId, RoomId, UserId};
use std::{
    collections::{BTreeSet, HashMap},
    panic::{AssertUnwindSafe, catch_unwind},
};

impl Bridge {
    /// See [`route`](Self::route), without care for faults in the program.
    pub(super) async fn route_all(&self, events: &[Event<'_>], watermarks: &[Watermark]) -> Result<usize, Error> {
        if events.is_empty() && watermarks.is_empty() {
            return Ok(0);
        }
        let mut tx = self.store.begin().await?;
        let ids: Vec<String> = events.iter().map(|event| event.id.to_string()).collect();
        let new = tx.first_seen(&ids).await?;
        let rooms: BTreeSet<&RoomId> = events.iter().map(|event| &*event.room).collect();
        let users: Vec<&UserId> = events.iter().map(|event| &*event.sender).collect();
        let prefix = format!("@{}", self.ghosts.prefix);
        let concerned = Concerned { prefix: &prefix, users: &users };
        let mut portals = tx.portals_for(&rooms.into_iter().collect::<Vec<_>>(), concerned).await?;
        let new: Vec<&Event<'_>> = events.iter().filter(|event| new.contains(event.id.as_str())).collect();
        let count = new.len();
        let mut work = self.begin_work(&mut tx, &new, &portals, None).await?;
        work.management = self.management_rooms(&mut tx, &new, &portals).await?;
        for event in new {
            self.apply(&mut tx, event, &mut portals, &mut work).await?;
        }
        let attended = std::mem::take(&mut work.attended);
        work.write(&mut tx).await?;
        tx.set_watermarks(watermarks).await?;
        tx.commit().await?;
        self.attendance_changed(&attended);
        Ok(count)
    }

    /// Reads events, each of them JSON. One that is none is passed over: the homeserver would repeat the whole
    /// transaction for ever, and hold back everything behind it.
    /// Those of our own are passed over as well, and named to `own`.
    pub(super) fn read_events<'a>(
        &self,
        events: impl Iterator<Item = &'a str>,
        own: impl Fn(&EventId),
    ) -> Vec<Event<'a>> {
        events.filter_map(|json| self.read_event(json, &own)).collect()
    }

    fn read_event<'a>(&self, json: &'a str, own: impl Fn(&EventId)) -> Option<Event<'a>> {
        let is_ours = |sender: &UserId, event: &EventId| {
            let is_ours = self.is_ours(sender);
            if is_ours {
                own(event);
            }
            is_ours
        };
        match catch_unwind(AssertUnwindSafe(|| Event::parse(json, is_ours))) {
            Ok(Ok(event)) => event,
            Err(_) => {
                metrics::left_out();
                tracing::error!(bytes = json.len(), "a fault in the program: an event cannot be read; passed over");
                None
            }
            Ok(Err(error)) => {
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
        if self.heard_by_bot(tx, event, portals.contains_key(&event.room), work).await? {
            return Ok(());
        }
        if let Kind::Member { user, membership, name, direct, reason } = &event.kind {
            work.attended.extend(self.remote_room_of(user));
            work.attended.extend(portals.get(&event.room).into_iter().flat_map(|portal| self.remote_rooms_in(portal)));
            return match (self.ghosts.is_ghost(user), membership) {
                (true, Change::Invite) => self.invited(tx, event, user, *direct, portals, work).await,
                (false, Change::Join) if portals.contains_key(&event.room) => {
                    let member = Member { membership: Membership::Join, name: name.clone() };
                    tx.set_member(&event.room, user, &member).await?;
                    let portal = portals.entry(event.room.clone()).or_default();
                    let before = portal.members.insert(user.clone(), member);
                    match before.is_some_and(|before| before.membership == Membership::Join) {
                        true => Ok(()),
                        false => self.staff_came(tx, event, user, portal, work).await,
                    }
                }
                (_, Change::Leave | Change::Ban) if portals.contains_key(&event.room) => {
                    if let Some((connector, remote)) = self.remote_of(user) {
                        work.drafts.forget(&event.room, connector, &remote, now());
                    }
                    if *user == self.bot {
                        tx.set_bot(&event.room, false).await?;
                        self.attendance.remember(event.room.clone(), false);
                    }
                    let portal = portals.entry(event.room.clone()).or_default();
                    let for_good = *membership == Change::Ban;
                    self.sent_away_here(event, portal, user, for_good, reason.as_deref(), work);
                    self.gone(tx, &event.room, portal, user).await?;
                    work.inbox.extend(self.left_row(event, portal, user));
                    Ok(())
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
            Kind::Topic(topic) => {
                self.topic_changed(event, portal, topic, work);
                Ok(())
            }
            Kind::Encryption => {
                portal.encrypted = true;
                tx.set_encrypted(&event.room).await?;
                if let Some(speaker) = self.speaker(portal) {
                    let once = encrypted_once(&event.room);
                    work.inbox
                        .extend(self.notice_once(tx, once, &event.room, speaker, None, &Text::EncryptedRoom).await?);
                }
                Ok(())
            }
            Kind::Tombstone(successor) => self.upgraded(tx, event, successor, portal, work).await,
            _ => self.heard(tx, event, portal, work).await,
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
        let portal = portals.get(&event.room);
        if is_found(&event.id) && portal.is_some_and(|portal| portal.members.contains_key(ghost)) {
            // It was pushed meanwhile.
            return Ok(());
        }
        let alone = portal.is_none_or(|portal| self.ghosts_in(portal).next().is_none());
        if self.is_refused(tx, event, ghost, direct && alone, work).await? {
            return Ok(());
        }
        tx.open_portal(&event.room).await?;
        let portal = portals.entry(event.room.clone()).or_default();
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
            user: Some(event.sender.clone()),
            parked_after: tx.last_parked(&event.room).await?,
        };
        work.inbox.push(join.row());
        Ok(())
    }

    /// Whether a ghost does not come; then whoever has invited it is told why.
    async fn is_refused(
        &self,
        tx: &mut Tx,
        event: &Event<'_>,
        ghost: &OwnedUserId,
        direct: bool,
        work: &mut Work,
    ) -> Result<bool, Error> {
        let refuse = |text: &Text<'_>| self.decline_row(event, ghost, text);
        let refusal = if self.remote_of(ghost).is_none() {
            match self.spelled_otherwise(ghost) {
                Some(person) => refuse(&Text::OtherSpelling { link: &person.matrix_to_uri().to_string() }),
                None => refuse(&Text::NotAnAddress),
            }
        } else if !self.permissions.may_begin_in(&event.room, &event.sender, &self.ghosts.server) {
            refuse(self.why_not_begin(&event.sender))
        } else if let Some(known) = self.known_conversation(tx, event, ghost, direct).await? {
            let source = format!("conversation here {}", event.id);
            work.inbox.push(self.notice(source, known.clone(), ghost.clone(), None, &Text::ConversationHere));
            refuse(&Text::ConversationElsewhere { link: &self.link(&known) })
        } else if self.remote_room_of(ghost).is_some()
            && let Some(paired) = tx.room_with(ghost).await?.filter(|paired| *paired != event.room)
        {
            refuse(&Text::RoomElsewhere { link: &self.link(&paired) })
        } else if let Some(reached) = self.count_conversation(tx, &event.sender).await? {
            refuse(&Text::TooMuch(Deed::Conversation, reached))
        } else {
            return Ok(false);
        };
        work.inbox.push(refusal);
        Ok(true)
    }

    /// The direct room that the two have, if this would be a second one.
    async fn known_conversation(
        &self,
        tx: &mut Tx,
        event: &Event<'_>,
        ghost: &UserId,
        direct: bool,
    ) -> Result<Option<OwnedRoomId>, Error> {
        if !direct {
            return Ok(None);
        }
        let known = tx.direct_room(&event.sender, ghost).await?;
        Ok(known.filter(|known| known.is_in_use() && known.room != event.room).map(|known| known.room))
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
    async fn heard(&self, tx: &mut Tx, event: &Event<'_>, portal: &Portal, work: &mut Work) -> Result<(), Error> {
        if self.ghosts_in(portal).any(|(_, membership)| membership == Membership::Invite) {
            tx.park(&event.room, &event.id, event.json).await?;
        }
        let Some(speaker) = self.speaker(portal) else { return Ok(()) };
        self.cross(tx, event, &Scene { portal, only: None, speaker, passing_on: None }, work).await
    }

    pub(super) fn ghosts_in<'p>(&self, portal: &'p Portal) -> impl Iterator<Item = (&'p UserId, Membership)> {
        let ghosts = portal.members.iter().filter(|(user, _)| self.ghosts.is_ghost(user));
        ghosts.map(|(user, member)| (&**user, member.membership))
    }

    /// The ghost through which Fehmarn itself speaks in a room.
    pub(super) fn speaker<'p>(&self, portal: &'p Portal) -> Option<&'p UserId> {
        let joined = self.ghosts_in(portal).filter(|(_, membership)| *membership == Membership::Join);
        // Nobody should seem to say what Fehmarn says: a remote room's own ghost comes first.
        joined.map(|(user, _)| user).min_by_key(|user| (self.remote_room_of(user).is_none(), *user))
    }

    /// A notice, should nobody have been told for this reason before. `about`: the message that it answers.
    pub(super) async fn notice_once(
        &self,
        tx: &mut Tx,
        once: String,
        room: &RoomId,
        ghost: &UserId,
        about: Option<&EventId>,
        text: &Text<'_>,
    ) -> Result<Option<NewRow>, Error> {
        let first = tx.first_seen(std::slice::from_ref(&once)).await?.contains(&once);
        let about = about.map(ToOwned::to_owned);
        Ok(first.then(|| self.notice(once, room.to_owned(), ghost.to_owned(), about, text)))
    }
}

/// The source of the notice that a room is encrypted.
pub(super) fn encrypted_once(room: &RoomId) -> String {
    format!("encrypted {room}")
}
