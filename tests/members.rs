//! People who leave rooms, or are removed from them: staff, and those outside.

use crate::common::{
    Conversation, Fehmarn, Letter, Mail, Outside, Setup, Sitting, Staff, body,
    events::{bodies, event_id, text},
    gate::Gate,
    identity::{self, Identity},
    servers, until,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// Fehmarn has heard of all that was done in Matrix before: the homeserver pushes in order.
async fn let_it_be_heard(talk: &Conversation) {
    talk.tell("Bis hierher.").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_last_of_the_staff_has_left_an_answer_brings_them_back_into_the_room() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let (anna, eve, dan) = (Staff::new("Anna Muster").await, Outside::new("Eve"), Outside::new("Dan"));
    let ghosts = [&eve, &dan].map(|person| talk.fehmarn.slot().ghost(&person.address));
    let room = anna.room("Bauantrag 17", &[&ghosts[0], &ghosts[1]]).await;
    for ghost in &ghosts {
        anna.wait_for_member(&room, ghost, "join").await;
    }
    anna.say(&room, "Der Plan fehlt.").await;
    let mail = eve.wait_for_text("Der Plan fehlt.").await;
    anna.leave(&room).await;
    let_it_be_heard(&talk).await;

    let address = anna.address(&talk.fehmarn.slot().domain);
    eve.send(Letter::answering_all(&eve, &mail, &[&address, &dan.address]).text("Hier ist er.")).await;
    assert_eq!(anna.wait_for_invitation(&ghosts[0]).await, room);
    anna.join(&room).await;
    anna.wait_for_words(&room, &ghosts[0], "Hier ist er.").await;
    anna.say(&room, "Danke.").await;
    eve.wait_for_text("Danke.").await;
    assert_eq!(anna.invitations().await, 0, "there is no second room");
}

/// The homeserver pushes through the gate.
async fn behind_a_gate() -> (Setup, Gate) {
    let mut setup = Setup::new();
    let mut gate = Gate::new(setup.slot.listen_port, setup.slot.spare_ports[0]);
    setup.listen_port = setup.slot.spare_ports[0];
    gate.open().await;
    (setup, gate)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_when_the_last_of_the_staff_has_just_left_brings_them_back() {
    let (setup, mut gate) = behind_a_gate().await;
    let talk = Conversation::begin(setup.start().await).await;
    let (anna, room) = (&talk.anna, &talk.room);
    // Fehmarn does not learn of it.
    gate.close().await;
    anna.leave(room).await;
    talk.bob.send(talk.answer("Sind Sie noch da?")).await;
    let ghost: String = url::form_urlencoded::byte_serialize(talk.ghost.as_bytes()).collect();
    let path = format!("_matrix/client/v3/rooms/{room}/messages?dir=b&user_id={ghost}");
    let (url, token) = (format!("{}/{path}", servers().synapse.url), talk.fehmarn.slot().registered("as_token"));
    until("the answer in the room", async || {
        let answer = reqwest::Client::new().get(&url).bearer_auth(&token).send().await.ok()?;
        answer.text().await.ok()?.contains("Sind Sie noch da?").then_some(())
    })
    .await;
    gate.open().await;
    assert_eq!(&anna.wait_for_invitation(&talk.ghost).await, room);
    anna.join(room).await;
    anna.wait_for_words(room, &talk.ghost, "Sind Sie noch da?").await;

    anna.leave(room).await;
    let looks = async || talk.fehmarn.rows("left").len();
    until("the look afterwards", async || (looks().await == 1).then_some(())).await;
    until("its end", async || (looks().await == 0).then_some(())).await;
    assert_eq!(anna.invitations().await, 0, "nobody has written since");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_of_the_staff_was_removed_reads_no_more_there_and_can_still_be_written_to() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let (anna, eve) = (&talk.anna, Outside::new("Eve"));
    let (tom, ghost) = (Staff::new("Tom Beispiel").await, talk.fehmarn.slot().ghost(&eve.address));
    let room = anna.room("Bauantrag 17", &[&ghost, &tom.id]).await;
    tom.join(&room).await;
    anna.wait_for_member(&room, &ghost, "join").await;
    tom.say(&room, "Ich bin Tom.").await;
    let of_tom = eve.wait_for_text("Ich bin Tom.").await;
    anna.say(&room, "Ich bin Anna.").await;
    let of_anna = eve.wait_for_text("Ich bin Anna.").await;
    anna.kick(&room, &tom.id).await;
    let_it_be_heard(&talk).await;

    eve.send(Letter::answering(&eve, &of_tom).text("Lieber Tom")).await;
    let private = tom.wait_for_invitation(&ghost).await;
    assert_ne!(private, room, "nobody outside undoes what staff have done");
    tom.join(&private).await;
    tom.wait_for_words(&private, &ghost, "Lieber Tom").await;
    eve.send(Letter::answering(&eve, &of_anna).text("Liebe Anna")).await;
    anna.wait_for_words(&room, &ghost, "Liebe Anna").await;
    let said = anna.messages(&room).await;
    assert!(!bodies(&said).contains(&"Lieber Tom"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_outside_was_removed_gets_no_more_mail_and_speaks_in_a_room_of_their_own() {
    let Sitting { fehmarn: _fehmarn, anna, bob, eve, ghosts, room, first } = Sitting::begin(Setup::new()).await;
    anna.kick(&room, &ghosts[0]).await;
    anna.say(&room, "Nur noch für Eve.").await;
    let seen = eve.wait_for_text("Nur noch für Eve.").await;
    assert_eq!(seen.to(), [eve.address.as_str()]);

    bob.send(Letter::answering(&bob, &first).text("Bin ich noch dabei?")).await;
    let own = anna.wait_for_invitation(&ghosts[0]).await;
    anna.join(&own).await;
    anna.wait_for_words(&own, &ghosts[0], "Bin ich noch dabei?").await;
    let said = anna.messages(&room).await;
    assert_eq!(bodies(&said), ["Willkommen", "Nur noch für Eve."]);
    assert_eq!(bob.mails().await.iter().map(Mail::text).collect::<Vec<_>>(), ["Willkommen"]);
    assert_eq!(eve.mails().await.len(), 2, "and nobody is told of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_in_a_second_direct_chat_is_marked_as_not_sent() {
    let mut talk = Conversation::begin(Fehmarn::new().await).await;
    talk.fehmarn.hang();
    let second = talk.anna.direct_chat(&talk.ghost).await;
    let lost = talk.anna.say(&second, "Geht das verloren?").await;
    talk.fehmarn.go_on();
    let is_state = |event: &Value| {
        text(event, "/type") == "com.beeper.message_send_status"
            && text(event, "/content/m.relates_to/event_id") == lost
    };
    let state = talk.anna.wait_for(&second, "its state", is_state).await;
    assert_eq!(text(&state, "/content/status"), "FAIL_PERMANENT");
    assert!(text(&state, "/content/message").contains("Bitte schreiben Sie dort weiter."), "{state}");
    talk.anna.wait_for_member(&second, &talk.ghost, "leave").await;
    talk.tell("Weiter geht es hier.").await;
    assert_eq!(talk.mailed().await, ["Guten Tag", "Weiter geht es hier."]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_invited_an_address_in_vain_is_told() {
    let mut setup = identity::setup(&[]);
    setup.top.push("give_up: 1s".into());
    let fehmarn = setup.start().await;
    let (anna, bot) = (Staff::new("Anna Muster").await, fehmarn.slot().bot_id());
    let identity = Identity::of(fehmarn.setup(), &anna).await;
    // The homeserver knows nothing of it: as if it was taken back at once.
    let room = anna.room("Sitzung", &[]).await;
    let invite = async |address: &str| {
        let request = json!({ "medium": "email", "address": address, "room_id": room, "sender": anna.id });
        let (status, answer) = identity.ask(Method::POST, "/v2/store-invite", request).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    };
    let told = |address: &str| format!("Ihre Einladung an {address} hat niemanden erreicht:");
    invite("bob@example.org").await;
    let office = anna.wait_for_invitation(&bot).await;
    anna.join(&office).await;
    anna.wait_for_part(&office, &bot, &told("bob@example.org")).await;
    invite("eve@example.org").await;
    anna.wait_for_part(&office, &bot, &told("eve@example.org")).await;
    // There the bot can be asked, as anywhere.
    let asked = anna.say(&office, "hilfe").await;
    assert!(!event_id(&anna.wait_for(&office, "help", |it| body(it).contains("diese Übersicht")).await).is_empty());
    assert!(!asked.is_empty() && anna.invitations().await == 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_outside_was_banned_gets_no_more_mail() {
    let Sitting { fehmarn: _fehmarn, anna, bob, eve, ghosts, room, .. } = Sitting::begin(Setup::new()).await;
    anna.ask(Method::POST, &format!("/v3/rooms/{room}/ban"), json!({ "user_id": ghosts[0] })).await;
    anna.say(&room, "Nur noch für Eve.").await;
    assert_eq!(eve.wait_for_text("Nur noch für Eve.").await.to(), [eve.address.as_str()]);
    assert_eq!(bob.mails().await.iter().map(Mail::text).collect::<Vec<_>>(), ["Willkommen"]);
}
