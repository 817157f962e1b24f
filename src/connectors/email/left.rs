//! A mail that is too large to be fetched from its mailbox: its header is read, and the rest stays where it is.

use super::mime::headers::{HEADER, split};
use bytes::Bytes;

/// What stands above the header of such a mail, and its size in bytes.
const MARK: &str = "X-Fehmarn-Left-In-Mailbox: ";

/// What is read in place of a mail of `size` bytes that begins with these.
pub fn mark(beginning: &[u8], size: u64) -> Bytes {
    let header = split(beginning).0.trim_ascii_end();
    [format!("{MARK}{size}\r\n").as_bytes(), header.get(..HEADER).unwrap_or(header), b"\r\n\r\n"].concat().into()
}

/// How large the mail is of which only this was read; `None`: this is all of it.
pub fn size(raw: &[u8]) -> Option<u64> {
    let rest = raw.strip_prefix(MARK.as_bytes())?;
    let line = rest.split(|byte| *byte == b'\r').next()?;
    std::str::from_utf8(line).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_stays_and_the_body_goes() {
        let raw = mark(b"To: a@b.example\r\nSubject: x\r\n\r\nbody\r\n", 77);
        assert_eq!(&*raw, b"X-Fehmarn-Left-In-Mailbox: 77\r\nTo: a@b.example\r\nSubject: x\r\n\r\n");
        assert_eq!(size(&raw), Some(77));
        let long = mark(&[&b"To: a@b.example\r\nX: "[..], &vec![b'x'; 2 * HEADER]].concat(), 5);
        assert!(long.len() < HEADER + 100 && long.ends_with(b"x\r\n\r\n"));
    }

    #[test]
    fn a_whole_mail_is_whole() {
        for raw in
            ["", "To: a@b.example\r\n\r\n", "X-Fehmarn-Left-In-Mailbox: x\r\n\r\n", "X-Fehmarn-Left-In-Mailbox: "]
        {
            assert_eq!(size(raw.as_bytes()), None, "{raw}");
        }
    }
}
