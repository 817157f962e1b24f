//! Who may be in a group chat: staff send people away here and there, are banned there, and know a password; over a real
//! Prosody.

use crate::common::{
    ChatRoom, Contact, Setup, Staff,
    hall::{ANNA, BOB, Hall, alias, ghost_of, join_by, wait_until},
    until,
};
use reqwest::Method;
use serde_json::{Value, json};

async fn send_out(hall: &Hall, how: &str, user: &str, reason: &str) {
    let path = format!("/v3/rooms/{}/{how}", hall.room);
    hall.anna.ask(Method::POST, &path, json!({ "user_id": user, "reason": reason })).await;
}

/// Eve, who is in the room, and her ghost.
async fn eve(hall: &Hall) -> (Contact, String) {
    let (eve, ghost) = (Contact::new("Eve").await, hall.ghost_of("Eve"));
    hall.there.enter(&eve, "Eve").await;
    hall.anna.wait_for_member(&hall.room, &ghost, "join").await;
    (eve, ghost)
}

/// Waits until Eve's client has learned that she was sent away, with this number.
async fn wait_for_end(hall: &Hall, eve: &Contact, code: &str) -> Value {
    let at = hall.there.occupant("Eve");
    let is_end = |told: &Value| {
        told["type"] == "unavailable" && told["sender"] == *at && told["xml"].as_str().unwrap().contains(code)
    };
    eve.wait_for(code, is_end).await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_staff_send_out_here_is_sent_away_there() {
    let hall = Hall::begin_in_own_room().await;
    hall.there.set(&hall.bob, &format!("<item jid='{}' affiliation='admin'/>", hall.annas_address())).await;
    let (eve, ghost) = eve(&hall).await;
    send_out(&hall, "kick", &ghost, "Bitte Ruhe").await;
    let end = wait_for_end(&hall, &eve, "\"307\"").await;
    assert!(end["xml"].as_str().unwrap().contains("Bitte Ruhe"), "{end}");
    // She may come back, and does.
    hall.there.enter(&eve, "Eve").await;
    wait_until(&hall.anna, &hall.room, &ghost, "join").await;

    send_out(&hall, "ban", &ghost, "Zum letzten Mal").await;
    let end = wait_for_end(&hall, &eve, "\"301\"").await;
    assert!(end["xml"].as_str().unwrap().contains("Zum letzten Mal"), "{end}");
    let at = hall.there.occupant("Eve");
    let enter = format!("<presence to='{at}'><x xmlns='http://jabber.org/protocol/muc'/></presence>");
    eve.send_xml(&enter);
    eve.wait_for("the door shut", |told| told["type"] == "error" && told["sender"] == *at).await;

    // What staff take back here is taken back there.
    send_out(&hall, "unban", &ghost, "").await;
    let is_in = async || {
        eve.send_xml(&enter);
        let told = eve.told();
        let last = told.iter().rfind(|told| told["stanza"] == "presence" && told["sender"] == *at)?.clone();
        last["type"].is_null().then_some(())
    };
    until("the door open", is_in).await;
    wait_until(&hall.anna, &hall.room, &ghost, "join").await;
    assert!(hall.fehmarn.rows("").is_empty(), "{:?}", hall.fehmarn.rows(""));
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_staff_may_not_send_away_there_is_here_again_and_the_room_is_told() {
    let hall = Hall::begin_in_own_room().await;
    let (eve, ghost) = eve(&hall).await;
    send_out(&hall, "kick", &ghost, "Bitte Ruhe").await;
    let words = "Eve wurde dort nicht aus dem Raum entfernt: Dort fehlt das Recht dazu. Eve ist deshalb auch hier wieder dabei.";
    hall.anna.wait_for_part(&hall.room, &hall.keeper, words).await;
    wait_until(&hall.anna, &hall.room, &ghost, "join").await;
    hall.there.say(&eve, "Ich bin noch da");
    hall.anna.wait_for_words(&hall.room, &ghost, "Ich bin noch da").await;
    let gone =
        eve.told().iter().any(|told| told["type"] == "unavailable" && told["sender"] == *hall.there.occupant("Eve"));
    assert!(!gone);

    // A ban here that the remote room's ghost cannot lift.
    send_out(&hall, "ban", &ghost, "").await;
    hall.anna.wait_for_part(&hall.room, &hall.keeper, "Was Eve dort schreibt, ist hier nicht zu lesen.").await;
    hall.hear("Von Bob").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_banned_there_is_told_and_stays_out_until_the_ban_is_lifted() {
    let hall = Hall::begin().await;
    let tom = Staff::new("Tom Amt").await;
    join_by(&tom, &alias(&hall.fehmarn, &hall.there)).await;
    hall.there.wait_for_member(&hall.bob, "Tom Amt").await;
    let address = tom.address(&hall.fehmarn.slot().xmpp_domain);
    let ban = format!("<item jid='{address}' affiliation='outcast'><reason>Falscher Raum</reason></item>");
    hall.there.set(&hall.bob, &ban).await;
    let notice = hall.anna.wait_for_part(&hall.room, &hall.keeper, "ist dort in diesem Raum gesperrt").await;
    assert!(notice.starts_with("Tom Amt") && notice.contains("Begründung: „Falscher Raum“"), "{notice}");
    wait_until(&hall.anna, &hall.room, &tom.id, "leave").await;
    hall.hear("Ohne Tom").await;

    // He tries, in vain.
    join_by(&tom, &alias(&hall.fehmarn, &hall.there)).await;
    wait_until(&hall.anna, &hall.room, &tom.id, "leave").await;
    hall.there.set(&hall.bob, &format!("<item jid='{address}' affiliation='none'/>")).await;
    join_by(&tom, &alias(&hall.fehmarn, &hall.there)).await;
    tom.say(&hall.room, "Wieder da").await;
    hall.there.wait_for_words(&hall.bob, "Tom Amt", "Wieder da").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_with_a_password_opens_to_whoever_has_told_it_to_the_bot_and_no_log_knows_it() {
    const PASSWORD: &str = "Sesam öffne dich";
    // However it is escaped, and no part of a time or of an id.
    const PART: &str = "ffne dich";
    let bob = Contact::new("Bob").await;
    let there = ChatRoom::new(&bob, BOB).await;
    let secret = [
        ("muc#roomconfig_passwordprotectedroom", "1"),
        ("muc#roomconfig_roomsecret", PASSWORD),
        ("muc#roomconfig_persistentroom", "1"),
    ];
    there.configure(&bob, &secret).await;
    let mut setup = Setup::with_xmpp();
    setup.log = "debug";
    let mut fehmarn = setup.start().await;
    let (anna, bot) = (Staff::new(ANNA).await, fehmarn.slot().bot_id());
    let keeper = fehmarn.slot().ghost_of("xmpp", &format!("room:{}", there.address));
    let office = anna.direct_chat(&bot).await;
    anna.say(&office, &format!("raum {}", there.address)).await;
    anna.wait_for_part(&office, &bot, "verlangt ein Kennwort").await;

    // A wrong one: the room is there, but lets nobody in.
    anna.say(&office, &format!("raum {} kennwort Falsch", there.address)).await;
    let room = anna.wait_for_invitation(&keeper).await;
    anna.join(&room).await;
    let ghost = ghost_of(&fehmarn, &there, BOB);
    wait_until(&anna, &room, &anna.id, "leave").await;

    anna.say(&office, &format!("raum {} kennwort {PASSWORD}", there.address)).await;
    let said = anna.wait_for_part(&office, &bot, "gibt es hier schon").await;
    assert!(said.ends_with("Ihre Nachricht mit dem Kennwort ist gelöscht."), "{said}");
    let left = anna.events(&office).await;
    assert!(!left.iter().any(|event| event.to_string().contains(PART)), "the homeserver still tells it");
    anna.wait_for_invitation(&keeper).await;
    anna.join(&room).await;
    there.wait_for_member(&bob, ANNA).await;
    anna.say(&room, "Offen").await;
    there.wait_for_words(&bob, ANNA, "Offen").await;
    there.say(&bob, "Willkommen");
    anna.wait_for_words(&room, &ghost, "Willkommen").await;

    // It is known after a restart as well.
    fehmarn.stop().await;
    fehmarn.start_again().await;
    anna.say(&room, "Noch offen").await;
    there.wait_for_words(&bob, ANNA, "Noch offen").await;
    assert!(!fehmarn.log().contains(PART), "the password stands in the log");
    assert!(!fehmarn.queue(&["list"]).contains(PART));
}
