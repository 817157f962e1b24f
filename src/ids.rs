//! Identifiers that are not Matrix's own. Matrix ids are ruma's types and stay in `bridge`, `matrix`, `store` and `http`.
//!
//! | type | minted by | read by |
//! |---|---|---|
//! | [`RemoteUserId`] | a connector, from an address | that connector; the bridge compares and stores it |
//! | [`RemoteRoomId`] | a connector, from an address | that connector; the bridge compares and stores it |
//! | [`RemoteMessageId`] | a connector, when it sends or reads | the same |
//! | [`LocalUser`] | the bridge from a Matrix id, a connector from one of our own addresses | both |
//! | [`DeliveryId`] | the router, once per Matrix event | connectors, to name what they send |
//! | [`SourceId`] | whoever puts a row into a queue | the store, to recognise a repeat |
//! | [`Password`] | the bot, from what somebody has typed | the connector of the room that it opens |

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is. Only the minting side named in the module's table calls this.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text, as it was minted.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// A person on a remote network, in the network's normal form: `bob@example.org`; or somebody who claims to be that
    /// person and may be anybody: `unverified:bob@example.org`.
    RemoteUserId
}
text_id! {
    /// A room on a remote network, in the network's normal form: `office@conference.example.org`.
    RemoteRoomId
}
text_id! {
    /// A message on a remote network, in the network's normal form: an RFC 5322 Message-ID without its angle brackets.
    RemoteMessageId
}
text_id! {
    /// A member of staff: the localpart of a Matrix user id on our homeserver, `anna` for `@anna:example.org`.
    LocalUser
}
text_id! {
    /// What a queue row was made from. The same source gives the same id, so that a repeat is recognised.
    SourceId
}
text_id! {
    /// Names one Matrix event on its way out: 26 characters of lower-case base32, random, kept with the queue row.
    DeliveryId
}

/// What lets people into a remote room. It never stands in a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

impl DeliveryId {
    /// 128 random bits. Unguessable, and says nothing about the room or the event.
    pub fn random() -> Self {
        let mut text = data_encoding::BASE32_NOPAD.encode(&rand::random::<[u8; 16]>());
        text.make_ascii_lowercase();
        Self(text)
    }

    /// An id that comes back from outside; `None` if it could not be one.
    pub fn read(text: &str) -> Option<Self> {
        let is_base32 = |byte: u8| byte.is_ascii_lowercase() || (b'2'..=b'7').contains(&byte);
        (text.len() == 26 && text.bytes().all(is_base32)).then(|| Self(text.to_owned()))
    }
}

/// What stands before the address of somebody for whom nobody vouches. No network's addresses begin so.
const UNVERIFIED: &str = "unverified:";

/// Whoever claims an address without proof is another remote user than its owner: they have another ghost, and so other
/// rooms. What is sent to them goes to the address all the same.
impl RemoteUserId {
    /// The one who only claims to be this.
    pub fn unverified(&self) -> Self {
        Self(format!("{UNVERIFIED}{}", self.address()))
    }

    pub fn is_unverified(&self) -> bool {
        self.0.starts_with(UNVERIFIED)
    }

    /// The network's own form of the address: the same for its owner and for who only claims it, and for a room itself.
    pub fn address(&self) -> &str {
        let claimed = self.0.strip_prefix(UNVERIFIED).or_else(|| self.0.strip_prefix(ROOM));
        claimed.unwrap_or(&self.0)
    }
}

/// What stands before the address of a remote room. No network's addresses begin so.
const ROOM: &str = "room:";

/// A remote room can be written to as a person can: everybody in it gets what it gets.
impl RemoteUserId {
    /// The room itself, as the one to whom deliveries go.
    pub fn of_room(room: &RemoteRoomId) -> Self {
        Self(format!("{ROOM}{room}"))
    }

    /// The room that this stands for; `None` for a person.
    pub fn room(&self) -> Option<RemoteRoomId> {
        self.0.strip_prefix(ROOM).map(RemoteRoomId::new)
    }
}
