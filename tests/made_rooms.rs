//! Rooms that ghosts make belong to the staff.

use crate::common::{Conversation, Fehmarn, Letter, Mail, Outside, events::text, until};
use reqwest::Method;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn staff_send_people_out_of_a_room_that_a_mail_has_made_and_they_get_no_more() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let (anna, bob, eve) = (&talk.anna, &talk.bob, Outside::new("Eve"));
    let eves = talk.fehmarn.slot().ghost(&eve.address);
    let everybody = [talk.address(), eve.address.clone()];
    let letter =
        Letter::to_all(bob, &everybody.each_ref().map(String::as_str)).subject("Sitzung").text("Wann treffen wir uns?");
    bob.send(letter).await;
    let room = anna.wait_for_invitation(&talk.ghost).await;
    anna.join(&room).await;
    anna.wait_for_words(&room, &talk.ghost, "Wann treffen wir uns?").await;
    anna.say(&room, "Um neun.").await;
    for person in [bob, &eve] {
        person.wait_for_text("Um neun.").await;
    }
    anna.kick(&room, &eves).await;
    anna.say(&room, "Nur noch für einen.").await;
    bob.wait_for_text("Nur noch für einen.").await;
    until("an empty outbox", async || talk.fehmarn.rows("outbox:").is_empty().then_some(())).await;
    let got: Vec<String> = eve.mails().await.iter().map(Mail::text).collect();
    assert!(!got.contains(&"Nur noch für einen.".to_owned()), "{got:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_name_and_upgrade_a_direct_room_that_a_ghost_has_made() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let (anna, eva) = (&talk.anna, Outside::new("Eva Fremd"));
    let ghost = talk.fehmarn.slot().ghost(&eva.address);
    eva.send(Letter::new(&eva, &talk.address()).subject("Anfrage").text("Sind Sie zuständig?")).await;
    let room = anna.wait_for_invitation(&ghost).await;
    anna.join(&room).await;
    anna.wait_for_words(&room, &ghost, "Sind Sie zuständig?").await;
    anna.ask(Method::PUT, &format!("/v3/rooms/{room}/state/m.room.name/"), json!({ "name": "Anfrage Fremd" })).await;
    let upgrade = format!("/v3/rooms/{room}/upgrade");
    let answer = anna.ask(Method::POST, &upgrade, json!({ "new_version": "11" })).await;
    let new = text(&answer, "/replacement_room").to_owned();
    anna.invite(&new, &ghost).await;
    anna.say(&new, "Ja.").await;
    eva.wait_for_text("Ja.").await;
}
