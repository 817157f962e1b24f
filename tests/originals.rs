//! All of a mail, of which a room shows only what is new.

use crate::common::{
    Conversation, Fehmarn, Letter, body,
    events::{event_id, text},
    sender,
};
use serde_json::Value;

const KEY: &str = "📄";
const QUOTE: &str = "Am 12.11.26 um 10:00 schrieb Anna Muster:\n> Passt Ihnen Dienstag?";

/// Bob says something new above something old.
async fn quoting(talk: &Conversation, words: &str, old: &str) -> Value {
    let text = format!("{words}\n\n{old}\n");
    talk.bob.send(Letter::answering(&talk.bob, &talk.first).text(&text)).await;
    talk.anna.wait_for_words(&talk.room, &talk.ghost, words).await
}

/// Anna asks for all of a message.
async fn ask(talk: &Conversation, event: &Value) {
    talk.anna.react(&talk.room, event_id(event), KEY).await;
}

/// The file that came for a message, with its bytes as a text.
async fn file_for(talk: &Conversation, event: &Value) -> (Value, String) {
    let is_it = |found: &Value| {
        text(found, "/content/msgtype") == "m.file"
            && text(found, "/content/m.relates_to/m.in_reply_to/event_id") == event_id(event)
    };
    let file = talk.anna.wait_for(&talk.room, "all of the mail", is_it).await;
    let bytes = talk.anna.download(text(&file, "/content/url")).await;
    (file, String::from_utf8(bytes).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_a_mail_comes_when_somebody_asks_for_it() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let event = quoting(&talk, "Ja, sehr gern.", QUOTE).await;
    assert!(!event.to_string().contains("mxc://"), "it was uploaded before anybody asked: {event}");
    talk.anna.wait_for(&talk.room, "the way to all of it", |event| body(event).contains(KEY)).await;

    ask(&talk, &event).await;
    let (file, mail) = file_for(&talk, &event).await;
    assert_eq!(sender(&file), talk.ghost);
    assert!(body(&file).ends_with(".eml"), "{file}");
    assert!(mail.contains("> Passt Ihnen Dienstag?") && mail.contains("Message-ID: "), "{mail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_a_large_mail_comes_as_well() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let old = format!("{QUOTE}\n{}", "> und Mittwoch oder Donnerstag?\n".repeat(3000));
    let event = quoting(&talk, "Freitag.", &old).await;
    ask(&talk, &event).await;
    let (_, mail) = file_for(&talk, &event).await;
    assert_eq!(mail.matches("> und Mittwoch oder Donnerstag?").count(), 3000);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_back_does_not_come_again() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let gone = quoting(&talk, "Meine Nummer ist geheim.", QUOTE).await;
    let other = quoting(&talk, "Bis dann.", QUOTE).await;
    talk.anna.redact(&talk.room, event_id(&gone)).await;
    for event in [&gone, &other] {
        ask(&talk, event).await;
    }
    file_for(&talk, &other).await;
    let messages = talk.anna.messages(&talk.room).await;
    assert_eq!(messages.iter().filter(|event| text(event, "/content/msgtype") == "m.file").count(), 1);
}
