//! Who may write to people outside, and how much.

use crate::common::{
    Conversation, Letter, Outside, Setup, Staff,
    events::{bodies, text},
    homeserver::{self, Homeserver},
    servers, until,
    wait::unique,
};
use serde_json::{Value, json};
use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};

#[tokio::test(flavor = "multi_thread")]
async fn who_may_only_answer_answers_and_begins_nothing() {
    let (mut setup, tom, bob) = (Setup::new(), Staff::new("Tom").await, Outside::new("Bob"));
    setup.permissions.push(format!("{:?}: answer", tom.id));
    let fehmarn = setup.start().await;
    let (ghost, bot) = (fehmarn.slot().ghost(&bob.address), fehmarn.slot().bot_id());
    const NOT: &str = "Sie dürfen Menschen außerhalb antworten, aber keine Gespräche mit ihnen beginnen.";

    let room = tom.direct_chat(&ghost).await;
    tom.say(&room, "Darf ich das?").await;
    let declined = tom.wait_for_member(&room, &ghost, "leave").await;
    assert!(text(&declined, "/content/reason").starts_with(NOT), "{declined}");
    tom.wait_for_part(&room, &ghost, NOT).await;
    let office = tom.direct_chat(&bot).await;
    tom.say(&office, &bob.address).await;
    tom.wait_for_part(&office, &bot, NOT).await;
    assert_eq!(tom.invitations().await, 0);

    bob.send(Letter::new(&bob, &tom.address(&fehmarn.slot().domain)).text("Eine Frage")).await;
    let room = tom.wait_for_invitation(&ghost).await;
    tom.join(&room).await;
    tom.say(&room, "Eine Antwort").await;
    bob.wait_for_text("Eine Antwort").await;
    assert_eq!(bob.mails().await.len(), 1, "nothing else has left");
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_room_that_is_closed_by_a_rule_nothing_goes_out() {
    let (mut setup, anna, bob) = (Setup::new(), Staff::new("Anna Muster").await, Outside::new("Bob"));
    let closed = anna.room("Personalrat", &[]).await;
    let slow = anna.room("Sitzung", &[]).await;
    setup.permissions.push(format!("{closed:?}: read"));
    setup.permissions.push(format!("{slow:?}: answer"));
    let fehmarn = setup.start().await;
    let ghost = fehmarn.slot().ghost(&bob.address);
    for room in [&closed, &slow] {
        anna.invite(room, &ghost).await;
        anna.say(room, "Das bleibt hier.").await;
        anna.wait_for_member(room, &ghost, "leave").await;
    }
    let room = anna.room("Bauantrag", &[&ghost]).await;
    anna.say(&room, "Das geht hinaus.").await;
    bob.wait_for_text("Das geht hinaus.").await;
    assert_eq!(bob.mails().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_has_so_many_messages_and_a_restart_gives_nobody_a_new_one() {
    let mut setup = Setup::new();
    setup.core.push("limits: { messages: { day: 3 } }".into());
    let mut talk = Conversation::begin(setup.start().await).await;
    talk.tell("Zwei").await;
    talk.tell("Drei").await;
    let event = talk.anna.say(&talk.room, "Vier").await;
    const TOO_MUCH: &str = "Sie haben heute schon 3 Nachrichten an Menschen außerhalb geschrieben;";
    let is_told = |event: &Value| text(event, "/content/body").starts_with(TOO_MUCH);
    let told = talk.anna.wait_for(&talk.room, TOO_MUCH, is_told).await;
    assert_eq!(text(&told, "/content/m.relates_to/m.in_reply_to/event_id"), event);

    talk.fehmarn.stop().await;
    talk.fehmarn.start_again().await;
    talk.anna.say(&talk.room, "Fünf").await;
    // Each has a day of their own.
    let tom = Staff::new("Tom").await;
    talk.anna.invite(&talk.room, &tom.id).await;
    tom.join(&talk.room).await;
    tom.say(&talk.room, "Von Tom").await;
    talk.bob.wait_for_text("Von Tom").await;
    assert_eq!(talk.mailed().await, ["Guten Tag", "Zwei", "Drei", "Von Tom"]);
    let messages = talk.anna.messages(&talk.room).await;
    assert_eq!(messages.iter().filter(|event| is_told(event)).count(), 1, "{:?}", bodies(&messages));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_has_so_many_new_conversations_however_they_begin() {
    let mut setup = Setup::new();
    setup.core.push("limits: { conversations: { day: 2 } }".into());
    let talk = Conversation::begin(setup.start().await).await;
    let (anna, bot) = (&talk.anna, talk.fehmarn.slot().bot_id());
    let others = [Outside::new("Eve"), Outside::new("Eva"), Outside::new("Max")];
    const TOO_MUCH: &str = "Sie haben heute schon 2 Gespräche mit Menschen außerhalb begonnen;";
    let office = anna.direct_chat(&bot).await;
    anna.say(&office, &others[0].address).await;
    anna.wait_for_part(&office, &bot, "ist bereit").await;
    anna.say(&office, &others[1].address).await;
    anna.wait_for_part(&office, &bot, TOO_MUCH).await;
    let ghost = talk.fehmarn.slot().ghost(&others[2].address);
    let room = anna.direct_chat(&ghost).await;
    anna.wait_for_part(&room, &ghost, TOO_MUCH).await;
    anna.wait_for_member(&room, &ghost, "leave").await;
    assert_eq!(anna.invitations().await, 1, "only the one that was allowed");
    talk.tell("Was begonnen ist, geht weiter.").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_of_other_servers_begin_nothing_whatever_the_rule_for_everybody_says() {
    let mut setup = Setup::new();
    setup.permissions = vec!["'*': write".into()];
    setup.listen_port = setup.slot.spare_ports[0];
    let (slot, port, database) = (setup.slot.clone(), setup.listen_port, setup.database_path());
    let mut fehmarn = setup.start_without_waiting();
    let homeserver = Homeserver::asking(&slot, port);
    until("Fehmarn", async || {
        let health = reqwest::get(format!("http://127.0.0.1:{port}/health")).await;
        health.ok().filter(|answer| answer.status().is_success())
    })
    .await;
    let invite = |room: &str, sender: &str, user: &str| {
        json!({
            "type": "m.room.member", "event_id": format!("${}", unique("invite")), "room_id": room, "sender": sender,
            "state_key": user, "content": { "membership": "invite", "is_direct": true },
        })
    };
    let ghost = slot.ghost("bob@example.org");
    let own = homeserver::user("nobody.at.all");
    let events =
        [invite("!strange:evil.example", "@eve:evil.example", &ghost), invite("!own:fehmarn.test", &own, &ghost)];
    assert!(homeserver.push("1", &events).await.is_success());
    let mut database = SqliteConnectOptions::new().filename(&database).read_only(true).connect().await.unwrap();
    let rooms: Vec<String> = sqlx::query_scalar("SELECT room_id FROM portals").fetch_all(&mut database).await.unwrap();
    assert_eq!(rooms, ["!own:fehmarn.test"], "on {}", servers().server_name);
    fehmarn.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_over_minutes_and_comes_at_once_is_not_too_much() {
    let mut setup = Setup::new();
    setup.core.push("limits: { messages: { minute: 2 } }".into());
    let talk = Conversation::begin(setup.start().await).await;
    // As after an hour in which Fehmarn was away.
    let began = fehmarn::store::now() - 3_600_000;
    let words: Vec<String> = (0..6).map(|n| format!("Zeile {n}")).collect();
    let held_up: Vec<Value> = (0_i64..)
        .zip(&words)
        .map(|(n, words)| {
            let mut event = homeserver::message(&talk.room, &talk.anna.id, words);
            event["origin_server_ts"] = (began + n * 60_000).into();
            event
        })
        .collect();
    let homeserver = Homeserver::of(talk.fehmarn.slot());
    assert!(homeserver.push(&unique("held-up"), &held_up).await.is_success());
    for words in &words {
        talk.bob.wait_for_text(words).await;
    }
}
