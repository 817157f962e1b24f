//! A disk that fails under the database: no answer before a commit, and nothing lost or doubled afterwards.

use crate::{
    common::{
        Conversation, Setup,
        machine::{EIO, ENOSPC, Machine},
    },
    faults::Attempt,
};

async fn nothing_is_acknowledged_while_writes_fail(error: i64) {
    let mut setup = Setup::new();
    let machine = Machine::around(&mut setup);
    let mut talk = Conversation::begin(setup.start().await).await;
    talk.hear("Hallo").await;
    let attempt = Attempt::new(&talk, "eins");
    machine.fail_writes(error);
    assert_eq!(attempt.make(&talk).await, (503, "4".to_owned()));
    talk.fehmarn.wait_for_log("the homeserver will send it again").await;
    talk.fehmarn.wait_for_log("a mail was not accepted").await;
    talk.anna.say(&talk.room, "zwei").await;
    // Whatever it does about the fault, a restart in the middle of it changes nothing.
    talk.fehmarn.kill();
    machine.fail_writes(0);
    talk.fehmarn.start_again().await;
    talk.bob.wait_for_text("zwei").await;
    machine.fail_writes(error);
    assert_eq!(attempt.make(&talk).await, (503, "4".to_owned()));
    machine.fail_writes(0);
    // It goes on without a restart.
    assert_eq!(attempt.make(&talk).await, (200, "2".to_owned()));
    talk.bob.wait_for_text("eins").await;
    talk.anna.wait_for_words(&talk.room, &talk.ghost, "Danke").await;
    talk.tell("Ende").await;
    assert_eq!(talk.mailed().await, ["Guten Tag", "zwei", "eins", "Ende"]);
    assert_eq!(talk.heard().await, ["Hallo", "Danke"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_disk_that_cannot_be_written_to_nothing_is_acknowledged() {
    nothing_is_acknowledged_while_writes_fail(EIO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_no_room_on_the_disk_nothing_is_acknowledged() {
    nothing_is_acknowledged_while_writes_fail(ENOSPC).await;
}
