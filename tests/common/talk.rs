//! Somebody of the staff and somebody outside who has XMPP.

use super::{Contact, Fehmarn, Setup, Staff};
use serde_json::Value;

/// Anna of the staff and Bob outside, who have begun to write to each other.
pub struct Talk {
    pub fehmarn: Fehmarn,
    pub anna: Staff,
    pub bob: Contact,
    /// Bob's.
    pub ghost: String,
    pub room: String,
}

impl Talk {
    pub async fn begin() -> Self {
        Self::begin_with(Setup::with_xmpp()).await
    }

    pub async fn begin_with(setup: Setup) -> Self {
        let fehmarn = setup.start().await;
        let (anna, bob) = (Staff::new("Anna Muster").await, Contact::new("Bob").await);
        let ghost = fehmarn.slot().ghost_of("xmpp", &bob.address);
        let room = anna.direct_chat(&ghost).await;
        anna.say(&room, "Guten Tag").await;
        bob.wait_for_words("Guten Tag").await;
        Self { fehmarn, anna, bob, ghost, room }
    }

    /// The address under which Bob writes to Anna.
    pub fn address(&self) -> String {
        self.anna.address(&self.fehmarn.slot().xmpp_domain)
    }

    /// Bob writes, and Anna reads it: the stanza's id and the event.
    pub async fn hear(&self, words: &str) -> (String, Value) {
        let id = self.bob.say(&self.address(), words);
        (id, self.anna.wait_for_words(&self.room, &self.ghost, words).await)
    }

    /// Anna writes, and Bob reads it: the event's id and the stanza.
    pub async fn tell(&self, words: &str) -> (String, Value) {
        let event = self.anna.say(&self.room, words).await;
        (event, self.bob.wait_for_words(words).await)
    }

    /// Waits until Bob's client has got a stanza that contains this, and returns that.
    pub async fn stanza(&self, part: &str) -> String {
        self.bob.wait_for_xml(part).await["xml"].as_str().unwrap().to_owned()
    }

    pub async fn wait_for_event(&self, what: &str, wanted: impl FnMut(&Value) -> bool) -> Value {
        self.anna.wait_for(&self.room, what, wanted).await
    }
}
