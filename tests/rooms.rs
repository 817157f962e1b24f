//! What happens to rooms: encryption, people who come and go, upgrades.

use crate::common::{
    Conversation, Fehmarn, Letter, Mail, Outside, Setup, Staff, body,
    events::{event_id, text},
    gate::Gate,
    servers, until,
};
use reqwest::Method;
use serde_json::{Value, json};

const ENCRYPTED: &str = "Dieser Raum ist verschlüsselt. Nachrichten von hier können Menschen außerhalb nicht erreichen. \
                         Bitte beginnen Sie ein Gespräch ohne Verschlüsselung.";

async fn say_encrypted(anna: &Staff, room: &str) -> String {
    let content = json!({
        "algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "AwgAEnACgAkLmt6qF84IK++J7UDH2Za1YVchHyprqTqsg",
        "device_id": "D", "sender_key": "K", "session_id": "S",
    });
    anna.send_event(room, "m.room.encrypted", content).await
}

async fn wait_for_failed(anna: &Staff, room: &str, message: &str) {
    let is_it = |event: &Value| {
        text(event, "/type") == "com.beeper.message_send_status"
            && text(event, "/content/m.relates_to/event_id") == message
    };
    let state = anna.wait_for(room, "a state", is_it).await;
    let content = |key: &str| text(&state, &format!("/content/{key}")).to_owned();
    let expected = ["FAIL_PERMANENT", "com.beeper.undecryptable_event", ENCRYPTED];
    assert_eq!([content("status"), content("reason"), content("message")], expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_room_is_told_at_once_and_each_message_is_marked() {
    let fehmarn = Fehmarn::new().await;
    let (anna, bob) = (Staff::new("Anna Muster").await, Outside::new("Bob"));
    let ghost = fehmarn.slot().ghost(&bob.address);
    let encryption = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
    let state = json!([{ "type": "m.room.encryption", "state_key": "", "content": encryption }]);
    let request =
        json!({ "preset": "trusted_private_chat", "is_direct": true, "invite": [ghost], "initial_state": &state });
    let answer = anna.ask(Method::POST, "/v3/createRoom", request).await;
    let room = text(&answer, "/room_id");
    let early = say_encrypted(&anna, room).await;
    anna.wait_for_notice(room, ENCRYPTED).await;
    let late = say_encrypted(&anna, room).await;
    for message in [&early, &late] {
        wait_for_failed(&anna, room, message).await;
    }
    let notices = anna.messages(room).await;
    assert_eq!(notices.iter().map(body).collect::<Vec<_>>(), [ENCRYPTED], "it is said once");

    // Where nobody has said anything yet.
    let request = json!({ "preset": "private_chat", "name": "Akte", "initial_state": state });
    let answer = anna.ask(Method::POST, "/v3/createRoom", request).await;
    let silent = text(&answer, "/room_id");
    anna.invite(silent, &ghost).await;
    anna.wait_for_notice(silent, ENCRYPTED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_switches_encryption_on_is_told_at_once() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let path = format!("/v3/rooms/{}/state/m.room.encryption", talk.room);
    talk.anna.ask(Method::PUT, &path, json!({ "algorithm": "m.megolm.v1.aes-sha2" })).await;
    talk.anna.wait_for_notice(&talk.room, ENCRYPTED).await;
    let message = say_encrypted(&talk.anna, &talk.room).await;
    wait_for_failed(&talk.anna, &talk.room, &message).await;
    assert!(!event_id(&talk.hear("Ich schreibe weiter.").await).is_empty(), "what comes from outside is still shown");
    assert_eq!(talk.mailed().await, ["Guten Tag"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_sent_away_gets_not_even_what_waits_for_another_attempt() {
    let mut setup = Setup::new();
    let mut gate = Gate::new(setup.slot.spare_ports[0], servers().mail_ports.smtp);
    setup.smtp_port = gate.port;
    gate.open().await;
    let fehmarn = setup.start().await;
    let (anna, bob) = (Staff::new("Anna Muster").await, Outside::new("Bob"));
    let ghost = fehmarn.slot().ghost(&bob.address);
    let room = anna.room("Bauantrag", &[&ghost]).await;
    anna.say(&room, "Guten Tag").await;
    bob.wait_for_text("Guten Tag").await;
    gate.close().await;
    anna.say(&room, "Das ist nicht mehr für Sie.").await;
    until("an attempt in vain", async || {
        fehmarn.rows(&bob.address).iter().any(|row| row.contains("unreachable")).then_some(())
    })
    .await;
    anna.kick(&room, &ghost).await;
    until("an empty outbox", async || fehmarn.rows("outbox:").is_empty().then_some(())).await;
    gate.open().await;
    anna.say(&room, "Das auch nicht.").await;
    anna.invite(&room, &ghost).await;
    anna.say(&room, "Aber das.").await;
    bob.wait_for_text("Aber das.").await;
    assert_eq!(bob.mails().await.iter().map(Mail::text).collect::<Vec<_>>(), ["Guten Tag", "Aber das."]);
}

/// Upgrades a room as Element does: the room, and an invitation for everybody who was there.
async fn upgrade(anna: &Staff, room: &str, version: &str, invite: &[&str]) -> String {
    let answer = anna.ask(Method::POST, &format!("/v3/rooms/{room}/upgrade"), json!({ "new_version": version })).await;
    let new = text(&answer, "/replacement_room").to_owned();
    for user in invite {
        anna.invite(&new, user).await;
    }
    new
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_goes_on_in_the_room_that_takes_the_place_of_its_own() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    talk.hear("Danke.").await;
    let room = upgrade(&talk.anna, &talk.room, "12", &[&talk.ghost]).await;
    assert!(!room.contains(':'), "a room of version 12 is named by a hash alone: {room}");
    talk.anna.say(&room, "Hier geht es weiter.").await;
    let mail = talk.bob.wait_for_text("Hier geht es weiter.").await;
    assert_eq!(mail.references().first(), Some(&talk.first.message_id()), "the mails are one thread");
    talk.anna.wait_for_member(&talk.room, &talk.ghost, "leave").await;

    talk.bob.send(talk.answer("Das beantwortet Ihre erste Mail.")).await;
    talk.anna.wait_for_words(&room, &talk.ghost, "Das beantwortet Ihre erste Mail.").await;
    talk.bob.send(Letter::new(&talk.bob, &talk.address()).subject("Neu").text("Und das keine.")).await;
    talk.anna.wait_for_words(&room, &talk.ghost, "Und das keine.").await;
    assert_eq!(talk.heard().await, ["Danke."]);
    assert_eq!(talk.anna.invitations().await, 0, "there is no third room");
}

/// By the mail alone that it answers, it is known where it belongs.
async fn answer_under_another_subject(bob: &Outside, mail: &Mail, words: &str) {
    let letter = Letter::answering(bob, mail).text(words);
    let (to, letter) = (letter.to.clone(), String::from_utf8(letter.bytes()).unwrap());
    let other = letter.replace("Bauantrag 17", "Ein anderer Betreff");
    assert_ne!(other, letter, "the subject is not the one that is replaced here");
    bob.send_raw(&[&to[0]], other.as_bytes()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_what_was_said_before_an_upgrade_comes_into_the_new_room_and_not_into_another_of_the_two() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let (anna, bob, ghost) = (&talk.anna, &talk.bob, &talk.ghost);
    let room = anna.room("Bauantrag 17", &[ghost]).await;
    anna.wait_for_member(&room, ghost, "join").await;
    anna.say(&room, "Der Plan fehlt.").await;
    let mail = bob.wait_for_text("Der Plan fehlt.").await;
    let new = upgrade(anna, &room, "11", &[ghost]).await;
    anna.wait_for_member(&new, ghost, "join").await;
    anna.wait_for_member(&room, ghost, "leave").await;

    bob.send(Letter::answering(bob, &mail).text("Hier ist er.")).await;
    anna.wait_for_words(&new, ghost, "Hier ist er.").await;
    answer_under_another_subject(bob, &mail, "Und noch einer.").await;
    anna.wait_for_words(&new, ghost, "Und noch einer.").await;
    assert_eq!(talk.heard().await, [] as [&str; 0], "that is another conversation");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_turns_out_not_to_arrive_after_an_upgrade_is_told_in_the_new_room() {
    let mut setup = Setup::new();
    let mut gate = Gate::new(setup.slot.spare_ports[0], servers().mail_ports.smtp);
    setup.smtp_port = gate.port;
    gate.close().await;
    let fehmarn = setup.start().await;
    let (anna, address) = (Staff::new("Anna Muster").await, "reject@example.org");
    let ghost = fehmarn.slot().ghost(address);
    let room = anna.direct_chat(&ghost).await;
    anna.say(&room, "Sind Sie da?").await;
    let tried = async || fehmarn.rows(address).iter().any(|row| row.contains("unreachable")).then_some(());
    until("an attempt in vain", tried).await;
    let new = upgrade(&anna, &room, "11", &[&ghost]).await;
    anna.wait_for_member(&new, &ghost, "join").await;
    anna.wait_for_member(&room, &ghost, "leave").await;
    gate.open().await;
    anna.wait_for_part(&new, &ghost, "Diese Adresse gibt es nicht.").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_of_version_12_are_rooms_like_all_others() {
    let fehmarn = Fehmarn::new().await;
    let (anna, bob) = (Staff::new("Anna Muster").await, Outside::new("Bob"));
    let ghost = fehmarn.slot().ghost(&bob.address);
    let request =
        json!({ "preset": "trusted_private_chat", "room_version": "12", "is_direct": true, "invite": [ghost] });
    let answer = anna.ask(Method::POST, "/v3/createRoom", request).await;
    let room = text(&answer, "/room_id");
    anna.say(room, "Guten Tag").await;
    let mail = bob.wait_for_text("Guten Tag").await;
    bob.send(Letter::answering(&bob, &mail).text("Auch so.")).await;
    anna.wait_for_words(room, &ghost, "Auch so.").await;
    bob.send(Letter::new(&bob, &anna.address(&fehmarn.slot().domain)).text("Noch etwas.")).await;
    anna.wait_for_words(room, &ghost, "Noch etwas.").await;
}

/// As in the tests above clients invite everybody anew, these show nothing of who comes along by the tombstone alone.
#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_needs_an_invitation_all_from_outside_come_along_by_themselves() {
    let fehmarn = Fehmarn::new().await;
    let (anna, bob, eve) = (Staff::new("Anna Muster").await, Outside::new("Bob"), Outside::new("Eve"));
    let ghosts = [&bob, &eve].map(|person| fehmarn.slot().ghost(&person.address));
    let request = json!({ "preset": "public_chat", "name": "Sprechstunde", "invite": ghosts });
    let answer = anna.ask(Method::POST, "/v3/createRoom", request).await;
    let room = text(&answer, "/room_id");
    for ghost in &ghosts {
        anna.wait_for_member(room, ghost, "join").await;
    }
    anna.say(room, "Guten Tag").await;
    for person in [&bob, &eve] {
        person.wait_for_text("Guten Tag").await;
    }
    let new = upgrade(&anna, room, "11", &[]).await;
    for ghost in &ghosts {
        anna.wait_for_member(&new, ghost, "join").await;
        anna.wait_for_member(room, ghost, "leave").await;
    }
    anna.say(&new, "Hier geht es weiter.").await;
    for person in [&bob, &eve] {
        person.wait_for_text("Hier geht es weiter.").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_finds_its_room_after_two_upgrades() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let (anna, bob, ghost) = (&talk.anna, &talk.bob, &talk.ghost);
    let first = anna.room("Bauantrag 17", &[ghost]).await;
    anna.wait_for_member(&first, ghost, "join").await;
    anna.say(&first, "Der Plan fehlt.").await;
    let mail = bob.wait_for_text("Der Plan fehlt.").await;
    let mut room = first;
    for _ in 0..2 {
        let new = upgrade(anna, &room, "12", &[ghost]).await;
        anna.wait_for_member(&new, ghost, "join").await;
        anna.wait_for_member(&room, ghost, "leave").await;
        room = new;
    }
    answer_under_another_subject(bob, &mail, "Hier ist er.").await;
    anna.wait_for_words(&room, ghost, "Hier ist er.").await;
    assert_eq!(talk.heard().await, [] as [&str; 0], "that is another conversation");
}
