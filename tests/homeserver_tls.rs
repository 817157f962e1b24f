//! The way to the homeserver with TLS: nginx stands before Synapse and speaks it.

use crate::common::{Conversation, Setup, gate::Gate, servers};

fn with_tls() -> Setup {
    let mut setup = Setup::new();
    setup.homeserver = setup.slot.front();
    setup
}

#[tokio::test(flavor = "multi_thread")]
async fn both_write_where_the_homeserver_speaks_tls() {
    let mut setup = with_tls();
    setup.environment.push(("SSL_CERT_FILE", servers().ca_file.clone()));
    let talk = Conversation::begin(setup.start().await).await;
    talk.hear("Hin").await;
    talk.anna.say(&talk.room, "Und her").await;
    talk.bob.wait_for_text("Und her").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_homeserver_that_cannot_show_who_it_is_is_told_nothing() {
    let line = with_tls().check_line("homeserver");
    assert!(line.contains("cannot be reached") && line.contains("certificate"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_homeserver_that_never_ends_the_handshake_is_not_waited_for() {
    let mut setup = Setup::new();
    let mut gate = Gate::new(setup.slot.spare_ports[0], servers().synapse.port);
    gate.stall().await;
    setup.homeserver = format!("https://127.0.0.1:{}", gate.port);
    let line = setup.check_line("homeserver");
    assert!(line.contains("cannot be reached") && line.contains("timed out"), "{line}");
}
