//! Header text as RFC 2047 wants it, from what mail programs wrote: characters split over two encoded words, bytes in no
//! declared character set. `mail-parser` decodes each word alone.

use super::{base64, charset, hex};
use std::borrow::Cow;

/// The longest encoded word, in bytes. RFC 2047 section 2 allows 75; some programs never break a subject.
const WORD: usize = 4000;

/// The header with every run of encoded words written as one, in UTF-8, and all else in UTF-8.
pub fn mended(header: &[u8]) -> Cow<'_, [u8]> {
    let has_words = header.windows(2).any(|two| two == b"=?");
    if !has_words && std::str::from_utf8(header).is_ok() {
        return Cow::Borrowed(header);
    }
    Cow::Owned(rewritten(header, |out, text| {
        out.extend_from_slice(format!("=?utf-8?B?{}?=", data_encoding::BASE64.encode(text.as_bytes())).as_bytes());
    }))
}

/// The text that is meant: for places in which RFC 2047 allows no encoded words, and programs write them.
pub fn decoded(text: &str) -> String {
    let bytes = rewritten(text.as_bytes(), |out, text| out.extend_from_slice(text.as_bytes()));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The header with `write` for every run of encoded words, and all else in UTF-8.
fn rewritten(header: &[u8], write: impl Fn(&mut Vec<u8>, &str)) -> Vec<u8> {
    let mut out = Vec::with_capacity(header.len() + header.len() / 2);
    let mut rest = header;
    while let Some(at) = rest.windows(2).position(|two| two == b"=?") {
        let (before, from) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        push(&mut out, before);
        rest = match run(from) {
            Some((text, after)) => {
                write(&mut out, &text);
                after
            }
            None => {
                out.extend_from_slice(b"=?");
                from.get(2..).unwrap_or_default()
            }
        };
    }
    push(&mut out, rest);
    out
}

/// Line by line: one field may come from another program than the next.
fn push(out: &mut Vec<u8>, raw: &[u8]) {
    for line in raw.split_inclusive(|byte| *byte == b'\n') {
        match std::str::from_utf8(line) {
            Ok(text) => out.extend_from_slice(text.as_bytes()),
            Err(_) => out.extend_from_slice(charset::unlabelled(line).as_bytes()),
        }
    }
}

struct Word<'x> {
    charset: &'x [u8],
    is_base64: bool,
    data: &'x [u8],
}

/// The text of the encoded words that follow each other in one character set, and what stands behind them.
fn run(bytes: &[u8]) -> Option<(String, &[u8])> {
    let (first, mut rest) = word(bytes)?;
    let mut content = Content::default();
    content.push(&first);
    while let Some((next, after)) = word(rest.trim_ascii_start()) {
        if !next.charset.eq_ignore_ascii_case(first.charset) {
            break;
        }
        content.push(&next);
        rest = after;
    }
    // RFC 2231 section 5: a language may stand behind the character set.
    let charset = String::from_utf8_lossy(first.charset);
    Some((charset::decode(&content.end(), charset.split('*').next().unwrap_or_default()), rest))
}

fn word(bytes: &[u8]) -> Option<(Word<'_>, &[u8])> {
    let inner = bytes.strip_prefix(b"=?")?;
    let inner = inner.get(..WORD).unwrap_or(inner);
    let mut parts = inner.splitn(3, |byte| *byte == b'?');
    let (charset, encoding, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let is_base64 = match encoding {
        b"B" | b"b" => true,
        b"Q" | b"q" => false,
        _ => return None,
    };
    let end = rest.windows(2).position(|two| two == b"?=")?;
    let sound = !charset.is_empty() && charset.len() <= 60 && charset.iter().all(u8::is_ascii_graphic);
    let data = rest.get(..end).filter(|data| sound && !data.contains(&b'\n'))?;
    let length = 2 + charset.len() + 1 + encoding.len() + 1 + end + 2;
    Some((Word { charset, is_base64, data }, bytes.get(length..)?))
}

/// The bytes of a run. A base64 text may have been broken anywhere.
#[derive(Default)]
struct Content {
    bytes: Vec<u8>,
    digits: Vec<u8>,
}

impl Content {
    fn push(&mut self, word: &Word<'_>) {
        if !word.is_base64 {
            self.flush();
            quoted(&mut self.bytes, word.data);
            return;
        }
        self.digits.extend_from_slice(word.data);
        if self.digits.ends_with(b"=") || self.digits.len().is_multiple_of(4) {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.bytes.extend(base64(&std::mem::take(&mut self.digits)));
    }

    fn end(mut self) -> Vec<u8> {
        self.flush();
        self.bytes
    }
}

/// RFC 2047 section 4.2.
fn quoted(out: &mut Vec<u8>, mut data: &[u8]) {
    while let Some((byte, after)) = data.split_first() {
        data = after;
        match (byte, after) {
            (b'_', _) => out.push(b' '),
            (b'=', [high, low, rest @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                out.push(hex(*high).unwrap_or(0) << 4 | hex(*low).unwrap_or(0));
                data = rest;
            }
            _ => out.push(*byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::connectors::email::mime::headers::Headers;

    fn subject(text: &[u8]) -> String {
        let raw = [b"Subject: ", text, b"\r\nTo: a@b.example\r\n\r\n"].concat();
        Headers::parse(&raw).0.subject().to_owned()
    }

    #[test]
    fn a_character_in_two_encoded_words_is_one_character() {
        assert_eq!(subject(b"=?utf-8?Q?Gr=C3?= =?UTF-8?Q?=BC=C3=9Fe?="), "Gr\u{fc}\u{df}e");
        assert_eq!(subject(b"=?utf-8?B?R3LD?=\r\n =?utf-8?B?vMOfZQ==?="), "Gr\u{fc}\u{df}e");
        assert_eq!(subject(b"=?utf-8?B?R3LDv?= =?utf-8?B?MOfZQ?= x"), "Gr\u{fc}\u{df}e x");
    }

    #[test]
    fn bytes_outside_of_encoded_words_are_read_as_text_is() {
        assert_eq!(subject(b"Gr\xfc\xdfe =?utf-8?Q?=C3=BC?="), "Gr\u{fc}\u{df}e \u{fc}");
        assert_eq!(subject(b"Gr\xc3\xbc\xc3\x9fe"), "Gr\u{fc}\u{df}e");
        assert_eq!(subject(b"\xb2\xe2\xca\xd4"), "\u{6d4b}\u{8bd5}");
    }

    #[test]
    fn a_word_of_the_wrong_or_no_known_character_set_is_read() {
        assert_eq!(subject(b"=?iso-8859-1?Q?Gr=C3=BC=C3=9Fe?="), "Gr\u{fc}\u{df}e");
        assert_eq!(subject(b"=?utf-8?Q?Gr=FC=DFe?="), "Gr\u{fc}\u{df}e");
        assert_eq!(subject(b"=?klingon?Q?Gr=FC=DFe?="), "Gr\u{fc}\u{df}e");
        assert_eq!(subject(b"=?iso-8859-1*de?Q?Gr=FC=DFe?="), "Gr\u{fc}\u{df}e");
    }

    #[test]
    fn a_word_with_spaces_in_it_is_one_and_a_word_without_an_end_is_text() {
        assert_eq!(subject(b"=?utf-8?Q?Hallo liebe Gr=C3=BC=C3=9Fe?="), "Hallo liebe Gr\u{fc}\u{df}e");
        assert!(subject(b"=?utf-8?Q?Gr=C3=BC").contains("Gr"));
        assert!(subject(b"=?utf-8?X?abc?= Hallo").ends_with("Hallo"));
    }

    #[test]
    fn a_name_in_an_encoded_word_inside_quotes_is_a_name() {
        let raw = b"From: \"=?utf-8?Q?M=C3=BCller=2C_J=C3=B6rg?=\" <bob@example.org>\r\n\r\n";
        let (_, name) = Headers::parse(raw).0.sender().unwrap();
        assert_eq!(name.as_deref(), Some("M\u{fc}ller, J\u{f6}rg"));
    }
}
