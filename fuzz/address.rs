//! Any text as an address that somebody has typed, and as one that a mail came to. What is taken for an address is so again,
//! and stays the same.

#![no_main]

use fehmarn::{connector::Connector, connectors, yaml::Document};
use std::{
    path::Path,
    sync::{Arc, LazyLock},
};

const SECTION: &str = "connectors:\n  email:\n    domain: amt.example\n    smtp: { host: 127.0.0.1, tls: none }\n    \
    lmtp: { listen: '127.0.0.1:0' }\n  xmpp: { host: 127.0.0.1, port: 5347, domain: m.example, secret: secret }\n";

static CONNECTORS: LazyLock<Vec<Arc<dyn Connector>>> = LazyLock::new(|| {
    let document = Document::new(Path::new("config.yaml"), SECTION.to_owned());
    connectors::KINDS.iter().map(|kind| (kind.build)(&document, &|_| None).unwrap()).collect()
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for connector in CONNECTORS.iter() {
        let Some(user) = connector.parse_address(text) else { continue };
        assert!(!user.as_str().is_empty() && !user.as_str().contains(char::is_control), "{user:?}");
        assert_eq!(connector.parse_address(user.as_str()), Some(user));
    }
});
