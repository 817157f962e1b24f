//! What a mail shows of an earlier message: only what its recipient has got.

use crate::common::{Conversation, Fehmarn, Outside, Setup};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn answers_and_reactions_quote_what_was_sent_last() {
    let mut setup = Setup::new();
    setup.hold = "3s";
    let talk = Conversation::begin(setup.start().await).await;
    let (anna, bob, room) = (&talk.anna, &talk.bob, &talk.room);
    let event = anna.say(room, "Der Termin ist um 10 Uhr.").await;
    anna.edit(room, &event, "Der Termin ist um 11 Uhr.").await;
    bob.wait_for_text("Der Termin ist um 11 Uhr.").await;
    anna.reply(room, &event, "Bitte mit Ausweis.").await;
    bob.wait_for_text("Bitte mit Ausweis.\n\n> Anna Muster: Der Termin ist um 11 Uhr.").await;
    // A client may quote what it likes.
    let relates_to = json!({ "m.in_reply_to": { "event_id": event } });
    let words = format!("> <{}> Der Termin ist um 10 Uhr.\n\nUnd Foto.", anna.id);
    anna.send(room, json!({ "msgtype": "m.text", "body": words, "m.relates_to": relates_to })).await;
    bob.wait_for_text("Und Foto.\n\n> Anna Muster: Der Termin ist um 11 Uhr.").await;

    anna.edit(room, &event, "Der Termin ist um 12 Uhr.").await;
    bob.wait_for_mail("a correction", |mail| mail.text().starts_with("Korrektur zu")).await;
    anna.react(room, &event, "👍").await;
    anna.reply(room, &event, "Bis dann.").await;
    let all = "Bis dann.\n\n👍 (zu „Der Termin ist um 12 Uhr.“)\n\n> Anna Muster: Der Termin ist um 12 Uhr.";
    bob.wait_for_text(all).await;
    let mailed = talk.mailed().await;
    assert!(!mailed.iter().any(|text| text.contains("10 Uhr")), "{mailed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_message_orders_in_its_first_lines_is_quoted_to_nobody() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let (anna, bob, room, eve) = (&talk.anna, &talk.bob, &talk.room, Outside::new("Eve"));
    let event = anna.say(room, &format!("Betreff: Lageplan\nCc: {}\n\nAnbei der Plan.", eve.address)).await;
    bob.wait_for_text("Anbei der Plan.").await;
    anna.react(room, &event, "👍").await;
    anna.reply(room, &event, "Und das Formular.").await;
    bob.wait_for_text("Und das Formular.\n\n👍 (zu „Anbei der Plan.“)\n\n> Anna Muster: Anbei der Plan.").await;
    // What somebody outside has written begins as they wanted it to.
    let heard = talk.hear("Betreff: Rechnung\n\nIst sie angekommen?").await;
    anna.reply(room, crate::common::events::event_id(&heard), "Ja.").await;
    bob.wait_for_text("Ja.\n\n> Bob: Betreff: Rechnung\n> Ist sie angekommen?").await;
}
