//! The stanzas of a delivery as rooms, and those in them, want them. Pure.

use crate::{
    connectors::xmpp::xml::{Build, element, ns, stanza},
    ids::{Password, RemoteRoomId},
};
use xmpp_parsers::minidom::Element;

/// What is between two people, and nothing for all.
const ONLY_PRIVATE: &[(&str, &str)] =
    &[("request", ns::RECEIPTS), ("markable", ns::MARKERS), ("active", ns::CHAT_STATES), ("nick", ns::NICK)];

/// How far back a room is to tell what was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum History {
    None,
    /// Since this time (XEP-0082).
    Since(String),
}

/// For everybody in the room.
pub fn for_room(mut message: Element) -> Element {
    for (name, namespace) in ONLY_PRIVATE {
        message.remove_child(name, *namespace);
    }
    if let Some(mut reply) = message.remove_child("reply", ns::REPLY) {
        // The room's name for a message does not say who has written it.
        let id = reply.attr("id").unwrap_or_default().to_owned();
        reply = element("reply", ns::REPLY).with("id", &id);
        message.append_child(reply);
    }
    message.with("type", "groupchat")
}

/// For one in a room, through it (XEP-0045 section 7.5).
pub fn private(message: Element) -> Element {
    message.holding(element("x", ns::MUC_USER))
}

pub fn enter(from: &str, room: &RemoteRoomId, nick: &str, history: &History, password: Option<&Password>) -> Element {
    let back = element("history", ns::MUC);
    let back = match history {
        History::None => back.with("maxstanzas", "0"),
        History::Since(time) => back.with("since", time),
    };
    let mut x = element("x", ns::MUC).holding(back);
    if let Some(password) = password {
        x.append_child(element("password", ns::MUC).saying(password.expose()));
    }
    rename(from, room, nick).holding(x)
}

pub fn rename(from: &str, room: &RemoteRoomId, nick: &str) -> Element {
    stanza("presence", "", from, &format!("{room}/{nick}"))
}

pub fn leave(from: &str, room: &RemoteRoomId, nick: &str) -> Element {
    stanza("presence", "unavailable", from, &format!("{room}/{nick}"))
}

/// Opens a room that our coming has made, as it is (XEP-0045 section 10.1.2).
pub fn open(from: &str, room: &str, id: &str) -> Element {
    let form = element("x", ns::DATA).with("type", "submit");
    stanza("iq", "set", from, room).with("id", id).holding(element("query", ns::MUC_OWNER).holding(form))
}

/// Has a room change what somebody may do there (XEP-0045 sections 8 and 9). `item`: whom, and to what.
pub fn admin(from: &str, room: &RemoteRoomId, item: Element) -> Element {
    stanza("iq", "set", from, room.as_str()).holding(element("query", ns::MUC_ADMIN).holding(item))
}

pub fn item() -> Element {
    element("item", ns::MUC_ADMIN)
}

pub fn because(item: Element, reason: Option<&str>) -> Element {
    match reason {
        Some(reason) => item.holding(element("reason", ns::MUC_ADMIN).saying(reason)),
        None => item,
    }
}

/// Has a room take away what somebody has said there (XEP-0425), in its present form or in the one before.
pub fn take_away(from: &str, room: &RemoteRoomId, id: &str, is_new: bool) -> Element {
    let iq = stanza("iq", "set", from, room.as_str());
    match is_new {
        true => {
            let moderate = element("moderate", ns::MODERATE_1).with("id", id);
            iq.holding(moderate.holding(element("retract", ns::RETRACT_1)))
        }
        false => {
            let moderate = element("moderate", ns::MODERATE_0).holding(element("retract", ns::RETRACT_0));
            iq.holding(element("apply-to", ns::FASTEN).with("id", id).holding(moderate))
        }
    }
}

/// Whether one is in the room still (XEP-0410).
pub fn self_ping(from: &str, room: &RemoteRoomId, nick: &str) -> Element {
    stanza("iq", "get", from, &format!("{room}/{nick}")).holding(element("ping", ns::PING))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_gets_words_and_no_wish_for_receipts() {
        let message: Element = "<message xmlns='jabber:component:accept' type='chat' id='1'><body>x</body>\
            <request xmlns='urn:xmpp:receipts'/><nick xmlns='http://jabber.org/protocol/nick'>A</nick>\
            <reply xmlns='urn:xmpp:reply:0' id='s1' to='bau@rooms.test'/></message>"
            .parse()
            .unwrap();
        let message = for_room(message);
        assert_eq!(message.attr("type"), Some("groupchat"));
        assert!(!message.has_child("request", ns::RECEIPTS) && !message.has_child("nick", ns::NICK));
        let reply = message.get_child("reply", ns::REPLY).unwrap();
        assert_eq!((reply.attr("id"), reply.attr("to")), (Some("s1"), None));
    }

    #[test]
    fn nothing_old_is_told_unless_it_was_missed() {
        let room = RemoteRoomId::new("bau@rooms.test");
        let history = |history| {
            let presence = enter("a@m.test/f", &room, "Anna", &history, None);
            assert_eq!(presence.attr("to"), Some("bau@rooms.test/Anna"));
            let asked = presence.get_child("x", ns::MUC).unwrap().get_child("history", ns::MUC).unwrap().clone();
            (asked.attr("maxstanzas").map(str::to_owned), asked.attr("since").map(str::to_owned))
        };
        assert_eq!(history(History::None), (Some("0".into()), None));
        assert_eq!(history(History::Since("t".into())), (None, Some("t".into())));
    }

    #[test]
    fn a_password_goes_with_whoever_comes_in() {
        let room = RemoteRoomId::new("bau@rooms.test");
        let presence = enter("a@m.test/f", &room, "Anna", &History::None, Some(&Password::new("Zwei <Worte>")));
        let said = presence.get_child("x", ns::MUC).unwrap().get_child("password", ns::MUC).unwrap().text();
        assert_eq!(said, "Zwei <Worte>");
        assert_eq!(format!("{:?}", Password::new("geheim")), "Password");
    }
}
