//! The content of a mail as it comes over the wire (RFC 5321 section 4.5.2).

use bytes::{Buf, BytesMut};

/// Takes a content up to its end, with the stuffed dots removed, and no more of it than `limit` bytes.
///
/// Only CRLF.CRLF is an end. A bare LF or CR is part of the text: a mail server on the way may see it in another way
/// than we do, but never we an end that it did not send ("SMTP smuggling").
pub struct Content {
    pub bytes: Vec<u8>,
    limit: usize,
    /// Bytes that were let go because of the limit.
    over: usize,
    state: State,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    /// After CRLF, or at the very beginning.
    LineStart,
    Text,
    /// After a CR in the text.
    Cr,
    /// After CRLF and a dot.
    Dot,
    /// After CRLF, a dot and a CR.
    DotCr,
}

impl Content {
    /// `head` stands before the content and does not count.
    pub fn new(head: Vec<u8>, limit: usize) -> Self {
        Self { limit: limit.saturating_add(head.len()), bytes: head, over: 0, state: State::LineStart }
    }

    /// How many bytes were too many.
    pub fn over(&self) -> usize {
        self.over
    }

    /// Takes what belongs to the content from `input`; true when it has ended.
    pub fn take(&mut self, input: &mut BytesMut) -> bool {
        let mut rest = &input[..];
        let mut ended = false;
        while let Some((byte, after)) = rest.split_first() {
            if self.state == State::Text {
                let end = rest.iter().position(|byte| *byte == b'\r').unwrap_or(rest.len());
                let (text, after) = rest.split_at(end);
                self.push(text);
                rest = after.strip_prefix(b"\r").unwrap_or(after);
                if after.len() > rest.len() {
                    self.push(b"\r");
                    self.state = State::Cr;
                }
                continue;
            }
            rest = after;
            if self.step(*byte) {
                ended = true;
                break;
            }
        }
        let taken = input.len() - rest.len();
        input.advance(taken);
        ended
    }

    /// One byte outside of running text; true at the end of the content.
    fn step(&mut self, byte: u8) -> bool {
        self.state = match (self.state, byte) {
            (State::LineStart, b'.') => State::Dot,
            (State::Dot, b'\r') => State::DotCr,
            (State::DotCr, b'\n') => return true,
            (State::Cr, b'\n') => {
                self.push(b"\n");
                State::LineStart
            }
            (before, byte) => {
                if before == State::DotCr {
                    self.push(b"\r");
                }
                self.push(&[byte]);
                if byte == b'\r' { State::Cr } else { State::Text }
            }
        };
        false
    }

    fn push(&mut self, bytes: &[u8]) {
        let fits = bytes.len().min(self.limit.saturating_sub(self.bytes.len()));
        let (kept, over) = bytes.split_at_checked(fits).unwrap_or((bytes, &[]));
        self.bytes.extend_from_slice(kept);
        self.over = self.over.saturating_add(over.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was taken and what was left, the same however the bytes come in pieces.
    fn taken(wire: &str) -> Option<(String, String)> {
        let results = (1..=wire.len()).map(|piece| {
            let mut content = Content::new(Vec::new(), 1000);
            let mut input = BytesMut::new();
            let mut pieces = wire.as_bytes().chunks(piece);
            while !content.take(&mut input) {
                input.extend_from_slice(pieces.next()?);
            }
            pieces.for_each(|bytes| input.extend_from_slice(bytes));
            Some((String::from_utf8(content.bytes).unwrap(), String::from_utf8(input.to_vec()).unwrap()))
        });
        let mut results: Vec<_> = results.collect();
        results.dedup();
        assert_eq!(results.len(), 1, "{wire:?}: {results:?}");
        results.remove(0)
    }

    #[test]
    fn a_content_ends_with_a_lone_dot_and_stuffed_dots_are_removed() {
        for (wire, content, rest) in [
            ("a\r\nb\r\n.\r\nQUIT\r\n", "a\r\nb\r\n", "QUIT\r\n"),
            (".\r\nQUIT\r\n", "", "QUIT\r\n"),
            ("..\r\n...x\r\n..\r\n.\r\n", ".\r\n..x\r\n.\r\n", ""),
            ("a.\r\n.b\r\n.\r\n", "a.\r\nb\r\n", ""),
            ("a\r\r\n.\r\n", "a\r\r\n", ""),
        ] {
            assert_eq!(taken(wire), Some((content.into(), rest.into())), "{wire:?}");
        }
    }

    #[test]
    fn nothing_else_ends_a_content() {
        for end in
            ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r.\r\n", "\r\n.\r", "\r\n.\r\r\n", "\r\n.\rx\r\n", "\n\r.\r\n"]
        {
            assert_eq!(taken(&format!("a{end}b")), None, "{end:?}");
            let (content, rest) = taken(&format!("a{end}b\r\n.\r\nc")).unwrap();
            assert!(content.starts_with('a') && content.ends_with("b\r\n") && rest == "c", "{end:?}: {content:?}");
        }
    }

    #[test]
    fn a_content_that_is_too_large_is_read_to_its_end_and_not_kept() {
        let mut content = Content::new(b"12345".to_vec(), 10);
        let mut input = BytesMut::from(format!("{}\r\n.\r\nQUIT", "x".repeat(100)).as_str());
        assert!(content.take(&mut input));
        assert_eq!((content.bytes.as_slice(), content.over()), (b"12345xxxxxxxxxx".as_slice(), 92));
        assert_eq!(&input[..], b"QUIT");
    }
}
