//! The parts of a mail (RFC 2045, 2046). Only parts are found here; `mail-parser` reads headers and character sets.
//!
//! Its own walk through the parts follows any depth that a mail asks for and so can be made to run out of stack.

pub(super) mod charset;
pub(super) mod headers;
mod parameters;
mod uu;
mod words;

use headers::Headers;
use mail_parser::decoders::base64::base64_decode;
use std::borrow::Cow;

/// The most parts of one multipart that are looked at.
pub const PARTS: usize = 200;

/// A mail, or a part of one.
pub struct Part<'x> {
    pub headers: Headers<'x>,
    body: &'x [u8],
    /// Inside a digest what has no type is a mail (RFC 2046 section 5.1.5).
    in_digest: bool,
}

impl<'x> Part<'x> {
    pub fn parse(raw: &'x [u8]) -> Self {
        let (headers, body) = Headers::parse(raw);
        Self { headers, body, in_digest: false }
    }

    /// `type/subtype` in lower case; `text/plain` where none is named (RFC 2045 section 5.2).
    pub fn media_type(&self) -> String {
        match self.headers.content_type() {
            Some(found) => {
                let kind = found.ctype().trim();
                let subtype = found.subtype().map_or("plain", str::trim);
                format!("{kind}/{subtype}").to_ascii_lowercase()
            }
            None if self.in_digest => "message/rfc822".to_owned(),
            None => "text/plain".to_owned(),
        }
    }

    /// A parameter of the content type.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let attributes = self.headers.content_type()?.attributes()?;
        attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name)).map(|found| found.value.as_ref())
    }

    /// Whether the sender wants it shown as a file.
    pub fn is_attached(&self) -> bool {
        self.headers.disposition().is_some_and(|found| found.ctype().eq_ignore_ascii_case("attachment"))
    }

    /// Whether the sender wants it shown among the words.
    pub fn is_inline(&self) -> bool {
        self.headers.disposition().is_some_and(|found| found.ctype().eq_ignore_ascii_case("inline"))
    }

    /// Whether nothing stands below the header.
    pub fn is_empty(&self) -> bool {
        self.body.trim_ascii().is_empty()
    }

    /// The parts of a multipart, at most one more than [`PARTS`]; none where no boundary can be found.
    pub fn children(&self) -> Vec<Part<'x>> {
        let named = self.parameter("boundary").map(|boundary| boundary.trim_end().as_bytes());
        let mut children =
            named.filter(|boundary| !boundary.is_empty()).map_or_else(Vec::new, |it| between(self.body, it));
        if children.is_empty() {
            children = guess_boundary(self.body).map_or_else(Vec::new, |boundary| between(self.body, boundary));
        }
        let in_digest = self.media_type() == "multipart/digest";
        children.into_iter().map(|raw| Part { in_digest, ..Part::parse(raw) }).collect()
    }

    /// The content without its transfer encoding. What is broken is read as far as it goes.
    pub fn bytes(&self) -> Cow<'x, [u8]> {
        match self.headers.transfer_encoding().to_ascii_lowercase().as_str() {
            "base64" => Cow::Owned(base64(self.body)),
            "quoted-printable" => Cow::Owned(quoted_printable(self.body)),
            "x-uuencode" | "x-uue" | "uuencode" => uu::decode(self.body).map_or(Cow::Borrowed(self.body), Cow::Owned),
            _ => Cow::Borrowed(self.body),
        }
    }

    /// The content as text.
    pub fn text(&self) -> String {
        let bytes = self.bytes();
        let named = self.parameter("charset").filter(|charset| !charset.is_empty());
        let charset = named.map(str::to_owned).or_else(|| self.charset_of_html(&bytes)).unwrap_or_default();
        charset::decode(&bytes, &charset)
    }

    /// What an HTML document says of itself in its first lines.
    fn charset_of_html(&self, bytes: &[u8]) -> Option<String> {
        const HEAD: usize = 2048;
        if self.media_type() != "text/html" {
            return None;
        }
        let head = String::from_utf8_lossy(bytes.get(..HEAD).unwrap_or(bytes)).to_ascii_lowercase();
        let (_, after) = head.split_once("charset=")?;
        let name = after.trim_start_matches(['"', '\'', ' ']).split(['"', '\'', ' ', '>', ';', '/']).next()?;
        Some(name.to_owned())
    }
}

/// What stands between the lines of this boundary. Without the closing line the last part goes to the end.
fn between<'x>(body: &'x [u8], boundary: &[u8]) -> Vec<&'x [u8]> {
    let mut parts = Vec::new();
    let mut start = None;
    let mut at = 0;
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let begin = at;
        at += line.len();
        let Some(closes) = closes(line, boundary) else { continue };
        if let Some(part) = start.and_then(|start| body.get(start..begin)) {
            parts.push(without_break(part));
        }
        start = (!closes).then_some(at);
        if closes || parts.len() > PARTS {
            return parts;
        }
    }
    parts.extend(start.and_then(|start| body.get(start..)).filter(|last| !last.is_empty()));
    parts
}

/// Whether this boundary line is the closing one; `None` if it is no line of this boundary.
fn closes(line: &[u8], boundary: &[u8]) -> Option<bool> {
    let rest = line.strip_prefix(b"--")?.strip_prefix(boundary)?.trim_ascii_end();
    match rest {
        b"" => Some(false),
        b"--" => Some(true),
        _ => None,
    }
}

/// The line break before a boundary belongs to the boundary (RFC 2046 section 5.1.1).
fn without_break(part: &[u8]) -> &[u8] {
    let part = part.strip_suffix(b"\n").unwrap_or(part);
    part.strip_suffix(b"\r").unwrap_or(part)
}

/// The boundary that is used where the header names another one: a line with two dashes before a line of a part's header.
fn guess_boundary(body: &[u8]) -> Option<&[u8]> {
    let mut candidate = None;
    for line in body.split(|byte| *byte == b'\n') {
        if line.get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"content-")) && candidate.is_some() {
            return candidate;
        }
        candidate = line.strip_prefix(b"--").map(<[u8]>::trim_ascii_end).filter(|rest| !rest.is_empty());
    }
    None
}

/// RFC 2045 section 6.8, also where it was cut off, put together from several texts, or goes on in plain words.
pub fn base64(bytes: &[u8]) -> Vec<u8> {
    base64_decode(bytes).unwrap_or_else(|| base64_in_pieces(bytes))
}

fn base64_in_pieces(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() / 4 * 3);
    let (mut bits, mut count, mut ended) = (0u32, 0u8, false);
    for line in bytes.split(|byte| *byte == b'\n') {
        let is_foreign = line.trim_ascii().iter().any(|byte| digit(*byte).is_none() && *byte != b'=');
        if is_foreign && ended {
            break;
        }
        for byte in line {
            match digit(*byte) {
                Some(digit) => (bits, count) = (bits << 6 | digit, count + 6),
                None if *byte == b'=' => (bits, count, ended) = (0, 0, true),
                None => {}
            }
            if count >= 8 {
                count -= 8;
                out.push(u8::try_from(bits >> count & 0xff).unwrap_or_default());
            }
        }
    }
    out
}

/// The value of a base64 digit.
fn digit(byte: u8) -> Option<u32> {
    Some(match byte {
        b'A'..=b'Z' => u32::from(byte - b'A'),
        b'a'..=b'z' => u32::from(byte - b'a') + 26,
        b'0'..=b'9' => u32::from(byte - b'0') + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

/// RFC 2045 section 6.7; a `=` that means nothing stays as it is.
fn quoted_printable(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let content = line.trim_ascii_end();
        let (content, end) = match content.strip_suffix(b"=") {
            Some(content) => (content, &[][..]),
            None => (content, line_break(line)),
        };
        let mut rest = content;
        while let Some((byte, after)) = rest.split_first() {
            match (byte, after) {
                (b'=', [high, low, after @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                    out.push(hex(*high).unwrap_or(0) << 4 | hex(*low).unwrap_or(0));
                    rest = after;
                }
                _ => {
                    out.push(*byte);
                    rest = after;
                }
            }
        }
        out.extend_from_slice(end);
    }
    out
}

fn line_break(line: &[u8]) -> &'static [u8] {
    if line.ends_with(b"\r\n") {
        b"\r\n"
    } else if line.ends_with(b"\n") {
        b"\n"
    } else {
        b""
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bodies(raw: &str) -> Vec<String> {
        Part::parse(raw.as_bytes()).children().iter().map(Part::text).collect()
    }

    const HEAD: &str = "Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\n";

    #[test]
    fn parts_stand_between_boundary_lines() {
        assert_eq!(
            bodies(&format!(
                "{HEAD}preamble\r\n--b\r\n\r\none\r\n--b \t\r\nA: b\r\n\r\ntwo\r\n\r\n--b--\r\nepilogue\r\n--b\r\n\r\nx"
            )),
            ["one", "two\r\n"]
        );
    }

    #[test]
    fn a_boundary_that_begins_like_another_is_another() {
        assert_eq!(bodies(&format!("{HEAD}--b\r\n\r\none\r\n--bb\r\n--b--\r\n")), ["one\r\n--bb"]);
    }

    #[test]
    fn without_its_closing_line_a_multipart_goes_to_the_end() {
        assert_eq!(bodies(&format!("{HEAD}--b\n\none\n--b\n\ntwo\n")), ["one", "two\n"]);
    }

    #[test]
    fn another_boundary_than_the_named_one_is_found() {
        assert_eq!(bodies(&format!("{HEAD}--other\r\nContent-Type: text/plain\r\n\r\none\r\n--other--\r\n")), ["one"]);
        assert_eq!(bodies(&format!("{HEAD}no parts\r\n-- \r\nsignature")), Vec::<String>::new());
    }

    #[test]
    fn there_is_an_end_to_the_parts_that_are_read() {
        assert_eq!(bodies(&format!("{HEAD}{}", "--b\r\n\r\nx\r\n".repeat(5000))).len(), PARTS + 1);
    }

    #[test]
    fn what_a_digest_holds_is_mail() {
        let raw = "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: x\r\n\r\n--b--\r\n";
        assert_eq!(
            Part::parse(raw.as_bytes()).children().first().map(Part::media_type).as_deref(),
            Some("message/rfc822")
        );
    }

    #[test]
    fn an_html_document_may_name_its_character_set_itself() {
        let text = |raw: &[u8]| Part::parse(raw).text();
        assert!(text(b"Content-Type: text/html\n\n<meta charset=\"koi8-r\">\xf0").ends_with('\u{41f}'));
        assert!(
            text(b"Content-Type: text/html; charset=windows-1251\n\n<meta charset=koi8-r>\xcf").ends_with('\u{41f}')
        );
    }

    #[test]
    fn broken_encodings_are_read_as_far_as_they_go() {
        let broken = b"a=3Db=\r\nc =ZZ=\t\nd= e=\xff=C3=A4  \r\n=";
        assert_eq!(quoted_printable(broken), b"a=bc =ZZd= e=\xff\xc3\xa4\r\n");
        assert_eq!(base64(b"SGFs\r\nbG8=\r\n"), b"Hallo");
        assert_eq!(base64(b"SGFs!bG8"), b"Hallo");
        assert_eq!(base64(b"SGFsbG8="), b"Hallo");
        assert_eq!(base64(b"SGFsbG8gV2Vsd"), b"Hallo Wel");
        assert_eq!(base64(b"SGFsbG8=\r\nIFdlbHQ=\r\n"), b"Hallo Welt");
        assert_eq!(base64(b"SGFsbG8=\r\n-- \r\nGesendet mit AntiVirus\r\n"), b"Hallo");
    }
}
