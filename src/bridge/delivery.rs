//! From a message of staff to the deliveries that it needs.

use super::{
    Bridge, Text,
    draft::{Draft, lane},
    edit::Replaced,
    event::Event,
    reaction::Folded,
    work::{Scene, Work},
};
use crate::{
    connector::Connector,
    ids::{DeliveryId, LocalUser, RemoteUserId},
    matrix::{
        content::Relation,
        written::{Fallback, Written},
    },
    message::{Attachment, Body, Delivery, Form, Instructions, Thread, Writer},
    store::{Error, Membership, Portal, Tx, now},
};
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, UserId};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// The payload of an outbox row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Outgoing {
    pub room: OwnedRoomId,
    /// The ghost that says in the room what becomes of it.
    pub ghost: OwnedUserId,
    /// The root of the Matrix thread in which it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<OwnedEventId>,
    #[serde(default)]
    pub purpose: Purpose,
    /// Whether it begins a new conversation, with the subject that stands in `delivery`.
    #[serde(default)]
    pub anew: bool,
    /// How many people on other networks get the same.
    #[serde(default)]
    pub elsewhere: usize,
    /// The ghost of somebody outside whose words these are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<OwnedUserId>,
    /// Without words and files: those stand in `parts` until it is sent.
    pub delivery: Delivery,
    /// What was said, in order: several events are one delivery. Empty if all of it was taken back.
    #[serde(default)]
    pub parts: Vec<Part>,
    /// Reactions of which it tells as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reactions: Vec<Folded>,
    /// The event of a row from before there were parts; its words stand in `delivery`.
    #[serde(default, rename = "event", skip_serializing_if = "Option::is_none")]
    pub only_event: Option<OwnedEventId>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Purpose {
    #[default]
    Message,
    /// The new words of a message that was sent. `first`: it was not corrected before.
    Correction {
        of: OwnedEventId,
        first: bool,
    },
    Reaction {
        to: OwnedEventId,
        emoji: String,
    },
    /// A message that was sent is taken back.
    Withdrawal {
        of: OwnedEventId,
    },
    /// What the room is about has changed.
    Topic,
    /// Staff do in a remote room what `delivery.moderates` says. `of`: the message that it is about.
    Moderation {
        of: Option<OwnedEventId>,
    },
}

/// One event of a delivery.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Part {
    pub event: OwnedEventId,
    /// Milliseconds since 1970.
    pub at: i64,
    pub words: Words,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<OwnedEventId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Fallback>,
    /// What stood here before each edit, the first edit first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaced: Vec<Replaced>,
}

/// What a part says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Words {
    pub body: Body,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<Attachment>,
    /// Of the file in bytes, as the client said.
    #[serde(default)]
    pub size: u64,
}

impl Words {
    pub(super) fn is_empty(&self) -> bool {
        self.body.text.trim().is_empty() && self.body.html.is_none() && self.file.is_none()
    }
}

impl Outgoing {
    /// The localpart of who has said it in Matrix.
    pub(super) fn speaker(&self) -> &str {
        self.author.as_ref().map_or(self.delivery.writer.user.as_str(), |author| author.localpart())
    }

    /// The event to which a notice about it answers.
    pub(super) fn about(&self) -> Option<&OwnedEventId> {
        match &self.purpose {
            Purpose::Message | Purpose::Topic => self.parts.last().map(|part| &part.event),
            Purpose::Correction { of, .. } | Purpose::Withdrawal { of } => Some(of),
            Purpose::Reaction { to, .. } => Some(to),
            Purpose::Moderation { of } => of.as_ref(),
        }
    }

    /// Whether it says something, and does not only change what the room is.
    pub(super) fn is_of_room(&self) -> bool {
        matches!(self.purpose, Purpose::Topic | Purpose::Moderation { .. })
    }
}

/// What the writer is called in the room.
pub(super) fn writer_name<'a>(event: &'a Event<'_>, portal: &'a Portal) -> &'a str {
    let name = portal.members.get(&event.sender).and_then(|member| member.name.as_deref());
    name.unwrap_or_else(|| event.sender.localpart())
}

/// The people of one network who are served together.
pub(super) struct Audience {
    pub connector: &'static str,
    pub port: Arc<dyn Connector>,
    /// All of them, in the order of their addresses.
    pub ghosts: Vec<(OwnedUserId, RemoteUserId)>,
}

impl Audience {
    pub(super) fn remotes(&self) -> Vec<RemoteUserId> {
        self.ghosts.iter().map(|(_, remote)| remote.clone()).collect()
    }

    /// Those who get something now: all, or only this one.
    pub(super) fn recipients(&self, only: Option<&UserId>) -> impl Iterator<Item = &(OwnedUserId, RemoteUserId)> {
        self.ghosts.iter().filter(move |(ghost, _)| only.is_none_or(|only| ghost == only))
    }
}

impl Bridge {
    /// Makes a message part of what still waits, or gives it rows of its own: one for each ghost that has joined, and
    /// for each person who is to have a copy.
    pub(super) async fn deliver(
        &self,
        tx: &mut Tx,
        event: &Event<'_>,
        scene: &Scene<'_>,
        written: &Written,
        relation: &Relation,
        work: &mut Work,
    ) -> Result<(), Error> {
        let audiences = self.audiences(scene);
        let people: usize = audiences.iter().map(|audience| audience.ghosts.len()).sum();
        for audience in audiences {
            let (words, instructions) = self.for_network(tx, event, scene, &audience, written, work).await?;
            if words.is_empty() && instructions.subject.is_none() {
                continue;
            }
            let part = Part {
                event: event.id.clone(),
                at: event.at,
                words,
                reply_to: answered(relation, &audience),
                fallback: written.fallback.clone(),
                replaced: Vec::new(),
            };
            let mut outgoing = self.outgoing(event, scene, &audience, Purpose::Message, part);
            outgoing.thread.clone_from(&relation.thread);
            outgoing.anew = instructions.subject.is_some();
            outgoing.elsewhere = people - audience.ghosts.len();
            let subject = instructions.subject.clone().or_else(|| self.subject(scene.portal));
            outgoing.delivery.thread.subject = subject;
            outgoing.delivery.copies = instructions.copies.clone();
            let is_plain = instructions == Instructions::default();
            if !(is_plain && self.join_waiting(scene, &audience, &outgoing, work)) {
                self.push_rows(event, scene, &audience, &outgoing, work);
            }
        }
        Ok(())
    }

    /// What a message says on one network, and what its first lines order. A file that is too large stays here.
    pub(super) async fn for_network(
        &self,
        tx: &mut Tx,
        event: &Event<'_>,
        scene: &Scene<'_>,
        audience: &Audience,
        written: &Written,
        work: &mut Work,
    ) -> Result<(Words, Instructions), Error> {
        let mut words = Words { body: written.body.clone(), file: written.file.clone(), size: written.size };
        let instructions = match scene.passing_on {
            Some(_) => Instructions::default(),
            None => audience.port.instructions(&mut words.body),
        };
        let limit = audience.port.capabilities().attachment_bytes;
        if words.size > limit
            && let Some(file) = words.file.take()
        {
            words.size = 0;
            let text = match limit {
                0 => Text::FilesCannotCross { name: &file.name },
                _ => Text::FileTooLargeToSend { name: &file.name, megabytes: limit / 1_000_000 },
            };
            let once = format!("too large {} {}", event.id, audience.connector);
            self.tell_once(tx, once, event, scene, &text, work).await?;
        }
        Ok((words, instructions))
    }

    /// Whether the message has become part of what the same writer said before.
    fn join_waiting(&self, scene: &Scene<'_>, audience: &Audience, message: &Outgoing, work: &mut Work) -> bool {
        let capabilities = audience.port.capabilities();
        if capabilities.hold.is_zero() {
            return false;
        }
        let lanes: Vec<String> =
            audience.recipients(scene.only).map(|(_, to)| lane(audience.connector, &message.room, to)).collect();
        let Some(drafts) = work.drafts.append(&lanes, message, &capabilities, now()) else { return false };
        for draft in drafts {
            let to = draft.outgoing.delivery.to.clone();
            draft.outgoing.reactions.extend(work.reactions.take(&message.room, audience.connector, &to));
        }
        true
    }

    fn push_rows(
        &self,
        event: &Event<'_>,
        scene: &Scene<'_>,
        audience: &Audience,
        message: &Outgoing,
        work: &mut Work,
    ) {
        let until = now() + self.wait(scene.portal, audience).as_millis() as i64;
        let push = |work: &mut Work, outgoing: Outgoing| {
            let mut draft = self.draft(event, audience, outgoing);
            draft.put_off(until);
            work.drafts.push(draft);
        };
        for (ghost, to) in audience.recipients(scene.only) {
            let mut outgoing = addressed(message, ghost, to);
            outgoing.reactions = work.reactions.take(&event.room, audience.connector, to);
            if scene.only.is_some() {
                work.drafts.share(&mut outgoing, audience.connector, now());
            }
            push(work, outgoing);
        }
        for to in message.delivery.copies.iter().filter(|to| !message.delivery.audience.contains(to)) {
            push(work, addressed(message, scene.speaker, to));
        }
    }

    /// A row to come; it waits as long as the network says.
    pub(super) fn draft(&self, event: &Event<'_>, audience: &Audience, outgoing: Outgoing) -> Draft {
        let source = format!("{} {} {}", event.id, audience.connector, outgoing.delivery.to);
        Draft::new(audience.connector, source, outgoing, now(), audience.port.capabilities().hold)
    }

    /// A delivery of one event, still to be addressed to each of those who get it.
    pub(super) fn outgoing(
        &self,
        event: &Event<'_>,
        scene: &Scene<'_>,
        audience: &Audience,
        purpose: Purpose,
        part: Part,
    ) -> Outgoing {
        let writer = match scene.passing_on {
            Some(passing_on) => passing_on.writer.clone(),
            None => {
                let name = writer_name(event, scene.portal).to_owned();
                Writer { user: LocalUser::new(event.sender.localpart()), name }
            }
        };
        Outgoing {
            room: event.room.clone(),
            ghost: scene.speaker.to_owned(),
            thread: None,
            purpose,
            anew: false,
            elsewhere: 0,
            author: scene.passing_on.map(|passing_on| passing_on.author.clone()),
            delivery: Delivery {
                id: DeliveryId::random(),
                writer,
                author: scene.passing_on.map(|passing_on| passing_on.name.clone()),
                to: RemoteUserId::new(""),
                audience: audience.remotes(),
                copies: Vec::new(),
                thread: Thread::default(),
                quote: None,
                reaction: None,
                reactions: None,
                replaces: None,
                takes_back: None,
                topic: None,
                moderates: None,
                body: Body::default(),
                attachments: Vec::new(),
                written_at: event.at,
            },
            parts: vec![part],
            reactions: Vec::new(),
            only_event: None,
        }
    }

    /// The ghosts that are served together, by network.
    pub(super) fn audiences(&self, scene: &Scene<'_>) -> Vec<Audience> {
        let mut audiences: BTreeMap<&'static str, Vec<_>> = BTreeMap::new();
        let rooms = self.remote_rooms_in(scene.portal);
        for (user, member) in &scene.portal.members {
            let gets_it = match scene.passing_on {
                // Who is still on the way in reads back what staff said meanwhile, and nothing else.
                Some(passing_on) => !passing_on.served.contains(user),
                None => member.membership == Membership::Join || scene.only == Some(user),
            };
            if !gets_it {
                continue;
            }
            if let Some((connector, remote)) = self.remote_of(user)
                && !self.is_served(&rooms, connector, &remote)
            {
                audiences.entry(connector).or_default().push((user.clone(), remote));
            }
        }
        audiences.values_mut().for_each(|ghosts| ghosts.sort_by(|a, b| a.1.cmp(&b.1)));
        let with_port =
            |(connector, ghosts)| Some(Audience { connector, port: self.connectors.get(connector)?.clone(), ghosts });
        audiences.into_iter().filter_map(with_port).collect()
    }

    /// Whom a ghost stands for; `None` for everybody else, and for a ghost that could stand for nobody.
    pub(super) fn remote_of(&self, user: &UserId) -> Option<(&'static str, RemoteUserId)> {
        let (name, address) = self.ghosts.parse(user)?;
        let port = self.connectors.get(name)?;
        // Each remote user has one ghost: a second spelling of an address is nobody's.
        let is_its = |remote: &RemoteUserId| self.ghosts.ghost(name, remote).is_some_and(|ghost| ghost == *user);
        let person = port.parse_address(&address).filter(is_its);
        let remote = person.or_else(|| match RemoteUserId::new(address.as_str()).room() {
            Some(room) => port.parse_room(room.as_str()).map(|room| RemoteUserId::of_room(&room)),
            None => port.parse_occupant(&address),
        });
        remote.filter(is_its).map(|remote| (name, remote))
    }
}

/// What a message is shown to answer. Where there are no threads, what is said in one answers the message at its root.
fn answered(relation: &Relation, audience: &Audience) -> Option<OwnedEventId> {
    let has_threads = audience.port.capabilities().forms.contains(&Form::Thread);
    let root = relation.thread.as_ref().filter(|_| !has_threads);
    relation.reply_to.as_ref().or(root).cloned()
}

/// The delivery for one of those who get it.
pub(super) fn addressed(outgoing: &Outgoing, ghost: &UserId, to: &RemoteUserId) -> Outgoing {
    let mut outgoing = outgoing.clone();
    outgoing.ghost = ghost.to_owned();
    outgoing.delivery.to = to.clone();
    outgoing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_an_older_fehmarn_can_be_read() {
        let row = r#"{"event":"$e","room":"!r:x","ghost":"@_email_bob:x","delivery":{"id":"a","writer":{"user":"anna",
            "name":"Anna"},"to":"bob@example.org","audience":["bob@example.org"],"thread":{"subject":null,"root":null,
            "parent":null},"body":{"text":"Guten Tag"},"written_at":7}}"#;
        let outgoing: Outgoing = serde_json::from_str(row).unwrap();
        assert_eq!((outgoing.only_event.unwrap().as_str(), outgoing.delivery.body.text.as_str()), ("$e", "Guten Tag"));
    }
}
