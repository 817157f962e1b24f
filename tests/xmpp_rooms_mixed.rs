//! A group chat and people of another network in one room: what is said on one side reaches the other, with the name of
//! who has said it, and nothing goes round.

use crate::common::{
    Letter, Outside,
    chat_room::stanza_id,
    events::{event_id, text},
    hall::{ANNA, BOB, Hall},
    until,
};
use serde_json::Value;

/// Ida, who has mail, in Anna's room beside a group chat: she and her ghost.
async fn begin() -> (Hall, Outside, String) {
    let hall = Hall::begin_in_own_room().await;
    let ida = Outside::new("Ida");
    let idas = hall.fehmarn.slot().ghost(&ida.address);
    hall.anna.invite(&hall.room, &idas).await;
    hall.anna.wait_for_member(&hall.room, &idas, "join").await;
    hall.tell("Guten Tag zusammen").await;
    (hall, ida, idas)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_chat_and_somebody_with_mail_read_each_other_and_nothing_goes_round() {
    let (hall, ida, idas) = begin().await;
    let fehmarn = &hall.fehmarn;
    let first = ida.wait_for_text("Guten Tag zusammen").await;

    hall.hear("Hier ist Bob").await;
    let mail = ida.wait_for_text("Bob schreibt:\n\nHier ist Bob").await;
    assert_eq!(mail.from().0, "Bob (über Anna Muster)");
    assert_eq!(mail.references().first(), Some(&first.message_id()), "the mails are one thread");

    ida.send(Letter::answering(&ida, &mail).text("Hier ist Ida.")).await;
    let answer = hall.anna.wait_for_words(&hall.room, &idas, "Hier ist Ida.").await;
    let words = "> Hier ist Bob\nIda schreibt:\n\nHier ist Ida.";
    let told = hall.there.wait_for_words(&hall.bob, ANNA, words).await;

    // An answer in the group chat names what was passed on, and what is taken back there is told to her.
    let reply = format!(
        "<body>Gut, Ida</body><reply xmlns='urn:xmpp:reply:0' id='{}' to='{}'/>",
        stanza_id(&told),
        hall.there.occupant(ANNA)
    );
    hall.there.send(&hall.bob, &reply);
    let good = hall.anna.wait_for_words(&hall.room, &hall.ghost, "Gut, Ida").await;
    assert_eq!(text(&good, "/content/m.relates_to/m.in_reply_to/event_id"), event_id(&answer));
    ida.wait_for_mail("Bob's answer", |mail| mail.text().starts_with("Bob schreibt:\n\nGut, Ida")).await;

    until("empty queues", async || fehmarn.rows("").is_empty().then_some(())).await;
    hall.tell("Schluss").await;
    ida.wait_for_text("Schluss").await;
    until("empty queues", async || fehmarn.rows("").is_empty().then_some(())).await;
    assert_eq!(hall.there.heard(&hall.bob, BOB), ["Hier ist Bob", "Gut, Ida"]);
    assert_eq!(hall.there.heard(&hall.bob, ANNA), ["Guten Tag zusammen", words, "Schluss"]);
    assert_eq!(hall.said_by(&hall.ghost).await, ["Hier ist Bob", "Gut, Ida"]);
    assert_eq!(hall.said_by(&idas).await, ["Hier ist Ida."]);
    assert_eq!(ida.mails().await.len(), 4);
    assert_eq!(hall.anna.invitations().await, 0, "there is no second room");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_back_or_corrected_in_a_group_chat_is_told_to_those_beside() {
    let (hall, ida, _) = begin().await;
    let id = hall.there.say(&hall.bob, "Um 10 Uhr");
    let event = hall.anna.wait_for_words(&hall.room, &hall.ghost, "Um 10 Uhr").await;
    ida.wait_for_text("Bob schreibt:\n\nUm 10 Uhr").await;
    let heard = hall.there.wait_for_words(&hall.bob, BOB, "Um 10 Uhr").await;
    let correction = format!("<body>Um 11 Uhr</body><replace xmlns='urn:xmpp:message-correct:0' id='{id}'/>");
    hall.there.send(&hall.bob, &correction);
    ida.wait_for_mail("the correction", |mail| mail.text().contains("Um 11 Uhr")).await;

    let retraction =
        format!("<body>/me</body><retract xmlns='urn:xmpp:message-retract:1' id='{}'/>", stanza_id(&heard));
    hall.there.send(&hall.bob, &retraction);
    let is_gone = |it: &Value| text(it, "/content/redacts") == event_id(&event);
    hall.anna.wait_for(&hall.room, "a redaction", is_gone).await;
    // A mail that is sent stays where it is, and staff are told so.
    hall.anna.wait_for_part(&hall.room, &hall.keeper, "schon verschickt").await;
}
