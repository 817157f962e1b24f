//! A day at the screen: Hydrogen in Chromium.

use super::{Browser, browser::Tab};
use crate::common::{Fehmarn, Letter, Outside, Setup, Staff, identity::serve_clients, until};

/// What Hydrogen calls a message in the room that is open.
const MESSAGE: &str = ".Timeline_message";
/// Without those that an answer quotes.
const OUTERMOST: &str = ".Timeline_message:not(.Timeline_message .Timeline_message)";

/// Anna signs in to Hydrogen, and begins a chat with this address. Hydrogen has no box for addresses: another page of the
/// same browser, signed in as she is, does what Element does.
async fn sit_down<'b>(browser: &'b Browser, fehmarn: &Fehmarn, anna: &Staff, address: &str) -> (Tab<'b>, String) {
    let hydrogen = browser.tab("hydrogen", "hydrogen.html").await;
    hydrogen.sign_in(anna).await;
    hydrogen.see("h2", "Choose a room").await;
    let start = browser.tab("start", "start.html").await;
    start.fill("input", address).await;
    start.click("button", "Start chat").await;
    let begun = start.see("output", "!").await;
    let room = begun.strip_prefix("Chat: ").unwrap_or_else(|| panic!("{begun}")).to_owned();
    anna.wait_for_member(&room, &fehmarn.slot().ghost(address), "join").await;
    hydrogen.click(".RoomList .name", address).await;
    (hydrogen, room)
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_signs_in_types_an_address_writes_reads_the_answer_and_is_told_what_did_not_arrive() {
    let fehmarn: Fehmarn = serve_clients(Setup::new(), &[]).start().await;
    let (anna, bob) = (Staff::new("Anna Muster").await, Outside::new("Bob"));
    let browser = Browser::open(fehmarn.setup()).await;
    let (hydrogen, room) = sit_down(&browser, &fehmarn, &anna, &bob.address).await;
    hydrogen.write("Guten Tag, hier ist Anna.").await;
    let mail = bob.wait_for_text("Guten Tag, hier ist Anna.").await;
    hydrogen.see(MESSAGE, "Guten Tag, hier ist Anna.").await;
    hydrogen.wait_until_gone(".Timeline_message.unsent").await;

    bob.send(Letter::answering(&bob, &mail).text("Danke, ich komme morgen.")).await;
    hydrogen.see(MESSAGE, "Danke, ich komme morgen.").await;
    let is_bob = async || (hydrogen.all(".RoomList .name").await == ["Bob"]).then_some(());
    until("a chat that is called by the person alone", is_bob).await;
    let seen = hydrogen.all(OUTERMOST).await;
    assert_eq!(seen.len(), 2, "nothing else is shown: {seen:#?}");

    anna.invite(&room, &fehmarn.slot().ghost("reject@example.org")).await;
    hydrogen.write("Und das?").await;
    hydrogen
        .see(MESSAGE, "Die Nachricht an reject@example.org wurde nicht zugestellt: Diese Adresse gibt es nicht.")
        .await;
}

/// Hydrogen shows nobody a state; other clients make a tick of it. So it is asked what it knows.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_found_by_their_address_answers_and_the_client_knows_what_was_sent_and_what_was_not() {
    // Her client finds the person, and invites them with all rights: who tells of states is brought in.
    let mut setup = serve_clients(Setup::new(), &["lookup: none"]);
    // Else the mail server's report that it has delivered is a receipt.
    setup.smtp.push("reports: failures".into());
    let fehmarn: Fehmarn = setup.start().await;
    let (anna, bob) = (Staff::new("Anna Muster").await, Outside::new("Bob"));
    let browser = Browser::open(fehmarn.setup()).await;
    let (hydrogen, room) = sit_down(&browser, &fehmarn, &anna, &bob.address).await;
    hydrogen.write("Guten Tag, hier ist Anna.").await;
    let mail = bob.wait_for_text("Guten Tag, hier ist Anna.").await;
    hydrogen.wait_for_state("Guten Tag, hier ist Anna.", "SUCCESS").await;
    bob.send(Letter::answering(&bob, &mail).text("Danke, ich komme morgen.")).await;
    hydrogen.see(MESSAGE, "Danke, ich komme morgen.").await;
    let seen = hydrogen.all(OUTERMOST).await;
    assert_eq!(seen.len(), 2, "nothing else is shown: {seen:#?}");

    anna.invite(&room, &fehmarn.slot().ghost("reject@example.org")).await;
    hydrogen.write("Und das?").await;
    let words = hydrogen.wait_for_state("Und das?", "FAIL_PERMANENT").await;
    assert!(words.contains("Diese Adresse gibt es nicht."), "{words}");
}
