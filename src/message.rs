//! What crosses the bridge. No Matrix types and no network's types: both sides translate to and from these.

use crate::ids::{DeliveryId, LocalUser, RemoteMessageId, RemoteRoomId, RemoteUserId, SourceId};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// One message on its way to one remote user; the payload of an outbox row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// The same for every recipient of one Matrix event, and for every attempt.
    pub id: DeliveryId,
    pub writer: Writer,
    /// What somebody outside is called whose words these are: `writer` only passes them on. `body` says so as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Whom this delivery is handed to.
    pub to: RemoteUserId,
    /// Everyone on this network who gets the message, `to` included: they see each other.
    pub audience: Vec<RemoteUserId>,
    /// People whom the writer wants to have a copy of this one message; `to` may be one of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<RemoteUserId>,
    pub thread: Thread,
    /// What the message answers, should the writer have picked something; `thread.parent` names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<Quote>,
    /// The message is nothing but a reaction to `thread.parent`: an emoji. `body` says the same in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reaction: Option<String>,
    /// With `reaction`: all emoji that the writer has there now. Only for networks whose people are all shown reactions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reactions: Option<Vec<String>>,
    /// The message whose words these take the place of; only for networks that know edits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<RemoteMessageId>,
    /// The message that is not to be shown any more, and nothing else; only for networks that know deletions. `body` says
    /// so in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes_back: Option<RemoteMessageId>,
    /// With `takes_back`: who of the staff has written it, should it be somebody else than `writer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_by: Option<Writer>,
    /// What a remote room is about from now on, and nothing else; `body` is empty or says the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// What the writer does in a remote room to what is somebody else's, and nothing else; `body` is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moderates: Option<Moderation>,
    pub body: Body,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// When it was written, in milliseconds since 1970.
    pub written_at: i64,
}

/// The member of staff who wrote a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Writer {
    pub user: LocalUser,
    /// The name that people see, as the writer's Matrix profile has it.
    pub name: String,
}

/// What a member of staff does in a remote room to what is somebody else's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moderation {
    /// Somebody is to go, and may not come back if it is `for_good`.
    SendAway { who: RemoteUserId, for_good: bool, reason: Option<String> },
    /// Somebody who was sent away for good may come back.
    LetIn { who: RemoteUserId },
    /// What somebody has said is to be gone.
    TakeAway { message: RemoteMessageId },
}

/// A form of a message that not every network has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Poll,
    Place,
    Sticker,
    Voice,
    /// A conversation of its own beside the others, in one room.
    Thread,
}

/// Where a delivery stands in the conversation as the remote side knows it. All empty for the first message.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Thread {
    /// What the conversation is about, without any "Re:".
    pub subject: Option<String>,
    /// The first message of the conversation.
    pub root: Option<RemoteMessageId>,
    /// The message right before this one, from either side.
    pub parent: Option<RemoteMessageId>,
}

/// The beginning of somebody's words, to show what is meant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quote {
    /// The name that people see.
    pub author: String,
    /// One or a few lines of plain text.
    pub text: String,
}

/// What a writer says about a message in its first lines, for networks that know such things.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Instructions {
    pub subject: Option<String>,
    /// See [`Delivery::copies`].
    pub copies: Vec<RemoteUserId>,
}

/// Words, in one or two forms that say the same.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Body {
    pub text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attachment {
    /// A file name for people, without any folder.
    pub name: String,
    /// `type/subtype` (RFC 2045).
    pub media_type: String,
    /// Where the bridge loads the bytes from before `send`; empty for an arrival.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub location: String,
    #[serde(skip)]
    pub bytes: Bytes,
}

/// What a connector says of a delivery that the remote side has accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    pub message: RemoteMessageId,
    /// What the conversation is called from now on, without any "Re:"; `None` where the network has no such thing.
    pub subject: Option<String>,
    /// Whether the network has promised to say what becomes of it.
    pub receipt_follows: bool,
    /// In a remote room: as whom the writer has said it there, and what they call it; `message` is the room's name for it.
    pub said_as: Option<(RemoteUserId, RemoteMessageId)>,
}

/// One thing received, as it came: committed before it is understood, so that no fault in reading it can lose it.
#[derive(Clone, Debug, PartialEq)]
pub struct RawArrival {
    /// The same for a repeat of the same thing, however it came.
    pub source: SourceId,
    /// Another name that is the same for a repeat, where the network has two: whatever came under either of them has come.
    pub also: Option<SourceId>,
    /// Arrivals of one lane reach Matrix in the order in which they were accepted.
    pub lane: String,
    /// For whom it is.
    pub to: LocalUser,
    /// The bytes of the network: a mail, a stanza, a PDU.
    pub raw: Bytes,
}

/// What a connector reads in a [`RawArrival`].
#[derive(Clone, Debug, PartialEq)]
pub enum Inbound {
    Message(Box<Arrival>),
    Receipt(Receipt),
    TakenBack(TakenBack),
    Reactions(Reactions),
    InRoom(Box<InRoom>),
}

impl Inbound {
    /// The message that it is, wherever it was said.
    pub fn arrival_mut(&mut self) -> Option<&mut Arrival> {
        match self {
            Self::Message(arrival) => Some(arrival),
            Self::InRoom(in_room) => match &mut in_room.what {
                Happening::Said { arrival, .. } => Some(arrival),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Something that has happened in a remote room. It came once for all of ours who are there.
#[derive(Clone, Debug, PartialEq)]
pub struct InRoom {
    pub room: RemoteRoomId,
    pub what: Happening,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// `arrival.message` is what the sender calls it, `id` what the room does.
    Said {
        arrival: Box<Arrival>,
        id: Option<RemoteMessageId>,
    },
    /// The sender, or somebody who may do so in this room (`from` is `None`), wants it gone. Which message it may be, the
    /// surest first.
    TakenBack {
        from: Option<RemoteUserId>,
        messages: Vec<RemoteMessageId>,
    },
    Reactions(Reactions),
    Came(Occupant),
    /// `parting`: how.
    Went {
        who: RemoteUserId,
        parting: Parting,
    },
    /// Those, and nobody else, are there besides ours.
    Present(Vec<Occupant>),
    /// What the room is about.
    Topic(String),
    /// What the room is called.
    Named(String),
    /// The room is no more for anybody, with the words of whoever has closed it.
    Closed(Option<String>),
    /// One of ours is not there any more, or was not let in, and will not come back by themself.
    Shut {
        user: LocalUser,
        parting: Parting,
    },
}

/// Somebody in a remote room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occupant {
    pub who: RemoteUserId,
    pub name: String,
}

/// How somebody has left a remote room, or did not get in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parting {
    Left,
    /// They go on under this name.
    Renamed(String),
    /// Sent away, with the words of whoever did it.
    Kicked(Option<String>),
    Banned(Option<String>),
    /// The room lets in only those whom it knows.
    NotAdmitted,
    /// The room wants a password.
    NeedsPassword,
}

/// The sender of a message wants it gone.
#[derive(Clone, Debug, PartialEq)]
pub struct TakenBack {
    pub from: RemoteUserId,
    pub to: LocalUser,
    pub message: RemoteMessageId,
}

/// All reactions of one person to one message: what is not named is gone.
#[derive(Clone, Debug, PartialEq)]
pub struct Reactions {
    /// The same for all that this person ever says of this message.
    pub message: RemoteMessageId,
    pub from: RemoteUserId,
    pub to: LocalUser,
    /// Which message it may be, the surest first.
    pub messages: Vec<RemoteMessageId>,
    pub emoji: Vec<String>,
}

/// One message from a remote user.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrival {
    pub message: RemoteMessageId,
    pub from: RemoteUserId,
    /// What the sender calls themself. Not verified.
    pub from_name: Option<String>,
    /// Whether the network, or a check of our own, vouches for `from`. Who is not verified has a `from` of their own.
    pub verified: bool,
    /// For whom this arrival was taken in.
    pub to: LocalUser,
    /// The members of staff to whom it is openly addressed; without `to` if that is a blind copy.
    pub staff: Vec<LocalUser>,
    /// The other people outside to whom it is openly addressed. The network has served them.
    pub others: Vec<RemoteUserId>,
    /// The people to whom the sender wants answers to go, but for the sender. It is not addressed to them: where it
    /// belongs to a conversation, they need not be in that.
    pub answers_to: Vec<RemoteUserId>,
    /// Messages that this one answers, the surest first.
    pub answers: Vec<RemoteMessageId>,
    /// A machine's words: an absence notice, a newsletter. Shown, never answered.
    pub automatic: bool,
    /// Nothing but a reaction to the first of `answers`: an emoji. `body` says the same in words.
    pub reaction: Option<String>,
    /// Whether the sender's program is known to show reactions.
    pub shows_reactions: bool,
    /// The message of the same sender whose words these take the place of.
    pub replaces: Option<RemoteMessageId>,
    /// What it is about, without any "Re:".
    pub subject: Option<String>,
    /// When it was written, in milliseconds since 1970, where the network says that it was held up on its way.
    pub written_at: Option<i64>,
    pub body: Body,
    pub attachments: Vec<Attachment>,
    /// The whole message as it came, should `body` leave something out.
    pub original: Option<Original>,
}

/// The whole of a message, and how people get at it.
#[derive(Clone, Debug, PartialEq)]
pub struct Original {
    pub file: Attachment,
    /// Posted behind the message at once; else only when somebody asks for it.
    pub at_once: bool,
}

/// What the network said later of a delivery.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    pub message: RemoteMessageId,
    /// The recipient it speaks of; `None` where the network does not say.
    pub to: Option<RemoteUserId>,
    pub state: ReceiptState,
    /// The network's own words.
    pub detail: String,
}

/// Somebody writes, or has stopped, on either side. Leaves nothing behind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Typing {
    /// The one outside.
    pub remote: RemoteUserId,
    /// The member of staff.
    pub local: LocalUser,
    pub active: bool,
}

/// A member of staff has read what somebody outside wrote, and everything before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadMark {
    pub reader: LocalUser,
    pub author: RemoteUserId,
    pub message: RemoteMessageId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReceiptState {
    /// Handed on to a server that will say no more.
    Relayed,
    Delivered,
    /// Shown to the recipient.
    Read,
    Delayed,
    Failed(crate::failure::Reason),
    /// The recipient calls the message unwanted.
    Complaint,
}
