//! Somebody of the staff and somebody outside in one group chat.

use super::{ChatRoom, Contact, Fehmarn, Setup, Staff, body, events::text, sender};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// Anna of the staff and Bob outside, in one room.
pub struct Hall {
    pub fehmarn: Fehmarn,
    pub anna: Staff,
    pub bob: Contact,
    pub there: ChatRoom,
    /// The Matrix room.
    pub room: String,
    /// The ghosts of the remote room and of Bob in it.
    pub keeper: String,
    pub ghost: String,
}

/// Bob's name in the room.
pub const BOB: &str = "Bob";
pub const ANNA: &str = "Anna Muster";

impl Hall {
    pub async fn begin() -> Self {
        Self::begin_with(Setup::with_xmpp()).await
    }

    pub async fn begin_with(setup: Setup) -> Self {
        let bob = Contact::new("Bob").await;
        let there = ChatRoom::new(&bob, BOB).await;
        Self::pair(setup.start().await, bob, there).await
    }

    /// Anna asks the bot for the room.
    pub async fn pair(fehmarn: Fehmarn, bob: Contact, there: ChatRoom) -> Self {
        let anna = Staff::new(ANNA).await;
        let keeper = fehmarn.slot().ghost_of("xmpp", &format!("room:{}", there.address));
        let ghost = ghost_of(&fehmarn, &there, BOB);
        let office = anna.direct_chat(&fehmarn.slot().bot_id()).await;
        anna.say(&office, &format!("raum {}", there.address)).await;
        let room = anna.wait_for_invitation(&keeper).await;
        anna.join(&room).await;
        there.wait_for_member(&bob, ANNA).await;
        anna.wait_for_member(&room, &ghost, "join").await;
        Self { fehmarn, anna, bob, there, room, keeper, ghost }
    }

    pub fn ghost_of(&self, nick: &str) -> String {
        ghost_of(&self.fehmarn, &self.there, nick)
    }

    /// In a room that Anna has made, and where she may do everything.
    pub async fn begin_in_own_room() -> Self {
        let bob = Contact::new("Bob").await;
        let there = ChatRoom::new(&bob, BOB).await;
        let fehmarn = Setup::with_xmpp().start().await;
        let anna = Staff::new(ANNA).await;
        let keeper = fehmarn.slot().ghost_of("xmpp", &format!("room:{}", there.address));
        let ghost = ghost_of(&fehmarn, &there, BOB);
        let room = anna.room("Unser Raum", &[&keeper]).await;
        there.wait_for_member(&bob, ANNA).await;
        anna.wait_for_member(&room, &ghost, "join").await;
        Self { fehmarn, anna, bob, there, room, keeper, ghost }
    }

    /// The address by which the remote room knows Anna.
    pub fn annas_address(&self) -> String {
        self.anna.address(&self.fehmarn.slot().xmpp_domain)
    }

    /// Bob says something, and Anna reads it: the event.
    pub async fn hear(&self, words: &str) -> Value {
        self.there.say(&self.bob, words);
        self.anna.wait_for_words(&self.room, &self.ghost, words).await
    }

    /// Anna says something, and Bob reads it: the event's id and the stanza.
    pub async fn tell(&self, words: &str) -> (String, Value) {
        let event = self.anna.say(&self.room, words).await;
        (event, self.there.wait_for_words(&self.bob, ANNA, words).await)
    }

    /// What this ghost has said in the Matrix room, in order.
    pub async fn said_by(&self, ghost: &str) -> Vec<String> {
        let messages = self.anna.messages(&self.room).await;
        messages.iter().filter(|event| sender(event) == ghost).map(|event| body(event).to_owned()).collect()
    }
}

pub fn ghost_of(fehmarn: &Fehmarn, there: &ChatRoom, nick: &str) -> String {
    // As everywhere, a slash may stand in a Matrix id.
    fehmarn.slot().ghost_of("xmpp", &there.occupant(nick)).replace("=2f", "/")
}

pub fn alias(fehmarn: &Fehmarn, there: &ChatRoom) -> String {
    let ghost = fehmarn.slot().ghost_of("xmpp", &there.address);
    ghost.replacen('@', "#", 1)
}

pub async fn join_by(staff: &Staff, alias: &str) -> (StatusCode, Value) {
    let alias: String = url::form_urlencoded::byte_serialize(alias.as_bytes()).collect();
    staff.try_to(Method::POST, &format!("/v3/join/{alias}"), json!({})).await
}

/// Waits until somebody's membership, as the last event says, is this.
pub async fn wait_until(staff: &Staff, room: &str, user: &str, membership: &str) -> Value {
    staff
        .wait(&format!("{user} to be {membership} now"), async || {
            let events = staff.events(room).await;
            let last = events.into_iter().rfind(|event| text(event, "/state_key") == user);
            last.filter(|event| text(event, "/content/membership") == membership)
        })
        .await
}
