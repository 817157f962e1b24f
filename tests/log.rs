//! What the log says, and what it never does.

use crate::common::{Conversation, Fehmarn, Setup, Staff, servers, until};
use serde_json::Value;

/// A conversation with all that gets into a log: both ways, a failure each way, and an end.
async fn busy(setup: Setup) -> (Conversation, Staff, String) {
    let mut talk = Conversation::begin(setup.start().await).await;
    talk.hear("Geheime Antwort").await;
    talk.tell("Noch ein Geheimnis").await;
    let otto = Staff::new("Otto").await;
    let refused = "reject@example.org";
    let room = otto.direct_chat(&talk.fehmarn.slot().ghost(refused)).await;
    otto.say(&room, "Vertraulich").await;
    talk.fehmarn.wait_for_log("unknown-recipient").await;
    let full = talk.fehmarn.slot().ghost("full@example.org");
    let room = otto.direct_chat(&full).await;
    otto.say(&room, "Vertraulich auch").await;
    talk.fehmarn.wait_for_log("mailbox-full").await;
    until("the end of what is under way", async || (talk.fehmarn.rows("").len() == 2).then_some(())).await;
    talk.fehmarn.stop().await;
    let log = talk.fehmarn.log();
    (talk, otto, log)
}

async fn tells_nothing(level: &'static str, format: &str) -> String {
    let mut setup = Setup::new();
    setup.log = level;
    setup.arguments = vec!["--log-format".into(), format.into()];
    let (talk, otto, log) = busy(setup).await;
    let slot = talk.fehmarn.slot();
    let local = |id: &str| id.trim_start_matches('@').split(':').next().unwrap().to_owned();
    let secrets = [
        // Bodies
        "Guten Tag".into(),
        "Geheim".into(),
        "Vertraulich".into(),
        // Tokens
        slot.registered("as_token"),
        slot.registered("hs_token"),
        talk.anna.token().to_owned(),
        // Whole addresses, of all kinds
        talk.bob.address.clone(),
        talk.bob.address.replace('@', "%40"),
        "reject@".into(),
        "full@".into(),
        talk.address(),
        otto.address(&slot.domain),
        local(&talk.ghost),
        local(&talk.anna.id),
        local(&otto.id),
    ];
    assert!(log.lines().count() > 5, "{log}");
    for secret in secrets {
        assert!(secret.len() > 4);
        let line = log.lines().find(|line| line.contains(&secret));
        assert!(line.is_none(), "at {level} the log tells {secret:?}: {line:?}");
    }
    log
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_names_neither_words_nor_tokens_nor_addresses() {
    let log = tells_nothing("info", "text").await;
    // What an operator needs is there.
    let line = log.lines().find(|line| line.contains("unknown-recipient")).unwrap();
    for part in ["WARN", "queue=\"outbox\"", "row=", "attempt=1", "…@example.org", "dead=true"] {
        assert!(line.contains(part), "{part} in {line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_does_the_talkative_one() {
    tells_nothing("debug", "text").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn as_json_each_failure_is_one_line_with_all_that_is_known_of_it() {
    let log = tells_nothing("info", "json").await;
    let lines: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect();
    let failures: Vec<&Value> = lines.iter().filter(|line| line["message"] == "did not work").collect();
    let of = |reason: &str| failures.iter().find(|line| line["reason"] == reason).unwrap();
    for (reason, dead) in [("unknown-recipient", true), ("mailbox-full", false)] {
        let line = of(reason);
        for (field, value) in [
            ("level", Value::from("WARN")),
            ("queue", "outbox".into()),
            ("kind", "delivery".into()),
            ("connector", "email".into()),
            ("attempt", 1.into()),
            ("dead", dead.into()),
        ] {
            assert_eq!(line[field], value, "{field} in {line}");
        }
        assert!(line["row"].is_i64() && line["timestamp"].is_string(), "{line}");
        assert!(line["detail"].as_str().unwrap().contains("…@example.org"), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_format_is_refused() {
    let setup = Setup::new();
    setup.write_config();
    let done = tokio::task::block_in_place(|| setup.run(&["run", "--log-format", "xml"]));
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(!done.status.success() && said.contains("text") && said.contains("json"), "{said}");
}

/// Not a promise of ours, but without it the tests above would see nothing.
#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_read_to_its_end() {
    let mut fehmarn = Fehmarn::new().await;
    assert!(!servers().password.is_empty());
    fehmarn.stop().await;
    assert!(fehmarn.log().contains("stopped"), "{}", fehmarn.log());
}
