//! What leaves nothing behind, over a real Prosody: who writes, and what was read.

use crate::common::{
    Contact, Setup, Staff, events::event_id, homeserver::Homeserver, servers, talk::Talk, until, wait::unique,
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};

const STATES: &str = "http://jabber.org/protocol/chatstates";

/// Whether a client was told this of somebody, without any words.
fn is_state(told: &Value, state: &str) -> bool {
    let xml = told["xml"].as_str().unwrap_or_default();
    told["body"].is_null() && xml.contains(STATES) && xml.contains(state)
}

/// How often Bob's client was told this of Anna.
fn told(talk: &Talk, state: &str) -> usize {
    talk.bob.told().iter().filter(|told| is_state(told, state)).count()
}

async fn wait_for(talk: &Talk, state: &str, count: usize) {
    until(&format!("{count} of {state:?}"), async || (told(talk, state) >= count).then_some(())).await;
}

/// A conversation, with a colleague in the room who may read it and not write outside.
async fn with_a_reader() -> (Talk, Staff) {
    let mut setup = Setup::with_xmpp();
    let tom = Staff::new("Tom").await;
    setup.permissions.push(format!("{:?}: read", tom.id));
    let talk = Talk::begin_with(setup).await;
    talk.anna.invite(&talk.room, &tom.id).await;
    tom.join(&talk.room).await;
    talk.tell("Tom ist da").await;
    (talk, tom)
}

#[tokio::test(flavor = "multi_thread")]
async fn people_outside_see_that_staff_write_and_that_they_stop() {
    let talk = Talk::begin().await;
    talk.anna.write(&talk.room, true).await;
    wait_for(&talk, "composing", 1).await;
    talk.anna.write(&talk.room, false).await;
    wait_for(&talk, "active", 1).await;
    let said =
        |what: &str| talk.bob.told().iter().any(|told| told["xml"].as_str().is_some_and(|xml| xml.contains(what)));
    assert!(said("no-store"), "nobody's server should keep it");
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_program_says_no_states_is_told_none() {
    let talk = Talk::begin().await;
    talk.hear("Ohne Zustand").await;
    talk.anna.write(&talk.room, true).await;
    talk.anna.write(&talk.room, false).await;
    talk.tell("Nach dem Schreiben").await;
    assert_eq!((told(&talk, "composing"), told(&talk, "active")), (0, 0));

    talk.bob.send(&talk.address(), &format!("<body>Mit Zustand</body><active xmlns='{STATES}'/>"));
    talk.anna.wait_for_words(&talk.room, &talk.ghost, "Mit Zustand").await;
    talk.anna.write(&talk.room, true).await;
    wait_for(&talk, "composing", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_see_that_people_outside_write_and_that_they_stop() {
    let talk = Talk::begin().await;
    let state = |state: &str| drop(talk.bob.send(&talk.address(), &format!("<{state} xmlns='{STATES}'/>")));
    state("composing");
    talk.anna.wait_for_typing(&talk.room, &talk.ghost, true).await;
    state("paused");
    let stops = talk.anna.wait_for_typing(&talk.room, &talk.ghost, false);
    let soon = std::time::Duration::from_secs(30);
    tokio::time::timeout(soon, stops).await.expect("the homeserver ends it by itself after a minute");
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    state("composing");
    talk.anna.wait_for_typing(&talk.room, &talk.ghost, true).await;
    talk.hear("Fertig geschrieben").await;
    talk.anna.wait_for_typing(&talk.room, &talk.ghost, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_staff_have_read_is_marked_outside_unless_they_keep_it_to_themselves() {
    let talk = Talk::begin().await;
    let (first, event) = talk.hear("Das liest sie für sich").await;
    talk.anna.mark_read(&talk.room, "m.read.private", event_id(&event)).await;
    let (second, event) = talk.hear("Das liest sie").await;
    talk.anna.mark_read(&talk.room, "m.read", event_id(&event)).await;
    let marked = talk.bob.wait_for_xml("displayed").await;
    let xml = marked["xml"].as_str().unwrap();
    assert!(xml.contains("urn:xmpp:chat-markers:0") && xml.contains(&format!("\"{second}\"")), "{xml}");
    assert!(marked["sender"].as_str().unwrap().starts_with(&talk.address()));
    let marks =
        talk.bob.told().into_iter().filter(|told| told["xml"].as_str().is_some_and(|xml| xml.contains("displayed")));
    assert!(marks.clone().all(|told| !told["xml"].as_str().unwrap().contains(&first)) && marks.count() == 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_on_who_writes_costs_no_write_to_the_database() {
    let talk = Talk::begin().await;
    let homeserver = Homeserver::of(talk.fehmarn.slot());
    let (anna, room) = (&talk.anna.id, &talk.room);
    let push = async |room: &str, users: &[&str]| {
        let typing = json!({ "type": "m.typing", "room_id": room, "content": { "user_ids": users } });
        let body = json!({ "events": [], "de.sorunome.msc2409.ephemeral": [typing] });
        assert_eq!(homeserver.put(&unique("by-hand"), &body.to_string()).await.0, StatusCode::OK);
    };
    // What belongs to the beginning of the conversation is written down first.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let path = talk.fehmarn.setup().database_path();
    let mut database = SqliteConnectOptions::new().filename(path).read_only(true).connect().await.unwrap();
    let version: i64 = sqlx::query_scalar("PRAGMA data_version").fetch_one(&mut database).await.unwrap();
    for _ in 0..25 {
        push(room, &[anna]).await;
        push(room, &[]).await;
        push("!no.portal:example.org", &[anna]).await;
    }
    wait_for(&talk, "composing", 25).await;
    wait_for(&talk, "active", 25).await;
    let after: i64 = sqlx::query_scalar("PRAGMA data_version").fetch_one(&mut database).await.unwrap();
    assert_eq!(version, after, "something was written");

    // Whatever stands there, the events beside it count.
    let event = crate::common::homeserver::message(room, anna, "Trotzdem");
    let body = json!({ "events": [event], "ephemeral": "nothing that could be read" });
    assert_eq!(homeserver.put(&unique("by-hand"), &body.to_string()).await.0, StatusCode::OK);
    talk.bob.wait_for_words("Trotzdem").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_write_outside_is_not_shown_as_writing() {
    let (talk, tom) = with_a_reader().await;
    tom.write(&talk.room, true).await;
    tom.write(&talk.room, false).await;
    talk.anna.write(&talk.room, true).await;
    wait_for(&talk, "composing", 1).await;
    let from_tom = |told: &Value| told["sender"].as_str().is_some_and(|from| from.starts_with(&tom.localpart));
    assert!(!talk.bob.told().iter().any(from_tom), "{}", servers().server_name);
}

/// Presence names no room, but for one by hand here: whatever it says, it is nothing to anybody.
#[tokio::test(flavor = "multi_thread")]
async fn whether_staff_are_there_is_told_to_nobody_and_costs_nothing_beside_it() {
    let talk = Talk::begin().await;
    let homeserver = Homeserver::of(talk.fehmarn.slot());
    let (anna, room) = (&talk.anna.id, &talk.room);
    let before = talk.bob.told().len();
    let presence = |state: &str| {
        let content = json!({ "presence": state, "last_active_ago": 5, "currently_active": state == "online" });
        json!({ "type": "m.presence", "sender": anna, "content": content })
    };
    let mut in_a_room = presence("online");
    in_a_room["room_id"] = json!(room);
    for state in ["online", "unavailable", "offline"] {
        let body = json!({ "events": [], "ephemeral": [presence(state), in_a_room] });
        assert_eq!(homeserver.put(&unique("by-hand"), &body.to_string()).await.0, StatusCode::OK, "{state}");
    }
    // What is told of who writes is told in order.
    let typing = json!({ "type": "m.typing", "room_id": room, "content": { "user_ids": [] } });
    let event = crate::common::homeserver::message(room, anna, "Trotzdem");
    let body = json!({ "events": [event], "ephemeral": [presence("online"), typing] });
    assert_eq!(homeserver.put(&unique("by-hand"), &body.to_string()).await.0, StatusCode::OK);
    talk.bob.wait_for_words("Trotzdem").await;
    talk.tell("Ende").await;
    let told: Vec<Value> = talk.bob.told().split_off(before);
    let stanzas: Vec<&Value> = told.iter().filter(|told| told["body"].is_null()).collect();
    assert!(stanzas.is_empty(), "{stanzas:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_by_whom_may_not_write_outside_is_not_told() {
    let (talk, tom) = with_a_reader().await;
    let (_, event) = talk.hear("Das liest Tom").await;
    tom.mark_read(&talk.room, "m.read", event_id(&event)).await;
    let (id, event) = talk.hear("Das liest Anna").await;
    talk.anna.mark_read(&talk.room, "m.read", event_id(&event)).await;
    let is_hers = |told: &Value| {
        let xml = told["xml"].as_str().unwrap_or_default();
        xml.contains("displayed") && xml.contains(&format!("\"{id}\""))
    };
    talk.bob.wait_for("her mark", is_hers).await;
    let from_tom = |told: &Value| told["sender"].as_str().is_some_and(|from| from.starts_with(&tom.localpart));
    assert!(!talk.bob.told().iter().any(from_tom));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_just_come_is_shown_who_writes_as_well() {
    let (talk, eve) = (Talk::begin().await, Contact::new("Eve").await);
    let ghost = talk.fehmarn.slot().ghost_of("xmpp", &eve.address);
    talk.anna.write(&talk.room, true).await;
    wait_for(&talk, "composing", 1).await;
    talk.anna.write(&talk.room, false).await;
    wait_for(&talk, "active", 1).await;
    talk.anna.invite(&talk.room, &ghost).await;
    talk.anna.wait_for_member(&talk.room, &ghost, "join").await;
    talk.anna.say(&talk.room, "Willkommen").await;
    eve.wait_for_words("Willkommen").await;
    talk.anna.write(&talk.room, true).await;
    eve.wait_for("who writes", |told| is_state(told, "composing")).await;
}
