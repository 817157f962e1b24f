//! Rooms, those in them, and under which name ours go in. Pure.

use crate::{
    connectors::xmpp::address::Identity,
    ids::{LocalUser, RemoteRoomId, RemoteUserId},
};
use xmpp_parsers::jid::{BareJid, FullJid, ResourcePart};

/// A name in a room is at most so long, in characters.
const LONGEST: usize = 60;

/// A room that a person typed; `None` for an address with a device or a nick, and for our own domain.
pub fn room(identity: &Identity, text: &str) -> Option<RemoteRoomId> {
    let text = text.trim();
    let text = text.strip_prefix("xmpp:").unwrap_or(text);
    let jid = BareJid::new(text.split('?').next()?).ok()?;
    jid.node()?;
    (jid.domain() != identity.domain.domain()).then(|| RemoteRoomId::new(jid.as_str()))
}

/// Somebody in a room, by their address there.
pub fn occupant(identity: &Identity, text: &str) -> Option<RemoteUserId> {
    let jid = FullJid::new(text).ok()?;
    jid.node()?;
    (jid.domain() != identity.domain.domain()).then(|| RemoteUserId::new(jid.as_str()))
}

/// The room that somebody is in. Only they have a resource in their id.
pub fn room_of(person: &RemoteUserId) -> Option<RemoteRoomId> {
    person.as_str().split_once('/').map(|(room, _)| RemoteRoomId::new(room))
}

/// How the ids of all who are in a room begin.
pub fn beginning(room: &RemoteRoomId) -> String {
    format!("{room}/")
}

/// The id of somebody in a room.
pub fn occupant_of(room: &BareJid, nick: &str) -> RemoteUserId {
    RemoteUserId::new(format!("{room}/{nick}"))
}

/// Under which name somebody goes in, in the normal form; `attempt`: how many other ones were taken.
pub fn nick(name: &str, user: &LocalUser, attempt: u32) -> String {
    let words: Vec<&str> =
        name.split(|c: char| c.is_whitespace() || c.is_control()).filter(|it| !it.is_empty()).collect();
    let name: String = words.join(" ").chars().take(LONGEST).collect();
    let wanted = match attempt {
        _ if name.is_empty() => user.to_string(),
        0 => name,
        1 => format!("{name} ({user})"),
        more => format!("{name} ({user} {more})"),
    };
    let normal = |text: &str| ResourcePart::new(text).ok().map(|part| part.to_string());
    normal(&wanted).or_else(|| normal(&format!("{user} {attempt}"))).unwrap_or_else(|| user.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours() -> Identity {
        Identity::new("m.test").unwrap()
    }

    #[test]
    fn a_room_has_one_normal_form_however_it_is_typed() {
        for typed in ["bau@rooms.test", " Bau@Rooms.test ", "xmpp:bau@rooms.test?join"] {
            assert_eq!(room(&ours(), typed), Some(RemoteRoomId::new("bau@rooms.test")), "{typed}");
        }
        for none in ["rooms.test", "bau@rooms.test/Bob", "anna@m.test", "kein raum", ""] {
            assert_eq!(room(&ours(), none), None, "{none}");
        }
    }

    #[test]
    fn whoever_is_in_a_room_is_known_by_their_place_there() {
        let bob = occupant(&ours(), "bau@rooms.test/Bob Meier").unwrap();
        assert_eq!(room_of(&bob), Some(RemoteRoomId::new("bau@rooms.test")));
        assert!(bob.as_str().starts_with(&beginning(&RemoteRoomId::new("bau@rooms.test"))));
        assert_eq!(bob, occupant_of(&BareJid::new("bau@rooms.test").unwrap(), "Bob Meier"));
        assert_eq!(room_of(&RemoteUserId::new("bob@x.test")), None);
        assert_eq!(room_of(&RemoteUserId::of_room(&RemoteRoomId::new("bau@rooms.test"))), None);
        assert_eq!(occupant(&ours(), "bau@rooms.test"), None);
    }

    #[test]
    fn a_name_that_is_taken_is_told_apart_and_none_is_empty() {
        let anna = LocalUser::new("anna");
        let names: Vec<String> = (0..3).map(|attempt| nick(" Anna\n Muster ", &anna, attempt)).collect();
        assert_eq!(names, ["Anna Muster", "Anna Muster (anna)", "Anna Muster (anna 2)"]);
        assert_eq!(nick("\u{7}", &anna, 0), "anna");
        assert_eq!(nick(&"ä".repeat(500), &anna, 0).chars().count(), LONGEST);
    }
}
