//! Any bytes as the words of a mail, in text and in HTML: what looks for quotes and signatures reads them.

#![no_main]

mod reader;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    for kind in ["plain", "html"] {
        let header =
            format!("From: bob@example.org\r\nSubject: Re: x\r\nContent-Type: text/{kind}; charset=utf-8\r\n\r\n");
        reader::read([header.as_bytes(), data].concat());
    }
});
