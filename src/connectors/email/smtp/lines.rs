//! The lines of a mail server's answers, made fit for lettre.

use bytes::{Buf, Bytes, BytesMut};

/// lettre ends a connection over a line of more than 1000 bytes.
const LONGEST_LINE: usize = 900;

/// What was read and not yet taken.
#[derive(Default)]
pub struct Lines {
    input: BytesMut,
}

impl Lines {
    pub fn push(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    pub fn is_empty(&self) -> bool {
        self.input.is_empty()
    }

    pub fn len(&self) -> usize {
        self.input.len()
    }

    /// The next line that is all there, with CRLF.
    pub fn take(&mut self) -> Option<Bytes> {
        let end = self.input.iter().position(|byte| *byte == b'\n')?;
        let line = self.input.split_to(end);
        self.input.advance(1);
        Some(clean(&line))
    }
}

/// lettre takes only UTF-8, only CRLF, and no code without a space after it, though RFC 5321 section 4.2 allows that. It
/// panics over a line of white space in an answer to EHLO: none may end in such.
fn clean(line: &[u8]) -> Bytes {
    let line = line.get(..LONGEST_LINE).unwrap_or(line).trim_ascii_end();
    let mut out = BytesMut::with_capacity(line.len() + 3);
    out.extend(line.iter().map(|byte| if matches!(byte, b'\t' | b' '..=b'~') { *byte } else { b'?' }));
    if matches!(line, [b'0'..=b'9', b'0'..=b'9', b'0'..=b'9']) {
        out.extend_from_slice(b" ");
    }
    out.extend_from_slice(b"\r\n");
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use lettre::transport::smtp::{extension::ServerInfo, response::Response};

    fn taken(text: &[u8]) -> (Vec<Bytes>, usize) {
        let mut lines = Lines::default();
        lines.push(text);
        (std::iter::from_fn(|| lines.take()).collect(), lines.len())
    }

    #[test]
    fn lines_are_taken_one_by_one_and_whole() {
        assert_eq!(taken(b"250-a\r\n250 b\r\n35"), (vec!["250-a\r\n".into(), "250 b\r\n".into()], 2));
        assert_eq!(taken(b"250 ok\r"), (vec![], 7));
    }

    #[test]
    fn what_lettre_would_stumble_over_is_mended() {
        assert_eq!(taken(b"250 ok\n").0, ["250 ok\r\n"]);
        assert_eq!(taken(b"220\r\n").0, ["220 \r\n"]);
        assert_eq!(taken(b"550 Postfach f\xfcr b\xc3\xb6b\r\n").0, ["550 Postfach f?r b??b\r\n"]);
        let long = taken(format!("550 {}\r\n", "x".repeat(5000)).as_bytes()).0;
        assert!(long[0].len() < 1000 && long[0].ends_with(b"x\r\n"));
    }

    #[test]
    fn lettre_does_not_panic_over_blank_lines() {
        let long = " ".repeat(950) + "x";
        for blank in ["", " ", " \t ", "\x0b", " \x0c", "\u{a0}", "\u{2003}", "\u{85}", &long] {
            let lines = taken(format!("250-mail.example\r\n250-{blank}\r\n250 SIZE\r\n").as_bytes()).0.concat();
            let response: Response = String::from_utf8(lines).unwrap().parse().unwrap();
            assert_eq!(ServerInfo::from_response(&response).unwrap().name(), "mail.example", "{blank:?}");
        }
    }
}
