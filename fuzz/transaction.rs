//! Any bytes as a transaction of the homeserver, over HTTP. Whatever stands in it, there is an answer as the specification
//! has it. A fault in the program ends the run: libFuzzer's hook sees every panic.

#![no_main]

use running::{RUNNING, TOKEN, talk};
use std::sync::atomic::{AtomicU64, Ordering};

static COUNT: AtomicU64 = AtomicU64::new(0);

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let head = format!(
        "PUT /_matrix/app/v1/transactions/{number} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        data.len()
    );
    let answer = talk(RUNNING.http, &[head.as_bytes(), data].concat());
    let status = answer.get(9..12).unwrap_or_default();
    assert!([b"200", b"400", b"413"].iter().any(|good| *good == status), "{}", String::from_utf8_lossy(&answer));
});
