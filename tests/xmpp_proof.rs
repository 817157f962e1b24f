//! When something counts, over a real Prosody: what staff write when the server has proved that it has it, and what people
//! outside write when it is written down.

use crate::common::{Setup, gate::Gate, servers, talk::Talk, until};
use serde_json::Value;
use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};
use std::time::Duration;

/// Long enough for what must not come.
const MEANWHILE: Duration = Duration::from_secs(3);

async fn behind_a_gate() -> (Talk, Gate) {
    let mut setup = Setup::with_xmpp();
    let mut gate = Gate::new(setup.slot.spare_ports[0], servers().xmpp.component_port);
    let lines = setup.xmpp.as_mut().unwrap();
    lines.retain(|line| !line.starts_with("port:"));
    lines.push(format!("port: {}", gate.port));
    gate.open().await;
    (Talk::begin_with(setup).await, gate)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_has_not_confirmed_is_sent_again_under_the_same_id() {
    let (talk, mut gate) = behind_a_gate().await;
    // It gets there, and nobody learns it.
    gate.mute().await;
    talk.anna.say(&talk.room, "Angekommen?").await;
    let first = talk.bob.wait_for_words("Angekommen?").await;
    gate.close().await;
    gate.open().await;
    let told = || -> Vec<Value> { talk.bob.told().into_iter().filter(|told| told["body"] == "Angekommen?").collect() };
    until("the second attempt", async || (told().len() > 1).then_some(())).await;
    assert!(told().iter().all(|told| told["id"] == first["id"]), "{:?}", told());

    // It does not get there, though it could be written.
    gate.stall().await;
    talk.anna.say(&talk.room, "Und das?").await;
    tokio::time::sleep(MEANWHILE).await;
    gate.close().await;
    gate.open().await;
    talk.bob.wait_for_words("Und das?").await;
    until("the end of the work", async || talk.fehmarn.rows("xmpp").is_empty().then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_confirmed_before_it_is_written_down() {
    let talk = Talk::begin().await;
    until("the end of the work", async || talk.fehmarn.rows("xmpp").is_empty().then_some(())).await;
    let path = talk.fehmarn.setup().database_path();
    let mut database = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    // Whoever else wants to write waits.
    sqlx::query("BEGIN IMMEDIATE").execute(&mut database).await.unwrap();
    let id = talk.bob.send(&talk.address(), "<body>Schon da?</body><request xmlns='urn:xmpp:receipts'/>");
    let is_confirmed = || {
        let is_it =
            |told: &Value| told["xml"].as_str().is_some_and(|xml| xml.contains("received") && xml.contains(&id));
        talk.bob.told().iter().any(is_it)
    };
    talk.fehmarn.wait_for_log("cannot write down what has come").await;
    assert!(!is_confirmed(), "{id}");
    sqlx::query("ROLLBACK").execute(&mut database).await.unwrap();
    until("the receipt", async || is_confirmed().then_some(())).await;
    talk.anna.wait_for_words(&talk.room, &talk.ghost, "Schon da?").await;
}
