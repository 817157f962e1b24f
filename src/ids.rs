//! Identifiers that are not Matrix's own. Matrix ids are ruma's types and stay in `bridge`, `matrix`, `store` and `http`.
//!
//! | type | minted by | read by |
//! |---|---|---|
//! | [`RemoteUserId`] | a connector, from an address | that connector; the bridge compares and stores it |
//! | [`RemoteMessageId`] | a connector, when it sends or reads | the same |
//! | [`LocalUser`] | the bridge from a Matrix id, a connector from one of our own addresses | both |
//! | [`DeliveryId`] | the router, once per Matrix event | connectors, to name what they send |
//! | [`SourceId`] | whoever puts a row into a queue | the store, to recognise a repeat |

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
    /// A person on a remote network, in the network's normal form: `bob@example.org`.
    RemoteUserId
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

impl DeliveryId {
    /// 128 random bits. Unguessable, and says nothing about the room or the event.
    pub fn random() -> Self {
        let mut text = data_encoding::BASE32_NOPAD.encode(&rand::random::<[u8; 16]>());
        text.make_ascii_lowercase();
        Self(text)
    }
}
