//! Chat states (XEP-0085) and marks of what was read (XEP-0333), both ways. Pure.

use crate::{
    connectors::xmpp::{
        address::{self, Identity},
        xml::{Build, element, ns, stanza},
    },
    message::{ReadMark, Typing},
};
use xmpp_parsers::minidom::Element;

/// What a message says of its writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Writing,
    /// Not any more, or not yet.
    Idle,
    /// Nothing: the program knows no such states, or its owner does not want them shown.
    Unsaid,
}

pub fn state(message: &Element) -> State {
    if matches!(message.attr("type"), Some("error" | "groupchat" | "headline")) {
        return State::Unsaid;
    }
    match message.children().find(|child| child.ns() == ns::CHAT_STATES).map(Element::name) {
        Some("composing") => State::Writing,
        Some("active" | "paused" | "inactive" | "gone") => State::Idle,
        _ => State::Unsaid,
    }
}

/// Whoever has stopped is there still: "paused" would be shown as news of its own behind each message.
pub fn typing(identity: &Identity, typing: &Typing) -> Option<Element> {
    let from = identity.full_address_of(&typing.local)?;
    let state = if typing.active { "composing" } else { "active" };
    let message = stanza("message", "chat", &from, typing.remote.address());
    Some(message.holding(element(state, ns::CHAT_STATES)).holding(element("no-store", ns::HINTS)))
}

/// `None`: there is nothing that could be marked.
pub fn read(identity: &Identity, mark: &ReadMark) -> Option<Element> {
    let (author, id) = address::stanza_id(&mark.message);
    author.filter(|author| *author == mark.author.address())?;
    if address::is_of_reactions(&mark.message) {
        return None;
    }
    let from = identity.full_address_of(&mark.reader)?;
    let message = stanza("message", "chat", &from, mark.author.address()).with("id", &format!("read-{id}"));
    let displayed = element("displayed", ns::MARKERS).with("id", id);
    Some(message.holding(displayed).holding(element("store", ns::HINTS)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{LocalUser, RemoteMessageId, RemoteUserId};
    use xmpp_parsers::jid::BareJid;

    fn ours() -> Identity {
        Identity::new("m.test").unwrap()
    }

    fn message(kind: &str, content: &str) -> Element {
        format!("<message xmlns='jabber:component:accept' type='{kind}'>{content}</message>").parse().unwrap()
    }

    #[test]
    fn only_composing_is_writing() {
        let said = |kind: &str, state_: &str| {
            state(&message(kind, &format!("<{state_} xmlns='http://jabber.org/protocol/chatstates'/>")))
        };
        assert_eq!(said("chat", "composing"), State::Writing);
        for idle in ["active", "paused", "inactive", "gone"] {
            assert_eq!(said("chat", idle), State::Idle, "{idle}");
        }
        assert_eq!(said("chat", "dancing"), State::Unsaid);
        assert_eq!(said("groupchat", "composing"), State::Unsaid);
        assert_eq!(said("error", "composing"), State::Unsaid, "that is our own, given back");
        assert_eq!(state(&message("chat", "<body>x</body>")), State::Unsaid);
    }

    #[test]
    fn who_writes_and_who_stops_is_said_without_a_trace() {
        let said = |active| {
            let it = Typing { remote: RemoteUserId::new("bob@x.test"), local: LocalUser::new("anna"), active };
            typing(&ours(), &it).unwrap()
        };
        for (active, name) in [(true, "composing"), (false, "active")] {
            let message = said(active);
            assert_eq!((message.attr("from"), message.attr("to")), (Some("anna@m.test/fehmarn"), Some("bob@x.test")));
            assert!(message.has_child(name, ns::CHAT_STATES) && message.has_child("no-store", ns::HINTS));
            assert!(!message.has_child("body", ns::COMPONENT));
        }
    }

    #[test]
    fn only_what_somebody_has_written_themself_is_marked_for_them() {
        let mark = |author: &str, message: RemoteMessageId| {
            read(&ours(), &ReadMark { reader: LocalUser::new("anna"), author: RemoteUserId::new(author), message })
        };
        let bob = BareJid::new("bob@x.test").unwrap();
        let marked = mark("bob@x.test", address::message_of(&bob, "b 1")).unwrap();
        assert_eq!(marked.get_child("displayed", ns::MARKERS).unwrap().attr("id"), Some("b 1"));
        assert_eq!(marked.attr("to"), Some("bob@x.test"));
        assert_eq!(mark("eve@x.test", address::message_of(&bob, "b1")), None);
        assert_eq!(mark("bob@x.test", address::reactions_of(&bob, "b1")), None);
        assert_eq!(mark("bob@x.test", RemoteMessageId::new("ours")), None);
    }
}
