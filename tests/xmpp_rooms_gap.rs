//! Group chats that have lost ours without a word, and what was said meanwhile.

use crate::common::{
    hall::{ANNA, BOB, Hall},
    servers,
};
use serde_json::Value;
use std::{
    process::Command,
    time::{Duration, Instant},
};
use tokio::time::sleep;

/// Has Prosody do something that people cannot have it do.
fn in_prosody(lua: &str) {
    let config = servers().dir.join("prosody/prosody.cfg.lua");
    let lua = format!("> {lua}; return 'well done'");
    let done = Command::new("prosodyctl").arg("--config").arg(config).args(["shell", &lua]).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(said.contains("well done"), "{said}");
}

fn host(room: &str) -> &str {
    room.split('@').nth(1).unwrap()
}

/// Has Prosody forget that somebody is in a room, as after a fault of its own: neither they nor the others hear of it.
fn forget(room: &str, nick: &str) {
    let host = host(room);
    in_prosody(&format!(
        "local room = prosody.hosts['{host}'].modules.muc.get_room_from_jid('{room}'); \
         local one = room:get_occupant_by_nick('{room}/{nick}'); \
         for real in one:each_session() do room._jid_nick[real] = nil end; \
         room._occupants['{room}/{nick}'] = nil"
    ));
}

/// The archive of a room refuses the next question, and only that, as if it had too much to do.
pub fn refuse_archive_once(room: &str) {
    let host = host(room);
    in_prosody(&format!(
        "local stanza = require 'util.stanza'; local host = prosody.hosts['{host}']; \
         local name = 'iq-set/bare/urn:xmpp:mam:2:query'; local refuse; \
         refuse = function(event) if event.stanza.attr.to ~= '{room}' then return end; \
         host.events.remove_handler(name, refuse); \
         event.origin.send(stanza.error_reply(event.stanza, 'wait', 'resource-constraint')); return true end; \
         host.events.add_handler(name, refuse, 1000)"
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_a_room_has_forgotten_goes_in_again_and_what_they_said_is_not_lost() {
    let hall = Hall::begin().await;
    hall.tell("Vorher").await;
    forget(&hall.there.address, ANNA);
    hall.there.say(&hall.bob, "Von Anna nicht gehört");
    hall.there.wait_for_words(&hall.bob, BOB, "Von Anna nicht gehört").await;
    hall.tell("Nachher").await;
    assert_eq!(hall.there.heard(&hall.bob, ANNA), ["Vorher", "Nachher"]);
    hall.anna.wait_for_words(&hall.room, &hall.ghost, "Von Anna nicht gehört").await;
    hall.hear("Und weiter").await;
    assert_eq!(hall.said_by(&hall.ghost).await, ["Von Anna nicht gehört", "Und weiter"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_hears_nothing_asks_whether_they_are_in_the_room_still() {
    let hall = Hall::begin().await;
    hall.hear("Vorher").await;
    forget(&hall.there.address, ANNA);
    hall.there.say(&hall.bob, "Von Anna nicht gehört");
    // Nobody of the staff says anything: only the question finds it out, a minute after the last word.
    let before = hall.bob.told().len();
    let is_anna = |told: &Value| told["sender"] == *hall.there.occupant(ANNA) && told["type"].is_null();
    // Longer than anything else takes: a minute of silence, and the next look after it.
    let since = Instant::now();
    while !hall.bob.told()[before..].iter().any(is_anna) {
        assert!(since.elapsed() < Duration::from_secs(120), "she has not come back");
        sleep(Duration::from_secs(1)).await;
    }
    hall.anna.wait_for_words(&hall.room, &hall.ghost, "Von Anna nicht gehört").await;
    hall.hear("Und weiter").await;
    assert_eq!(hall.said_by(&hall.ghost).await, ["Vorher", "Von Anna nicht gehört", "Und weiter"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_absence_is_filled_from_the_archive_of_the_room_once_and_in_order() {
    let mut hall = Hall::begin().await;
    hall.hear("Vorher").await;
    hall.tell("Hier Anna").await;
    hall.fehmarn.kill();
    // More than a room tells to whoever comes in (20).
    let words: Vec<String> = (1..=130).map(|n| format!("Zeile {n}")).collect();
    for words in &words {
        hall.there.say(&hall.bob, words);
    }
    hall.there.wait_for_words(&hall.bob, BOB, "Zeile 130").await;
    hall.fehmarn.start_again().await;
    hall.anna.wait_for_words(&hall.room, &hall.ghost, "Zeile 130").await;
    hall.hear("Nachher").await;
    let expected = [&["Vorher".to_owned()], &words[..], &["Nachher".to_owned()]].concat();
    assert_eq!(hall.said_by(&hall.ghost).await, expected);
    let ours = hall.ghost_of(ANNA);
    assert!(hall.said_by(&ours).await.is_empty(), "what staff have said comes back as nobody's");
    hall.tell("Anna ist auch noch da").await;
    assert_eq!(hall.there.heard(&hall.bob, ANNA), ["Hier Anna", "Anna ist auch noch da"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_has_too_much_to_do_is_asked_again_before_anybody_goes_in() {
    let mut hall = Hall::begin().await;
    hall.hear("Vorher").await;
    hall.fehmarn.kill();
    // More than a room tells to whoever comes in (20).
    let words: Vec<String> = (1..=40).map(|n| format!("Zeile {n}")).collect();
    for words in &words {
        hall.there.say(&hall.bob, words);
    }
    hall.there.wait_for_words(&hall.bob, BOB, "Zeile 40").await;
    refuse_archive_once(&hall.there.address);
    hall.fehmarn.start_again().await;
    hall.anna.wait_for_words(&hall.room, &hall.ghost, "Zeile 40").await;
    hall.hear("Nachher").await;
    let expected = [&["Vorher".to_owned()], &words[..], &["Nachher".to_owned()]].concat();
    assert_eq!(hall.said_by(&hall.ghost).await, expected);
}
