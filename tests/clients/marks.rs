//! What a client shows of what has become of messages, people and rooms.

use super::{Library, Shown};
use crate::common::{Fehmarn, Letter, Outside, Setup, gate::Gate, servers};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_arrive_is_one_notice_that_changes_and_is_tried_again_by_a_reaction() {
    let mut setup = Setup::new();
    let mut gate = Gate::new(setup.slot.spare_ports[0], servers().mail_ports.smtp);
    setup.smtp_port = gate.port;
    setup.smtp.push("reports: failures".into());
    setup.top.push("give_up: 1s".into());
    gate.open().await;
    let fehmarn = setup.start().await;
    let (anna, bob) = (Library::new("Anna Muster", fehmarn.setup()).await, Outside::new("Bob"));
    let room = anna.direct_chat(&fehmarn.slot().ghost(&bob.address)).await;
    let said = anna.say(&room, "Guten Tag").await;
    anna.wait_for_state(&room, &said, "SUCCESS").await;
    gate.close().await;
    let said = anna.say(&room, "Kommt das an?").await;
    let failed = anna.wait_for_state(&room, &said, "FAIL_RETRIABLE").await;
    assert_eq!(failed["unsent"], false, "the homeserver has it; it is the way outside that is closed");
    let told = anna.wait_for_notice(&room, "Die Gegenseite ist nicht erreichbar.").await;
    assert_eq!((&told["replies_to"], &told["edited"]), (&json!(said), &json!(false)));
    gate.open().await;
    let reaction = json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": said, "key": "🔁" } });
    anna.send("sendEvent", json!([room, "m.reaction", reaction])).await;
    bob.wait_for_text("Kommt das an?").await;
    anna.wait_for_state(&room, &said, "SUCCESS").await;
    let sent = format!("Die Nachricht an {} ist jetzt verschickt.", bob.address);
    let is_changed = |message: &Value| message["edited"] == true && message["body"] == sent;
    anna.wait_for(&room, told["id"].as_str().unwrap(), "its change", is_changed).await;
    let shown = anna.show(&room).await;
    let notices = shown.messages().iter().filter(|message| message["msgtype"] == "m.notice").count();
    assert_eq!(notices, 1, "{:#}", shown.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_is_upgraded_and_people_who_leave_are_followed() {
    let fehmarn = Fehmarn::new().await;
    let (anna, bob) = (Library::new("Anna Muster", fehmarn.setup()).await, Outside::new("Bob"));
    let ghost = fehmarn.slot().ghost(&bob.address);
    let room = anna.direct_chat(&ghost).await;
    anna.say(&room, "Guten Tag").await;
    let mail = bob.wait_for_text("Guten Tag").await;
    bob.send(Letter::answering(&bob, &mail).text("Danke")).await;
    anna.wait_for_words(&room, &ghost, "Danke").await;

    let upgraded = anna.call("upgradeRoom", json!([room, "12"])).await;
    let new = upgraded["replacement_room"].as_str().unwrap();
    // As clients do for everybody who was there.
    anna.call("invite", json!([new, ghost])).await;
    anna.wait_for_member(new, &ghost, "join").await;
    anna.wait_for_member(&room, &ghost, "leave").await;
    let is_new = |shown: &Shown| shown.0["version"] == "12" && shown.0["name"] == "Bob";
    anna.wait_until(new, "a chat with Bob", is_new).await;
    assert_eq!(anna.show(&room).await.0["successor"], new);
    let rooms: Vec<Value> = anna.rooms().await.into_iter().map(|mut room| room["id"].take()).collect();
    assert_eq!(rooms, [new], "the list has the new room alone");
    anna.say(new, "Hier geht es weiter.").await;
    bob.wait_for_text("Hier geht es weiter.").await;
    bob.send(Letter::answering(&bob, &mail).text("Gut")).await;
    anna.wait_for_words(new, &ghost, "Gut").await;

    anna.call("leave", json!([new])).await;
    bob.send(Letter::answering(&bob, &mail).text("Sind Sie noch da?")).await;
    let invitation = anna.wait_for_invitation(&ghost).await;
    let room = invitation["id"].as_str().unwrap();
    anna.join(room).await;
    anna.wait_for_words(room, &ghost, "Sind Sie noch da?").await;
    anna.call("kick", json!([room, ghost, "Nicht mehr zuständig"])).await;
    let said = anna.say(room, "Das bleibt hier.").await;
    let other = anna.direct_chat(&fehmarn.slot().ghost("zeugin@example.org")).await;
    let last = anna.say(&other, "Ende").await;
    anna.wait_for_state(&other, &last, "SUCCESS").await;
    assert_eq!(anna.show(room).await.message(&said).unwrap()["state"], Value::Null);
    assert_eq!(bob.mails().await.len(), 2);
}
