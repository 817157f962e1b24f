//! The mail reader, as the bridge calls it.

use fehmarn::{
    connector::Connector,
    connectors::email,
    ids::{LocalUser, SourceId},
    matrix::format,
    message::{Inbound, RawArrival},
    yaml::Document,
};
use std::{
    path::Path,
    sync::{Arc, LazyLock},
};

const SECTION: &str = "connectors:\n  email:\n    domain: amt.example\n    smtp: { host: 127.0.0.1, tls: none }\n    \
    lmtp: { listen: '127.0.0.1:0' }\n";

static CONNECTOR: LazyLock<Arc<dyn Connector>> = LazyLock::new(|| {
    let document = Document::new(Path::new("config.yaml"), SECTION.to_owned());
    (email::KIND.build)(&document, &|_| None).unwrap()
});

/// Reads a mail and renders it. Whatever stands in it, the message says something, and no name has a control in it.
pub fn read(mail: Vec<u8>) {
    let raw = RawArrival {
        also: None, source: SourceId::new("source"),
        lane: String::new(),
        to: LocalUser::new("anna"),
        raw: mail.into(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let Ok(Inbound::Message(arrival)) = runtime.block_on(CONNECTOR.read(&raw, 1)) else { return };
    let (content, _) = format::incoming(&arrival.body);
    assert!(!content.body().is_empty() || !arrival.attachments.is_empty());
    assert!(arrival.attachments.iter().all(|file| !file.name.is_empty() && !file.name.contains(['/', '\\', '\n'])));
    assert!(arrival.from_name.is_none_or(|name| !name.contains(char::is_control)));
    assert!(arrival.subject.is_none_or(|subject| !subject.contains(char::is_control)));
}
