//! What is written down of a room before it is understood: a message that was said there, a message from one in the room
//! to one of ours, and news about who is there. Pure but for what tells one occasion from another.

use crate::{
    connectors::xmpp::{
        convert::incoming,
        xml::{Build, element, ns, write},
    },
    ids::{LocalUser, RemoteRoomId, SourceId},
    message::{Happening, Occupant, Parting, RawArrival},
};
use data_encoding::BASE32_NOPAD;
use sha2::{Digest, Sha256};
use xmpp_parsers::{jid::BareJid, minidom::Element};

/// How all of it begins.
const BEGINNING: &str = "<room xmlns='https://fehmarn.org/room'";
const LANE: &str = "room ";
/// What a room or a server adds to a message, and not always.
const ADDED: &[&str] = &["delay", "stanza-id", "occupant-id", "addresses"];

/// There are programs that count from 1 each time they are started. Longer ids are never used twice.
const LONG: usize = 8;

pub fn is_written_down(raw: &[u8]) -> bool {
    raw.starts_with(BEGINNING.as_bytes())
}

/// The room of whose arrivals this is the lane.
pub fn room_of_lane(lane: &str) -> Option<&str> {
    lane.strip_prefix(LANE)
}

fn lane(room: impl std::fmt::Display) -> String {
    format!("{LANE}{room}")
}

fn holder(what: &str, room: impl std::fmt::Display) -> Element {
    element("room", ns::OWN_ROOM).with("what", what).with("room", &room.to_string())
}

fn random() -> SourceId {
    SourceId::new(BASE32_NOPAD.encode(&rand::random::<[u8; 16]>()))
}

/// What the room itself calls a message (XEP-0359); whatever others claim is not believed.
pub fn stanza_id<'m>(message: &'m Element, room: &BareJid) -> Option<&'m str> {
    let is_its = |child: &&Element| child.is("stanza-id", ns::SID) && child.attr("by") == Some(room.as_str());
    message.children().find(is_its)?.attr("id").filter(|id| !id.is_empty())
}

/// Something that was said in the room. Each of ours gets it; all of these copies are one arrival.
pub fn said(message: &Element, room: &BareJid, to: &LocalUser) -> RawArrival {
    let raw = write(&holder("said", room).holding(message.clone())).into();
    let by_room = stanza_id(message, room).map(|id| SourceId::new(format!("{room} {id}")));
    let by_author = by_author(message, room);
    let (source, also) = match by_room {
        // Whose program heard nothing of its words says them again with the same id, and the room takes them for new ones.
        Some(by_room) => (by_room, by_author.filter(|_| incoming::id_of(message).is_some_and(|id| id.len() >= LONG))),
        None => (by_author.unwrap_or_else(random), None),
    };
    RawArrival { source, also, lane: lane(room), to: to.clone(), raw }
}

/// What tells these words of their author from all others; `None` if they have no id.
fn by_author(message: &Element, room: &BareJid) -> Option<SourceId> {
    let id = incoming::id_of(message)?;
    let mut hash = Sha256::new();
    let mut field = |text: &str| {
        hash.update(text.as_bytes());
        hash.update([0]);
    };
    field(message.attr("from").unwrap_or_default());
    field(id);
    let is_added = |child: &Element| ADDED.contains(&child.name()) || child.name() == "x" && !child.is("x", ns::OOB);
    for child in message.children().filter(|child| !is_added(child)) {
        field(child.name());
        field(&child.text());
        field(child.attr("id").unwrap_or_default());
    }
    Some(SourceId::new(format!("{room} {}", BASE32_NOPAD.encode(&hash.finalize()).to_lowercase())))
}

/// What somebody in a room writes to one of ours alone.
pub fn private(message: &Element, from: &str, to: LocalUser) -> RawArrival {
    let room = from.split('/').next().unwrap_or_default();
    let raw = write(&holder("private", room).holding(message.clone())).into();
    RawArrival { raw, ..incoming::arrival(message, from, to) }
}

/// News, other than words, of a room. `to`: one of ours who is there.
pub fn news(room: &BareJid, to: &LocalUser, news: &Happening) -> Option<RawArrival> {
    let written = match news {
        Happening::Came(occupant) => named(holder("came", room), occupant),
        Happening::Went { who, parting } => parted(holder("went", room).with("who", who.as_str()), parting),
        Happening::Present(people) => people.iter().fold(holder("present", room), |list, occupant| {
            list.holding(named(element("occupant", ns::OWN_ROOM), occupant))
        }),
        Happening::Topic(topic) => holder("topic", room).saying(topic),
        Happening::Named(name) => holder("named", room).saying(name),
        Happening::Closed(words) => holder("closed", room).saying(words.as_deref().unwrap_or_default()),
        Happening::Shut { user, parting } => parted(holder("shut", room).with("user", user.as_str()), parting),
        Happening::Said { .. } | Happening::TakenBack { .. } | Happening::Reactions(_) => return None,
    };
    let room = RemoteRoomId::new(room.as_str());
    Some(RawArrival { source: random(), also: None, lane: lane(room), to: to.clone(), raw: write(&written).into() })
}

fn named(element: Element, Occupant { who, name }: &Occupant) -> Element {
    element.with("who", who.as_str()).with("name", name)
}

fn parted(element: Element, parting: &Parting) -> Element {
    let (how, words) = match parting {
        Parting::Left => ("left", None),
        Parting::Renamed(name) => ("renamed", Some(name)),
        Parting::Kicked(words) => ("kicked", words.as_ref()),
        Parting::Banned(words) => ("banned", words.as_ref()),
        Parting::NotAdmitted => ("not-admitted", None),
        Parting::NeedsPassword => ("needs-password", None),
    };
    let element = element.with("how", how);
    match words {
        Some(words) => element.with("words", words),
        None => element,
    }
}

pub fn parting(element: &Element) -> Parting {
    let words = || element.attr("words").map(str::to_owned);
    match element.attr("how").unwrap_or_default() {
        "renamed" => Parting::Renamed(words().unwrap_or_default()),
        "kicked" => Parting::Kicked(words()),
        "banned" => Parting::Banned(words()),
        "not-admitted" => Parting::NotAdmitted,
        "needs-password" => Parting::NeedsPassword,
        _ => Parting::Left,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room() -> BareJid {
        BareJid::new("bau@rooms.test").unwrap()
    }

    fn message(id: &str, content: &str) -> Element {
        let xml = format!(
            "<message xmlns='jabber:component:accept' type='groupchat' from='bau@rooms.test/Bob' {id}>{content}</message>"
        );
        xml.parse().unwrap()
    }

    fn source_of(id: &str, content: &str) -> String {
        said(&message(id, content), &room(), &LocalUser::new("anna")).source.to_string()
    }

    #[test]
    fn what_is_written_down_is_known_by_its_beginning() {
        let arrival = said(&message("id='1'", "<body>x</body>"), &room(), &LocalUser::new("anna"));
        assert!(is_written_down(&arrival.raw), "{:?}", arrival.raw);
        assert_eq!(room_of_lane(&arrival.lane), Some("bau@rooms.test"));
        assert!(!is_written_down(b"<message xmlns='jabber:component:accept'/>"));
    }

    #[test]
    fn copies_and_what_is_told_again_are_one_arrival() {
        let body = "<body>Guten Tag</body>";
        let mark = "<stanza-id xmlns='urn:xmpp:sid:0' by='bau@rooms.test' id='s1'/>";
        let delay = "<delay xmlns='urn:xmpp:delay' stamp='2026-01-01T00:00:00Z'/>";
        let user = "<x xmlns='http://jabber.org/protocol/muc#user'/>";
        let first = source_of("id='1'", &format!("{body}{mark}"));
        assert_eq!(first, source_of("id='other'", &format!("{mark}{delay}")), "the room's own id counts");
        let false_mark = mark.replace("bau@", "eve@");
        assert_ne!(first, source_of("id='1'", &format!("{body}{false_mark}")), "and nobody else's");
        let plain = source_of("id='1'", body);
        assert_eq!(plain, source_of("id='1'", &format!("{body}{delay}{user}")));
        assert_ne!(plain, source_of("id='1'", "<body>Andere Worte</body>"));
        let again = mark.replace("s1", "s2");
        let also =
            |id: &str, mark: &str| said(&message(id, &format!("{body}{mark}")), &room(), &LocalUser::new("anna")).also;
        let id = "id='7c1e9a44'";
        assert_eq!(also(id, mark), also(id, &again), "said again under the same id");
        assert_eq!(
            also(id, mark).unwrap().to_string(),
            source_of(id, body),
            "or told by a room without ids of its own"
        );
        assert_eq!(also("id='1'", mark), None, "such an id comes again, with other words that are the same");
        assert_ne!(source_of("", body), source_of("", body), "without an id nothing tells a copy");
    }

    #[test]
    fn a_parting_is_read_as_it_was_written() {
        for it in [
            Parting::Left,
            Parting::Renamed("Bobby".into()),
            Parting::Kicked(Some("Ruhe".into())),
            Parting::Kicked(None),
            Parting::Banned(None),
            Parting::NotAdmitted,
            Parting::NeedsPassword,
        ] {
            assert_eq!(parting(&parted(element("room", ns::OWN_ROOM), &it)), it);
        }
    }
}
