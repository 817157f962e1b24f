//! The other side answers strangely, or not at all.

use crate::common::{
    Conversation, Letter, Outside, Setup, forgetful::Forgetful, gate::Gate, lmtp, servers, until, wait::unique,
};
use std::time::{Duration, Instant};

const HTML: &str = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>";

/// Whatever a homeserver, or the proxy before it, says instead of taking an event: it is said again, and stands there once.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_homeserver_answers_with_errors_is_said_again_until_it_is_taken() {
    let answers = [
        (429, r#"{"errcode":"M_LIMIT_EXCEEDED","error":"slow","retry_after_ms":200}"#),
        (429, HTML),
        (500, r#"{"errcode":"M_UNKNOWN","error":"Internal server error"}"#),
        (502, HTML),
        (503, ""),
        (504, HTML),
        // Of a proxy that is in the way: not the homeserver's word on the event.
        (200, HTML),
        (403, HTML),
        (404, "not found"),
    ];
    let homeserver = Forgetful::start().await;
    let mut setup = Setup::new();
    setup.homeserver = homeserver.url();
    setup.listen_port = setup.slot.spare_ports[1];
    let fehmarn = setup.start_without_waiting();
    fehmarn.wait_for_log("the homeserver reaches us").await;
    homeserver.answer_next(&answers);
    // As many people as answers, so that each gets one and nobody waits long.
    let slot = fehmarn.slot();
    let anna = unique("anna");
    let to = format!("{anna}@{}", slot.domain);
    let words: Vec<String> = (0..answers.len()).map(|n| format!("Frage {n}")).collect();
    for words in &words {
        let bob = Outside::new("Bob");
        let letter = Letter::new(&bob, &to).text(words).bytes();
        assert!(lmtp::hand_over(slot.lmtp_port, &bob.address, &to, &letter).await.unwrap().starts_with("250"));
    }
    let said = || -> Vec<String> { homeserver.made().iter().flat_map(|room| homeserver.said_in(room)).collect() };
    until("all of them", async || words.iter().all(|one| said().contains(one)).then_some(())).await;
    until("an empty inbox", async || fehmarn.rows("inbox:").is_empty().then_some(())).await;
    assert_eq!(homeserver.answers_left(), 0);
    let mut said: Vec<String> = said().into_iter().filter(|text| words.contains(text)).collect();
    said.sort();
    assert_eq!(said, words);
    let log = fehmarn.log();
    for part in ["429", "502", "503", "504"] {
        assert!(log.lines().any(|line| line.contains("did not work") && line.contains(part)), "{part}");
    }
    assert!(!log.contains("dead=true"));
}

/// A router on the way has forgotten the connection: nothing comes any more, and no end either.
#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_behind_a_dead_connection_is_read_over_a_new_one() {
    const PATIENCE: Duration = Duration::from_secs(150);
    let mut setup = Setup::with_imap();
    let mut gate = Gate::new(setup.slot.spare_ports[0], servers().mail_ports.imap);
    let login = setup.slot.imap_login.clone();
    setup.imap = false;
    setup.email.push(format!(
        "imap: {{ host: 127.0.0.1, port: {}, tls: none, username: {login:?}, password: {:?}, poll: 5s }}",
        gate.port,
        servers().password
    ));
    gate.open().await;
    let talk = Conversation::begin(setup.start().await).await;
    talk.fehmarn.wait_for_log("IMAP is ready").await;
    talk.hear("Hallo").await;
    gate.abandon().await;
    talk.bob.send(talk.answer("Noch da?")).await;
    let since = Instant::now();
    while talk.heard().await.len() < 2 {
        assert!(since.elapsed() < PATIENCE, "the mailbox is not read any more");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(talk.heard().await, ["Hallo", "Noch da?"]);
}
