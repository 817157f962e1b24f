//! What waits in the outbox.

use super::{edit::Replaced, reaction::Folded};
use crate::{
    ids::RemoteUserId,
    matrix::written::Fallback,
    message::{Attachment, Body, Delivery},
};
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, UserId};
use serde::{Deserialize, Serialize};

/// The payload of an outbox row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Outgoing {
    pub room: OwnedRoomId,
    /// The ghost that says in the room what becomes of it.
    pub ghost: OwnedUserId,
    /// The root of the Matrix thread in which it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<OwnedEventId>,
    #[serde(default)]
    pub purpose: Purpose,
    /// Whether it begins a new conversation, with the subject that stands in `delivery`.
    #[serde(default)]
    pub anew: bool,
    /// How many people on other networks get the same.
    #[serde(default)]
    pub elsewhere: usize,
    /// The ghost of somebody outside whose words these are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<OwnedUserId>,
    /// Without words and files: those stand in `parts` until it is sent.
    pub delivery: Delivery,
    /// What was said, in order: several events are one delivery. Empty if all of it was taken back.
    #[serde(default)]
    pub parts: Vec<Part>,
    /// Reactions of which it tells as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reactions: Vec<Folded>,
    /// The event of a row from before there were parts; its words stand in `delivery`.
    #[serde(default, rename = "event", skip_serializing_if = "Option::is_none")]
    pub only_event: Option<OwnedEventId>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Purpose {
    #[default]
    Message,
    /// The new words of a message that was sent. `first`: it was not corrected before.
    Correction {
        of: OwnedEventId,
        first: bool,
    },
    Reaction {
        to: OwnedEventId,
        emoji: String,
    },
    /// A message that was sent is taken back.
    Withdrawal {
        of: OwnedEventId,
    },
    /// What the room is about has changed.
    Topic,
    /// Staff do in a remote room what `delivery.moderates` says. `of`: the message that it is about.
    Moderation {
        of: Option<OwnedEventId>,
    },
}

/// One event of a delivery.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Part {
    pub event: OwnedEventId,
    /// Milliseconds since 1970.
    pub at: i64,
    pub words: Words,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<OwnedEventId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Fallback>,
    /// What stood here before each edit, the first edit first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaced: Vec<Replaced>,
}

/// What a part says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Words {
    pub body: Body,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<Attachment>,
    /// Of the file in bytes, as the client said.
    #[serde(default)]
    pub size: u64,
}

impl Words {
    pub(super) fn is_empty(&self) -> bool {
        self.body.text.trim().is_empty() && self.body.html.is_none() && self.file.is_none()
    }
}

impl Outgoing {
    /// The localpart of who has said it in Matrix.
    pub(super) fn speaker(&self) -> &str {
        self.author.as_ref().map_or(self.delivery.writer.user.as_str(), |author| author.localpart())
    }

    /// The event to which a notice about it answers.
    pub(super) fn about(&self) -> Option<&OwnedEventId> {
        match &self.purpose {
            Purpose::Message | Purpose::Topic => self.parts.last().map(|part| &part.event),
            Purpose::Correction { of, .. } | Purpose::Withdrawal { of } => Some(of),
            Purpose::Reaction { to, .. } => Some(to),
            Purpose::Moderation { of } => of.as_ref(),
        }
    }

    /// To how many people the same was to go, over all networks.
    pub(super) fn recipients(&self) -> usize {
        let Delivery { audience, copies, .. } = &self.delivery;
        audience.len() + copies.iter().filter(|to| !audience.contains(to)).count() + self.elsewhere
    }

    /// Whether it says something, and does not only change what the room is.
    pub(super) fn is_of_room(&self) -> bool {
        matches!(self.purpose, Purpose::Topic | Purpose::Moderation { .. })
    }
}

/// The delivery for one of those who get it.
pub(super) fn addressed(outgoing: &Outgoing, ghost: &UserId, to: &RemoteUserId) -> Outgoing {
    let mut outgoing = outgoing.clone();
    outgoing.ghost = ghost.to_owned();
    outgoing.delivery.to = to.clone();
    outgoing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_an_older_fehmarn_can_be_read() {
        let row = r#"{"event":"$e","room":"!r:x","ghost":"@_email_bob:x","delivery":{"id":"a","writer":{"user":"anna",
            "name":"Anna"},"to":"bob@example.org","audience":["bob@example.org"],"thread":{"subject":null,"root":null,
            "parent":null},"body":{"text":"Guten Tag"},"written_at":7}}"#;
        let outgoing: Outgoing = serde_json::from_str(row).unwrap();
        assert_eq!((outgoing.only_event.unwrap().as_str(), outgoing.delivery.body.text.as_str()), ("$e", "Guten Tag"));
    }
}
