//! Two people who have begun to write to each other.

use super::{Fehmarn, Letter, Mail, Outside, Staff};
use serde_json::Value;

pub struct Conversation {
    pub fehmarn: Fehmarn,
    pub anna: Staff,
    pub bob: Outside,
    /// Bob's ghost.
    pub ghost: String,
    pub room: String,
    /// What Anna wrote first.
    pub first: Mail,
}

impl Conversation {
    /// Anna has invited Bob, and her first message has arrived.
    pub async fn begin(fehmarn: Fehmarn) -> Self {
        let (anna, bob) = (Staff::new("Anna Muster").await, Outside::new("Bob"));
        let ghost = fehmarn.slot().ghost(&bob.address);
        let room = anna.direct_chat(&ghost).await;
        anna.say(&room, "Guten Tag").await;
        let first = bob.wait_for_text("Guten Tag").await;
        Self { fehmarn, anna, bob, ghost, room, first }
    }

    /// Bob answers Anna's first mail with these words.
    pub fn answer<'x>(&self, words: &'x str) -> Letter<'x> {
        Letter::answering(&self.bob, &self.first).text(words)
    }

    /// Bob answers, and Anna reads it.
    pub async fn hear(&self, words: &str) -> Value {
        self.bob.send(self.answer(words)).await;
        self.anna.wait_for_words(&self.room, &self.ghost, words).await
    }

    /// Anna writes, and Bob reads it.
    pub async fn tell(&self, words: &str) -> Mail {
        self.anna.say(&self.room, words).await;
        self.bob.wait_for_text(words).await
    }

    /// The address under which Bob writes to Anna.
    pub fn address(&self) -> String {
        self.anna.address(&self.fehmarn.setup().domain)
    }

    /// What Bob has got, in order.
    pub async fn mailed(&self) -> Vec<String> {
        self.bob.mails().await.iter().map(Mail::text).collect()
    }

    /// What Bob's ghost has said, in order.
    pub async fn heard(&self) -> Vec<String> {
        let messages = self.anna.messages(&self.room).await;
        let from_bob = messages.iter().filter(|event| super::sender(event) == self.ghost);
        from_bob.map(|event| super::body(event).to_owned()).collect()
    }
}
