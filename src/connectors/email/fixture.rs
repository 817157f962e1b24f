//! The mails of `tests/fixtures/mail`, as they would come over a socket.

use super::{address::Identity, arrival, fields::Fields, mime::Part, parse::Reader, report};
use crate::{
    ids::LocalUser,
    language::Language,
    message::{Arrival, RawArrival, Receipt},
};
use bytes::Bytes;
use std::{
    fs,
    net::{IpAddr, UdpSocket},
    path::Path,
};

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
pub fn read(raw: &RawArrival) -> Arrival {
    read_at_most(raw, u64::MAX)
}

/// The same, where a mail has at most `max_size` bytes.
pub fn read_at_most(raw: &RawArrival, max_size: u64) -> Arrival {
    Reader { identity: &identity(), language: Language::De, max_size }.read(&Part::parse(&raw.raw), raw)
}

pub fn message(name: &str) -> Arrival {
    read(&raw(name))
}

pub fn receipt(name: &str) -> Receipt {
    let raw = bytes(name);
    report::read(&Part::parse(&raw), &Fields::of_mail(&raw), &identity()).expect(name)
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

/// An address of this machine under which others see it; `None` if it has none. Nothing is sent.
pub fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|address| !address.is_loopback() && !address.is_unspecified())
}
