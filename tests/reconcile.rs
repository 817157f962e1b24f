//! Nothing that staff wrote in a portal is lost because the homeserver forgot to push it.
//!
//! One round of each end of Synapse belongs to every run of the tests. More, as before a release, take longer than
//! nextest lets a test run, so without it:
//!
//! ```sh
//! FEHMARN_TEST_SERVERS=$PWD/target/servers/servers.json FEHMARN_RECONCILE_ROUNDS=20 \
//!     cargo test --locked --test it -- --exact --nocapture \
//!     reconcile::what_the_homeserver_forgot_when_it_was_restarted_arrives_once_and_in_order
//! ```

use crate::common::{
    Conversation, Fehmarn, Mail, Outside, Setup, Staff, body,
    gate::Gate,
    homeserver::Homeserver,
    own_synapse::{End, OwnSynapse},
    sender, servers, until,
};
use reqwest::StatusCode;
use serde_json::Value;
use std::time::{Duration, Instant};

/// What is written in each room while Fehmarn hangs.
const MESSAGES: usize = 4;
const PATIENCE: Duration = Duration::from_secs(60);

struct Room {
    id: String,
    staff: Staff,
    outside: Outside,
    written: Vec<String>,
}

impl Room {
    async fn open(fehmarn: &Fehmarn) -> Self {
        let (staff, outside) = (Staff::new("Anna Muster").await, Outside::new("Bob"));
        let id = staff.direct_chat(&fehmarn.slot().ghost(&outside.address)).await;
        let mut room = Self { id, staff, outside, written: Vec::new() };
        room.write("Guten Tag").await;
        room.outside.wait_for_text("Guten Tag").await;
        room
    }

    async fn write(&mut self, words: &str) {
        self.staff.say(&self.id, words).await;
        self.written.push(words.to_owned());
    }

    async fn mailed(&self) -> Vec<String> {
        self.outside.mails().await.iter().map(Mail::text).collect()
    }
}

/// How many rounds of each kind: one, or what `FEHMARN_RECONCILE_ROUNDS` says.
fn rounds() -> usize {
    std::env::var("FEHMARN_RECONCILE_ROUNDS").map_or(1, |rounds| rounds.parse().unwrap())
}

/// Fehmarn hangs, staff write, and Synapse ends: it has pushed nothing of it, and has all of it in the rooms. In one
/// room something is written after Synapse has come back, so that the forgotten must be sent before what is pushed.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_homeserver_forgot_when_it_was_restarted_arrives_once_and_in_order() {
    let synapse = OwnSynapse::start();
    let mut fehmarn = Fehmarn::new().await;
    let mut rooms = Vec::new();
    for _ in 0..3 {
        rooms.push(Room::open(&fehmarn).await);
    }
    println!("Synapse ends  round  messages  all there after");
    for round in 1..=rounds() {
        for end in [End::Orderly, End::Crash] {
            fehmarn.hang();
            for n in 1..=MESSAGES {
                for room in &mut rooms {
                    room.write(&format!("{end:?} {round}: {n}")).await;
                }
            }
            synapse.end(end);
            synapse.start_again();
            rooms[0].write(&format!("{end:?} {round}: danach")).await;
            fehmarn.go_on();
            let since = Instant::now();
            for room in &rooms {
                while room.mailed().await.len() < room.written.len() {
                    let mailed = room.mailed().await;
                    assert!(since.elapsed() < PATIENCE, "of {:?} only {mailed:?} arrived", room.written);
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
            let took = since.elapsed().as_secs_f64();
            println!("{:<12}  {round:>5}  {:>8}  {took:>13.1} s", format!("{end:?}"), MESSAGES * rooms.len() + 1);
            for room in &rooms {
                assert_eq!(room.mailed().await, room.written);
            }
        }
    }
    // What is pushed late may come now, and must not come twice.
    for room in &mut rooms {
        room.write("Ende").await;
        room.outside.wait_for_text("Ende").await;
    }
    let empty = async || until("empty queues", async || fehmarn.rows(":").is_empty().then_some(())).await;
    empty().await;
    // And all of it once more, when it has long been mailed.
    let homeserver = Homeserver::asking(fehmarn.slot(), fehmarn.slot().listen_port);
    for (n, room) in rooms.iter().enumerate() {
        let events = room.staff.events(&room.id).await;
        for (part, events) in events.chunks(50).enumerate() {
            assert_eq!(homeserver.push(&format!("again {n} {part}"), events).await, StatusCode::OK);
        }
    }
    empty().await;
    for room in &mut rooms {
        room.write("Wirklich Ende").await;
        room.outside.wait_for_text("Wirklich Ende").await;
        assert_eq!(room.mailed().await, room.written);
    }
}

/// It takes every request and answers none for a while; what it pushes reaches us. Then it does what it was asked for, and
/// its answers get lost, and it is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_homeserver_that_does_not_answer_delays_and_neither_loses_nor_doubles() {
    let mut setup = Setup::new();
    let mut gate = Gate::new(setup.slot.spare_ports[0], servers().synapse.port);
    setup.homeserver = gate.url();
    gate.open().await;
    let talk = Conversation::begin(setup.start().await).await;
    talk.hear("Hallo").await;
    let numbers: Vec<String> = (1..=20).map(|n| n.to_string()).collect();
    let write = async |numbers: &[String]| {
        for number in numbers {
            talk.anna.say(&talk.room, number).await;
            talk.bob.send(talk.answer(number)).await;
        }
    };
    let wait_for_rows = async |count: usize| {
        until("answers in the queue", async || (talk.fehmarn.rows("inbox:").len() >= count).then_some(())).await;
    };
    gate.stall().await;
    write(&numbers[..10]).await;
    wait_for_rows(10).await;
    gate.mute().await;
    let is_answer = |event: &Value| sender(event) == talk.ghost && numbers.iter().any(|number| body(event) == number);
    talk.anna.wait_for(&talk.room, "an answer that nobody heard of", is_answer).await;
    gate.close().await;
    write(&numbers[10..]).await;
    wait_for_rows(20).await;
    gate.open().await;
    talk.tell("Ende").await;
    talk.hear("Ende").await;
    until("empty queues", async || talk.fehmarn.rows(":").is_empty().then_some(())).await;
    let all = |first: &str| [&[first.to_owned()], numbers.as_slice(), &["Ende".to_owned()]].concat();
    assert_eq!(talk.mailed().await, all("Guten Tag"));
    // Mail servers keep no order.
    let mut heard = talk.heard().await;
    heard[1..].sort_by_key(|number| number.parse().unwrap_or(usize::MAX));
    assert_eq!(heard, all("Hallo"));
}
