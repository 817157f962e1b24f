//! What follows from what staff said: everything that one transaction adds and changes.

use super::{
    Bridge, Level, Text,
    again::asked_at,
    delivery::writer_name,
    draft::{Drafts, lane},
    event::{Change, Event, Kind},
    limit::{Deed, Reached, Tally},
    original::Wanted,
    reaction::Reactions,
    relay::PassingOn,
    remote_room::Remote,
    router::encrypted_once,
    status::Shown,
    texts::Sentence,
};
use crate::{
    matrix::{
        content::{Content, Said},
        status::{Cause, SendState, SendStatus},
        written::{EncryptedFile, Setting, Written, written},
    },
    store::{Error, Membership, NewRow, Portal, Queue, Scope, Tx, now},
};
use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};
use std::collections::{BTreeSet, HashMap};

/// What one transaction amounts to.
#[derive(Default)]
pub(super) struct Work {
    pub drafts: Drafts,
    pub inbox: Vec<NewRow>,
    pub reactions: Reactions,
    pub tally: Tally,
    /// Rooms of these events in which the bot talks with somebody, and with whom.
    pub management: HashMap<OwnedRoomId, OwnedUserId>,
    /// Remote rooms of which it may have changed who of the staff is to be in them.
    pub attended: BTreeSet<Remote>,
}

impl Work {
    pub(super) async fn write(self, tx: &mut Tx) -> Result<(), Error> {
        self.drafts.write(tx).await?;
        self.reactions.write(tx).await?;
        self.tally.write(tx).await?;
        tx.enqueue(Queue::Inbox, self.inbox);
        Ok(())
    }
}

/// Where something was said.
pub(super) struct Scene<'a> {
    pub portal: &'a Portal,
    /// Only this ghost still has to be told.
    pub only: Option<&'a UserId>,
    /// The ghost that speaks for Fehmarn.
    pub speaker: &'a UserId,
    /// It was said by somebody outside, and is passed on.
    pub passing_on: Option<&'a PassingOn>,
}

/// What of the outbox an event may change.
fn scope_of(kind: &Kind, is_held: bool) -> Option<Scope> {
    if asked_at(kind).is_some() {
        return Some(Scope::All);
    }
    match kind {
        Kind::Said(said) if said.relation.replaces.is_some() => Some(Scope::All),
        Kind::Reaction(_) | Kind::Redaction(_) => Some(Scope::All),
        // Who is sent away gets nothing any more, not even what waits for another attempt.
        Kind::Member { membership: Change::Leave | Change::Ban, .. } => Some(Scope::All),
        Kind::Said(_) | Kind::Member { .. } => is_held.then_some(Scope::Held),
        _ => None,
    }
}

impl Bridge {
    /// Reads what the events may change: at most a few statements for all of them, and none for the outbox where
    /// nothing is held. `joined`: a room into which somebody has come, for whom something may have waited.
    pub(super) async fn begin_work(
        &self,
        tx: &mut Tx,
        events: &[&Event<'_>],
        portals: &HashMap<OwnedRoomId, Portal>,
        joined: Option<&RoomId>,
    ) -> Result<Work, Error> {
        let mut work = Work::default();
        let is_held = self.connectors.values().any(|port| !port.capabilities().hold.is_zero());
        let mut scopes: [BTreeSet<&RoomId>; 2] = Default::default();
        scopes[0].extend(joined);
        let mut rooms: BTreeSet<&RoomId> = BTreeSet::new();
        let mut writers: BTreeSet<&UserId> = BTreeSet::new();
        for event in events.iter().filter(|event| portals.contains_key(&event.room)) {
            match scope_of(&event.kind, is_held) {
                Some(Scope::All) => scopes[1].insert(&event.room),
                Some(Scope::Held) => scopes[0].insert(&event.room),
                None => false,
            };
            if event.kind.is_said() {
                rooms.insert(&event.room);
                writers.insert(&event.sender);
            }
        }
        work.tally = self.tally(tx, writers).await?;
        let [held, all] = scopes;
        for (scope, rooms) in [(Scope::All, &all), (Scope::Held, &(&held - &all))] {
            self.take_in(tx, &mut work, scope, rooms, portals).await?;
        }
        if !rooms.is_empty() {
            let rooms: Vec<&RoomId> = rooms.into_iter().collect();
            work.reactions = Reactions::new(tx.reactions(&rooms).await?);
        }
        Ok(work)
    }

    /// Reads the deliveries that wait for the people of these rooms, and for those who get copies.
    pub(super) async fn take_in(
        &self,
        tx: &mut Tx,
        work: &mut Work,
        scope: Scope,
        rooms: &BTreeSet<&RoomId>,
        portals: &HashMap<OwnedRoomId, Portal>,
    ) -> Result<(), Error> {
        let mut lanes: BTreeSet<String> = BTreeSet::new();
        for room in rooms {
            let Some(portal) = portals.get(*room) else { continue };
            let rooms = self.remote_rooms_in(portal);
            let joined = self.ghosts_in(portal).filter(|(_, membership)| *membership == Membership::Join);
            let people = joined.filter_map(|(ghost, _)| self.remote_of(ghost));
            let people = people.filter(|(connector, to)| !self.is_served(&rooms, connector, to));
            lanes.extend(people.map(|(connector, to)| lane(connector, room, &to)));
        }
        if lanes.is_empty() {
            return Ok(());
        }
        let read: Vec<String> = lanes.iter().cloned().collect();
        work.drafts.take_in(tx.waiting(&read, scope).await?);
        let copies = work.drafts.iter().flat_map(|draft| {
            let outgoing = &draft.outgoing;
            outgoing.delivery.copies.iter().map(|to| lane(&draft.connector, &outgoing.room, to))
        });
        let is_read = |lane: &String| lanes.contains(lane) || work.drafts.iter().any(|draft| draft.lane == *lane);
        let more: BTreeSet<String> = copies.filter(|lane| !is_read(lane)).collect();
        if !more.is_empty() {
            let more: Vec<String> = more.into_iter().collect();
            work.drafts.take_in(tx.waiting(&more, scope).await?);
        }
        Ok(())
    }

    /// What follows for the remote side from something that was said.
    pub(super) async fn cross(
        &self,
        tx: &mut Tx,
        event: &Event<'_>,
        scene: &Scene<'_>,
        work: &mut Work,
    ) -> Result<(), Error> {
        let may_write = self.permissions.may_answer_in(&event.room, &event.sender, &self.ghosts.server);
        if let Some(target) = asked_at(&event.kind).filter(|_| may_write)
            && self.try_again(tx, event, scene, target, work).await?
        {
            return Ok(());
        }
        match &event.kind {
            Kind::Encrypted => {
                work.inbox.push(self.unreadable(event, scene.speaker).row());
                let once = encrypted_once(&event.room);
                let text = Text::EncryptedRoom;
                work.inbox.extend(self.notice_once(tx, once, &event.room, scene.speaker, None, &text).await?);
                Ok(())
            }
            // Who may take something back is for the homeserver to decide.
            Kind::Redaction(target) => self.redact(tx, event, scene, target, work).await,
            Kind::Said(_) if !may_write => {
                let once = format!("not allowed {} {}", event.room, event.sender);
                let text = Text::NotAllowedToWrite;
                work.inbox.extend(self.notice_once(tx, once, &event.room, scene.speaker, None, &text).await?);
                Ok(())
            }
            Kind::Said(said) => self.said(tx, event, scene, said, work).await,
            Kind::Reaction(annotation) if Wanted::is_meant_by(&annotation.emoji) => {
                if self.permissions.level(&event.sender) >= Level::Read {
                    let (room, ghost) = (event.room.clone(), scene.speaker.to_owned());
                    work.inbox.push(Wanted { room, event: annotation.to.clone(), ghost }.row());
                }
                Ok(())
            }
            Kind::Reaction(annotation) if may_write => self.react(tx, event, scene, annotation, work).await,
            Kind::Untold(what) if may_write => {
                let once = format!("cannot cross {} {what:?}", event.room);
                self.tell_once(tx, once, event, scene, &Text::CannotCross(*what), work).await
            }
            _ => Ok(()),
        }
    }

    /// The state of a message that nobody outside will get.
    fn unreadable(&self, event: &Event<'_>, speaker: &UserId) -> Shown {
        let status = SendStatus {
            event: event.id.clone(),
            network: self.ghosts.parse(speaker).map_or_else(String::new, |(network, _)| network.to_owned()),
            state: SendState::Impossible(Cause::Encryption),
            words: None,
        };
        let text = Some(Sentence::new(&Text::EncryptedRoom));
        Shown { room: event.room.clone(), ghost: speaker.to_owned(), status, text }
    }

    /// A message that goes nowhere. Whoever writes on is not told at each of them.
    async fn too_much(
        &self,
        tx: &mut Tx,
        event: &Event<'_>,
        scene: &Scene<'_>,
        reached: Reached,
        work: &mut Work,
    ) -> Result<(), Error> {
        let once = format!("too much {} {} {}", event.room, event.sender, reached.since(now()));
        self.tell_once(tx, once, event, scene, &Text::TooMuch(Deed::Message, reached), work).await
    }

    async fn said(
        &self,
        tx: &mut Tx,
        event: &Event<'_>,
        scene: &Scene<'_>,
        said: &Said,
        work: &mut Work,
    ) -> Result<(), Error> {
        match self.written(&said.content, writer_name(event, scene.portal), event.at) {
            Ok(None) => Ok(()),
            Ok(Some(written)) => {
                // Who joins later gets what was counted before.
                if scene.only.is_none()
                    && let Err(reached) = self.count_message(&mut work.tally, &event.sender, event.at)
                {
                    return self.too_much(tx, event, scene, reached, work).await;
                }
                if let Some(target) = &said.relation.replaces {
                    return self.edit(tx, event, scene, target, &written, work).await;
                }
                self.tell_forms(tx, event, scene, said, work).await?;
                self.deliver(tx, event, scene, &written, &said.relation, work).await
            }
            Err(EncryptedFile(name)) => {
                let once = format!("encrypted file {}", event.id);
                self.tell_once(tx, once, event, scene, &Text::FileEncrypted { name: &name }, work).await
            }
        }
    }

    /// What was said, as it can cross.
    pub(super) fn written(&self, content: &Content, writer: &str, at: i64) -> Result<Option<Written>, EncryptedFile> {
        let voice = || self.language.say(&Text::VoiceMessage);
        let name_of = |user: &UserId| self.plain_name(user);
        written(content, &Setting { writer, at, voice: &voice, name_of: &name_of })
    }

    /// Tells the writer, once for each source, at this message.
    pub(super) async fn tell_once(
        &self,
        tx: &mut Tx,
        once: String,
        event: &Event<'_>,
        scene: &Scene<'_>,
        text: &Text<'_>,
        work: &mut Work,
    ) -> Result<(), Error> {
        let notice = self.notice_once(tx, once, &event.room, scene.speaker, Some(&event.id), text).await?;
        work.inbox.extend(notice);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(json: &str, is_held: bool) -> Option<Scope> {
        scope_of(&Event::parse(json, |_, _| false).unwrap().unwrap().kind, is_held)
    }

    #[test]
    fn without_a_hold_a_message_looks_for_nothing() {
        let message = r#"{"type":"m.room.message","event_id":"$e","room_id":"!r:x","sender":"@a:x",
            "content":{"msgtype":"m.text","body":"x"}}"#;
        assert_eq!((scope(message, false), scope(message, true)), (None, Some(Scope::Held)));
        let redaction = r#"{"type":"m.room.redaction","event_id":"$e","room_id":"!r:x","sender":"@a:x",
            "redacts":"$o","content":{}}"#;
        assert_eq!(scope(redaction, false), Some(Scope::All));
    }
}
