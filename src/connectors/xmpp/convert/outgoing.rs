//! A delivery as stanzas. Pure.

use super::{plain, stamp};
use crate::{
    connectors::xmpp::{
        address::{self, Identity},
        xml::{Build, element, ns, stanza},
    },
    failure::{Failure, Reason},
    ids::RemoteMessageId,
    message::{Body, Delivery},
};
use xmpp_parsers::minidom::Element;

/// The stanzas of one delivery, in order; all of them carry ids made from the delivery's.
#[derive(Clone, Debug, PartialEq)]
pub struct Composed {
    /// What answers and receipts name.
    pub message: RemoteMessageId,
    pub stanzas: Vec<Element>,
}

/// `uploads`: where each attachment can be fetched. `now`: in milliseconds since 1970.
pub fn compose(identity: &Identity, delivery: &Delivery, uploads: &[String], now: i64) -> Result<Composed, Failure> {
    let nobody = || Failure::permanent(Reason::Unreadable, "the writer has a name that no JID can hold");
    let from = identity.full_address_of(&delivery.writer.user).ok_or_else(nobody)?;
    let delay = stamp::delay(delivery.written_at, now, identity.domain.as_str());
    let envelope = Envelope { delivery, from, delay };
    let id = delivery.id.as_str();
    let words = envelope.words();
    let mut stanzas = Vec::new();
    if let Some(topic) = &delivery.topic {
        stanzas.push(envelope.stanza(id).holding(element("subject", ns::COMPONENT).saying(topic)));
    } else if let Some(target) = &delivery.takes_back {
        stanzas.push(envelope.retraction(id, target));
    } else if let (Some(emoji), Some(target)) = (&delivery.reactions, &delivery.thread.parent) {
        stanzas.push(envelope.reactions(id, target, emoji));
    } else if !words.trim().is_empty() || uploads.is_empty() {
        stanzas.push(envelope.message(id, &words));
    }
    for (n, url) in uploads.iter().enumerate() {
        let id = if stanzas.is_empty() { id.to_owned() } else { format!("{id}-{}", n + 1) };
        stanzas.push(envelope.file(&id, url));
    }
    Ok(Composed { message: RemoteMessageId::new(id), stanzas })
}

struct Envelope<'a> {
    delivery: &'a Delivery,
    from: String,
    /// Should it have waited long.
    delay: Option<Element>,
}

impl Envelope<'_> {
    /// What people read, and of which we wish to know whether it came.
    fn stanza(&self, id: &str) -> Element {
        self.bare(id).holding(element("request", ns::RECEIPTS))
    }

    /// With what every message has: who writes, and an id that stays (XEP-0359).
    fn bare(&self, id: &str) -> Element {
        let mut stanza = stanza("message", "chat", &self.from, self.delivery.to.address())
            .with("id", id)
            .holding(element("origin-id", ns::SID).with("id", id))
            .holding(element("nick", ns::NICK).saying(&self.delivery.writer.name));
        if let Some(delay) = &self.delay {
            stanza.append_child(delay.clone());
        }
        stanza
    }

    fn words(&self) -> String {
        let Body { text, html } = &self.delivery.body;
        html.as_deref().and_then(plain::styled).unwrap_or_else(|| text.clone())
    }

    fn message(&self, id: &str, words: &str) -> Element {
        let quote = self.quote();
        let mut message = self
            .stanza(id)
            .holding(element("markable", ns::MARKERS))
            .holding(element("active", ns::CHAT_STATES))
            .holding(body(&format!("{quote}{words}")));
        if let Some(target) = &self.delivery.replaces {
            let (_, target) = address::stanza_id(target);
            message.append_child(element("replace", ns::CORRECT).with("id", target));
        } else if let Some(target) = self.delivery.thread.parent.as_ref().filter(|_| self.delivery.quote.is_some()) {
            message.append_child(self.reply(target));
            if !quote.is_empty() {
                message.append_child(fallback(ns::REPLY, Some(quote.chars().count())));
            }
        }
        message
    }

    /// What programs without XEP-0461 show of the message that this one answers.
    fn quote(&self) -> String {
        let quote = self.delivery.quote.as_ref().filter(|_| self.delivery.replaces.is_none());
        quote.map(|quote| quote.text.lines().map(|line| format!("> {line}\n")).collect()).unwrap_or_default()
    }

    fn reply(&self, target: &RemoteMessageId) -> Element {
        let (author, id) = address::stanza_id(target);
        element("reply", ns::REPLY).with("id", id).with("to", author.unwrap_or(&self.from))
    }

    fn file(&self, id: &str, url: &str) -> Element {
        let oob = element("x", ns::OOB).holding(element("url", ns::OOB).saying(url));
        self.stanza(id).holding(element("markable", ns::MARKERS)).holding(body(url)).holding(oob)
    }

    /// All that the writer has there now (XEP-0444 section 3): what is not named is gone.
    fn reactions(&self, id: &str, target: &RemoteMessageId, emoji: &[String]) -> Element {
        let (_, target) = address::stanza_id(target);
        let mut reactions = element("reactions", ns::REACTIONS).with("id", target);
        for emoji in emoji {
            reactions.append_child(element("reaction", ns::REACTIONS).saying(emoji));
        }
        self.bare(id).holding(reactions).holding(element("store", ns::HINTS))
    }

    fn retraction(&self, id: &str, target: &RemoteMessageId) -> Element {
        let (_, target) = address::stanza_id(target);
        self.stanza(id)
            .holding(element("retract", ns::RETRACT_1).with("id", target))
            .holding(fallback(ns::RETRACT_1, None))
            .holding(body(&self.delivery.body.text))
            .holding(element("store", ns::HINTS))
    }
}

fn body(text: &str) -> Element {
    element("body", ns::COMPONENT).saying(text)
}

/// Says that the first characters of the body, or all of it, are only for programs that do not know the rest (XEP-0428).
fn fallback(of: &str, characters: Option<usize>) -> Element {
    let part = element("body", ns::FALLBACK);
    let part = match characters {
        Some(end) => part.with("start", "0").with("end", &end.to_string()),
        None => part,
    };
    element("fallback", ns::FALLBACK).with("for", of).holding(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ids::{DeliveryId, LocalUser, RemoteUserId},
        message::{Quote, Thread, Writer},
    };

    fn delivery(text: &str) -> Delivery {
        Delivery {
            id: DeliveryId::new("id1"),
            writer: Writer { user: LocalUser::new("anna"), name: "Anna Muster".into() },
            author: None,
            to: RemoteUserId::new("bob@xmpp.test"),
            audience: vec![RemoteUserId::new("bob@xmpp.test")],
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
            body: Body { text: text.into(), html: None },
            attachments: Vec::new(),
            written_at: 0,
        }
    }

    fn composed(delivery: &Delivery, uploads: &[&str]) -> Vec<Element> {
        let uploads: Vec<String> = uploads.iter().map(|url| (*url).to_owned()).collect();
        compose(&Identity::new("m.test").unwrap(), delivery, &uploads, 0).unwrap().stanzas
    }

    fn only(delivery: &Delivery) -> Element {
        composed(delivery, &[]).remove(0)
    }

    fn text(message: &Element) -> String {
        message.get_child("body", ns::COMPONENT).unwrap().text()
    }

    #[test]
    fn a_message_says_who_writes_and_asks_for_a_receipt() {
        let message = only(&delivery("Guten Tag"));
        let attributes = ["from", "to", "id", "type"].map(|it| message.attr(it).unwrap());
        assert_eq!(attributes, ["anna@m.test/fehmarn", "bob@xmpp.test", "id1", "chat"]);
        assert_eq!(text(&message), "Guten Tag");
        assert_eq!(message.get_child("nick", ns::NICK).unwrap().text(), "Anna Muster");
        assert!(message.has_child("request", ns::RECEIPTS) && message.has_child("markable", ns::MARKERS));
    }

    #[test]
    fn an_answer_names_what_it_answers_and_quotes_it_for_old_programs() {
        let mut answer = delivery("Um 10");
        answer.quote = Some(Quote { author: "Bob".into(), text: "Wänn?\nUnd wo?".into() });
        answer.thread.parent = Some(RemoteMessageId::new("bob@xmpp.test b1"));
        let message = only(&answer);
        assert_eq!(text(&message), "> Wänn?\n> Und wo?\nUm 10");
        let reply = message.get_child("reply", ns::REPLY).unwrap();
        assert_eq!((reply.attr("id"), reply.attr("to")), (Some("b1"), Some("bob@xmpp.test")));
        let range = message.get_child("fallback", ns::FALLBACK).unwrap().children().next().unwrap();
        assert_eq!((range.attr("start"), range.attr("end")), (Some("0"), Some("18")), "characters, not bytes");
        answer.quote = None;
        assert!(!only(&answer).has_child("reply", ns::REPLY), "it only follows it");
    }

    #[test]
    fn corrections_retractions_and_reactions_name_their_message() {
        let target = RemoteMessageId::new("old");
        let correction = only(&Delivery { replaces: Some(target.clone()), ..delivery("neu") });
        assert_eq!(correction.get_child("replace", ns::CORRECT).unwrap().attr("id"), Some("old"));
        let retraction = only(&Delivery { takes_back: Some(target), ..delivery("Zurückgezogen") });
        assert_eq!(retraction.get_child("retract", ns::RETRACT_1).unwrap().attr("id"), Some("old"));

        let mut reaction = delivery("👍");
        reaction.thread.parent = Some(RemoteMessageId::new("bob@xmpp.test b1"));
        for emoji in [vec!["👍".to_owned(), "🎉".to_owned()], Vec::new()] {
            reaction.reactions = Some(emoji.clone());
            let stanza = only(&reaction);
            let reactions = stanza.get_child("reactions", ns::REACTIONS).unwrap();
            assert_eq!(reactions.attr("id"), Some("b1"));
            assert_eq!(reactions.children().map(Element::text).collect::<Vec<_>>(), emoji);
            assert!(!stanza.has_child("body", ns::COMPONENT) && !stanza.has_child("request", ns::RECEIPTS));
        }
    }

    #[test]
    fn each_file_is_a_message_of_its_own_and_the_first_stanza_has_the_id() {
        let ids = |stanzas: &[Element]| stanzas.iter().map(|it| it.attr("id").unwrap().to_owned()).collect::<Vec<_>>();
        let files = composed(&delivery(""), &["https://x/1", "https://x/2"]);
        assert_eq!(ids(&files), ["id1", "id1-2"]);
        assert_eq!(text(&files[0]), "https://x/1");
        assert!(files[0].has_child("x", ns::OOB));
        assert_eq!(ids(&composed(&delivery("Anbei"), &["https://x/1"])), ["id1", "id1-1"]);
    }

    #[test]
    fn what_has_waited_long_says_when_it_was_written() {
        let at = |now| {
            let composed = compose(&Identity::new("m.test").unwrap(), &delivery("Guten Tag"), &[], now).unwrap();
            composed.stanzas[0].get_child("delay", ns::DELAY).map(|delay| delay.attr("stamp").unwrap().to_owned())
        };
        assert_eq!(at(1000), None);
        assert_eq!(at(3_600_000).as_deref(), Some("1970-01-01T00:00:00+00:00"));
    }

    #[test]
    fn marked_words_get_signs() {
        let mut bold = delivery("Bitte heute");
        bold.body.html = Some("Bitte <b>heute</b>".into());
        assert_eq!(text(&only(&bold)), "Bitte *heute*");
    }
}
