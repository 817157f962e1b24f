//! Any bytes as what a mail server says by LMTP. Whatever they are, each answer is a line with a code, and the session comes
//! to an end with its connection.

#![no_main]

use running::{RUNNING, talk_and_end};

const BEGUN: &str = "LHLO x\r\nMAIL FROM:<bob@example.org>\r\nRCPT TO:<anna@amt.example>\r\n";

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    // From the first word, or where a mail has begun already.
    let words = match data.split_first() {
        Some((first, rest)) if first % 2 == 0 => [BEGUN.as_bytes(), rest].concat(),
        Some((_, rest)) => rest.to_vec(),
        None => return,
    };
    let heard = talk_and_end(RUNNING.lmtp, &words);
    for line in heard.split_inclusive(|byte| *byte == b'\n') {
        let good = line.ends_with(b"\r\n") && line.iter().take(3).all(u8::is_ascii_digit) && line.len() > 4;
        assert!(good, "{}", String::from_utf8_lossy(line));
    }
});
