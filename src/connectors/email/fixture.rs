//! The mails of `tests/fixtures/mail`, as they would come over a socket.

use super::{address::Identity, arrival, parse::Reader};
use crate::{
    failure::Failure,
    ids::LocalUser,
    language::Language,
    message::{Arrival, Inbound, RawArrival, Receipt},
};
use bytes::Bytes;
use std::{fs, path::Path};

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mail")
}

/// The files have bare line feeds; SMTP has CRLF.
pub fn bytes(name: &str) -> Bytes {
    let file = fs::read(folder().join(format!("{name}.eml"))).unwrap();
    let lines: Vec<&[u8]> = file.split(|byte| *byte == b'\n').collect();
    Bytes::from(lines.join(b"\r\n".as_slice()))
}

pub fn raw(name: &str) -> RawArrival {
    arrival::arrival(&identity(), LocalUser::new("anna"), bytes(name))
}

pub fn identity() -> Identity {
    Identity::new("chat.example.org", "{localpart}@chat.example.org").unwrap()
}

/// Reads a mail as `chat.example.org` would.
pub fn read(raw: &RawArrival) -> Result<Inbound, Failure> {
    read_at_most(raw, u64::MAX)
}

/// The same, where a mail has at most `max_size` bytes.
pub fn read_at_most(raw: &RawArrival, max_size: u64) -> Result<Inbound, Failure> {
    Reader { identity: &identity(), language: Language::De, max_size }.read(raw)
}

pub fn message(name: &str) -> Arrival {
    match read(&raw(name)).unwrap() {
        Inbound::Message(arrival) => *arrival,
        Inbound::Receipt(receipt) => panic!("{receipt:?}"),
    }
}

pub fn receipt(name: &str) -> Receipt {
    match read(&raw(name)).unwrap() {
        Inbound::Receipt(receipt) => receipt,
        Inbound::Message(arrival) => panic!("{arrival:?}"),
    }
}

/// All of them, in the order of their names.
pub fn all() -> Vec<Bytes> {
    let mut names: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap().strip_suffix(".eml").unwrap().to_owned())
        .collect();
    names.sort();
    assert!(names.len() >= 15);
    names.iter().map(|name| bytes(name)).collect()
}
