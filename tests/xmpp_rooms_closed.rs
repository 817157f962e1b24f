//! A group chat that is closed outside, over a real Prosody, which lets nobody in again for a month.

use crate::common::hall::{Hall, alias, join_by, wait_until};

const WORDS: &str = "Dieser Gruppenchat wurde dort geschlossen. Begründung: „Bau beendet“";

async fn close(hall: &Hall) {
    let query =
        "<query xmlns='http://jabber.org/protocol/muc#owner'><destroy><reason>Bau beendet</reason></destroy></query>";
    assert_eq!(hall.bob.ask(&hall.there.address, "set", query).await["type"], "result");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_chat_that_is_closed_there_is_said_to_be_so_and_not_made_anew() {
    let hall = Hall::begin().await;
    hall.hear("Gleich ist Schluss").await;
    close(&hall).await;
    hall.anna.wait_for_part(&hall.room, &hall.keeper, WORDS).await;
    wait_until(&hall.anna, &hall.room, &hall.ghost, "leave").await;

    // What she writes all the same is not lost without a word.
    hall.anna.say(&hall.room, "Ist noch jemand da?").await;
    hall.anna.wait_for_part(&hall.room, &hall.keeper, "Sie sind in diesem Raum nicht dabei").await;
    let query = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
    let there = hall.bob.ask(&hall.there.address, "get", query).await;
    assert_eq!(there["type"], "error", "the room is there again: {there}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_chat_that_was_closed_while_nobody_was_there_is_said_to_be_so_and_to_whoever_comes_anew() {
    let mut hall = Hall::begin().await;
    hall.hear("Gleich ist Schluss").await;
    hall.fehmarn.stop().await;
    close(&hall).await;
    hall.fehmarn.start_again().await;
    hall.anna.wait_for_part(&hall.room, &hall.keeper, WORDS).await;
    wait_until(&hall.anna, &hall.room, &hall.ghost, "leave").await;

    let told = async || {
        let messages = hall.anna.messages(&hall.room).await;
        messages
            .iter()
            .filter(|event| event["content"]["body"].as_str().is_some_and(|body| body.starts_with(WORDS)))
            .count()
    };
    assert_eq!(told().await, 1);
    hall.anna.leave(&hall.room).await;
    join_by(&hall.anna, &alias(&hall.fehmarn, &hall.there)).await;
    hall.anna.wait("the same words again", async || (told().await == 2).then_some(())).await;
}
