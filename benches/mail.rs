//! Reads and renders mails by the thousand, as the bridge would: `cargo bench --bench mail -- FOLDER ...`, without
//! folders those of `tests/fixtures`. Prints counts by folder, how fast it went, the slowest mail, and every mail that
//! made Fehmarn panic, said nothing, or came out with fewer files than `mail-parser` finds in it. With `--files` it prints
//! the files of each mail as a line of JSON instead, for `benches/files.py`, which knows nothing of Fehmarn's code.
//!
//! A file that ends in `.txt` is the text of a mail, one that ends in `.tnef` a `winmail.dat`; all others are whole mails.

#![allow(clippy::disallowed_methods)]

use base64::Engine;
use bytes::Bytes;
use data_encoding::HEXLOWER;
use fehmarn::{
    connector::Connector,
    connectors::email,
    failure::Failure,
    ids::{LocalUser, SourceId},
    matrix::format,
    message::{Attachment, Inbound, RawArrival},
    yaml::Document,
};
use mail_parser::MessageParser;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    env, fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

const SECTION: &str = "connectors:\n  email:\n    domain: amt.example\n    smtp: { host: 127.0.0.1, tls: none }\n    \
    lmtp: { listen: '127.0.0.1:0' }\n    max_size: 1GB\n";

#[derive(Default)]
struct Tally {
    lists_files: bool,
    mails: usize,
    messages: usize,
    reports: usize,
    unreadable: usize,
    files: usize,
    panics: usize,
    empty: usize,
    fewer_files: usize,
    bytes: usize,
    took: Duration,
    slowest: Option<(Duration, PathBuf)>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    // What cargo-nextest asks of every test program: here is no test to list.
    if arguments.iter().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    let lists_files = arguments.iter().any(|argument| argument == "--files");
    let mut folders: Vec<PathBuf> =
        arguments.iter().filter(|argument| !argument.starts_with("--")).map(PathBuf::from).collect();
    if folders.is_empty() {
        folders.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures"));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let document = Document::new(Path::new("config.yaml"), SECTION.to_owned());
    let connector = (email::KIND.build)(&document, &|_| None).unwrap();
    let mut sound = true;
    for folder in folders {
        let mut files = Vec::new();
        collect(&folder, &mut files);
        files.sort();
        let mut tally = Tally { lists_files, ..Tally::default() };
        for file in files {
            one(&runtime, &connector, &file, &mut tally);
        }
        sound &= tally.panics == 0 && tally.empty == 0 && tally.mails > 0;
        if !lists_files {
            tally.print(&folder);
        }
    }
    if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        let ends = |ends: &[&str]| path.extension().is_some_and(|end| ends.iter().any(|one| end == *one));
        if path.is_dir() {
            collect(&path, files);
        } else if !ends(&["json", "yml", "yaml", "rb", "py", "go", "golden", "body"]) {
            // Beside a mail of ours its page ends in .txt.
            let is_page = ends(&["txt"]) && path.with_extension("eml").exists();
            if !is_page {
                files.push(path);
            }
        }
    }
}

fn mail(path: &Path) -> Bytes {
    let content = fs::read(path).unwrap();
    match path.extension().and_then(|end| end.to_str()) {
        Some("txt") => [b"From: bob@example.org\r\n\r\n", content.as_slice()].concat().into(),
        Some("tnef") => {
            let lines = base64::engine::general_purpose::STANDARD.encode(content);
            format!("From: bob@example.org\r\nContent-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64\r\n\r\n{lines}").into()
        }
        _ if has_sender(&content) => content.into(),
        // Many samples are only what a test needs.
        _ => [b"From: bob@example.org\r\n", content.as_slice()].concat().into(),
    }
}

fn has_sender(mail: &[u8]) -> bool {
    mail.split(|byte| *byte == b'\n')
        .take(500)
        .any(|line| line.get(..5).is_some_and(|it| it.eq_ignore_ascii_case(b"from:")))
}

fn one(runtime: &tokio::runtime::Runtime, connector: &Arc<dyn Connector>, path: &Path, tally: &mut Tally) {
    let bytes = mail(path);
    let raw = RawArrival {
        also: None,
        source: SourceId::new("source"),
        lane: String::new(),
        to: LocalUser::new("anna"),
        raw: bytes.clone(),
    };
    tally.mails += 1;
    tally.bytes += bytes.len();
    let begin = Instant::now();
    let read = catch_unwind(AssertUnwindSafe(|| runtime.block_on(connector.read(&raw, 1)).map(rendered)));
    let took = begin.elapsed();
    tally.took += took;
    if tally.slowest.as_ref().is_none_or(|(slowest, _)| took > *slowest) {
        tally.slowest = Some((took, path.to_owned()));
    }
    match read {
        Err(_) => {
            tally.panics += 1;
            println!("PANIC {}", path.display());
        }
        Ok(read) if tally.lists_files => println!("{}", files(path, &read)),
        Ok(read) => tally.count(read, path, &bytes),
    }
}

/// What became of a mail, and the names and contents of its files.
fn files(path: &Path, read: &Result<Option<Rendered>, Failure>) -> Value {
    let (outcome, files, is_whole) = match read {
        Err(_) => ("unreadable", [].as_slice(), true),
        Ok(None) => ("report", [].as_slice(), true),
        Ok(Some(message)) => ("message", message.files.as_slice(), message.is_whole),
    };
    let file = |file: &Attachment| json!([file.name, HEXLOWER.encode(&Sha256::digest(&file.bytes))]);
    json!({ "mail": path, "outcome": outcome, "is_whole": is_whole, "files": files.iter().map(file).collect::<Vec<_>>() })
}

/// What staff get of a message.
struct Rendered {
    has_words: bool,
    /// Nothing is left to the copy of the original that staff can ask for.
    is_whole: bool,
    files: Vec<Attachment>,
}

/// `None` for a report.
fn rendered(inbound: Inbound) -> Option<Rendered> {
    let Inbound::Message(arrival) = inbound else { return None };
    let (content, overflow) = format::incoming(&arrival.body);
    let files = overflow.into_iter().chain(arrival.attachments).collect();
    let has_words = !content.body().trim().is_empty();
    Some(Rendered { has_words, is_whole: arrival.original.is_none(), files })
}

impl Tally {
    fn count(&mut self, read: Result<Option<Rendered>, Failure>, path: &Path, bytes: &[u8]) {
        match read {
            Err(failure) => {
                self.unreadable += 1;
                println!("unreadable: {failure}: {}", path.display());
            }
            Ok(None) => self.reports += 1,
            Ok(Some(Rendered { has_words, files, .. })) => {
                let files = files.len();
                self.messages += 1;
                self.files += files;
                if !has_words && files == 0 {
                    self.empty += 1;
                    println!("EMPTY {}", path.display());
                }
                let theirs = MessageParser::new().parse(bytes).map_or(0, |mail| mail.attachment_count());
                if files < theirs {
                    self.fewer_files += 1;
                    println!("files: {files}, mail-parser: {theirs}: {}", path.display());
                }
            }
        }
    }

    fn print(&self, folder: &Path) {
        println!(
            "{}: {} mails ({} messages, {} reports, {} unreadable), {} files; {} panics, {} empty, {} with fewer files than mail-parser finds",
            folder.display(),
            self.mails,
            self.messages,
            self.reports,
            self.unreadable,
            self.files,
            self.panics,
            self.empty,
            self.fewer_files
        );
        let seconds = self.took.as_secs_f64().max(1e-9);
        println!("  {:.0} mails/s, {:.1} MB/s", self.mails as f64 / seconds, self.bytes as f64 / 1e6 / seconds);
        if let Some((took, path)) = &self.slowest {
            println!("  slowest: {:.1} ms, {}", took.as_secs_f64() * 1e3, path.display());
        }
    }
}
