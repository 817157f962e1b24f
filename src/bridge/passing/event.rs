//! Ephemeral events as the homeserver pushes them (Application Service API 1.13; before that MSC2409). Pure.

use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, UserId};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

/// What matters of them; without our own users.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Passed {
    /// All who write in the room now.
    Writing(OwnedRoomId, BTreeSet<OwnedUserId>),
    /// Up to where somebody has read.
    Read(OwnedRoomId, Vec<(OwnedUserId, OwnedEventId)>),
}

impl Passed {
    pub(super) fn room(&self) -> &OwnedRoomId {
        match self {
            Self::Writing(room, _) | Self::Read(room, _) => room,
        }
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    room_id: OwnedRoomId,
    #[serde(borrow)]
    content: &'a RawValue,
}

#[derive(Deserialize)]
struct Writers {
    user_ids: BTreeSet<OwnedUserId>,
}

/// `m.read.private` is not even looked at: what somebody keeps to themself does not go out.
#[derive(Deserialize)]
struct Readers {
    #[serde(default, rename = "m.read")]
    read: BTreeMap<OwnedUserId, IgnoredAny>,
}

/// `None` for presence, for what only our own users do, and for what is not as it should be: there will be more of it.
pub(super) fn read(json: &str, is_ours: impl Fn(&UserId) -> bool) -> Option<Passed> {
    let Envelope { kind, room_id, content } = serde_json::from_str(json).ok()?;
    match kind.as_ref() {
        "m.typing" => {
            let Writers { mut user_ids } = serde_json::from_str(content.get()).ok()?;
            user_ids.retain(|user| !is_ours(user));
            Some(Passed::Writing(room_id, user_ids))
        }
        "m.receipt" => {
            let receipts: BTreeMap<OwnedEventId, Readers> = serde_json::from_str(content.get()).ok()?;
            let mut read = Vec::new();
            for (event, readers) in receipts {
                let others = readers.read.into_keys().filter(|user| !is_ours(user));
                read.extend(others.map(|user| (user, event.clone())));
            }
            (!read.is_empty()).then_some(Passed::Read(room_id, read))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ruma::{owned_event_id, owned_room_id, owned_user_id};

    fn passed(json: &str) -> Option<Passed> {
        read(json, |user| user.localpart().starts_with('_'))
    }

    #[test]
    fn those_who_write_are_named_without_our_own() {
        let json = r#"{"type":"m.typing","room_id":"!r:x","content":{"user_ids":["@anna:x","@_xmpp_bob:x"]}}"#;
        let writers = BTreeSet::from([owned_user_id!("@anna:x")]);
        assert_eq!(passed(json), Some(Passed::Writing(owned_room_id!("!r:x"), writers)));
        let nobody = r#"{"type":"m.typing","room_id":"!r:x","content":{"user_ids":[]}}"#;
        assert_eq!(passed(nobody), Some(Passed::Writing(owned_room_id!("!r:x"), BTreeSet::new())));
    }

    #[test]
    fn what_is_read_in_private_is_not_told() {
        let receipt = |kind: &str, user: &str| {
            format!(
                r#"{{"type":"m.receipt","room_id":"!r:x","content":{{"$e":{{"{kind}":{{"{user}":{{"ts":1}}}}}}}}}}"#
            )
        };
        let read = vec![(owned_user_id!("@anna:x"), owned_event_id!("$e"))];
        assert_eq!(passed(&receipt("m.read", "@anna:x")), Some(Passed::Read(owned_room_id!("!r:x"), read)));
        assert_eq!(passed(&receipt("m.read.private", "@anna:x")), None);
        assert_eq!(passed(&receipt("m.read", "@_xmpp_bob:x")), None, "that is ourselves");
    }

    #[test]
    fn anything_else_is_nothing() {
        for json in [
            "",
            "7",
            r#"{"type":"m.presence","content":{}}"#,
            r#"{"type":"m.typing","room_id":"!r:x","content":{"user_ids":"@anna:x"}}"#,
            r#"{"type":"m.receipt","room_id":"!r:x","content":{"$e":7}}"#,
            r#"{"type":"m.typing","content":{"user_ids":[]}}"#,
        ] {
            assert_eq!(passed(json), None, "{json}");
        }
    }
}
