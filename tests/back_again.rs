//! Another side that was away for long: what waited for it leaves as soon as it is back, however long the pauses have become.

use crate::common::{
    Conversation, Mail, Outside, Setup,
    gate::Gate,
    put_off::{put_off, still_put_off},
    servers,
    talk::Talk,
};

#[tokio::test(flavor = "multi_thread")]
async fn one_of_several_mail_servers_that_is_there_again_gets_all_at_once_and_the_other_is_left_alone() {
    let mut setup = Setup::new();
    let mut gate = Gate::new(setup.slot.spare_ports[0], servers().mail_ports.smtp);
    setup.smtp_port = gate.port;
    // Nobody listens there.
    setup.smtp.push(format!("routes: {{ example.net: {{ port: {} }} }}", setup.slot.spare_ports[1]));
    gate.open().await;
    let talk = Conversation::begin(setup.start().await).await;
    let (anna, carl, dora) = (&talk.anna, Outside::new("Carl"), Outside::new("Dora"));
    let mut rooms = Vec::new();
    for person in [&carl, &dora] {
        let room = anna.direct_chat(&talk.fehmarn.slot().ghost(&person.address)).await;
        anna.say(&room, "Guten Tag").await;
        person.wait_for_text("Guten Tag").await;
        rooms.push(room);
    }
    gate.close().await;
    anna.say(&talk.room, "Für Bob").await;
    anna.say(&rooms[0], "Für Carl").await;
    let elsewhere = anna.direct_chat(&talk.fehmarn.slot().ghost("eve@example.net")).await;
    anna.say(&elsewhere, "Für Eve").await;
    put_off(talk.fehmarn.setup(), 3).await;
    gate.open().await;
    anna.say(&rooms[1], "Für Dora").await;
    for (person, words) in [(&dora, "Für Dora"), (&talk.bob, "Für Bob"), (&carl, "Für Carl")] {
        person.wait_for_text(words).await;
    }
    talk.fehmarn.wait_for_log("can be reached again").await;
    assert_eq!(still_put_off(talk.fehmarn.setup()).await, ["eve@example.net"]);
    assert_eq!(talk.bob.mails().await.iter().map(Mail::text).collect::<Vec<_>>(), ["Guten Tag", "Für Bob"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_process_could_not_deliver_leaves_with_the_first_mail_that_does() {
    let mut setup = Setup::new();
    let mut gate = Gate::new(setup.slot.spare_ports[0], servers().mail_ports.smtp);
    setup.smtp_port = gate.port;
    gate.open().await;
    let mut talk = Conversation::begin(setup.start().await).await;
    let dora = Outside::new("Dora");
    let room = talk.anna.direct_chat(&talk.fehmarn.slot().ghost(&dora.address)).await;
    talk.anna.say(&room, "Guten Tag").await;
    dora.wait_for_text("Guten Tag").await;
    gate.close().await;
    talk.anna.say(&talk.room, "Für Bob").await;
    put_off(talk.fehmarn.setup(), 1).await;
    talk.fehmarn.stop().await;
    gate.open().await;
    talk.fehmarn.start_again().await;
    talk.anna.say(&room, "Für Dora").await;
    dora.wait_for_text("Für Dora").await;
    talk.bob.wait_for_text("Für Bob").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_xmpp_server_that_is_there_again_gets_all_at_once() {
    let mut setup = Setup::with_xmpp();
    let mut gate = Gate::new(setup.slot.spare_ports[0], servers().xmpp.component_port);
    let lines = setup.xmpp.as_mut().unwrap();
    lines.retain(|line| !line.starts_with("port:"));
    lines.push(format!("port: {}", gate.port));
    gate.open().await;
    let mut talk = Talk::begin_with(setup).await;
    gate.close().await;
    talk.anna.say(&talk.room, "Bleibt liegen").await;
    put_off(talk.fehmarn.setup(), 1).await;
    // Nor does a later process wait.
    talk.fehmarn.stop().await;
    talk.fehmarn.start_again_without_waiting();
    gate.open().await;
    talk.bob.wait_for_words("Bleibt liegen").await;
}
