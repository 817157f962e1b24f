//! What somebody outside does, as a client shows it.

use super::{Library, library::in_base64};
use crate::common::{Contact, Fehmarn, Setup};
use serde_json::{Value, json};

struct Talk {
    fehmarn: Fehmarn,
    anna: Library,
    bob: Contact,
    ghost: String,
    room: String,
}

impl Talk {
    async fn begin() -> Self {
        let fehmarn = Setup::with_xmpp().start().await;
        let (anna, bob) = (Library::new("Anna Muster", fehmarn.setup()).await, Contact::new("Bob").await);
        let ghost = fehmarn.slot().ghost_of("xmpp", &bob.address);
        let room = anna.direct_chat(&ghost).await;
        anna.say(&room, "Guten Tag").await;
        bob.wait_for_words("Guten Tag").await;
        // Until then the ghost itself writes what the room is, and clients take that for a sign that it has read.
        anna.wait_for_member(&room, &fehmarn.slot().bot_id(), "join").await;
        Self { fehmarn, anna, bob, ghost, room }
    }

    fn send(&self, content: &str) -> String {
        self.bob.send(&self.anna.staff.address(&self.fehmarn.slot().xmpp_domain), content)
    }

    /// Bob writes, and Anna reads it: the stanza's id, and the message.
    async fn hear(&self, words: &str) -> (String, Value) {
        let id = self.send(&format!("<body>{words}</body>"));
        (id, self.anna.wait_for_words(&self.room, &self.ghost, words).await)
    }

    /// Anna writes, and Bob reads it: the event's id, and the stanza's.
    async fn tell(&self, words: &str) -> (String, String) {
        let event = self.anna.say(&self.room, words).await;
        let stanza = self.bob.wait_for_words(words).await;
        (event, stanza["id"].as_str().unwrap().to_owned())
    }
}

fn id(message: &Value) -> &str {
    message["id"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_corrections_and_what_is_taken_back_stand_where_they_belong() {
    let talk = Talk::begin().await;
    let (anna, room) = (&talk.anna, &talk.room);
    let (asked, stanza) = talk.tell("Wann kommen Sie?").await;
    talk.send(&format!("<body>Um zehn</body><reply xmlns='urn:xmpp:reply:0' id='{stanza}'/>"));
    let answer = anna.wait_for_words(room, &talk.ghost, "Um zehn").await;
    assert_eq!(answer["replies_to"], asked);

    let (first, message) = talk.hear("Ich komme um zehn").await;
    talk.send(&format!("<body>Ich komme um elf</body><replace xmlns='urn:xmpp:message-correct:0' id='{first}'/>"));
    let shown = anna.wait_for(room, id(&message), "a correction", |message| message["edited"] == true).await;
    assert_eq!(shown["body"], "Ich komme um elf", "one message, with its new words");
    talk.send(&format!(
        "<body>/me nimmt etwas zurück</body><retract xmlns='urn:xmpp:message-retract:1' id='{first}'/>"
    ));
    let shown = anna.wait_for(room, id(&message), "nothing any more", |message| message["redacted"] == true).await;
    assert_eq!(shown["body"], Value::Null);

    talk.send("<body>Ich komme *morgen*</body>");
    let shown = anna.wait_for_words(room, &talk.ghost, "Ich komme *morgen*").await;
    assert_eq!(shown["html"], "Ich komme <strong>morgen</strong>");
}

#[tokio::test(flavor = "multi_thread")]
async fn reactions_receipts_and_files_are_shown_at_their_message() {
    let talk = Talk::begin().await;
    let (anna, room) = (&talk.anna, &talk.room);
    let (event, stanza) = talk.tell("Lesen Sie das?").await;
    anna.wait_for_state(room, &event, "SUCCESS").await;
    talk.send(&format!("<displayed xmlns='urn:xmpp:chat-markers:0' id='{stanza}'/>"));
    let read = |message: &Value| message["read_by"].as_array().is_some_and(|by| by.contains(&json!(talk.ghost)));
    anna.wait_for(room, &event, "a read receipt", read).await;

    talk.send(&format!(
        "<reactions xmlns='urn:xmpp:reactions:0' id='{stanza}'><reaction>❤</reaction><reaction>🎉</reaction></reactions>"
    ));
    let both = json!({ "❤": [talk.ghost], "🎉": [talk.ghost] });
    anna.wait_for(room, &event, "two reactions", |message| message["reactions"] == both).await;
    talk.send(&format!("<reactions xmlns='urn:xmpp:reactions:0' id='{stanza}'><reaction>🎉</reaction></reactions>"));
    let one = json!({ "🎉": [talk.ghost] });
    anna.wait_for(room, &event, "one reaction", |message| message["reactions"] == one).await;

    let bytes: Vec<u8> = (0..5000u32).map(|n| (n * 7) as u8).collect();
    let link = talk.bob.upload("antrag.png", "image/png", &bytes).await;
    talk.send(&format!("<body>{link}</body><x xmlns='jabber:x:oob'><url>{link}</url></x>"));
    let shown = anna.wait_for_words(room, &talk.ghost, "antrag.png").await;
    assert_eq!((&shown["msgtype"], &shown["content"]["info"]["mimetype"]), (&json!("m.image"), &json!("image/png")));
    assert!(anna.staff.download(shown["content"]["url"].as_str().unwrap()).await == bytes);
    let content = json!({ "msgtype": "m.file", "body": "Bescheid.pdf", "info": { "mimetype": "application/pdf" } });
    let order = json!({ "room": room, "bytes": in_base64(&bytes), "type": "application/pdf", "content": content });
    anna.order("file", order).await;
    let link =
        talk.bob.wait_for("a link", |told| told["body"].as_str().is_some_and(|body| body.starts_with("http"))).await;
    assert!(reqwest::get(link["body"].as_str().unwrap()).await.unwrap().bytes().await.unwrap() == bytes);
}
