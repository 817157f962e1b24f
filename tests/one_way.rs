//! The homeserver answers, and does not reach Fehmarn.

use crate::common::{Letter, Outside, Setup, Staff, lmtp};

/// So it is for minutes after a crash, with some homeservers.
#[tokio::test(flavor = "multi_thread")]
async fn what_goes_to_a_homeserver_that_does_not_reach_us_gets_there() {
    let mut setup = Setup::new();
    // Where the homeserver does not look for it.
    setup.listen_port = setup.slot.spare_ports[1];
    let fehmarn = setup.start_without_waiting();
    fehmarn.wait_for_log("the homeserver does not reach us yet").await;
    let (anna, bob) = (Staff::new("Anna Muster").await, Outside::new("Bob"));
    let address = anna.address(&fehmarn.slot().domain);
    let letter = Letter::new(&bob, &address).text("Ist jemand da?").bytes();
    let answer = lmtp::hand_over(fehmarn.slot().lmtp_port, &bob.address, &address, &letter).await.unwrap();
    assert!(answer.starts_with("250"), "{answer}");
    let ghost = fehmarn.slot().ghost(&bob.address);
    let room = anna.wait_for_invitation(&ghost).await;
    anna.join(&room).await;
    anna.wait_for_words(&room, &ghost, "Ist jemand da?").await;
    assert!(!fehmarn.log().contains("the homeserver reaches us"));
}
