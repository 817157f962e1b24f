//! Who writes to whom on real servers.

use crate::common::{Letter, Mail, Outside, Staff, events::text, sender, servers};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use std::time::Duration;

const PAUSE: Duration = Duration::from_millis(200);
const REQUEST_LIMIT: Duration = Duration::from_secs(60);

/// A room of one member of staff.
pub struct Room {
    pub id: String,
    pub staff: Staff,
    pub people: Vec<Person>,
    /// Whether its person's mail server takes nothing.
    pub hopeless: bool,
}

/// Somebody outside in one room.
pub struct Person {
    pub outside: Outside,
    pub ghost: String,
    pub conversation: usize,
    /// What they answer.
    first: Mail,
}

impl Person {
    pub fn letter(&self, words: &str) -> (String, Vec<u8>) {
        let to = self.first.from().1;
        // To all: what leaves somebody out is not for the room.
        (to, Letter::answering_everybody(&self.outside, &self.first).text(words).bytes())
    }
}

impl Room {
    /// The people outside have got the first message. `next`: the number of the next conversation.
    pub async fn open(people: usize, prefix: impl Fn(&str) -> String, next: &mut usize) -> Self {
        let staff = Staff::new("Anna Muster").await;
        let people: Vec<Outside> = (0..people).map(|_| Outside::new("Bob")).collect();
        let ghosts: Vec<String> = people.iter().map(|person| prefix(&person.address)).collect();
        let id = staff.room("Antrag", &ghosts.iter().map(String::as_str).collect::<Vec<_>>()).await;
        staff.say(&id, "Guten Tag").await;
        let mut room = Self { id, staff, people: Vec::new(), hopeless: false };
        for (outside, ghost) in people.into_iter().zip(ghosts) {
            let first = outside.wait_for_text("Guten Tag").await;
            room.people.push(Person { outside, ghost, conversation: *next, first });
            *next += 1;
        }
        room
    }

    /// With somebody whose mail server takes nothing, or returns everything. The ghost is there.
    pub async fn open_in_vain(address: &str, ghost: String, next: &mut usize) -> Self {
        let staff = Staff::new("Anna Muster").await;
        let id = staff.direct_chat(&ghost).await;
        staff.wait_for_member(&id, &ghost, "join").await;
        let outside = Outside::with_address("Bob", address);
        let first = Mail { raw: format!("From: <{address}>\r\n\r\n").into_bytes() };
        let person = Person { outside, ghost, conversation: *next, first };
        *next += 1;
        Self { id, staff, people: vec![person], hopeless: true }
    }

    /// The person whose ghost said this.
    pub fn person(&self, event: &Value) -> Option<&Person> {
        self.people.iter().find(|person| person.ghost == sender(event))
    }

    /// Of each person who has read: their conversation, the newest message, and when. Milliseconds since 1970.
    pub async fn read(&self) -> Vec<(usize, String, i64)> {
        let filter = r#"{"room":{"timeline":{"limit":1}},"presence":{"not_types":["*"]}}"#;
        let filter: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
        let answer = self.staff.ask(Method::GET, &format!("/v3/sync?filter={filter}"), Value::Null).await;
        let events = answer["rooms"]["join"][&self.id]["ephemeral"]["events"].as_array().cloned().unwrap_or_default();
        let mut read = Vec::new();
        for receipts in events.iter().filter(|event| text(event, "/type") == "m.receipt") {
            for (event, kinds) in receipts["content"].as_object().into_iter().flatten() {
                let by = |person: &Person| {
                    let at = kinds["m.read"][&person.ghost]["ts"].as_i64()?;
                    Some((person.conversation, event.clone(), at))
                };
                read.extend(self.people.iter().filter_map(by));
            }
        }
        read
    }
}

/// A client that sends until the homeserver has taken the message, as clients do: always under the same id.
pub async fn say_patiently(http: &Client, token: &str, room: &str, number: usize, words: &str) {
    let url = format!("{}/_matrix/client/v3/rooms/{room}/send/m.room.message/ledger-{number}", servers().synapse.url);
    let body = json!({ "msgtype": "m.text", "body": words }).to_string();
    loop {
        let request = http.put(&url).bearer_auth(token).timeout(REQUEST_LIMIT).body(body.clone());
        if request.send().await.is_ok_and(|answer| answer.status().is_success()) {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}
