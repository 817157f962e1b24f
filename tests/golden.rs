//! What real-world mails look like in a room: beside each mail of `tests/fixtures/golden` stands the message that staff
//! see. After a change that is meant, `FEHMARN_GOLDEN=write` writes them anew; read every difference.

use bytes::Bytes;
use fehmarn::{
    connector::Connector,
    connectors::email,
    ids::{LocalUser, SourceId},
    matrix::format,
    message::{Arrival, Attachment, Inbound, RawArrival, Receipt},
    yaml::Document,
};
use std::{
    env,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

const SECTION: &str = "connectors:\n  email:\n    domain: amt.example\n    smtp: { host: 127.0.0.1, tls: none }\n    \
    lmtp: { listen: '127.0.0.1:0' }\n";

fn connector() -> Arc<dyn Connector> {
    let document = Document::new(Path::new("config.yaml"), SECTION.to_owned());
    (email::KIND.build)(&document, &|_| None).unwrap()
}

/// The files have bare line feeds; SMTP has CRLF.
fn mail(path: &Path) -> Bytes {
    let file = fs::read(path).unwrap();
    let lines: Vec<&[u8]> = file.split(|byte| *byte == b'\n').collect();
    Bytes::from(lines.join(b"\r\n".as_slice()))
}

fn mails() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/golden");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut mails: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|it| it == "eml")).collect();
    mails.sort();
    mails
}

fn shown(inbound: &Inbound) -> String {
    match inbound {
        Inbound::Message(arrival) => message(arrival),
        Inbound::Receipt(receipt) => report(receipt),
        other => panic!("no mail is this: {other:?}"),
    }
}

fn message(arrival: &Arrival) -> String {
    let mut page = String::new();
    let (content, overflow) = format::incoming(&arrival.body);
    let content = serde_json::to_value(&content).unwrap();
    let text = |key: &str| content.get(key).and_then(|value| value.as_str());
    let name = arrival.from_name.as_deref().unwrap_or("-");
    writeln!(page, "from: {} ({name}){}", arrival.from, if arrival.verified { "" } else { ", not verified" }).unwrap();
    for (key, people) in [
        ("staff", arrival.staff.iter().map(ToString::to_string).collect::<Vec<_>>()),
        ("others", arrival.others.iter().map(ToString::to_string).collect()),
        ("answers to", arrival.answers_to.iter().map(ToString::to_string).collect()),
        ("answers", arrival.answers.iter().map(ToString::to_string).collect()),
    ] {
        if !people.is_empty() {
            writeln!(page, "{key}: {}", people.join(", ")).unwrap();
        }
    }
    writeln!(page, "subject: {}", arrival.subject.as_deref().unwrap_or("-")).unwrap();
    if arrival.automatic {
        writeln!(page, "automatic").unwrap();
    }
    if let Some(reaction) = &arrival.reaction {
        writeln!(page, "reaction: {reaction}").unwrap();
    }
    writeln!(page, "--- text\n{}", text("body").unwrap_or_default()).unwrap();
    if let Some(html) = text("formatted_body") {
        writeln!(page, "--- html\n{html}").unwrap();
    }
    for file in overflow.iter().chain(&arrival.attachments) {
        writeln!(page, "--- file {}", of(file)).unwrap();
    }
    if let Some(original) = &arrival.original {
        let when = if original.at_once { "at once" } else { "on demand" };
        writeln!(page, "--- original {when}: {}", of(&original.file)).unwrap();
    }
    page
}

fn of(file: &Attachment) -> String {
    format!("{:?}, {}, {} bytes", file.name, file.media_type, file.bytes.len())
}

fn report(receipt: &Receipt) -> String {
    let to = receipt.to.as_ref().map_or("-", |to| to.as_str());
    format!("report on: {}\nto: {to}\nstate: {:?}\ndetail: {}\n", receipt.message, receipt.state, receipt.detail)
}

#[tokio::test]
async fn every_mail_is_shown_as_its_reviewed_page_says() {
    let (connector, write) = (connector(), env::var("FEHMARN_GOLDEN").is_ok_and(|it| it == "write"));
    let mails = mails();
    assert!(!mails.is_empty());
    let mut wrong = Vec::new();
    for path in &mails {
        let raw = RawArrival {
            also: None,
            source: SourceId::new("source"),
            lane: String::new(),
            to: LocalUser::new("anna"),
            raw: mail(path),
        };
        let page = match connector.read(&raw, 1).await {
            Ok(inbound) => shown(&inbound),
            Err(failure) => format!("not read: {failure}\n"),
        };
        let golden = path.with_extension("txt");
        if write {
            fs::write(&golden, &page).unwrap();
        } else if fs::read_to_string(&golden).ok().as_deref() != Some(page.as_str()) {
            wrong.push(format!("{}:\n{page}", golden.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
