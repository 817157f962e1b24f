//! A ghost that was invited joins, and what was written since the invitation is sent.
//!
//! The homeserver pushes the events of a room only once a ghost is in it, and clients write right after they invite.
//! So the ghost joins, reads back, and is taken for a member only in the commit that queues what it read. What is
//! pushed meanwhile is parked, and queued behind it.

use super::{
    Bridge, Text,
    event::{Event, Kind, storable},
    inbox::own_row,
    notice::txn_id,
    reconcile::is_found,
    router::encrypted_once,
    texts::Sentence,
    work::Scene,
};
use crate::{
    failure::{Failure, Reason},
    matrix::{
        self, Backlog, Intent, RoomState, announcement,
        status::{Cause, SendState, SendStatus},
    },
    store::{Member, Membership, NewRow, Portal, Queue, Row, Tx, now},
};
use ruma::{EventId, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UserId};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Instant,
};

/// The payload of an inbox row of the kind `join`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Join {
    pub room: OwnedRoomId,
    pub ghost: OwnedUserId,
    pub invitation: OwnedEventId,
    /// Who has invited; unknown in rows of an older Fehmarn.
    #[serde(default)]
    pub user: Option<OwnedUserId>,
    /// What was parked up to here was said before the invitation.
    pub parked_after: i64,
}

/// The payload of an inbox row of the kind `decline`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Decline {
    pub room: OwnedRoomId,
    pub ghost: OwnedUserId,
    pub reason: Sentence,
    /// Who has invited; unknown in rows of an older Fehmarn.
    #[serde(default)]
    pub user: Option<OwnedUserId>,
    /// Whether the reason is said in the room as well: not every client shows why somebody does not come.
    #[serde(default)]
    pub is_said: bool,
    /// What was said since goes nowhere; unknown in rows of an older Fehmarn.
    #[serde(default)]
    pub invitation: Option<OwnedEventId>,
}

impl Join {
    pub(super) fn row(&self) -> NewRow {
        row("join", &self.invitation, &self.room, &self.ghost, self)
    }
}

fn row(
    kind: &'static str,
    invitation: &OwnedEventId,
    room: &OwnedRoomId,
    ghost: &UserId,
    payload: &impl Serialize,
) -> NewRow {
    // An upgrade brings several ghosts.
    let source = format!("{kind} {invitation} {ghost}");
    NewRow { target: ghost.to_string(), ..own_row(kind, lane(room, ghost), source, room, payload) }
}

fn lane(room: &RoomId, ghost: &UserId) -> String {
    format!("join {room} {ghost}")
}

impl Bridge {
    /// Strangers are told nothing in their rooms: nobody of us goes there.
    pub(super) fn decline_row(&self, event: &Event<'_>, ghost: &OwnedUserId, text: &Text<'_>) -> NewRow {
        let is_said = event.sender.server_name() == self.ghosts.server;
        self.leave_for(event, ghost, Sentence::new(text), is_said)
    }

    /// The bot leaves a room in which nobody is left.
    pub(super) fn leave_row(&self, event: &Event<'_>) -> NewRow {
        self.leave_for(event, &self.bot, Sentence::Each(BTreeMap::new()), false)
    }

    fn leave_for(&self, event: &Event<'_>, ghost: &OwnedUserId, reason: Sentence, is_said: bool) -> NewRow {
        let (room, user, invitation) = (event.room.clone(), Some(event.sender.clone()), Some(event.id.clone()));
        let decline = Decline { room, ghost: ghost.clone(), reason, user, is_said, invitation };
        row("decline", &event.id, &event.room, ghost, &decline)
    }

    /// Refuses an invitation, and says why.
    pub(super) async fn decline(&self, row: &Row, decline: &Decline) -> Result<(), Failure> {
        let Decline { room, ghost, reason, user, is_said, invitation } = decline;
        let intent = self.homeserver.intent(ghost);
        match self.remote_of(ghost) {
            Some((connector, remote)) => drop(self.ensure_ghost(connector, &remote).await?),
            None if *ghost == self.bot => {}
            None => intent.register(ghost.localpart()).await?,
        }
        let language = match user {
            Some(user) => self.language_of(user).await?,
            None => self.language,
        };
        let reason = reason.in_language(language);
        let leave = async {
            if *is_said {
                intent.join(room).await?;
                intent.send_message(room, &txn_id(&row.source, ghost, 0), &announcement(reason)).await?;
                if let Some(invitation) = invitation {
                    self.mark_as_lost(row, &intent, room, invitation, reason).await?;
                }
            }
            intent.leave(room, reason).await
        };
        match leave.await {
            // The invitation was taken back meanwhile.
            Err(matrix::Error::Refused { status: 403 | 404, .. }) => Ok(()),
            result => Ok(result?),
        }
    }

    /// Clients show of each message that was written to whoever does not come that it goes nowhere.
    async fn mark_as_lost(
        &self,
        row: &Row,
        ghost: &Intent<'_>,
        room: &RoomId,
        invitation: &EventId,
        reason: &str,
    ) -> Result<(), matrix::Error> {
        let backlog = ghost.events_since(room, Some(invitation).filter(|id| !is_found(id))).await?;
        let events = backlog.events.iter().map(|raw| raw.json().get());
        let events = events.filter_map(|json| Event::parse(json, |sender, _| self.is_ours(sender)).ok().flatten());
        let said = events.filter(|event| matches!(event.kind, Kind::Said(_)));
        let network = self.ghosts.parse(ghost.user()).map_or_else(String::new, |(network, _)| network.to_owned());
        for (n, event) in said.enumerate() {
            let (state, words) = (SendState::Impossible(Cause::Other), Some(reason.to_owned()));
            let status = SendStatus { event: event.id, network: network.clone(), state, words };
            ghost.send_status(room, &txn_id(&row.source, ghost.user(), n + 1), &status).await?;
        }
        Ok(())
    }

    pub(super) async fn join(&self, join: &Join) -> Result<(), Failure> {
        if self.come_in(join).await? { self.leave_behind(&join.room, &join.ghost).await } else { Ok(()) }
    }

    /// Whether the ghost is in the room now.
    async fn come_in(&self, join: &Join) -> Result<bool, Failure> {
        let gone = || Failure::permanent(Reason::UnknownRecipient, "the ghost stands for nobody");
        let (connector, remote) = self.remote_of(&join.ghost).ok_or_else(gone)?;
        let mut name = None;
        if let Some(room) = remote.room() {
            let Some(profile) = self.connector(connector)?.room(&room).await? else {
                return self.no_such_room(join).await.map(|()| false);
            };
            name = profile.name;
        }
        self.meet(connector, &remote, name.as_deref()).await?;
        let intent = self.homeserver.intent(&join.ghost);
        match intent.join(&join.room).await {
            Err(matrix::Error::Refused { status: 403 | 404, .. }) => {
                self.not_wanted(join).await?;
                return Ok(false);
            }
            result => result?,
        }
        let state = intent.room_state(&join.room).await?;
        let bot_is_in = self.bring_bot_along(&join.room, &join.ghost, state.name.is_some()).await;
        let parked_after = self.read_back_for_the_others(join).await?;
        let (began, asked_at) = (Instant::now(), now());
        let backlog = intent.events_since(&join.room, Some(&*join.invitation).filter(|id| !is_found(id))).await?;

        let mut tx = self.store.begin().await?;
        let portal = tx.portals(&[&*join.room]).await?.remove(&join.room).unwrap_or_default();
        let waiting = portal.members.get(&join.ghost).is_some_and(|member| member.membership == Membership::Invite);
        if !waiting {
            // An earlier attempt came this far, or the ghost was sent away meanwhile.
            return Ok(true);
        }
        let alone = !self.ghosts_in(&portal).any(|(_, membership)| membership == Membership::Join);
        let portal = self.take_over(&mut tx, join, portal, state).await?;
        let parked_after = parked_after.filter(|_| backlog.is_complete).unwrap_or(join.parked_after);
        let parked = tx.parked(&join.room, parked_after).await?;
        let Backlog { events: backlog, is_complete, read_to, invitation } = backlog;
        let read_back: HashSet<String> =
            backlog.iter().filter_map(|raw| raw.get_field("event_id").ok().flatten()).collect();
        let later =
            parked.iter().filter(|event| !read_back.contains(&event.event_id)).map(|event| event.event.as_str());
        let events: Vec<&str> = backlog.iter().map(|raw| raw.json().get()).chain(later).collect();
        self.catch_up(&mut tx, join, &portal, &events).await?;
        // Should it be pushed after all, it is nothing new.
        tx.first_seen(&Vec::from_iter(invitation)).await?;
        self.unpark_if_nobody_waits(&mut tx, &join.room, &portal).await?;
        if let Some(room) = remote.room() {
            tx.note_remote_room(connector, &room, &join.ghost).await?;
        }
        if alone || is_complete {
            tx.begin_reading(&join.room, &read_to, asked_at).await?;
        }
        if let Some(is_in) = bot_is_in {
            tx.set_bot(&join.room, is_in).await?;
        }
        tx.commit().await?;
        if let Some(is_in) = bot_is_in {
            self.attendance.remember(join.room.clone(), is_in);
        }
        self.passing.changed(&join.room);
        self.attendance_changed(&self.remote_room_of(&join.ghost).into_iter().collect());
        if is_complete {
            self.reconcile.doubt.note_read(&join.room, began);
        }
        Ok(true)
    }

    /// The ghost of a remote room that is none does not come.
    async fn no_such_room(&self, join: &Join) -> Result<(), Failure> {
        let mut tx = self.store.begin().await?;
        let mut portal = tx.portals(&[&*join.room]).await?.remove(&join.room).unwrap_or_default();
        self.gone(&mut tx, &join.room, &mut portal, &join.ghost).await?;
        let (room, ghost, reason) = (join.room.clone(), join.ghost.clone(), Sentence::new(&Text::NoSuchRoom));
        let decline = Decline { room, ghost, reason, user: join.user.clone(), is_said: true, invitation: None };
        tx.enqueue(Queue::Inbox, vec![row("decline", &join.invitation, &join.room, &join.ghost, &decline)]);
        Ok(tx.commit().await?)
    }

    /// What was forgotten for other ghosts of the room is older than this one's invitation: they get it, and this one
    /// does not. Returns the place after which is parked what came later; `None` if there are no others.
    async fn read_back_for_the_others(&self, join: &Join) -> Result<Option<i64>, Failure> {
        let room = std::slice::from_ref(&join.room);
        let joined = self.store.unread(room).await?.into_iter().flat_map(|portal| portal.joined);
        if joined.filter(|user| self.ghosts.is_ghost(user) && *user != join.ghost).count() == 0 {
            return Ok(None);
        }
        self.read_back(room, true).await?;
        Ok(Some(self.store.begin().await?.last_parked(&join.room).await?))
    }

    /// The invitation was taken back before the ghost came, or there is none yet.
    async fn not_wanted(&self, join: &Join) -> Result<(), Failure> {
        let mut tx = self.store.begin().await?;
        if tx.rows_of(Queue::Inbox, &lane(&join.room, &join.ghost)).await? > 1 {
            // Another one has come meanwhile.
            return Ok(());
        }
        let mut portal = tx.portals(&[&*join.room]).await?.remove(&join.room).unwrap_or_default();
        self.gone(&mut tx, &join.room, &mut portal, &join.ghost).await?;
        Ok(tx.commit().await?)
    }

    /// Writes down who is in the room now, the ghost included.
    async fn take_over(
        &self,
        tx: &mut Tx,
        join: &Join,
        mut portal: Portal,
        state: RoomState,
    ) -> Result<Portal, Failure> {
        portal.name = storable(state.name);
        tx.set_room_name(&join.room, portal.name.as_deref()).await?;
        if state.encrypted {
            portal.encrypted = true;
            tx.set_encrypted(&join.room).await?;
        }
        for (user, name) in state.members {
            // Other ghosts have their own way in, and the bot is nobody to write to.
            if user == self.bot || (user != join.ghost && self.ghosts.is_ghost(&user)) {
                continue;
            }
            let member = Member { membership: Membership::Join, name: storable(name) };
            tx.set_member(&join.room, &user, &member).await?;
            portal.members.insert(user, member);
        }
        self.adopt(tx, join, &portal).await?;
        Ok(portal)
    }

    /// A room without a name in which only the two are is a direct one, also if the client did not say so: an
    /// invitation by address never does.
    async fn adopt(&self, tx: &mut Tx, join: &Join, portal: &Portal) -> Result<(), Failure> {
        let mut others = portal.members.keys().filter(|user| **user != join.ghost);
        if let (Some(staff), None, None) = (others.next(), others.next(), &portal.name)
            && !self.is_ours(staff)
            && tx.direct_room(staff, &join.ghost).await?.is_none()
        {
            tx.set_direct(&join.room, staff, &join.ghost).await?;
        }
        Ok(())
    }

    /// Queues, for this ghost, what was said since its invitation; for all, what has not been pushed yet.
    async fn catch_up(&self, tx: &mut Tx, join: &Join, portal: &Portal, events: &[&str]) -> Result<(), Failure> {
        let events: Vec<Event<'_>> = events
            .iter()
            .filter_map(|json| Event::parse(json, |sender, _| self.is_ours(sender)).ok().flatten())
            .collect();
        let said: Vec<&Event<'_>> = events.iter().filter(|event| event.kind.is_said()).collect();
        let new = tx.first_seen(&said.iter().map(|event| event.id.to_string()).collect::<Vec<_>>()).await?;
        let mut others = self.ghosts_in(portal).filter(|(ghost, _)| *ghost != join.ghost);
        let others_wait = others.any(|(_, membership)| membership == Membership::Invite);
        let portals = HashMap::from([(join.room.clone(), portal.clone())]);
        let mut work = self.begin_work(tx, &said, &portals, Some(&join.room)).await?;
        for event in said {
            let is_new = new.contains(event.id.as_str());
            if is_new && others_wait {
                tx.park(&event.room, &event.id, event.json).await?;
            }
            let only = (!is_new).then_some(&*join.ghost);
            self.cross(tx, event, &Scene { portal, only, speaker: &join.ghost, passing_on: None }, &mut work).await?;
        }
        self.wait_no_longer(portal, &mut work);
        if portal.encrypted {
            let once = encrypted_once(&join.room);
            let notice = self.notice_once(tx, once, &join.room, &join.ghost, None, &Text::EncryptedRoom).await?;
            work.inbox.extend(notice);
        }
        work.write(tx).await?;
        Ok(())
    }
}
