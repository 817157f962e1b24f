//! A group chat of people who have XMPP.

use super::{
    Contact, servers,
    wait::{unique, until},
};
use serde_json::Value;

/// A room on Prosody that one of them has made.
pub struct ChatRoom {
    pub address: String,
}

impl ChatRoom {
    /// Made by them, who are in it then, and kept when nobody is.
    pub async fn new(owner: &Contact, nick: &str) -> Self {
        let room = Self { address: format!("{}@conference.{}", unique("bau"), servers().xmpp.domain) };
        room.enter(owner, nick).await;
        room.configure(owner, &[("muc#roomconfig_persistentroom", "1"), ("muc#roomconfig_roomname", "Bauantrag 17")])
            .await;
        room
    }

    pub async fn configure(&self, owner: &Contact, fields: &[(&str, &str)]) {
        let fields: String =
            fields.iter().map(|(name, value)| format!("<field var='{name}'><value>{value}</value></field>")).collect();
        let query = format!(
            "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'>\
             <field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value></field>{fields}</x></query>"
        );
        let answer = owner.ask(&self.address, "set", &query).await;
        assert_eq!(answer["type"], "result", "{answer}");
    }

    pub fn occupant(&self, nick: &str) -> String {
        format!("{}/{nick}", self.address)
    }

    pub async fn enter(&self, person: &Contact, nick: &str) {
        let at = self.occupant(nick);
        let is_in = |told: &Value| {
            let is_here = told["stanza"] == "presence" && told["type"].is_null();
            is_here && told["sender"] == *at && told["xml"].as_str().unwrap().contains("\"110\"")
        };
        let count = || person.told().iter().filter(|told| is_in(told)).count();
        let before = count();
        person.send_xml(&format!("<presence to='{at}'><x xmlns='http://jabber.org/protocol/muc'/></presence>"));
        until(&format!("{nick} in the room"), async || (count() > before).then_some(())).await;
    }

    pub fn leave(&self, person: &Contact, nick: &str) {
        person.send_xml(&format!("<presence to='{}' type='unavailable'/>", self.occupant(nick)));
    }

    /// Somebody in the room does something to another one's role or affiliation.
    pub async fn set(&self, owner: &Contact, item: &str) {
        let query = format!("<query xmlns='http://jabber.org/protocol/muc#admin'>{item}</query>");
        let answer = owner.ask(&self.address, "set", &query).await;
        assert_eq!(answer["type"], "result", "{answer}");
    }

    /// Says something to all; the stanza's id.
    pub fn send(&self, person: &Contact, content: &str) -> String {
        let id = unique("g");
        person.send_xml(&format!("<message to='{}' id='{id}' type='groupchat'>{content}</message>", self.address));
        id
    }

    pub fn say(&self, person: &Contact, words: &str) -> String {
        self.send(person, &format!("<body>{words}</body>"))
    }

    /// Waits until somebody sees whoever has this name come in, or be there.
    pub async fn wait_for_member(&self, person: &Contact, nick: &str) -> Value {
        let at = self.occupant(nick);
        let is_there = |told: &Value| told["stanza"] == "presence" && told["sender"] == *at && told["type"].is_null();
        person.wait_for(&format!("{nick} in the room"), is_there).await
    }

    /// Waits until somebody hears these words in the room.
    pub async fn wait_for_words(&self, person: &Contact, from: &str, words: &str) -> Value {
        let at = self.occupant(from);
        let is_it = |told: &Value| told["type"] == "groupchat" && told["body"] == words && told["sender"] == *at;
        person.wait_for(&format!("{words:?} from {from}"), is_it).await
    }

    /// What somebody has heard in the room from whoever has this name, in order.
    pub fn heard(&self, person: &Contact, from: &str) -> Vec<String> {
        let at = self.occupant(from);
        let all = person.told().into_iter().filter(|told| told["type"] == "groupchat" && told["sender"] == *at);
        all.filter_map(|told| told["body"].as_str().map(str::to_owned)).collect()
    }
}

/// The id that the room has given to a message.
pub fn stanza_id(stanza: &Value) -> String {
    let xml = stanza["xml"].as_str().unwrap();
    let rest = xml.split("stanza-id").nth(1).unwrap_or_else(|| panic!("no stanza-id in {xml}"));
    rest.split(" id=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}
