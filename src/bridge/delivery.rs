//! From a message of staff to the deliveries that it needs.

use super::{
    Bridge, Text,
    audience::Audience,
    draft::{Draft, lane},
    event::Event,
    outgoing::{Outgoing, Part, Purpose, Words, addressed},
    work::{Scene, Work},
};
use crate::{
    ids::{DeliveryId, LocalUser, RemoteUserId},
    matrix::{content::Relation, written::Written},
    message::{Body, Delivery, Form, Instructions, Thread, Writer},
    store::{Error, Portal, Tx, now},
};
use ruma::{OwnedEventId, UserId};

/// What the writer is called in the room.
pub(super) fn writer_name<'a>(event: &'a Event<'_>, portal: &'a Portal) -> &'a str {
    let name = portal.members.get(&event.sender).and_then(|member| member.name.as_deref());
    name.unwrap_or_else(|| event.sender.localpart())
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
        let limit = audience.attachment_bytes();
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
        let (hold, limit) = (capabilities.hold, audience.attachment_bytes());
        let Some(drafts) = work.drafts.append(&lanes, message, hold, limit, now()) else { return false };
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
                written_by: None,
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
