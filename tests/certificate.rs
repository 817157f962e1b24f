//! A certificate that has run out: nothing is sent or read, nothing is lost, and all goes on when it was put right.

use crate::common::{Conversation, Setup, machine::Machine, servers, until};

/// The test servers' certificates are good for ten.
const TWENTY_YEARS: i64 = 20 * 366 * 86_400;

#[tokio::test(flavor = "multi_thread")]
async fn while_the_mail_servers_certificate_has_run_out_mail_waits_both_ways() {
    let mut setup = Setup::with_imap();
    let machine = Machine::around(&mut setup);
    let (servers, login) = (servers(), setup.slot.imap_login.clone());
    setup.imap = false;
    setup.email.push(format!(
        "imap: {{ host: {:?}, port: {}, tls: tls, ca_file: {:?}, username: {login:?}, password: {:?}, poll: 5s }}",
        servers.tls_name, servers.mail_ports.imaps, servers.ca_file, servers.password
    ));
    setup.smtp.push(format!(
        "routes: {{ {:?}: {{ host: {:?}, port: {}, tls: starttls, username: \"fehmarn@example.org\", password: {:?}, \
         ca_file: {:?} }} }}",
        servers.outside_domain, servers.tls_name, servers.mail_ports.submission, servers.password, servers.ca_file
    ));
    let mut talk = Conversation::begin(setup.start().await).await;
    talk.fehmarn.wait_for_log("IMAP is ready").await;
    talk.hear("Hallo").await;
    // New connections, under a clock by which the certificate has run out.
    talk.fehmarn.stop().await;
    machine.set_clock(TWENTY_YEARS);
    talk.fehmarn.start_again().await;
    talk.bob.send(talk.answer("Danke")).await;
    talk.anna.say(&talk.room, "Wartet").await;
    let expired = async |what: &str| {
        let log = talk.fehmarn.log();
        log.lines().any(|line| line.contains("WARN") && line.contains(what) && line.contains("xpired")).then_some(())
    };
    until("a line on the mail that waits", async || expired("did not work").await).await;
    until("a line on the mailbox", async || expired("IMAP").await).await;
    assert_eq!(talk.fehmarn.rows(&talk.bob.address).len(), 1);
    assert!(!talk.fehmarn.log().contains("dead=true"));
    // While it runs the certificate becomes good again.
    machine.set_clock(0);
    talk.bob.wait_for_text("Wartet").await;
    talk.anna.wait_for_words(&talk.room, &talk.ghost, "Danke").await;
    assert_eq!(talk.mailed().await, ["Guten Tag", "Wartet"]);
    assert_eq!(talk.heard().await, ["Hallo", "Danke"]);
}
