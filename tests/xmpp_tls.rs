//! The way to the XMPP server with TLS: Prosody takes components on a port of its own that speaks TLS from the first byte.

use crate::common::{Setup, servers, talk::Talk};

fn with_tls(tls: &str, ca_file: bool) -> Setup {
    let mut setup = Setup::with_xmpp();
    let lines = setup.xmpp.as_mut().unwrap();
    lines.retain(|line| !line.starts_with("port:"));
    lines.extend([format!("port: {}", servers().xmpp.tls_port), format!("tls: {tls}")]);
    lines.extend(ca_file.then(|| format!("ca_file: {:?}", servers().ca_file)));
    setup
}

#[tokio::test(flavor = "multi_thread")]
async fn both_write_over_tls() {
    let talk = Talk::begin_with(with_tls("tls", true)).await;
    talk.hear("Hin").await;
    talk.tell("Und her").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_show_who_it_is_gets_nothing() {
    let line = with_tls("tls", false).check_line("XMPP");
    assert!(line.contains("no TLS") && line.contains("ca_file"), "{line}");
    let line = with_tls("tls", true).check_line("XMPP");
    assert!(line.contains("knows"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_tls_is_wanted_a_server_without_it_is_refused() {
    let mut setup = Setup::with_xmpp();
    setup.xmpp.as_mut().unwrap().push("tls: starttls".into());
    let line = setup.check_line("XMPP");
    assert!(line.contains("offers no STARTTLS"), "{line}");
}
