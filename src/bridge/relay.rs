//! What somebody outside says in a room goes to the others outside whom their own network has not served.

use super::{
    Bridge, Text,
    event::{Event, Kind},
    inbox::own_row,
    limit::Deed,
    work::{Scene, Work},
};
use crate::{
    failure::Failure,
    ids::{LocalUser, RemoteUserId},
    matrix::content,
    message::Writer,
    store::{NewRow, Portal, Row, Scope, Tx, now},
};
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UserId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};

/// The payload of an inbox row of the kind `relay`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Relay {
    pub room: OwnedRoomId,
    /// The ghost of who has said it.
    pub author: OwnedUserId,
    /// To whom it was written.
    pub staff: OwnedUserId,
    /// Whom the author's network has served.
    pub served: Vec<RemoteUserId>,
    /// Milliseconds since 1970.
    pub at: i64,
    pub spoken: Vec<Spoken>,
}

/// What stands in the room of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Spoken {
    /// `content`: of the event, as JSON.
    Words { event: OwnedEventId, content: String },
    /// `target` is gone.
    TakenBack { event: OwnedEventId, target: OwnedEventId },
}

impl Relay {
    /// `arrival`: the row by which it came.
    pub(super) fn row(&self, arrival: &Row) -> NewRow {
        let (lane, source) = (format!("relay {}", self.room), format!("relay {}", arrival.source));
        own_row("relay", lane, source, &self.room, self)
    }

    fn event(&self, spoken: &Spoken) -> Option<Event<'static>> {
        let (id, kind) = match spoken {
            Spoken::Words { event, content } => {
                (event, Kind::Said(Box::new(content::said("m.room.message", content).ok()??)))
            }
            Spoken::TakenBack { event, target } => (event, Kind::Redaction(target.clone())),
        };
        let (room, sender) = (self.room.clone(), self.author.clone());
        Some(Event { id: id.clone(), room, sender, at: self.at, kind, json: "" })
    }
}

/// How somebody's words are passed on.
pub(super) struct PassingOn {
    pub author: OwnedUserId,
    pub name: String,
    /// In whose name: there answers go.
    pub writer: Writer,
    /// The ghosts of those who have the words already; the author's too.
    pub served: BTreeSet<OwnedUserId>,
}

impl Bridge {
    /// Whether other ghosts are in a room, or on their way there.
    pub(super) async fn has_others(&self, room: &RoomId, ghost: &UserId) -> Result<bool, Failure> {
        let members = self.store.members(room).await?;
        Ok(members.keys().any(|user| *user != *ghost && self.ghosts.is_ghost(user)))
    }

    pub(super) async fn pass_on(&self, row: &Row, relay: &Relay) -> Result<(), Failure> {
        let Relay { room, author, .. } = relay;
        let name = self.name_of(room, author).await;
        let mut tx = self.store.begin().await?;
        let once = row.source.to_string();
        if tx.first_seen(std::slice::from_ref(&once)).await?.is_empty() {
            return Ok(());
        }
        let portals = tx.portals(&[&**room]).await?;
        let Some(portal) = portals.get(room) else { return Ok(()) };
        let Some(writer) = self.in_whose_name(relay, portal) else { return Ok(()) };
        let served = self.served(author, &relay.served);
        let passing_on = PassingOn { author: author.clone(), name, writer, served };
        let speaker = self.speaker(portal).unwrap_or(author);
        let scene = Scene { portal, only: None, speaker, passing_on: Some(&passing_on) };
        if self.audiences(&scene).is_empty() {
            return Ok(());
        }
        let mut work = Work::default();
        if self.may_pass_on(&mut tx, relay, &scene, &mut work).await? {
            self.take_in_all(&mut tx, relay, &portals, &mut work).await?;
            for event in relay.spoken.iter().filter_map(|spoken| relay.event(spoken)) {
                self.pass_on_event(&mut tx, &event, &scene, &mut work).await?;
            }
        }
        work.write(&mut tx).await?;
        Ok(tx.commit().await?)
    }

    /// Counts it, and tells staff what becomes of it.
    async fn may_pass_on(
        &self,
        tx: &mut Tx,
        relay: &Relay,
        scene: &Scene<'_>,
        work: &mut Work,
    ) -> Result<bool, Failure> {
        let Relay { room, author, .. } = relay;
        let reached = self.count_passed_on(tx, author).await?;
        let (once, text) = match reached {
            None => (format!("passes on {room}"), Text::PassesOn),
            Some(reached) => {
                let once = format!("too much {room} {author} {}", reached.since(now()));
                (once, Text::TooMuch(Deed::PassedOn, reached))
            }
        };
        work.inbox.extend(self.notice_once(tx, once, room, scene.speaker, None, &text).await?);
        Ok(reached.is_none())
    }

    /// Reads what waits and may be changed or prolonged.
    async fn take_in_all(
        &self,
        tx: &mut Tx,
        relay: &Relay,
        portals: &HashMap<OwnedRoomId, Portal>,
        work: &mut Work,
    ) -> Result<(), Failure> {
        let changes = relay.spoken.iter().filter_map(|spoken| relay.event(spoken)).any(|event| match event.kind {
            Kind::Said(said) => said.relation.replaces.is_some(),
            _ => true,
        });
        let scope = if changes { Scope::All } else { Scope::Held };
        Ok(self.take_in(tx, work, scope, &BTreeSet::from([&*relay.room]), portals).await?)
    }

    /// `scene` says how.
    pub(super) async fn pass_on_event(
        &self,
        tx: &mut Tx,
        event: &Event<'_>,
        scene: &Scene<'_>,
        work: &mut Work,
    ) -> Result<(), Failure> {
        let name = scene.passing_on.map_or_else(|| event.sender.localpart(), |passing_on| &passing_on.name);
        match &event.kind {
            Kind::Said(said) => {
                let Ok(Some(written)) = self.written(&said.content, name, event.at) else { return Ok(()) };
                match &said.relation.replaces {
                    Some(target) => Ok(self.edit(tx, event, scene, target, &written, work).await?),
                    None => Ok(self.deliver(tx, event, scene, &written, &said.relation, work).await?),
                }
            }
            Kind::Redaction(target) => Ok(self.redact(tx, event, scene, target, work).await?),
            _ => Ok(()),
        }
    }

    /// Whoever was written to; else somebody in the room whose words may go out from there.
    fn in_whose_name(&self, relay: &Relay, portal: &Portal) -> Option<Writer> {
        let may = |user: &UserId| {
            !self.is_ours(user) && self.permissions.may_answer_in(&relay.room, user, &self.ghosts.server)
        };
        let others = portal.members.keys().filter(|user| may(user)).min();
        let wanted = Some(&relay.staff).filter(|staff| portal.members.contains_key(*staff) && may(staff));
        wanted.or(others).map(|user| writer_in(portal, user))
    }

    /// The author, and whom the author's network has served: whether or not somebody vouches for them, they have one
    /// address.
    pub(super) fn served(&self, author: &UserId, people: &[RemoteUserId]) -> BTreeSet<OwnedUserId> {
        let Some((connector, person)) = self.remote_of(author) else { return BTreeSet::from([author.to_owned()]) };
        // What somebody says in a remote room everybody there has.
        let room = self.connectors.get(connector).and_then(|port| port.room_of(&person));
        let room = room.and_then(|room| self.room_ghost(connector, &room));
        let people = people.iter().chain([&person]).map(|person| RemoteUserId::new(person.address()));
        let both = people.flat_map(|person| [person.unverified(), person]);
        both.filter_map(|person| self.ghosts.ghost(connector, &person)).chain(room).collect()
    }
}

/// A member of staff, as people outside are told.
pub(super) fn writer_in(portal: &Portal, user: &UserId) -> Writer {
    let name = portal.members.get(user).and_then(|member| member.name.clone());
    let name = name.unwrap_or_else(|| user.localpart().to_owned());
    Writer { user: LocalUser::new(user.localpart()), name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SourceId;
    use ruma::{event_id, room_id, user_id};

    #[test]
    fn what_was_said_is_the_same_after_it_waited() {
        let content = r#"{"msgtype":"m.text","body":"Ja.","m.relates_to":{"m.in_reply_to":{"event_id":"$q"}}}"#;
        let words = Spoken::Words { event: event_id!("$1").to_owned(), content: content.into() };
        let gone = Spoken::TakenBack { event: event_id!("$2").to_owned(), target: event_id!("$1").to_owned() };
        let relay = Relay {
            room: room_id!("!r:x").to_owned(),
            author: user_id!("@_email_bob:x").to_owned(),
            staff: user_id!("@anna:x").to_owned(),
            served: vec![RemoteUserId::new("eve@example.org")],
            at: 7,
            spoken: vec![words, gone],
        };
        let row = Row {
            id: 1,
            kind: "arrival".into(),
            connector: "email".into(),
            lane: String::new(),
            source: SourceId::new("email x"),
            target: String::new(),
            payload: Vec::new(),
            attempts: 1,
            created_at: 0,
            room: None,
            thread: None,
        };
        let kept: Relay = serde_json::from_slice(&relay.row(&row).payload).unwrap();
        assert_eq!(kept, relay);
        let events: Vec<Event<'_>> = kept.spoken.iter().filter_map(|spoken| kept.event(spoken)).collect();
        let Kind::Said(said) = &events[0].kind else { panic!("{:?}", events[0]) };
        assert_eq!(said.relation.reply_to.as_deref(), Some(event_id!("$q")));
        assert!(matches!(&events[1].kind, Kind::Redaction(target) if target == "$1"));
    }
}
