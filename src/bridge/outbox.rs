//! Matrix to remote, second half: a delivery is handed to its network.

use super::{
    Bridge, Text,
    edit::{behind, difference, has_arrived},
    hold,
    outgoing::{Outgoing, Purpose, Words},
    place::Known,
    reaction::with_lines,
    status::cause,
    version::versions,
    worker::Done,
};
use crate::{
    connector::Connector,
    failure::{Failure, Reason},
    ids::{LocalUser, RemoteMessageId},
    matrix::{
        self,
        status::{Cause, SendState},
    },
    message::{Attachment, Body, Delivery, Quote, Sent, Writer},
    metrics,
    store::{Message, MessageState, NewRow, Row, Trouble},
};
use ruma::{EventId, OwnedMxcUri};
use std::{sync::Arc, time::Instant};

/// At this attempt, about twenty minutes after the first, the writer is told that it takes longer.
const TELL_AT_ATTEMPT: u32 = 8;

impl Bridge {
    pub(super) fn connector(&self, name: &str) -> Result<&Arc<dyn Connector>, Failure> {
        self.connectors.get(name).ok_or_else(|| {
            Failure::transient(Reason::Internal, format!("no connector {name} is configured; add it or drop the row"))
        })
    }

    pub(super) async fn attempt_delivery(&self, row: &Row) -> Result<Done, Failure> {
        let outgoing = outgoing(row)?;
        let connector = self.connector(&row.connector)?;
        // Empty: all of it was taken back in the moment in which it was first tried.
        if outgoing.parts.is_empty() {
            return Ok(Done::default());
        }
        let known = self.known(row, &outgoing).await?;
        let delivery = match &outgoing.purpose {
            Purpose::Message => Some(self.message(row, &outgoing, &known).await),
            Purpose::Correction { of, first } => {
                self.correction(row, &outgoing, &known, connector.as_ref(), (of, *first)).await?
            }
            Purpose::Reaction { to, emoji } => {
                self.reaction(row, &outgoing, &known, connector.as_ref(), (to, emoji)).await?
            }
            Purpose::Withdrawal { of } => self.withdrawal(&outgoing, &known, of).await?,
            Purpose::Topic => Some(topic(&outgoing)),
            Purpose::Moderation { .. } => Some(written_last(&outgoing)),
        };
        let Some(mut delivery) = delivery else { return Ok(Done::default()) };
        let limit = connector.attachment_bytes(&outgoing.delivery.to);
        let too_large = self.load_attachments(&mut delivery, limit).await?;
        let follow_up = self.too_large_to_send(&outgoing, &too_large, limit);
        let says_nothing = delivery.body.text.trim().is_empty() && delivery.attachments.is_empty();
        // No reaction any more is something to say as well.
        let is_empty = says_nothing && delivery.reactions.is_none() && delivery.moderates.is_none();
        if is_empty && (!outgoing.anew || !too_large.is_empty()) {
            return Ok(Done { follow_up, ..Done::default() });
        }
        self.say_who_wrote(&mut delivery);
        let trouble_is_told = self.trouble_is_told(row, &outgoing).await?;
        let sent = self.hand_over(row, connector, &delivery).await?;
        let mut done = done(row, &outgoing, &known, delivery, &sent, follow_up);
        if trouble_is_told {
            done.follow_up.push(self.sent_after_all(row, &outgoing));
        } else if !outgoing.is_of_room() {
            done.accepted = self.accepted(row, &outgoing, &sent);
        }
        Ok(done)
    }

    async fn hand_over(&self, row: &Row, connector: &Arc<dyn Connector>, delivery: &Delivery) -> Result<Sent, Failure> {
        let (name, began) = (self.connector_name(&row.connector), Instant::now());
        let result = connector.send(delivery).await;
        let outcome = match &result {
            Ok(_) => "ok",
            Err(failure) if failure.is_permanent() => "permanent",
            Err(_) => "transient",
        };
        metrics::handed_over(name, outcome, began.elapsed());
        if result.is_ok() {
            metrics::delivery(name, "sent", "");
        }
        result
    }

    /// What was written, with the reactions that wait for a message to go with.
    async fn message(&self, row: &Row, outgoing: &Outgoing, known: &Known) -> Delivery {
        let (body, attachments) = hold::joined(&outgoing.parts);
        let lines = self.reaction_lines(row, outgoing, &known.crossed).await;
        let first = outgoing.parts.first();
        let answered = first.and_then(|part| part.reply_to.as_ref()).and_then(|event| known.remote(event, outgoing));
        let quote = match first {
            Some(part) => self.quote(row, outgoing, part, &known.crossed).await,
            None => None,
        };
        Delivery {
            thread: known.place(outgoing, answered),
            quote,
            body: with_lines(&body, &lines),
            attachments,
            ..written_last(outgoing)
        }
    }

    /// What takes the place of words that were sent. `None`: nothing has changed, or the recipient does not have them.
    async fn correction(
        &self,
        row: &Row,
        outgoing: &Outgoing,
        known: &Known,
        connector: &dyn Connector,
        (of, first): (&EventId, bool),
    ) -> Result<Option<Delivery>, Failure> {
        let to = &outgoing.delivery.to;
        let served: Vec<&Message> =
            known.crossed.iter().filter(|message| message.event_id == of && has_arrived(message)).collect();
        let Some(own) = served.iter().find(|message| message.remote_user == *to) else { return Ok(None) };
        let old = self.old(outgoing, of).await?;
        // Only writers themselves can correct what they said, and nobody what was taken back.
        if old.as_ref().is_some_and(|old| old.sender.localpart() != outgoing.speaker() || old.content.is_none()) {
            return Ok(None);
        }
        let got = self.got(row, outgoing, of, old).await?;
        let content = got.words.and_then(|old| old.content);
        let author = outgoing.delivery.author.as_ref().unwrap_or(&outgoing.delivery.writer.name);
        let written = content.and_then(|content| self.written(&content, author, 0).ok().flatten());
        let old_words = written.map(|mut written| {
            if outgoing.author.is_none() {
                connector.instructions(&mut written.body);
            }
            Words { body: written.body, file: written.file, size: written.size }
        });
        let Some(new) = outgoing.parts.last().map(|part| &part.words) else { return Ok(None) };
        let Some(changed) = difference(old_words.as_ref(), first || got.is_edit, new) else { return Ok(None) };
        if connector.capabilities().edits {
            return Ok(Some(Delivery {
                thread: known.place(outgoing, None),
                replaces: Some(self.as_said(&known.crossed, own).clone()),
                body: new.body.clone(),
                attachments: changed.file.into_iter().collect(),
                ..written_last(outgoing)
            }));
        }
        let was = old_words.as_ref().map_or("", |old| match &old.file {
            Some(file) if old.body.text.trim().is_empty() => &file.name,
            _ => &old.body.text,
        });
        let quote = Quote { author: author.clone(), text: super::quote::excerpt(was) };
        Ok(Some(Delivery {
            audience: served.iter().map(|message| message.remote_user.clone()).collect(),
            thread: known.place(outgoing, Some(own.remote_message.clone())),
            // Short words stand in the first line already.
            quote: Some(quote).filter(|_| super::quote::goes_on(was)),
            body: behind(&self.introduction(was), &changed.body),
            attachments: changed.file.into_iter().collect(),
            ..written_last(outgoing)
        }))
    }

    /// Begins with the name of somebody outside whose words are passed on: programs call the address from which they come
    /// by another one.
    fn say_who_wrote(&self, delivery: &mut Delivery) {
        let Some(author) = delivery.author.as_deref().filter(|_| delivery.takes_back.is_none()) else { return };
        let who = Body { text: self.language.say(&Text::Wrote { author }), html: None };
        delivery.body = hold::bodies([&who, &delivery.body].into_iter());
    }

    /// What its writer calls a message; a remote room may have given it another name.
    fn as_said<'m>(&self, crossed: &'m [Message], own: &'m Message) -> &'m RemoteMessageId {
        let port = self.connectors.get(own.connector.as_str());
        let is_there = |message: &&Message| {
            let room = own.remote_user.room();
            message.event_id == own.event_id
                && room.is_some()
                && port.and_then(|port| port.room_of(&message.remote_user)) == room
        };
        crossed.iter().find(is_there).map_or(&own.remote_message, |message| &message.remote_message)
    }

    /// A reaction alone. `None`: the recipient does not know what it is about.
    async fn reaction(
        &self,
        row: &Row,
        outgoing: &Outgoing,
        known: &Known,
        connector: &dyn Connector,
        (to, emoji): (&EventId, &str),
    ) -> Result<Option<Delivery>, Failure> {
        let Some(answered) = known.remote(to, outgoing) else { return Ok(None) };
        let text = match emoji {
            "" => String::new(),
            _ => self.reaction_line(row, outgoing, (to, emoji), &known.crossed, true).await,
        };
        let mut delivery = Delivery {
            thread: known.place(outgoing, Some(answered)),
            reaction: Some(emoji.to_owned()),
            body: Body { text, html: None },
            ..written_last(outgoing)
        };
        if connector.capabilities().reactions
            && let Some(writer) = self.staff_id(&outgoing.delivery.writer.user)
        {
            let intent = self.homeserver.intent(&outgoing.ghost);
            delivery.reactions = Some(intent.reactions(&outgoing.room, to, &writer).await?);
        }
        Ok(Some(delivery))
    }

    /// The wish that something be forgotten. `None`: the recipient does not have it.
    async fn withdrawal(&self, outgoing: &Outgoing, known: &Known, of: &EventId) -> Result<Option<Delivery>, Failure> {
        let is_it = |message: &&Message| message.event_id == of && message.remote_user == outgoing.delivery.to;
        let Some(message) = known.crossed.iter().find(is_it) else { return Ok(None) };
        Ok(Some(Delivery {
            takes_back: Some(message.remote_message.clone()),
            written_by: self.other_author(outgoing, of).await?,
            body: Body { text: self.language.say(&Text::TakenBack), html: None },
            ..written_last(outgoing)
        }))
    }

    /// Who of the staff has written what somebody else of them takes away.
    async fn other_author(&self, outgoing: &Outgoing, event: &EventId) -> Result<Option<Writer>, Failure> {
        let Some(old) = self.old(outgoing, event).await? else { return Ok(None) };
        let user = LocalUser::new(old.sender.localpart());
        if self.is_ours(&old.sender) || user == outgoing.delivery.writer.user {
            return Ok(None);
        }
        Ok(Some(Writer { user, name: self.name_of(&outgoing.room, &old.sender).await }))
    }

    /// Loads the files; returns those that do not fit, which are taken out.
    async fn load_attachments(&self, delivery: &mut Delivery, limit: u64) -> Result<Vec<Attachment>, Failure> {
        let (mut left, mut too_large) = (limit, Vec::new());
        let mut files = Vec::with_capacity(delivery.attachments.len());
        for mut file in std::mem::take(&mut delivery.attachments) {
            let uri = OwnedMxcUri::from(file.location.as_str());
            match self.homeserver.download(&uri, left).await {
                Ok(bytes) => {
                    left = left.saturating_sub(bytes.len() as u64);
                    file.bytes = bytes;
                    files.push(file);
                }
                Err(matrix::Error::TooLong(_)) => too_large.push(file),
                Err(error) => return Err(error.into()),
            }
        }
        delivery.attachments = files;
        Ok(too_large)
    }

    /// Tells the writer of files that were not sent: once, for the first of several recipients.
    fn too_large_to_send(&self, outgoing: &Outgoing, files: &[Attachment], limit: u64) -> Vec<NewRow> {
        let delivery = &outgoing.delivery;
        if delivery.audience.first().is_some_and(|first| *first != delivery.to) {
            return Vec::new();
        }
        let notice = |file: &Attachment| {
            let text = Text::FileTooLargeToSend { name: &file.name, megabytes: limit / 1_000_000 };
            let holds =
                |part: &&super::outgoing::Part| part.words.file.as_ref().is_some_and(|it| it.location == file.location);
            let about = outgoing.parts.iter().find(holds).map(|part| part.event.clone());
            let source = format!("too large {} {}", delivery.id, file.location);
            self.notice(source, outgoing.room.clone(), outgoing.ghost.clone(), about, &text)
        };
        files.iter().map(notice).collect()
    }

    /// What the writer is told after an attempt that failed.
    pub(super) fn delivery_news(&self, row: &Row, failure: &Failure, dead: bool) -> Vec<NewRow> {
        let Ok(outgoing) = outgoing(row) else { return Vec::new() };
        if let Some(moderation) = &outgoing.delivery.moderates {
            return if dead { self.not_moderated(row, &outgoing, moderation, failure.reason) } else { Vec::new() };
        }
        let (recipient, reason, why) = (outgoing.delivery.to.address(), failure.reason, cause(failure.reason));
        let is_passed_on = outgoing.author.is_some();
        let (source, state, text) = if dead && is_passed_on {
            ("failed", SendState::Impossible(why), Text::NotPassedOn { recipient, reason })
        } else if dead && failure.is_permanent() {
            ("failed", SendState::Impossible(why), Text::DeliveryFailed { recipient, reason })
        } else if dead {
            ("failed", SendState::GivenUp(Cause::Age), Text::DeliveryGaveUp { recipient, reason })
        } else if row.attempts == TELL_AT_ATTEMPT {
            let days = self.give_up.as_secs().div_ceil(86_400);
            ("delayed", SendState::Waiting(why), Text::DeliveryWaits { recipient, reason, days })
        } else {
            return Vec::new();
        };
        let source = format!("{source} {} {}", row.source, row.created_at);
        vec![self.delivery_notice(source, &outgoing, &row.connector, state, &text)]
    }

    /// Whether people were told that a delivery does not go out.
    async fn trouble_is_told(&self, row: &Row, outgoing: &Outgoing) -> Result<bool, Failure> {
        let Some(event) = outgoing.about().filter(|_| row.attempts > 1).cloned() else { return Ok(false) };
        let (connector, remote_user) = (row.connector.clone(), outgoing.delivery.to.clone());
        Ok(self.store.told(&Trouble { event, connector, remote_user }).await?.is_some())
    }

    fn sent_after_all(&self, row: &Row, outgoing: &Outgoing) -> NewRow {
        let source = format!("sent {} {}", row.source, row.created_at);
        let text = Text::DeliverySentAfterAll { recipient: outgoing.delivery.to.address() };
        self.delivery_notice(source, outgoing, &row.connector, SendState::Sent, &text)
    }
}

fn outgoing(row: &Row) -> Result<Outgoing, Failure> {
    hold::read(&row.payload)
        .map_err(|e| Failure::permanent(Reason::Internal, format!("the delivery's row is damaged: {e}")))
}

/// The delivery as it was enqueued, with the time of what was written last.
fn written_last(outgoing: &Outgoing) -> Delivery {
    let mut delivery = outgoing.delivery.clone();
    delivery.written_at = outgoing.parts.last().map_or(delivery.written_at, |part| part.at);
    delivery
}

fn topic(outgoing: &Outgoing) -> Delivery {
    let body = outgoing.parts.last().map(|part| part.words.body.clone()).unwrap_or_default();
    Delivery { topic: Some(body.text.clone()), body, ..written_last(outgoing) }
}

/// What is remembered of a delivery that was accepted.
fn done(
    row: &Row,
    outgoing: &Outgoing,
    known: &Known,
    delivery: Delivery,
    sent: &Sent,
    follow_up: Vec<NewRow>,
) -> Done {
    let message = |part: &super::outgoing::Part| Message {
        event_id: part.event.clone(),
        room_id: outgoing.room.clone(),
        thread: known.thread.clone(),
        connector: row.connector.clone(),
        remote_user: delivery.to.clone(),
        remote_message: sent.message.clone(),
        state: if sent.receipt_follows { MessageState::Sent } else { MessageState::Relayed },
        recipients: u32::try_from(outgoing.recipients()).unwrap_or(u32::MAX),
    };
    // A set of reactions takes the place of another: none of them can be taken back by itself, and no withdrawal can.
    let is_message = delivery.reactions.is_none() && delivery.takes_back.is_none() && !outgoing.is_of_room();
    let mut messages: Vec<Message> = outgoing.parts.iter().filter(|_| is_message).map(message).collect();
    if let Some((remote_user, remote_message)) = &sent.said_as {
        let as_said = |message: &Message| Message {
            remote_user: remote_user.clone(),
            remote_message: remote_message.clone(),
            recipients: 0,
            ..message.clone()
        };
        let named: Vec<Message> = messages.iter().map(as_said).collect();
        messages.extend(named);
    }
    let thread = known.after(row, outgoing, &delivery, sent);
    let versions = versions(row, outgoing);
    Done { messages, thread, originals: Vec::new(), versions, follow_up, accepted: None }
}
