//! A message stanza as an arrival or a receipt. Pure.

use super::{error, stamp, styling, xhtml};
use crate::{
    connectors::xmpp::{
        address::{Identity, message_of, reactions_of},
        xml::{child_text, ns, write},
    },
    failure::{Failure, Reason},
    ids::{DeliveryId, LocalUser, RemoteMessageId, RemoteUserId, SourceId},
    message::{Arrival, Body, Inbound, RawArrival, Reactions, Receipt, ReceiptState, TakenBack},
};
use sha2::{Digest, Sha256};
use xmpp_parsers::{jid::Jid, minidom::Element};

/// A name is at most so long, in characters.
const NAME: usize = 100;

/// What a message stanza is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Somebody said something, or took it back, or reacted.
    Words,
    /// A receipt, a marker, or one of ours that was given back.
    Receipt,
    /// Encrypted for somebody else than us.
    Sealed,
    /// Typing, and what else leaves nothing behind.
    Passing,
}

pub fn sort(message: &Element) -> Sort {
    let has = |name: &str, namespace: &str| message.has_child(name, namespace);
    let is_sealed = |child: &Element| ns::SEALED.contains(&child.ns().as_str());
    match message.attr("type") {
        Some("error") => return if own_id(message).is_some() { Sort::Receipt } else { Sort::Passing },
        Some("groupchat" | "headline") => return Sort::Passing,
        _ => {}
    }
    if message.children().any(is_sealed) || has("encryption", ns::ENCRYPTION) {
        Sort::Sealed
    } else if has("body", ns::COMPONENT)
        || has("x", ns::OOB)
        || has("reactions", ns::REACTIONS)
        || has("retract", ns::RETRACT_1)
        || has("apply-to", ns::FASTEN)
    {
        Sort::Words
    } else if has("received", ns::RECEIPTS) || has("displayed", ns::MARKERS) {
        Sort::Receipt
    } else {
        Sort::Passing
    }
}

/// The id of a delivery of ours that a stanza has come back with.
pub fn own_id(message: &Element) -> Option<&str> {
    let id = message.attr("id")?;
    let delivery = id.split('-').next()?;
    DeliveryId::read(delivery).map(|_| delivery)
}

/// The id that its sender has given to a message.
pub fn id_of(message: &Element) -> Option<&str> {
    message.attr("id").or_else(|| message.get_child("origin-id", ns::SID)?.attr("id")).filter(|id| !id.is_empty())
}

/// Makes the queue row of a message.
///
/// A program that got no receipt sends the same words with the same id once more. Other words with an old id are
/// something new: there are programs that count from 1 each time they are started.
pub fn arrival(message: &Element, from: &str, to: LocalUser) -> RawArrival {
    let mut hash = Sha256::new();
    let mut field = |text: &str| {
        hash.update(text.as_bytes());
        hash.update([0]);
    };
    field(to.as_str());
    field(from);
    match id_of(message) {
        Some(id) => field(id),
        None => field(&rand::random::<u128>().to_string()),
    }
    for child in message.children().filter(|child| child.name() != "delay" && child.name() != "stanza-id") {
        field(child.name());
        field(&child.text());
        field(child.attr("id").unwrap_or_default());
    }
    let mut source = data_encoding::BASE32_NOPAD.encode(&hash.finalize());
    source.make_ascii_lowercase();
    RawArrival {
        source: SourceId::new(source),
        also: None,
        lane: format!("{to} {from}"),
        to,
        raw: write(message).into(),
    }
}

/// A stanza that was accepted, understood.
pub struct Read {
    pub inbound: Inbound,
    /// Where the file is that the message is about (XEP-0066).
    pub file: Option<String>,
}

pub fn read(identity: &Identity, raw: &RawArrival) -> Result<Read, Failure> {
    let unreadable = |what: &str| Failure::permanent(Reason::Unreadable, what);
    let text = std::str::from_utf8(&raw.raw).map_err(|_| unreadable("not a stanza"))?;
    let message: Element = text.parse().map_err(|_| unreadable("not a stanza"))?;
    let from = message.attr("from").and_then(|from| Jid::new(from).ok()).ok_or_else(|| unreadable("no sender"))?;
    Reader { identity, raw, message: &message, from: from.into_bare().into() }.read()
}

pub struct Reader<'a> {
    pub identity: &'a Identity,
    pub raw: &'a RawArrival,
    pub message: &'a Element,
    /// Without the device; with their name there for who is in a room.
    pub from: Jid,
}

impl Reader<'_> {
    pub fn read(&self) -> Result<Read, Failure> {
        let (inbound, file) = match sort(self.message) {
            Sort::Receipt => {
                let nothing = || Failure::permanent(Reason::Unreadable, "a receipt of nothing");
                (self.receipt().ok_or_else(nothing)?, None)
            }
            _ => self.words(),
        };
        Ok(Read { inbound, file })
    }

    fn sender(&self) -> RemoteUserId {
        RemoteUserId::new(self.from.as_str())
    }

    fn receipt(&self) -> Option<Inbound> {
        let marked = |name, namespace| self.message.get_child(name, namespace)?.attr("id");
        let (id, state, detail) = if self.message.attr("type") == Some("error") {
            let failure = error::failure(self.message);
            (own_id(self.message)?, ReceiptState::Failed(failure.reason), failure.detail)
        } else if let Some(id) = marked("displayed", ns::MARKERS) {
            (id, ReceiptState::Read, "displayed".to_owned())
        } else {
            (marked("received", ns::RECEIPTS)?, ReceiptState::Delivered, "received".to_owned())
        };
        // A file of a message has an id of its own behind that of the message.
        let message = RemoteMessageId::new(id.split('-').next().unwrap_or(id));
        Some(Inbound::Receipt(Receipt { message, to: Some(self.sender()), state, detail }))
    }

    pub fn words(&self) -> (Inbound, Option<String>) {
        if let Some(target) = self.taken_back() {
            let (from, to) = (self.sender(), self.raw.to.clone());
            return (Inbound::TakenBack(TakenBack { from, to, message: message_of(&self.from, target) }), None);
        }
        if let Some(reactions) = self.message.get_child("reactions", ns::REACTIONS) {
            let emoji = reactions.children().filter(|child| child.name() == "reaction").map(|child| child.text());
            let mut emoji: Vec<String> =
                emoji.map(|emoji| emoji.trim().to_owned()).filter(|it| !it.is_empty()).collect();
            emoji.dedup();
            let target = reactions.attr("id").unwrap_or_default();
            let (messages, message) = (self.candidates(target, None), reactions_of(&self.from, target));
            let (from, to) = (self.sender(), self.raw.to.clone());
            return (Inbound::Reactions(Reactions { message, from, to, messages, emoji }), None);
        }
        self.arrival()
    }

    fn arrival(&self) -> (Inbound, Option<String>) {
        let reply = self.message.get_child("reply", ns::REPLY);
        let file = self.message.get_child("x", ns::OOB).and_then(|oob| child_text(oob, "url", ns::OOB));
        let mut body = self.body(reply.is_some());
        if file.as_deref().is_some_and(|url| url.trim() == body.text.trim()) {
            body = Body::default();
        }
        let answers = reply.and_then(|reply| Some(self.candidates(reply.attr("id")?, reply.attr("to"))));
        let replaced = self.message.get_child("replace", ns::CORRECT).and_then(|it| it.attr("id"));
        let id = match id_of(self.message) {
            Some(id) => id.to_owned(),
            None => self.raw.source.to_string(),
        };
        let nick =
            child_text(self.message, "nick", ns::NICK).map(|nick| nick.trim().chars().take(NAME).collect::<String>());
        let arrival = Arrival {
            message: message_of(&self.from, &id),
            from: self.sender(),
            from_name: nick.filter(|nick| !nick.is_empty()),
            verified: true,
            to: self.raw.to.clone(),
            staff: vec![self.raw.to.clone()],
            others: Vec::new(),
            answers_to: Vec::new(),
            // A correction belongs where its message is.
            answers: answers.or_else(|| Some(vec![message_of(&self.from, replaced?)])).unwrap_or_default(),
            automatic: false,
            reaction: None,
            shows_reactions: false,
            replaces: replaced.map(|id| message_of(&self.from, id)),
            subject: None,
            written_at: stamp::written_at(self.message),
            body,
            attachments: Vec::new(),
            original: None,
        };
        (Inbound::Message(Box::new(arrival)), file.map(|url| url.trim().to_owned()))
    }

    fn body(&self, is_reply: bool) -> Body {
        let text = child_text(self.message, "body", ns::COMPONENT).unwrap_or_default();
        let (text, is_whole) = if is_reply { self.without_quote(&text) } else { (text, true) };
        let subject = child_text(self.message, "subject", ns::COMPONENT).filter(|subject| !subject.trim().is_empty());
        if let Some(subject) = subject {
            return Body { text: format!("{}\n\n{text}", subject.trim()), html: None };
        }
        let rich = if is_whole { xhtml::html(self.message) } else { None };
        let is_styled = !self.message.has_child("unstyled", ns::STYLING);
        let html = rich.or_else(|| is_styled.then(|| styling::html(&text)).flatten());
        Body { text, html }
    }

    /// The text without what stands there for programs that show no replies, and whether that is all of it.
    fn without_quote(&self, text: &str) -> (String, bool) {
        let is_of_reply = |child: &&Element| child.is("fallback", ns::FALLBACK) && child.attr("for") == Some(ns::REPLY);
        let mut ranges = self.message.children().filter(is_of_reply).flat_map(Element::children);
        let number = |it: &Element, name: &str| it.attr(name).and_then(|n| n.parse::<usize>().ok());
        let Some(range) = ranges.find(|it| it.name() == "body") else { return (text.to_owned(), true) };
        let (Some(start), Some(end)) = (number(range, "start"), number(range, "end")) else {
            return (text.to_owned(), true);
        };
        let kept = text.chars().enumerate().filter(|(at, _)| *at < start || *at >= end).map(|(_, c)| c);
        (kept.collect::<String>().trim_start_matches('\n').to_owned(), false)
    }

    pub fn taken_back(&self) -> Option<&str> {
        if let Some(retract) = self.message.get_child("retract", ns::RETRACT_1) {
            return retract.attr("id");
        }
        let fastened = self.message.get_child("apply-to", ns::FASTEN)?;
        fastened.has_child("retract", ns::RETRACT_0).then(|| fastened.attr("id")).flatten()
    }

    /// The messages that an id may mean, the surest first. `author`: of the one that is meant, if that is said.
    fn candidates(&self, id: &str, author: Option<&str>) -> Vec<RemoteMessageId> {
        let ours = RemoteMessageId::new(id.split('-').next().unwrap_or(id));
        let theirs = message_of(&self.from, id);
        let author = author.and_then(|author| Jid::new(author).ok());
        let is_theirs = author.is_some_and(|author| self.identity.user_of(&author).is_none());
        if is_theirs { vec![theirs, ours] } else { vec![ours, theirs] }
    }
}
