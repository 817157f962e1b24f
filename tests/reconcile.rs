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
    Conversation, Fehmarn, Mail, Outside, Setup, Staff,
    gate::Gate,
    own_synapse::{End, OwnSynapse},
    servers, until,
};
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
    until("empty queues", async || fehmarn.rows(":").is_empty().then_some(())).await;
    for room in &rooms {
        assert_eq!(room.mailed().await, room.written);
    }
}

/// Of a room without a ghost in it Fehmarn knows nothing; but the ghost sees its invitation.
#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_that_the_homeserver_forgot_when_it_was_restarted_is_found() {
    let synapse = OwnSynapse::start();
    let mut fehmarn = Fehmarn::new().await;
    let mut known = Room::open(&fehmarn).await;
    let eva = Staff::new("Eva Beispiel").await;
    for end in [End::Orderly, End::Crash] {
        fehmarn.hang();
        // What is pushed now is not answered, and so everything later waits in Synapse's memory.
        known.write(&format!("{end:?}: hier")).await;
        known.write(&format!("{end:?}: auch hier")).await;
        let room = eva.room("Sitzung", &[]).await;
        eva.say(&room, "Das bleibt unter uns.").await;
        eva.invite(&room, &fehmarn.slot().ghost(&known.outside.address)).await;
        eva.say(&room, &format!("{end:?}: dort")).await;
        synapse.end(end);
        synapse.start_again();
        fehmarn.go_on();
        known.outside.wait_for_text(&format!("{end:?}: dort")).await;
        known.outside.wait_for_text(&format!("{end:?}: auch hier")).await;
    }
    assert!(known.mailed().await.iter().all(|text| text != "Das bleibt unter uns."));
    assert!(fehmarn.log().contains("a ghost has found invitations"), "it was pushed after all: this shows nothing");
}

/// It takes every request and answers none for a while; what it pushes reaches us.
#[tokio::test(flavor = "multi_thread")]
async fn a_homeserver_that_does_not_answer_delays_and_neither_loses_nor_doubles() {
    let mut setup = Setup::new();
    let mut gate = Gate::new(setup.slot.spare_ports[0], servers().synapse.port);
    setup.homeserver = gate.url();
    gate.open().await;
    let talk = Conversation::begin(setup.start().await).await;
    talk.hear("Hallo").await;
    gate.stall().await;
    let numbers: Vec<String> = (1..=20).map(|n| n.to_string()).collect();
    for number in &numbers {
        talk.anna.say(&talk.room, number).await;
        talk.bob.send(talk.answer(number)).await;
    }
    until("the answers in the queue", async || (talk.fehmarn.rows("inbox:").len() >= 20).then_some(())).await;
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
