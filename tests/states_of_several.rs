//! What the writer sees of a message to several people: it is sent when all of them have it.

use crate::{
    common::{Conversation, Fehmarn, Outside, Setup, Staff, events::text, gate::Gate, servers, until, wait::unique},
    states::{report, states, wait_for_state},
};
use serde_json::Value;

/// Another domain than that of the others, which a mail server outside takes as well.
const ELSEWHERE: &str = "xn--mller-kva.example";

/// Anna has written to Bob and others in one room, and Bob has got it. What it was in Matrix.
async fn begin(fehmarn: Fehmarn, others: &[&str]) -> (Conversation, String) {
    let (anna, bob) = (Staff::new("Anna Muster").await, Outside::new("Bob"));
    let ghost = fehmarn.slot().ghost(&bob.address);
    let mut ghosts = vec![ghost.clone()];
    ghosts.extend(others.iter().map(|other| fehmarn.slot().ghost(other)));
    let room = anna.room("Sitzung", &ghosts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for ghost in &ghosts {
        anna.wait_for_member(&room, ghost, "join").await;
    }
    let said = anna.say(&room, "Für Sie alle").await;
    let first = bob.wait_for_text("Für Sie alle").await;
    (Conversation { fehmarn, anna, bob, ghost, room, first }, said)
}

/// Mail servers report on a mail to Bob, and Fehmarn has read that. What it then shows, it has shown: nothing that is
/// shown later overtakes it.
async fn bob_has_it(talk: &Conversation, action: &str) {
    report(talk, &talk.first.message_id(), action, "2.0.0").await;
    until("an empty inbox", async || talk.fehmarn.rows("inbox:").is_empty().then_some(())).await;
    let carl = Outside::new("Carl");
    let elsewhere = talk.anna.direct_chat(&talk.fehmarn.slot().ghost(&carl.address)).await;
    let said = talk.anna.say(&elsewhere, "Nur für Carl").await;
    wait_for_state(&talk.anna, &elsewhere, &said, "SUCCESS").await;
}

async fn shown(talk: &Conversation, said: &str) -> Vec<String> {
    let states = states(&talk.anna, &talk.room, said).await;
    states.iter().map(|event| text(event, "/content/status").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_to_several_people_is_sent_when_all_have_it() {
    let mut setup = Setup::new();
    setup.smtp.push("reports: failures".into());
    let fehmarn = setup.start().await;
    let (anna, bob, eve) = (Staff::new("Anna Muster").await, Outside::new("Bob"), Outside::new("Eve"));
    let ghosts = [&bob, &eve].map(|person| fehmarn.slot().ghost(&person.address));
    let nobody = fehmarn.slot().ghost("reject@example.org");
    let room = anna.room("Sitzung", &[&ghosts[0], &ghosts[1]]).await;
    for ghost in &ghosts {
        anna.wait_for_member(&room, ghost, "join").await;
    }
    let both = anna.say(&room, "Für Sie beide").await;
    wait_for_state(&anna, &room, &both, "SUCCESS").await;

    anna.invite(&room, &nobody).await;
    anna.wait_for_member(&room, &nobody, "join").await;
    let three = anna.say(&room, "Für Sie drei").await;
    wait_for_state(&anna, &room, &three, "FAIL_PERMANENT").await;
    for person in [&bob, &eve] {
        person.wait_for_text("Für Sie drei").await;
    }
    anna.kick(&room, &nobody).await;
    let last = anna.say(&room, "Wieder für Sie beide").await;
    wait_for_state(&anna, &room, &last, "SUCCESS").await;
    for (message, expected) in [(&both, "SUCCESS"), (&three, "FAIL_PERMANENT"), (&last, "SUCCESS")] {
        let states = states(&anna, &room, message).await;
        let states: Vec<&str> = states.iter().map(|event| text(event, "/content/status")).collect();
        assert_eq!(states, [expected]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_on_one_of_several_people_says_nothing_of_those_who_still_wait() {
    for action in ["relayed", "delivered"] {
        let mut setup = Setup::new();
        let mut gate = Gate::new(setup.slot.spare_ports[0], servers().mail_ports.smtp);
        setup.smtp.push(format!("routes: {{ {ELSEWHERE:?}: {{ port: {} }} }}", gate.port));
        let eve = Outside::with_address("Eve", &format!("{}@{ELSEWHERE}", unique("eve")));
        let (talk, said) = begin(setup.start().await, &[&eve.address]).await;
        bob_has_it(&talk, action).await;
        assert_eq!(shown(&talk, &said).await, [] as [&str; 0], "{action}");
        gate.open().await;
        eve.wait_for_text("Für Sie alle").await;
        wait_for_state(&talk.anna, &talk.room, &said, "SUCCESS").await;
        bob_has_it(&talk, action).await;
        assert_eq!(shown(&talk, &said).await, ["SUCCESS"], "{action}: once is enough");
        gate.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn that_the_last_of_several_people_has_it_is_good_news_for_all() {
    // The mail server outside takes what goes there, and has not yet handed it on: it reports nothing.
    let nobody_there = Setup::new();
    let carl = Outside::with_address("Carl", &format!("{}@{}", unique("carl"), nobody_there.domain));
    let (mut talk, said) = begin(Fehmarn::new().await, &[&carl.address]).await;
    bob_has_it(&talk, "relayed").await;
    assert_eq!(shown(&talk, &said).await, [] as [&str; 0]);
    talk.bob = carl;
    report(&talk, &talk.first.message_id(), "delivered", "2.0.0").await;
    wait_for_state(&talk.anna, &talk.room, &said, "SUCCESS").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_on_one_of_several_people_says_nothing_of_whom_it_comes_back_from() {
    let (talk, said) = begin(Fehmarn::new().await, &["bounce@example.org"]).await;
    wait_for_state(&talk.anna, &talk.room, &said, "FAIL_PERMANENT").await;
    bob_has_it(&talk, "relayed").await;
    assert_eq!(shown(&talk, &said).await, ["FAIL_PERMANENT"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn that_one_of_several_people_has_it_after_all_does_not_end_the_trouble_with_the_others() {
    let mut setup = Setup::new();
    let mut gate = Gate::new(setup.slot.spare_ports[0], servers().mail_ports.smtp);
    setup.smtp.push(format!("routes: {{ {ELSEWHERE:?}: {{ port: {} }} }}", gate.port));
    setup.top.push("give_up: 1s".into());
    let eve = Outside::with_address("Eve", &format!("{}@{ELSEWHERE}", unique("eve")));
    let (talk, said) = begin(setup.start().await, &[&eve.address, "reject@example.org"]).await;
    until("two failures", async || (shown(&talk, &said).await.len() == 2).then_some(())).await;
    gate.open().await;
    talk.anna.react(&talk.room, &said, "🔁").await;
    eve.wait_for_text("Für Sie alle").await;
    let now_sent = format!("Die Nachricht an {} ist jetzt verschickt.", eve.address);
    let is_said = |event: &Value| text(event, "/content/m.new_content/body") == now_sent;
    talk.anna.wait_for(&talk.room, &now_sent, is_said).await;
    bob_has_it(&talk, "relayed").await;
    let shown = shown(&talk, &said).await;
    assert!(!shown.contains(&"SUCCESS".to_owned()), "{shown:?}");
    assert_eq!(shown.iter().filter(|state| *state == "FAIL_PERMANENT").count(), 2, "{shown:?}");
}
