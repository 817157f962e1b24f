//! Somebody of the staff whose client is built with matrix-js-sdk.

use super::program::Program;
use crate::common::{Setup, Staff, servers, until};
use serde_json::{Value, json};

pub struct Library {
    program: Program,
    /// The same person, to ask what a client does not show.
    pub staff: Staff,
}

/// A room as the library shows it; see `programs/shown.mjs`.
pub struct Shown(pub Value);

impl Library {
    /// A new account, signed in by way of the reverse proxy of this Fehmarn.
    pub async fn new(name: &str, setup: &Setup) -> Self {
        Self::start(name, setup, &[]).await
    }

    /// With end-to-end encryption.
    pub async fn encrypting(name: &str, setup: &Setup) -> Self {
        Self::start(name, setup, &["encrypting"]).await
    }

    async fn start(name: &str, setup: &Setup, more: &[&str]) -> Self {
        let staff = Staff::new(name).await;
        let front = setup.slot.front();
        let arguments = [&[&front, &*staff.localpart, &servers().password], more].concat();
        let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
        Self { program: Program::start("library.mjs", |_| arguments.clone()).await, staff }
    }

    pub fn id(&self) -> &str {
        &self.staff.id
    }

    /// Whether one of the orders of `programs/library.mjs` is carried out, and what it brings.
    pub async fn try_to(&self, what: &str, mut order: Value) -> Result<Value, String> {
        order["do"] = what.into();
        self.program.try_to(order).await
    }

    pub async fn order(&self, what: &str, order: Value) -> Value {
        self.try_to(what, order.clone()).await.unwrap_or_else(|e| panic!("{what} {order}: {e}"))
    }

    /// Calls a method of the library's client.
    pub async fn call(&self, method: &str, arguments: Value) -> Value {
        self.order("call", json!({ "method": method, "args": arguments })).await
    }

    /// Signs in to the identity service that the homeserver's own page names.
    pub async fn sign_in_to_identity_service(&self) {
        self.order("identity", json!({})).await;
    }

    /// Types an address and begins a chat: whether it was known, and the room.
    pub async fn start_chat(&self, address: &str) -> (Option<String>, String) {
        let begun = self.order("chat", json!({ "address": address })).await;
        (begun["known"].as_str().map(str::to_owned), begun["room"].as_str().unwrap().to_owned())
    }

    pub async fn create_room(&self, options: Value) -> String {
        self.call("createRoom", json!([options])).await["room_id"].as_str().unwrap().to_owned()
    }

    pub async fn direct_chat(&self, user: &str) -> String {
        self.create_room(json!({ "preset": "trusted_private_chat", "is_direct": true, "invite": [user] })).await
    }

    pub async fn join(&self, room: &str) {
        self.order("join", json!({ "room": room })).await;
    }

    /// The id of the event that a method sends.
    pub async fn send(&self, method: &str, arguments: Value) -> String {
        self.call(method, arguments).await["event_id"].as_str().unwrap().to_owned()
    }

    pub async fn say(&self, room: &str, words: &str) -> String {
        self.send("sendTextMessage", json!([room, words])).await
    }

    pub async fn rooms(&self) -> Vec<Value> {
        self.order("rooms", json!({})).await.as_array().unwrap().clone()
    }

    /// Waits for a room to which this user invites; the entry in the list of rooms.
    pub async fn wait_for_invitation(&self, from: &str) -> Value {
        let is_it = |room: &Value| room["membership"] == "invite" && room["invited_by"] == from;
        until(&format!("an invitation from {from}"), async || self.rooms().await.into_iter().find(is_it)).await
    }

    pub async fn show(&self, room: &str) -> Shown {
        Shown(self.order("show", json!({ "room": room })).await)
    }

    /// Waits until the room is shown so.
    pub async fn wait_until(&self, room: &str, what: &str, wanted: impl Fn(&Shown) -> bool) -> Shown {
        let mut last = Value::Null;
        let found = tokio::time::timeout(crate::common::wait::PATIENCE, async {
            loop {
                let shown = self.show(room).await;
                if wanted(&shown) {
                    return shown;
                }
                last = shown.0;
                tokio::time::sleep(std::time::Duration::from_millis(150)).await;
            }
        })
        .await;
        found.unwrap_or_else(|_| panic!("{room} was never shown with {what}; last: {last:#}"))
    }

    /// Waits for a message of this user with these words.
    pub async fn wait_for_words(&self, room: &str, sender: &str, words: &str) -> Value {
        let shown = self.wait_until(room, words, |shown| shown.said(sender, words).is_some()).await;
        shown.said(sender, words).unwrap().clone()
    }

    /// Waits until a message is shown so.
    pub async fn wait_for(&self, room: &str, id: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let shown = self.wait_until(room, what, |shown| shown.message(id).is_some_and(&wanted)).await;
        shown.message(id).unwrap().clone()
    }

    /// Waits until Fehmarn says of a message what has become of it.
    pub async fn wait_for_state(&self, room: &str, id: &str, state: &str) -> Value {
        self.wait_for(room, id, state, |message| message["state"]["status"] == state).await
    }

    pub async fn wait_for_member(&self, room: &str, user: &str, membership: &str) -> Value {
        let is_so = |shown: &Shown| shown.0["members"][user]["membership"] == membership;
        self.wait_until(room, &format!("{user} as {membership}"), is_so).await.0["members"][user].clone()
    }

    /// Waits for a notice that contains these words; all of them.
    pub async fn wait_for_notice(&self, room: &str, part: &str) -> Value {
        let is_it = |message: &&Value| {
            message["msgtype"] == "m.notice" && message["body"].as_str().is_some_and(|body| body.contains(part))
        };
        let shown = self.wait_until(room, part, |shown| shown.messages().iter().any(|message| is_it(&message))).await;
        shown.messages().iter().find(is_it).unwrap().clone()
    }
}

impl Shown {
    pub fn messages(&self) -> &[Value] {
        self.0["messages"].as_array().map(Vec::as_slice).unwrap_or_default()
    }

    pub fn message(&self, id: &str) -> Option<&Value> {
        let in_threads = self.0["threads"].as_object().into_iter().flat_map(|threads| threads.values());
        let in_threads = in_threads.filter_map(Value::as_array).flatten();
        self.messages().iter().chain(in_threads).find(|message| message["id"] == id)
    }

    pub fn said(&self, sender: &str, words: &str) -> Option<&Value> {
        self.messages().iter().find(|message| message["sender"] == sender && message["body"] == words)
    }
}

/// What a media file holds here.
pub fn in_base64(bytes: &[u8]) -> String {
    data_encoding::BASE64.encode(bytes)
}
