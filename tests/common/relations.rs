//! What a client does with messages that are there already.

use super::{
    Staff,
    events::{body, event_id},
    wait::unique,
};
use reqwest::Method;
use serde_json::{Value, json};

impl Staff {
    /// Sends an event of any type; its event id.
    pub async fn send_event(&self, room: &str, kind: &str, content: Value) -> String {
        let path = format!("/v3/rooms/{room}/send/{kind}/{}", unique("t"));
        event_id(&self.ask(Method::PUT, &path, content).await).to_owned()
    }

    pub async fn edit(&self, room: &str, event: &str, words: &str) -> String {
        let relates_to = json!({ "rel_type": "m.replace", "event_id": event });
        let new = json!({ "msgtype": "m.text", "body": words });
        let body = format!("* {words}");
        self.send(room, json!({ "msgtype": "m.text", "body": body, "m.new_content": new, "m.relates_to": relates_to }))
            .await
    }

    pub async fn redact(&self, room: &str, event: &str) {
        let path = format!("/v3/rooms/{room}/redact/{event}/{}", unique("t"));
        self.ask(Method::PUT, &path, json!({})).await;
    }

    pub async fn react(&self, room: &str, event: &str, emoji: &str) -> String {
        let relates_to = json!({ "rel_type": "m.annotation", "event_id": event, "key": emoji });
        self.send_event(room, "m.reaction", json!({ "m.relates_to": relates_to })).await
    }

    pub async fn reply(&self, room: &str, event: &str, words: &str) -> String {
        let relates_to = json!({ "m.in_reply_to": { "event_id": event } });
        self.send(room, json!({ "msgtype": "m.text", "body": words, "m.relates_to": relates_to })).await
    }

    /// Writes in a thread, as clients do: with a reply for those that know no threads.
    pub async fn say_in_thread(&self, room: &str, root: &str, words: &str) -> String {
        let fallback = json!({ "event_id": root });
        let relates_to =
            json!({ "rel_type": "m.thread", "event_id": root, "is_falling_back": true, "m.in_reply_to": fallback });
        self.send(room, json!({ "msgtype": "m.text", "body": words, "m.relates_to": relates_to })).await
    }

    pub async fn kick(&self, room: &str, user: &str) {
        self.ask(Method::POST, &format!("/v3/rooms/{room}/kick"), json!({ "user_id": user })).await;
    }

    /// Waits for a message from this user that contains these words; all of it.
    pub async fn wait_for_part(&self, room: &str, from: &str, words: &str) -> String {
        let is_it = |event: &Value| event["sender"] == from && body(event).contains(words);
        body(&self.wait_for(room, words, is_it).await).to_owned()
    }

    /// Waits for what Fehmarn says in a room.
    pub async fn wait_for_notice(&self, room: &str, words: &str) -> Value {
        let is_it = |event: &Value| event["content"]["msgtype"] == "m.notice" && event["content"]["body"] == words;
        self.wait_for(room, words, is_it).await
    }
}
