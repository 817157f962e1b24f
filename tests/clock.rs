//! The machine's clock is set while messages wait: nothing is lost, doubled, given up early or held back.

use crate::common::{Conversation, Setup, gate::Gate, machine::Machine, servers, until};
use std::time::Duration;

const DAY: i64 = 86_400;

/// A conversation whose mails out pass a gate, on a machine of its own.
async fn begin() -> (Conversation, Gate, Machine) {
    let mut setup = Setup::new();
    let machine = Machine::around(&mut setup);
    let mut gate = Gate::new(setup.slot.spare_ports[0], servers().mail_ports.smtp);
    setup.smtp_port = gate.port;
    setup.top.push("give_up: 1h".into());
    gate.open().await;
    (Conversation::begin(setup.start().await).await, gate, machine)
}

/// The log has said so many times that the clock was set.
async fn wait_for_jumps(talk: &Conversation, count: usize) {
    let said = async || talk.fehmarn.log().matches("the machine's clock was set").count();
    until("the clock to be followed", async || (said().await == count).then_some(())).await;
}

/// Attempts so far, by the log.
fn attempts(talk: &Conversation) -> usize {
    talk.fehmarn.log().lines().filter(|line| line.contains("did not work") && line.contains("outbox")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_by_a_day_neither_doubles_nor_delays_nor_gives_up_what_waits() {
    let (talk, mut gate, machine) = begin().await;
    // One mail is under way when the clock goes a day forward, and stays so: nobody begins it a second time.
    gate.stall().await;
    talk.anna.say(&talk.room, "eins").await;
    let under_way = async || talk.fehmarn.rows(&talk.bob.address).pop().filter(|row| row.contains("1 attempts"));
    until("the attempt", under_way).await;
    machine.set_clock(DAY);
    wait_for_jumps(&talk, 1).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(under_way().await.is_some(), "{:?}", talk.fehmarn.rows(""));
    gate.open().await;
    talk.bob.wait_for_text("eins").await;

    // One waits for its next try when the clock goes back by two days, and forward again.
    gate.close().await;
    talk.anna.say(&talk.room, "zwei").await;
    until("the first try", async || (attempts(&talk) >= 1).then_some(())).await;
    for (jumps, seconds) in [(2, -DAY), (3, 2 * DAY), (4, 0)] {
        let before = attempts(&talk);
        machine.set_clock(seconds);
        wait_for_jumps(&talk, jumps).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert!(attempts(&talk) <= before + 2, "it tries again and again: {} after {before}", attempts(&talk));
    }
    assert!(!talk.fehmarn.log().contains("dead=true"), "it was given up");
    gate.open().await;
    talk.bob.wait_for_text("zwei").await;
    talk.hear("Danke").await;
    talk.tell("Ende").await;
    assert_eq!(talk.mailed().await, ["Guten Tag", "eins", "zwei", "Ende"]);
    assert_eq!(talk.heard().await, ["Danke"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_start_under_a_clock_that_was_put_back_nothing_waits_for_a_day() {
    let (mut talk, mut gate, machine) = begin().await;
    gate.close().await;
    talk.anna.say(&talk.room, "eins").await;
    until("the first try", async || (attempts(&talk) >= 1).then_some(())).await;
    talk.fehmarn.stop().await;
    machine.set_clock(-DAY);
    gate.open().await;
    talk.fehmarn.start_again().await;
    talk.fehmarn.wait_for_log("the clock was put back").await;
    talk.bob.wait_for_text("eins").await;
    talk.hear("Danke").await;
    talk.tell("Ende").await;
    assert_eq!(talk.mailed().await, ["Guten Tag", "eins", "Ende"]);
    assert_eq!(talk.heard().await, ["Danke"]);
}
