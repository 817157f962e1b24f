//! Somebody of the staff takes away what a colleague has written, over a real Prosody: outside it is gone as well, in a
//! form that a client there believes.

use crate::common::{
    Staff,
    chat_room::stanza_id,
    hall::{ANNA, BOB, Hall},
    talk::Talk,
};
use reqwest::Method;
use serde_json::{Value, json};

/// Tom, who has come into Anna's room and may take away there what others write.
async fn overseer(anna: &Staff, room: &str) -> Staff {
    let tom = Staff::new("Tom Amt").await;
    anna.invite(room, &tom.id).await;
    tom.join(room).await;
    let path = format!("/v3/rooms/{room}/state/m.room.power_levels");
    let mut levels = anna.ask(Method::GET, &path, Value::Null).await;
    levels["users"][&tom.id] = json!(50);
    anna.ask(Method::PUT, &path, levels).await;
    tom
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_colleague_takes_away_is_taken_back_in_the_name_of_who_has_written_it() {
    let talk = Talk::begin().await;
    let tom = overseer(&talk.anna, &talk.room).await;
    let (event, stanza) = talk.tell("Das war zu viel").await;
    tom.redact(&talk.room, &event).await;
    let told = talk.bob.wait_for_xml("message-retract:1").await;
    assert!(told["xml"].as_str().unwrap().contains(&format!("id=\"{}\"", stanza["id"].as_str().unwrap())), "{told}");
    assert_eq!(told["sender"], stanza["sender"], "nobody believes it of another one");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_group_chat_a_moderator_takes_away_what_a_colleague_has_said_and_anybody_else_has_it_taken_back() {
    let hall = Hall::begin_in_own_room().await;
    let tom = overseer(&hall.anna, &hall.room).await;
    hall.there.wait_for_member(&hall.bob, "Tom Amt").await;
    let (event, stanza) = hall.tell("Das war zu viel").await;
    tom.redact(&hall.room, &event).await;
    let told = hall.bob.wait_for_xml("message-retract:1").await;
    assert!(told["xml"].as_str().unwrap().contains(&format!("id=\"{}\"", stanza_id(&stanza))), "{told}");
    assert_eq!(told["sender"], *hall.there.occupant(ANNA), "nobody believes it of another one");
    let is_moderation = |told: &Value| told["xml"].as_str().is_some_and(|xml| xml.contains("moderated"));
    assert!(!hall.bob.told().iter().any(is_moderation), "Tom is no moderator there");

    let address = tom.address(&hall.fehmarn.slot().xmpp_domain);
    hall.there.set(&hall.bob, &format!("<item jid='{address}' affiliation='admin'/>")).await;
    let (event, stanza) = hall.tell("Und das auch").await;
    tom.redact(&hall.room, &event).await;
    let told = hall.bob.wait_for("a moderation", is_moderation).await;
    let xml = told["xml"].as_str().unwrap();
    assert!(
        xml.contains(&format!("id=\"{}\"", stanza_id(&stanza))) && xml.contains(&hall.there.occupant("Tom Amt")),
        "{xml}"
    );
    hall.hear("Alles gut").await;
    assert_eq!(hall.there.heard(&hall.bob, BOB), ["Alles gut"]);
}
