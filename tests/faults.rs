//! When something beside Fehmarn fails, nothing is lost, nothing doubles, and it goes on by itself.

use crate::common::{
    Conversation, Fehmarn, Letter, Setup, Staff,
    gate::Gate,
    homeserver::{Homeserver, message},
    lmtp, servers, until,
};
use reqwest::StatusCode;
use sqlx::{Connection, SqliteConnection};
use std::{
    fs,
    time::{Duration, Instant},
};

#[tokio::test(flavor = "multi_thread")]
async fn without_the_homeserver_it_waits_and_then_works() {
    let mut setup = Setup::new();
    let mut gate = Gate::new(setup.slot.spare_ports[0], servers().synapse.port);
    setup.homeserver = gate.url();
    let mut fehmarn = setup.start_without_waiting();
    fehmarn.wait_for_log("waiting for the homeserver").await;
    assert_eq!(fehmarn.status_of("/health").await, Some(StatusCode::OK));
    assert_eq!(fehmarn.status_of("/ready").await, Some(StatusCode::SERVICE_UNAVAILABLE));
    gate.open().await;
    fehmarn.wait_until_ready().await;
    let talk = Conversation::begin(fehmarn).await;

    // It goes away, and mail comes in meanwhile: for somebody whom Fehmarn knows, it waits here.
    talk.hear("Hallo").await;
    gate.close().await;
    talk.bob.send(talk.answer("Sind Sie da?")).await;
    until("the mail in the queue", async || (!talk.fehmarn.rows("inbox:").is_empty()).then_some(())).await;
    // For somebody of whom only the homeserver knows, it waits with the mail server.
    let otto = Staff::new("Otto").await;
    let address = otto.address(&talk.fehmarn.slot().domain);
    let letter = Letter::new(&talk.bob, &address).text("Und Sie?").bytes();
    let answer = lmtp::hand_over(talk.fehmarn.slot().lmtp_port, &talk.bob.address, &address, &letter).await.unwrap();
    assert!(answer.starts_with("451"), "{answer}");
    talk.bob.send_raw(&[&address], &letter).await;
    gate.open().await;
    talk.anna.wait_for_words(&talk.room, &talk.ghost, "Sind Sie da?").await;
    let room = otto.wait_for_invitation(&talk.ghost).await;
    otto.join(&room).await;
    otto.wait_for_words(&room, &talk.ghost, "Und Sie?").await;
    talk.hear("Ja.").await;
    assert_eq!(talk.heard().await, ["Hallo", "Sind Sie da?", "Ja."]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_mail_server_messages_wait_where_an_admin_sees_them() {
    let mut setup = Setup::new();
    let mut gate = Gate::new(setup.slot.spare_ports[0], servers().mail_ports.smtp);
    setup.smtp_port = gate.port;
    gate.open().await;
    let talk = Conversation::begin(setup.start().await).await;
    gate.close().await;
    let words: Vec<String> = (1..=5).map(|n| format!("Nachricht {n}")).collect();
    for words in &words {
        talk.anna.say(&talk.room, words).await;
    }
    let waiting = async || talk.fehmarn.rows(&talk.bob.address);
    until("all messages in the queue", async || (waiting().await.len() == 5).then_some(())).await;
    let reason = async || waiting().await.into_iter().find(|row| row.contains("unreachable"));
    let row = until("the reason in the list", reason).await;
    assert!(row.contains("next try in") || row.contains("due"), "{row}");
    gate.open().await;
    talk.bob.wait_for_text("Nachricht 5").await;
    until("an empty queue", async || waiting().await.is_empty().then_some(())).await;
    assert_eq!(talk.mailed().await[1..], words);
}

/// What comes in from both sides while the database fails, and again afterwards.
pub struct Attempt {
    homeserver: Homeserver,
    event: serde_json::Value,
    mail: Vec<u8>,
}

impl Attempt {
    pub fn new(talk: &Conversation, words: &str) -> Self {
        Self {
            homeserver: Homeserver::of(talk.fehmarn.slot()),
            event: message(&talk.room, &talk.anna.id, words),
            mail: talk.answer("Danke").bytes(),
        }
    }

    /// The homeserver's and the mail server's answer.
    pub async fn make(&self, talk: &Conversation) -> (u16, String) {
        let address = talk.address();
        let (pushed, handed) = tokio::join!(
            self.homeserver.push("by-hand", std::slice::from_ref(&self.event)),
            lmtp::hand_over(talk.fehmarn.slot().lmtp_port, &talk.bob.address, &address, &self.mail)
        );
        (pushed.as_u16(), handed.unwrap()[..1].to_owned())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_locked_database_nothing_is_acknowledged() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    talk.hear("Hallo").await;
    let attempt = Attempt::new(&talk, "eins");
    let url = format!("sqlite:{}", talk.fehmarn.setup().database_path().display());
    let mut other = SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    assert_eq!(attempt.make(&talk).await, (503, "4".to_owned()));
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    assert_eq!(attempt.make(&talk).await, (200, "2".to_owned()));
    talk.bob.wait_for_text("eins").await;
    talk.anna.wait_for_words(&talk.room, &talk.ghost, "Danke").await;
    talk.tell("zwei").await;
    talk.hear("Ende").await;
    assert_eq!(talk.mailed().await, ["Guten Tag", "eins", "zwei"]);
    assert_eq!(talk.heard().await, ["Hallo", "Danke", "Ende"]);
}

/// A limit on the size of files stands for a full disk: nothing can be added to the database.
#[tokio::test(flavor = "multi_thread")]
async fn with_a_full_disk_nothing_is_acknowledged_and_all_is_there_after_a_restart() {
    let mut setup = Setup::new();
    setup.survives_file_limit = true;
    let mut talk = Conversation::begin(setup.start().await).await;
    talk.hear("Hallo").await;
    let log = talk.fehmarn.setup().folder().join("fehmarn.db-wal");
    let size = fs::metadata(log).unwrap().len();
    talk.fehmarn.limit_file_size(Some(size));
    let attempt = Attempt::new(&talk, "eins");
    assert_eq!(attempt.make(&talk).await, (503, "4".to_owned()));
    talk.anna.say(&talk.room, "zwei").await;
    assert_eq!(talk.fehmarn.status_of("/health").await, Some(StatusCode::OK));
    talk.fehmarn.stop().await;

    talk.fehmarn.start_again().await;
    talk.bob.wait_for_text("zwei").await;
    assert_eq!(attempt.make(&talk).await, (200, "2".to_owned()));
    talk.bob.wait_for_text("eins").await;
    talk.anna.wait_for_words(&talk.room, &talk.ghost, "Danke").await;
    talk.hear("Ende").await;
    assert_eq!(talk.mailed().await, ["Guten Tag", "zwei", "eins"]);
    assert_eq!(talk.heard().await, ["Hallo", "Danke", "Ende"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stops_in_time_even_if_a_mail_hangs() {
    /// The promise is ten; an init system that follows our documentation kills after this.
    const PATIENCE_OF_INIT: Duration = Duration::from_secs(15);
    let mut setup = Setup::new();
    let mut gate = Gate::new(setup.slot.spare_ports[0], servers().mail_ports.smtp);
    setup.smtp_port = gate.port;
    gate.open().await;
    let mut talk = Conversation::begin(setup.start().await).await;
    gate.stall().await;
    talk.anna.say(&talk.room, "Das hängt.").await;
    until("the attempt", async || {
        talk.fehmarn.rows(&talk.bob.address).iter().find(|r| r.contains("1 attempts")).cloned()
    })
    .await;
    let began = Instant::now();
    let status = talk.fehmarn.stop().await;
    assert!(status.success(), "{status}");
    assert!(began.elapsed() < PATIENCE_OF_INIT, "took {:?}", began.elapsed());
    gate.open().await;
    talk.fehmarn.start_again().await;
    talk.bob.wait_for_text("Das hängt.").await;
    talk.tell("Ende").await;
    assert_eq!(talk.mailed().await, ["Guten Tag", "Das hängt.", "Ende"]);
    assert!(talk.fehmarn.stop().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_recipient_who_does_not_answer_delays_nobody_else() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let otto = Staff::new("Otto").await;
    let full = talk.fehmarn.slot().ghost("full@example.org");
    let room = otto.room("Sitzung", &[&full, &talk.ghost]).await;
    for n in 1..=3 {
        otto.say(&room, &format!("Punkt {n}")).await;
    }
    talk.bob.wait_for_text("Punkt 3").await;
    until("the one that waits", async || (talk.fehmarn.rows("full@example.org").len() == 3).then_some(())).await;
    assert_eq!(talk.mailed().await[1..], ["Punkt 1", "Punkt 2", "Punkt 3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_homeserver_that_is_slow_and_then_goes_away_costs_nothing_and_doubles_nothing() {
    let mut setup = Setup::new();
    let mut gate = Gate::new(setup.slot.spare_ports[0], servers().synapse.port);
    setup.homeserver = gate.url();
    gate.open().await;
    let talk = Conversation::begin(setup.start().await).await;
    let words: Vec<String> = (1..=12).map(|n| format!("Antwort {n}")).collect();
    for (n, words) in words.iter().enumerate() {
        match n {
            // What is asked for is done; it is cut while nobody knows whether it was.
            2 => {
                talk.anna.wait_for_words(&talk.room, &talk.ghost, "Antwort 2").await;
                until("an empty inbox", async || talk.fehmarn.rows("inbox:").is_empty().then_some(())).await;
                gate.mute().await;
            }
            5 => {
                talk.anna.wait_for_words(&talk.room, &talk.ghost, "Antwort 3").await;
                gate.close().await;
            }
            8 => gate.open().await,
            9 => gate.stall().await,
            _ => {}
        }
        talk.bob.send(talk.answer(words)).await;
        talk.anna.say(&talk.room, &format!("Frage {n}")).await;
    }
    gate.open().await;
    talk.anna.wait_for_words(&talk.room, &talk.ghost, words.last().unwrap()).await;
    talk.bob.wait_for_text("Frage 11").await;
    assert_eq!(talk.heard().await, words);
    let asked: Vec<String> = (0..12).map(|n| format!("Frage {n}")).collect();
    assert_eq!(talk.mailed().await[1..], asked);
    until("empty queues", async || talk.fehmarn.rows("").is_empty().then_some(())).await;
}
