//! What operators see: numbers, their names, and the alarms that are made of them.

use crate::common::{Conversation, Fehmarn, Setup, Staff, gate::Gate, metrics::Page, servers, until};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

const DOCS: &str = include_str!("../docs/operations.md");
const ALERTS: &str = include_str!("../docs/alerts.yaml");
/// Where numbers get their names.
const SOURCES: [&str; 2] = [include_str!("../src/metrics/mod.rs"), include_str!("../src/http/metrics.rs")];
/// All labels that there are, and whether their values stand in the program.
const LABELS: [&str; 11] =
    ["queue", "connector", "state", "outcome", "reason", "connection", "peer", "part", "version", "le", "quantile"];

fn with_metrics() -> Setup {
    let mut setup = Setup::new();
    let port = setup.slot.spare_ports[1];
    setup.core.push(format!("metrics: {{ listen: \"127.0.0.1:{port}\" }}"));
    setup
}

async fn page(fehmarn: &Fehmarn) -> Page {
    Page::of(fehmarn.slot().spare_ports[1]).await
}

/// What begins like the name of a number of ours.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("fehmarn_") || word.starts_with("process_")).map(str::to_owned).collect()
}

/// Of the names as Prometheus has them, those without what the kind of the number adds.
fn families(names: BTreeSet<String>) -> BTreeSet<String> {
    const ADDED: [&str; 5] = ["_total", "_info", "_bucket", "_count", "_sum"];
    let bare = |name: String| ADDED.iter().find_map(|end| name.strip_suffix(end)).map_or(name.clone(), str::to_owned);
    names.into_iter().map(bare).collect()
}

#[test]
fn every_number_stands_in_the_docs_and_every_number_in_the_docs_is_there() {
    let registered = |source: &str| -> BTreeSet<String> {
        let quoted = source.split('"').skip(1).step_by(2);
        quoted.filter(|text| text.starts_with("fehmarn_") || text.starts_with("process_")).map(str::to_owned).collect()
    };
    let there: BTreeSet<String> = SOURCES.iter().flat_map(|source| registered(source)).collect();
    assert!(there.len() > 20, "{there:?}");
    let table = DOCS.split("\n## Numbers\n").nth(1).unwrap().split("\n## ").next().unwrap();
    assert_eq!(families(names(table)), there);
}

#[test]
fn every_alarm_has_a_line_in_the_docs_and_every_line_an_alarm() {
    let alarms = |text: &str, before: &str| -> BTreeSet<String> {
        text.lines()
            .filter_map(|line| line.trim().strip_prefix(before))
            .map(|rest| rest.split(['`', ' ']).next().unwrap().to_owned())
            .collect()
    };
    let there = alarms(ALERTS, "- alert: ");
    assert!(there.len() > 10, "{there:?}");
    assert_eq!(
        alarms(DOCS, "| `Fehmarn"),
        there.iter().map(|name| name.strip_prefix("Fehmarn").unwrap().to_owned()).collect()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_is_counted_and_nobody_is_named() {
    let talk = Conversation::begin(with_metrics().start().await).await;
    talk.hear("Danke").await;
    let refused = "reject@example.org";
    let otto = Staff::new("Otto").await;
    let room = otto.direct_chat(&talk.fehmarn.slot().ghost(refused)).await;
    otto.say(&room, "Sind Sie da?").await;
    let full = otto.direct_chat(&talk.fehmarn.slot().ghost("full@example.org")).await;
    otto.say(&full, "Und Sie?").await;
    let failed = [("connector", "email"), ("outcome", "failed"), ("reason", "unknown-recipient")];
    let waiting = [("queue", "outbox"), ("connector", "email"), ("state", "waiting")];
    let page = until("all that is to be counted", async || {
        let page = page(&talk.fehmarn).await;
        let is_there = page.value("fehmarn_deliveries_total", &failed).is_some()
            && page.value(
                "fehmarn_retries_total",
                &[("reason", "mailbox-full"), ("queue", "outbox"), ("connector", "email")],
            ) > Some(0.0)
            // An attempt is counted before its end is written down.
            && page.value("fehmarn_queue_rows", &waiting) == Some(1.0)
            && page.value("fehmarn_homeserver_in_doubt", &[]) == Some(0.0);
        is_there.then_some(page)
    })
    .await;
    assert_eq!(page.content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    for (name, labels, value) in [
        ("fehmarn_build_info", &[("version", env!("CARGO_PKG_VERSION"))][..], 1.0),
        ("fehmarn_deliveries_total", &[("outcome", "sent")], 1.0),
        ("fehmarn_deliveries_total", &failed, 1.0),
        (
            "fehmarn_given_up_total",
            &[("queue", "outbox"), ("connector", "email"), ("reason", "unknown-recipient")],
            1.0,
        ),
        ("fehmarn_hand_over_seconds_count", &[("connector", "email"), ("outcome", "ok")], 1.0),
        ("fehmarn_hand_over_seconds_count", &[("connector", "email"), ("outcome", "permanent")], 1.0),
        ("fehmarn_queue_rows", &[("queue", "outbox"), ("connector", "email"), ("state", "dead")], 1.0),
        ("fehmarn_queue_rows", &waiting, 1.0),
        ("fehmarn_database_up", &[], 1.0),
        ("fehmarn_connection_up", &[("connection", "smtp")], 1.0),
        ("fehmarn_connection_up", &[("connection", "lmtp")], 1.0),
        ("fehmarn_connection_up", &[("connection", "homeserver")], 1.0),
        ("fehmarn_panics_total", &[], 0.0),
        ("fehmarn_events_left_out_total", &[], 0.0),
    ] {
        // What was sent to the homeserver's connector is another one.
        let labels: Vec<(&str, &str)> = match name {
            "fehmarn_deliveries_total" => labels.iter().copied().chain([("connector", "email")]).collect(),
            _ => labels.to_vec(),
        };
        assert_eq!(page.value(name, &labels), Some(value), "{name} {labels:?}");
    }
    for (name, labels) in [
        ("fehmarn_arrivals_total", &[("connector", "email")][..]),
        ("fehmarn_transaction_seconds_count", &[("outcome", "taken")]),
        ("fehmarn_homeserver_request_seconds_count", &[("outcome", "ok")]),
        ("fehmarn_commit_seconds_count", &[]),
        ("fehmarn_events_total", &[]),
        ("fehmarn_queue_oldest_seconds", &[("queue", "outbox"), ("connector", "email")]),
        ("process_open_fds", &[]),
        ("process_resident_memory_bytes", &[]),
    ] {
        assert!(page.value(name, labels).unwrap() > 0.0, "{name} {labels:?} in {}", page.text);
    }
    // Every number in this page is in the docs, and no label has an address, a room, an event or a person in it.
    let documented = families(names(DOCS));
    for sample in page.all() {
        assert!(families([sample.name.clone()].into()).is_subset(&documented), "{}", sample.name);
        for (key, value) in &sample.labels {
            assert!(LABELS.contains(&key.as_str()), "{key}");
            assert!(!value.contains(['@', '!', '$', ' ']), "{key}={value}");
        }
    }
    let people = [&talk.bob.address, &talk.room, &talk.anna.id, &talk.ghost].map(String::as_str);
    for name in people.into_iter().chain(["Anna", "reject", "Danke"]) {
        assert!(!page.text.contains(name), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_what_is_held_and_which_connection_is_broken_can_be_seen() {
    let mut setup = with_metrics();
    let mut gate = Gate::new(setup.slot.spare_ports[0], servers().mail_ports.smtp);
    setup.smtp_port = gate.port;
    setup.hold = "6s";
    gate.open().await;
    let peer = format!("127.0.0.1:{}", gate.port);
    let talk = Conversation::begin(setup.start().await).await;
    let rows = |page: &Page, state: &str| {
        page.value("fehmarn_queue_rows", &[("queue", "outbox"), ("connector", "email"), ("state", state)])
    };
    let smtp = |page: &Page| {
        page.value("fehmarn_connection_up", &[("connector", "email"), ("connection", "smtp"), ("peer", &peer)])
    };
    let now = page(&talk.fehmarn).await;
    assert_eq!((rows(&now, "waiting"), rows(&now, "held"), smtp(&now)), (Some(0.0), Some(0.0), Some(1.0)));
    gate.close().await;
    talk.anna.say(&talk.room, "Kommt das an?").await;
    until("a held row", async || {
        let now = page(&talk.fehmarn).await;
        (rows(&now, "held") == Some(1.0) && rows(&now, "waiting") == Some(0.0)).then_some(())
    })
    .await;
    let age = async || {
        page(&talk.fehmarn).await.value("fehmarn_queue_oldest_seconds", &[("queue", "outbox"), ("connector", "email")])
    };
    until("a broken connection", async || {
        let now = page(&talk.fehmarn).await;
        (rows(&now, "waiting") == Some(1.0) && rows(&now, "held") == Some(0.0) && smtp(&now) == Some(0.0)).then_some(())
    })
    .await;
    assert!(age().await > Some(5.0), "{:?}", age().await);
    gate.open().await;
    talk.bob.wait_for_text("Kommt das an?").await;
    until("all to be well", async || {
        let now = page(&talk.fehmarn).await;
        (rows(&now, "waiting") == Some(0.0) && smtp(&now) == Some(1.0)).then_some(())
    })
    .await;
    assert_eq!(age().await, Some(0.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_section_nothing_listens_and_with_a_taken_address_it_says_so() {
    let fehmarn = Fehmarn::new().await;
    let url = format!("{}/metrics", fehmarn.slot().listen_url());
    assert_eq!(reqwest::get(url).await.unwrap().status(), 404, "not where the homeserver comes in");
    let setup = with_metrics();
    let taken = std::net::TcpListener::bind(("127.0.0.1", setup.slot.spare_ports[1])).unwrap();
    setup.write_config();
    let done = tokio::task::block_in_place(|| setup.run(&["run"]));
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(!done.status.success() && said.contains("change metrics.listen"), "{said}");
    drop(taken);
}

/// Whatever an alarm asks for, with its labels, is there.
#[tokio::test(flavor = "multi_thread")]
async fn the_alarms_ask_for_numbers_that_there_are() {
    let rules: serde_json::Value = serde_yaml::from_str(ALERTS).unwrap();
    let rules = rules["groups"][0]["rules"].as_array().unwrap();
    let talk = Conversation::begin(with_metrics().start().await).await;
    let page = page(&talk.fehmarn).await;
    let ends: BTreeMap<&str, &[&str]> = [
        ("counter", &["_total"][..]),
        ("gauge", &[""]),
        ("info", &["_info"]),
        ("histogram", &["_bucket", "_count", "_sum"]),
    ]
    .into();
    let known: BTreeSet<String> = page
        .types
        .iter()
        .flat_map(|(name, kind)| ends[kind.as_str()].iter().map(move |end| format!("{name}{end}")))
        .chain(["fehmarn_restarts_total".into()])
        .collect();
    for rule in rules {
        for key in ["alert", "expr"] {
            assert!(rule[key].is_string(), "{rule}");
        }
        assert!(rule["labels"]["severity"].is_string() && rule["annotations"]["summary"].is_string(), "{rule}");
        for name in names(rule["expr"].as_str().unwrap()) {
            assert!(known.contains(&name), "{name} of {} is not among {known:?}", rule["alert"]);
        }
    }
}

/// Prometheus' own tool, where the servers' folder has it.
#[test]
fn prometheus_understands_the_alarms_and_they_ring_when_they_should() {
    let tool = servers().dir.join("prometheus/usr/bin/promtool");
    if !tool.exists() {
        // Only without a network: what the numbers are called is tried all the same.
        eprintln!("{} is not there", tool.display());
        return;
    }
    let docs = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/docs"));
    for arguments in [["check", "rules", "alerts.yaml"], ["test", "rules", "alerts.test.yaml"]] {
        assert!(fs::exists(docs.join(arguments[2])).unwrap());
        let done = Command::new(&tool).args(arguments).current_dir(docs).output().unwrap();
        let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success() && said.contains("SUCCESS"), "{said}");
    }
}
