//! A group chat that does not notice the end of a stream, and goes on talking to those who were there.

use crate::{
    common::{
        Setup,
        gate::Gate,
        hall::{ANNA, BOB, Hall},
        servers, until,
    },
    xmpp_rooms_gap::refuse_archive_once,
};
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_room_tells_before_it_is_gone_into_again_comes_after_what_was_missed() {
    let mut setup = Setup::with_xmpp();
    let mut gate = Gate::new(setup.slot.spare_ports[0], servers().xmpp.component_port);
    let lines = setup.xmpp.as_mut().unwrap();
    lines.retain(|line| !line.starts_with("port:"));
    lines.push(format!("port: {}", gate.port));
    gate.open().await;
    let hall = Hall::begin_with(setup).await;
    hall.hear("Vorher").await;
    let say = async |lines: std::ops::RangeInclusive<u32>| {
        let last = format!("Zeile {}", lines.end());
        lines.for_each(|n| drop(hall.there.say(&hall.bob, &format!("Zeile {n}"))));
        hall.there.wait_for_words(&hall.bob, BOB, &last).await;
    };

    // Into a stream that ends before anybody has read it.
    gate.mute().await;
    say(1..=10).await;
    gate.close().await;
    // Until they are back nobody says anything: whom a room cannot reach it puts out.
    refuse_archive_once(&hall.there.address);
    gate.open().await;
    let address = hall.annas_address();
    let is_there = async || {
        let answer = hall.bob.ask(&address, "get", "<ping xmlns='urn:xmpp:ping'/>").await;
        (answer["type"] == "result").then_some(())
    };
    until("an answer from Anna", is_there).await;
    // The room talks to her, and she has not asked yet what she has missed.
    say(11..=20).await;
    hall.anna.wait_for_words(&hall.room, &hall.ghost, "Zeile 10").await;
    hall.anna.wait_for_words(&hall.room, &hall.ghost, "Zeile 20").await;
    hall.hear("Nachher").await;
    let mut expected: Vec<String> = (1..=20).map(|n| format!("Zeile {n}")).collect();
    expected.insert(0, "Vorher".into());
    expected.push("Nachher".into());
    assert_eq!(hall.said_by(&hall.ghost).await, expected);
    let is_end = |told: &Value| told["sender"] == *hall.there.occupant(ANNA) && told["type"] == "unavailable";
    assert!(!hall.bob.told().iter().any(is_end), "the room has noticed it, and this test shows nothing");
}
