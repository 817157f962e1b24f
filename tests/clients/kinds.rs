//! Every kind of message that a client can send, as the person outside gets it.

use super::{Library, library::in_base64};
use crate::common::{Fehmarn, Letter, Mail, Outside};
use serde_json::{Value, json};

struct Talk {
    fehmarn: Fehmarn,
    anna: Library,
    bob: Outside,
    ghost: String,
    room: String,
    first: Mail,
}

impl Talk {
    async fn begin() -> Self {
        let fehmarn = Fehmarn::new().await;
        let (anna, bob) = (Library::new("Anna Muster", fehmarn.setup()).await, Outside::new("Bob"));
        let ghost = fehmarn.slot().ghost(&bob.address);
        let room = anna.direct_chat(&ghost).await;
        anna.say(&room, "Guten Tag").await;
        let first = bob.wait_for_text("Guten Tag").await;
        Self { fehmarn, anna, bob, ghost, room, first }
    }

    async fn hear(&self, words: &str) -> Value {
        self.bob.send(Letter::answering(&self.bob, &self.first).text(words)).await;
        self.anna.wait_for_words(&self.room, &self.ghost, words).await
    }

    /// Anna writes, and Bob reads it: the event's id, and the mail.
    async fn tell(&self, words: &str) -> (String, Mail) {
        let event = self.anna.say(&self.room, words).await;
        (event, self.bob.wait_for_text(words).await)
    }

    async fn wait_for_mail(&self, part: &str) -> Mail {
        self.bob.wait_for_mail(part, |mail| mail.text().contains(part)).await
    }

    async fn wait_for_file(&self, name: &str) -> (Mail, Vec<u8>) {
        let is_it = |mail: &Mail| mail.files().into_iter().find(|file| file.0.starts_with(name));
        let mail = self.bob.wait_for_mail(name, |mail| is_it(mail).is_some()).await;
        let bytes = is_it(&mail).unwrap().2;
        (mail, bytes)
    }
}

fn id(event: &Value) -> &str {
    event["id"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn words_formatting_replies_threads_edits_and_what_is_taken_back() {
    let talk = Talk::begin().await;
    let (anna, room) = (&talk.anna, &talk.room);
    let marked = ["Bitte **heute** antworten", "Bitte <strong>heute</strong> antworten"];
    anna.send("sendHtmlMessage", json!([room, marked[0], marked[1]])).await;
    let mail = talk.wait_for_mail("heute").await;
    assert!(mail.html().unwrap().contains("<strong>heute</strong>"), "{:?}", mail.html());

    let question = talk.hear("Wann haben Sie geöffnet?").await;
    anna.order("reply", json!({ "room": room, "event": id(&question), "words": "Von neun bis zwölf." })).await;
    let mail = talk.wait_for_mail("Von neun bis zwölf.").await;
    assert_eq!(mail.text(), "Von neun bis zwölf.\n\n> Bob: Wann haben Sie geöffnet?");

    let (root, asked) = talk.tell("Frage zum Bauantrag").await;
    talk.tell("Und noch etwas anderes").await;
    let inside =
        anna.send("sendMessage", json!([room, root, { "msgtype": "m.text", "body": "Es fehlt der Plan." }])).await;
    let mail = talk.bob.wait_for_text("Es fehlt der Plan.").await;
    assert_eq!(mail.in_reply_to(), [asked.message_id()]);
    anna.wait_until(room, "the thread", |shown| shown.0["threads"][&root][0]["id"] == *inside).await;
    talk.bob.send(Letter::answering(&talk.bob, &mail).text("Er kommt morgen.")).await;
    anna.wait_until(room, "an answer in the thread", |shown| {
        shown.0["threads"][&root][1]["body"] == "Er kommt morgen."
    })
    .await;

    let (event, _) = talk.tell("Der Termin ist um 10 Uhr.").await;
    anna.order("edit", json!({ "room": room, "event": event, "words": "Der Termin ist um 11 Uhr." })).await;
    talk.wait_for_mail("Korrektur zu „Der Termin ist um 10 Uhr.“: Der Termin ist um 11 Uhr.").await;
    let shown = anna.wait_for(room, &event, "an edit", |message| message["edited"] == true).await;
    assert_eq!(shown["body"], "Der Termin ist um 11 Uhr.");

    let (event, _) = talk.tell("Zu spät").await;
    anna.call("redactEvent", json!([room, event])).await;
    let told = anna.wait_for_notice(room, "Diese Nachricht ist schon verschickt und lässt sich nicht mehr").await;
    assert_eq!(told["replies_to"], event);

    let thanks = talk.hear("Danke für alles").await;
    let reaction = json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": id(&thanks), "key": "👍" } });
    anna.send("sendEvent", json!([room, "m.reaction", reaction])).await;
    anna.say(room, "Bis morgen").await;
    assert_eq!(talk.wait_for_mail("Bis morgen").await.text(), "Bis morgen\n\n👍 (zu „Danke für alles“)");
    let shown = anna.show(room).await;
    assert_eq!(shown.message(id(&thanks)).unwrap()["reactions"], json!({ "👍": [anna.id()] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_with_captions_stickers_voices_places_and_polls() {
    let talk = Talk::begin().await;
    let (anna, room) = (&talk.anna, &talk.room);
    let send = async |bytes: &[u8], kind: &str, mut content: Value| {
        content["info"] = json!({ "mimetype": kind, "size": bytes.len() });
        let order = json!({ "room": room, "bytes": in_base64(bytes), "type": kind, "content": content });
        let event = anna.order("file", order).await["event_id"].as_str().unwrap().to_owned();
        anna.wait_for(room, &event, "a file", |_| true).await
    };
    let content = json!({ "msgtype": "m.file", "body": "Anbei der Bescheid", "filename": "bescheid.pdf" });
    send(b"%PDF-1", "application/pdf", content).await;
    let (mail, bytes) = talk.wait_for_file("bescheid.pdf").await;
    assert_eq!((mail.text().as_str(), &*bytes), ("Anbei der Bescheid", &b"%PDF-1"[..]));

    let voice = json!({ "msgtype": "m.audio", "body": "Voice message", "org.matrix.msc3245.voice": {} });
    let sent = send(b"OggS", "audio/ogg", voice).await;
    assert_eq!(talk.wait_for_file("Sprachnachricht 20").await.1, b"OggS");

    let sticker = json!([room, sent["content"]["url"], { "mimetype": "image/png" }, "Winkende Katze"]);
    anna.send("sendStickerMessage", sticker).await;
    talk.wait_for_file("Winkende Katze").await;

    anna.order("place", json!({ "room": room, "words": "Rathaus", "uri": "geo:54.4378,11.1931" })).await;
    let text = talk.wait_for_mail("Rathaus").await.text();
    assert!(text.contains("openstreetmap.org") && text.contains("geo:54.4378,11.1931"), "{text}");

    anna.order("poll", json!({ "room": room, "question": "Wann passt es?", "answers": ["Montag", "Dienstag"] })).await;
    talk.bob.wait_for_text("Wann passt es?\n1. Montag\n2. Dienstag").await;
    anna.wait_for_notice(room, "Abstimmen können Menschen außerhalb nicht.").await;
    let arrived = talk.bob.mails().await.len();
    assert_eq!(arrived, 6, "one mail each");
    assert!(talk.fehmarn.rows("outbox:").is_empty());
}
