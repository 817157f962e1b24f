//! Any text as the configuration. A mistake is a sentence, and holds no secret.

#![no_main]

use fehmarn::{config::Config, connectors};
use std::{fs, path::PathBuf, sync::LazyLock};

static FILE: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::temp_dir().join(format!("fehmarn-fuzz-{}.yaml", std::process::id())));

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    // It may name files, and this one must not wait for a device or a pipe to end.
    if data.windows(4).any(|part| part == b"/dev" || part == b"/pro") {
        return;
    }
    fs::write(&*FILE, data).unwrap();
    if let Err(error) = Config::open(&FILE, connectors::KINDS, &|_| None) {
        assert!(!error.to_string().is_empty());
    }
});
