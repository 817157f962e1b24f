//! The few kinds of event that matter here, read from what the homeserver pushes.

use crate::matrix::content::{self, Annotation, Said};
use ruma::{EventId, OwnedEventId, OwnedRoomId, OwnedUserId, UserId};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// An event that matters to the bridge.
#[derive(Clone, Debug)]
pub(super) struct Event<'a> {
    pub id: OwnedEventId,
    pub room: OwnedRoomId,
    pub sender: OwnedUserId,
    /// Milliseconds since 1970, as the sender's server says.
    pub at: i64,
    pub kind: Kind,
    /// The whole event.
    pub json: &'a str,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Member {
        user: OwnedUserId,
        membership: Change,
        name: Option<String>,
        direct: bool,
        reason: Option<String>,
    },
    Said(Box<Said>),
    Reaction(Annotation),
    /// This event was taken back.
    Redaction(OwnedEventId),
    /// Something that has no form outside Matrix.
    Untold(Untold),
    /// A message that we cannot read.
    Encrypted,
    RoomName(Option<String>),
    /// What the room is about.
    Topic(String),
    /// Encryption was switched on.
    Encryption,
    /// This room has taken the place of the event's.
    Tombstone(OwnedRoomId),
}

impl Kind {
    /// Whether people said something by it, in a wide sense.
    pub(super) fn is_said(&self) -> bool {
        match self {
            Self::Said(_) | Self::Reaction(_) | Self::Redaction(_) | Self::Untold(_) | Self::Encrypted => true,
            Self::Member { .. } | Self::RoomName(_) | Self::Topic(_) | Self::Encryption | Self::Tombstone(_) => false,
        }
    }
}

/// What cannot cross, however it is turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untold {
    Call,
    LiveLocation,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Change {
    Invite,
    Join,
    Leave,
    Ban,
    Knock,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    event_id: OwnedEventId,
    room_id: OwnedRoomId,
    sender: OwnedUserId,
    #[serde(default)]
    origin_server_ts: i64,
    #[serde(borrow)]
    state_key: Option<Cow<'a, str>>,
    /// Of a redaction in rooms before version 11; since then it stands in the content.
    redacts: Option<OwnedEventId>,
    #[serde(borrow)]
    content: &'a RawValue,
}

#[derive(Deserialize)]
struct MemberContent {
    membership: Change,
    #[serde(default)]
    displayname: Option<String>,
    #[serde(default)]
    is_direct: Option<bool>,
    #[serde(default)]
    reason: Option<String>,
}

#[derive(Deserialize)]
struct NameContent {
    #[serde(default)]
    name: Option<String>,
}

#[derive(Deserialize)]
struct TopicContent {
    #[serde(default)]
    topic: Option<String>,
}

#[derive(Deserialize)]
struct TombstoneContent {
    replacement_room: OwnedRoomId,
}

#[derive(Deserialize)]
struct RedactionContent {
    redacts: Option<OwnedEventId>,
}

#[derive(Deserialize)]
struct BeaconContent {
    #[serde(default)]
    live: bool,
}

impl Event<'_> {
    /// Whether others may hear of what passes in the room from now on.
    pub(super) fn changes_hearers(&self) -> bool {
        matches!(self.kind, Kind::Member { .. } | Kind::Encryption)
    }
}

impl<'a> Event<'a> {
    /// `Ok(None)` for events that do not matter here, and for those of a sender who is passed over: half of what the
    /// homeserver pushes is the echo of our own ghosts, and must not cost more than this.
    pub(super) fn parse(
        json: &'a str,
        pass_over: impl Fn(&UserId, &EventId) -> bool,
    ) -> Result<Option<Self>, serde_json::Error> {
        let Envelope { kind, event_id, room_id, sender, origin_server_ts, state_key, redacts, content } =
            serde_json::from_str(json)?;
        if pass_over(&sender, &event_id) {
            return Ok(None);
        }
        let content = content.get();
        let kind = match (kind.as_ref(), state_key.as_deref()) {
            ("m.room.member", Some(user)) => {
                let user = OwnedUserId::try_from(user).map_err(serde::de::Error::custom)?;
                let MemberContent { membership, displayname, is_direct, reason } = serde_json::from_str(content)?;
                let (name, reason, direct) = (storable(displayname), storable(reason), is_direct.unwrap_or(false));
                Kind::Member { user, membership, name, direct, reason }
            }
            ("m.reaction", None) => match content::annotation(content)? {
                Some(annotation) => Kind::Reaction(annotation),
                None => return Ok(None),
            },
            ("m.room.redaction", None) => {
                let target = redacts.or(serde_json::from_str::<RedactionContent>(content)?.redacts);
                match target {
                    Some(target) => Kind::Redaction(target),
                    None => return Ok(None),
                }
            }
            ("m.call.invite", None) => Kind::Untold(Untold::Call),
            ("m.beacon_info" | "org.matrix.msc3672.beacon_info", Some(_)) => {
                if !serde_json::from_str::<BeaconContent>(content)?.live {
                    return Ok(None);
                }
                Kind::Untold(Untold::LiveLocation)
            }
            ("m.room.encrypted", None) => Kind::Encrypted,
            ("m.room.name", Some("")) => Kind::RoomName(storable(serde_json::from_str::<NameContent>(content)?.name)),
            ("m.room.topic", Some("")) => {
                Kind::Topic(storable(serde_json::from_str::<TopicContent>(content)?.topic).unwrap_or_default())
            }
            ("m.room.encryption", Some("")) => Kind::Encryption,
            ("m.room.tombstone", Some("")) => {
                Kind::Tombstone(serde_json::from_str::<TombstoneContent>(content)?.replacement_room)
            }
            (kind, None) => match content::said(kind, content)? {
                Some(said) => Kind::Said(Box::new(said)),
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
        Ok(Some(Self { id: event_id, room: room_id, sender, at: origin_server_ts, kind, json }))
    }
}

/// PostgreSQL takes no NUL in a text; an event that names one must not stop all others.
pub(super) fn storable(text: Option<String>) -> Option<String> {
    text.map(|text| text.replace('\0', "").trim().to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Option<Event<'_>>, serde_json::Error> {
        Event::parse(json, |_, _| false)
    }

    fn event(kind: &str, state_key: &str, content: &str) -> String {
        format!(
            r#"{{"type":"{kind}","event_id":"$e","room_id":"!r:x","sender":"@a:x",{state_key}"content":{content}}}"#
        )
    }

    #[test]
    fn redacted_and_foreign_events_do_not_matter() {
        for json in [
            event("m.room.message", "", "{}"),
            event("m.reaction", "", "{}"),
            event("m.room.message", r#""state_key":"","#, r#"{"msgtype":"m.text","body":"x"}"#),
        ] {
            assert!(parse(&json).unwrap().is_none(), "{json}");
        }
    }

    #[test]
    fn a_redaction_names_its_target_in_rooms_of_every_version() {
        let old = event("m.room.redaction", r#""redacts":"$old","#, "{}");
        let new = event("m.room.redaction", "", r#"{"redacts":"$old"}"#);
        for json in [old, new] {
            let Some(Event { kind: Kind::Redaction(target), .. }) = parse(&json).unwrap() else { panic!("{json}") };
            assert_eq!(target, "$old");
        }
    }

    #[test]
    fn only_a_live_location_that_begins_is_told_of() {
        let beacon = |live: bool| event("m.beacon_info", r#""state_key":"@a:x","#, &format!(r#"{{"live":{live}}}"#));
        assert!(matches!(parse(&beacon(true)).unwrap().unwrap().kind, Kind::Untold(Untold::LiveLocation)));
        assert!(parse(&beacon(false)).unwrap().is_none());
    }

    #[test]
    fn a_name_never_carries_what_a_database_refuses() {
        let json =
            event("m.room.member", r#""state_key":"@a:x","#, r#"{"membership":"join","displayname":"A\u0000nna"}"#);
        let Some(Event { kind: Kind::Member { name, .. }, .. }) = parse(&json).unwrap() else { panic!() };
        assert_eq!(name.as_deref(), Some("Anna"));
    }

    #[test]
    fn what_is_not_an_event_is_an_error() {
        assert!(parse("{}").is_err());
        assert!(parse(&event("m.room.member", r#""state_key":"nobody","#, r#"{"membership":"join"}"#)).is_err());
    }
}
