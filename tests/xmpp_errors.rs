//! What staff are told when a message cannot be delivered, over a real Prosody.

use crate::common::{
    events::{event_id, text},
    talk::Talk,
    until,
};
use serde_json::Value;

const STATUS: &str = "com.beeper.message_send_status";

/// The errors as servers and programs give messages back, and what staff read.
const ERRORS: &[(&str, &str, &str, bool)] = &[
    ("cancel", "item-not-found", "Diese Adresse gibt es nicht.", false),
    ("modify", "jid-malformed", "Diese Adresse gibt es nicht.", false),
    ("cancel", "service-unavailable", "Unter dieser Adresse nimmt niemand Nachrichten an.", true),
    ("cancel", "remote-server-not-found", "Die Gegenseite ist nicht erreichbar.", true),
    ("wait", "remote-server-timeout", "Die Gegenseite ist nicht erreichbar.", true),
    ("wait", "resource-constraint", "Die Gegenseite nimmt zurzeit nichts an.", true),
    ("modify", "not-acceptable", "Die Gegenseite nimmt diese Nachricht nicht an.", true),
    ("auth", "forbidden", "Die Gegenseite nimmt diese Nachricht nicht an.", true),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_error_is_a_state_and_a_plain_sentence() {
    let talk = Talk::begin().await;
    for (n, (kind, condition, why, may_help)) in ERRORS.iter().enumerate() {
        let (said, stanza) = talk.tell(&format!("Versuch {n}")).await;
        talk.bob.send_xml(&format!(
            "<message type='error' to='{}' id='{}'><error type='{kind}'><{condition} \
             xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>",
            stanza["sender"].as_str().unwrap(),
            stanza["id"].as_str().unwrap()
        ));
        let again =
            if *may_help { " Reagieren Sie mit 🔁 auf Ihre Nachricht, um sie noch einmal zu senden." } else { "" };
        let notice = format!("Die Nachricht an {} kam zurück: {why}{again}", talk.bob.address);
        let answers = |event: &Value| {
            text(event, "/content/body") == notice
                && text(event, "/content/m.relates_to/m.in_reply_to/event_id") == said
        };
        talk.wait_for_event(&format!("{condition}: {notice}"), answers).await;
        let failed = |event: &Value| {
            text(event, "/type") == STATUS
                && text(event, "/content/m.relates_to/event_id") == said
                && text(event, "/content/status").starts_with("FAIL")
        };
        let state = talk.wait_for_event(&format!("the state after {condition}"), failed).await;
        assert_eq!(text(&state, "/content/reason"), "m.foreign_network_error", "{condition}: {state}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_came_back_can_be_sent_again() {
    let talk = Talk::begin().await;
    let (said, stanza) = talk.tell("Noch einmal bitte").await;
    let id = stanza["id"].as_str().unwrap().to_owned();
    talk.bob.send_xml(&format!(
        "<message type='error' to='{}' id='{id}'><error type='wait'><resource-constraint \
         xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>",
        stanza["sender"].as_str().unwrap(),
    ));
    talk.wait_for_event("a notice", |event| text(event, "/content/msgtype") == "m.notice").await;
    talk.anna.react(&talk.room, &said, "🔁").await;
    let times = || talk.bob.told().iter().filter(|told| told["body"] == "Noch einmal bitte").count();
    until("the second attempt", async || (times() == 2).then_some(())).await;
    let event = talk.anna.wait_for(&talk.room, "the message", |event| event_id(event) == said).await;
    assert_eq!(text(&event, "/content/body"), "Noch einmal bitte");
}
