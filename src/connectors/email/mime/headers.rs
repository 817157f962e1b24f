//! The header of a mail or of a part of one.

use super::{parameters, words};
use crate::connectors::email::{address, text::clean};
use crate::ids::{RemoteMessageId, RemoteUserId};
use mail_parser::{Address, ContentType, HeaderName, HeaderValue, Message, MessageParser, MimeHeaders};
use memchr::memchr;
use std::{borrow::Cow, iter};

/// What is read of a header, in bytes; what stands behind it is not seen. Mail servers allow less, and LMTP refuses more.
pub const HEADER: usize = 256 * 1024;
/// How many messages are remembered that one message answers.
pub const ANSWERS: usize = 50;

/// Header fields, decoded.
pub struct Headers<'x>(Option<Message<'x>>);

impl<'x> Headers<'x> {
    /// Reads the header and leaves the body, which begins behind the first empty line.
    pub fn parse(raw: &'x [u8]) -> (Self, &'x [u8]) {
        let (header, body) = split(raw);
        let header = header.get(..HEADER).unwrap_or(header);
        let parsed = match words::mended(header) {
            Cow::Borrowed(header) => MessageParser::new().parse_headers(header),
            Cow::Owned(header) => MessageParser::new().parse_headers(header.as_slice()).map(Message::into_owned),
        };
        (Self(parsed), body)
    }

    /// Whether the header of a mail is longer than what is read of one.
    pub fn is_too_long(raw: &[u8]) -> bool {
        raw.len() > HEADER && split(raw).0.len() > HEADER
    }

    /// The Message-ID without its brackets; `None` if there is none that could be answered to.
    pub fn message_id(&self) -> Option<RemoteMessageId> {
        self.ids(HeaderName::MessageId).pop()
    }

    /// The messages that this one answers, the nearest first, each once (RFC 5322 section 3.6.4).
    pub fn answers(&self) -> Vec<RemoteMessageId> {
        let nearest = self.ids(HeaderName::InReplyTo);
        let mut answers: Vec<RemoteMessageId> = Vec::new();
        for id in nearest.into_iter().chain(self.ids(HeaderName::References).into_iter().rev()) {
            if answers.len() < ANSWERS && !answers.contains(&id) {
                answers.push(id);
            }
        }
        answers
    }

    fn ids(&self, name: HeaderName<'static>) -> Vec<RemoteMessageId> {
        let texts = self.values(name).filter_map(HeaderValue::as_text_list).flatten();
        let ids = texts.map(|text| text.split_ascii_whitespace().collect::<String>());
        ids.filter(|id| clean::is_message_id(id)).map(RemoteMessageId::new).collect()
    }

    /// Who sent it and what they call themself: From, else Sender, else the envelope sender.
    pub fn sender(&self) -> Option<(RemoteUserId, Option<String>)> {
        [HeaderName::From, HeaderName::Sender].into_iter().find_map(|name| self.mailbox(name)).or_else(|| {
            let path = self.values(HeaderName::ReturnPath).find_map(|value| value.as_text().and_then(address::remote));
            path.map(|address| (address, None))
        })
    }

    fn mailbox(&self, name: HeaderName<'static>) -> Option<(RemoteUserId, Option<String>)> {
        let boxes = self.values(name).filter_map(HeaderValue::as_address).flat_map(Address::iter);
        boxes.into_iter().find_map(|found| {
            // Where somebody encoded name and address as one word, all of it comes as the name.
            let address = found.address().and_then(address::remote).or_else(|| address::remote(found.name()?))?;
            let name = found.name().and_then(|name| person(name, &address));
            Some((address, name))
        })
    }

    /// All addresses of a field, as they stand there, with the names of those who have one.
    pub fn mailboxes(&self, name: HeaderName<'static>) -> Vec<(String, Option<String>)> {
        let boxes = self.values(name).filter_map(HeaderValue::as_address).flat_map(Address::iter);
        boxes.filter_map(|found| Some((found.address()?.to_owned(), found.name().map(str::to_owned)))).collect()
    }

    /// All addresses of a field, as they stand there.
    pub fn addresses(&self, name: HeaderName<'static>) -> Vec<String> {
        let boxes = self.values(name).filter_map(HeaderValue::as_address).flat_map(Address::iter);
        boxes.filter_map(|found| found.address().map(str::to_owned)).collect()
    }

    /// The texts of all fields of this name, which is not one that `mail-parser` takes apart.
    pub fn texts(&self, name: &str) -> Vec<&str> {
        let headers = self.0.as_ref().map(Message::headers).unwrap_or_default();
        let named = headers.iter().filter(|header| header.name().eq_ignore_ascii_case(name));
        named.filter_map(|header| header.value().as_text()).map(str::trim).collect()
    }

    pub fn subject(&self) -> &str {
        self.0.as_ref().and_then(Message::subject).unwrap_or_default()
    }

    /// The Date field as it stands there.
    pub fn date(&self) -> &str {
        self.0.as_ref().and_then(|message| message.header_raw(HeaderName::Date)).unwrap_or_default().trim()
    }

    /// When it was sent by its own account, in minutes since 1970.
    pub fn sent_at(&self) -> Option<i64> {
        Some(self.0.as_ref()?.date()?.to_timestamp().div_euclid(60))
    }

    pub fn content_type(&self) -> Option<&ContentType<'_>> {
        self.0.as_ref()?.content_type()
    }

    pub fn disposition(&self) -> Option<&ContentType<'_>> {
        self.0.as_ref()?.content_disposition()
    }

    /// The Content-ID without its angle brackets.
    pub fn content_id(&self) -> Option<String> {
        let id = self.values(HeaderName::ContentId).find_map(HeaderValue::as_text)?.trim_matches(['<', '>', ' ']);
        (!id.is_empty()).then(|| id.to_owned())
    }

    pub fn transfer_encoding(&self) -> &str {
        self.0.as_ref().and_then(|message| message.content_transfer_encoding()).unwrap_or_default().trim()
    }

    /// The file name by RFC 2231 or RFC 2047, from either field that may have it.
    pub fn file_name(&self) -> Option<String> {
        let message = self.0.as_ref()?;
        let continued = |field: HeaderName<'static>, name| parameters::continued(message.header_raw(field)?, name);
        continued(HeaderName::ContentDisposition, "filename")
            .or_else(|| continued(HeaderName::ContentType, "name"))
            .or_else(|| message.attachment_name().map(str::to_owned))
    }

    fn values(&self, name: HeaderName<'static>) -> impl Iterator<Item = &HeaderValue<'x>> {
        self.0.iter().flat_map(Message::headers).filter(move |header| header.name == name).map(|header| &header.value)
    }
}

/// A name for people; `None` if it only repeats the address.
fn person(name: &str, address: &RemoteUserId) -> Option<String> {
    let name = clean::line(name, clean::NAME);
    // Outlook writes 'bob@example.org' in single quotes.
    let name = name.trim_matches(['\'', '"', ' ']);
    (!name.is_empty() && !name.eq_ignore_ascii_case(address.as_str())).then(|| name.to_owned())
}

/// What fields begin with that no letter begins with: where one of them follows, the header goes on.
const FIELDS: &[&str] = &[
    "content-",
    "mime-version",
    "x-",
    "from:",
    "to:",
    "cc:",
    "subject:",
    "date:",
    "message-id:",
    "received:",
    "references:",
    "in-reply-to:",
    "return-path:",
    "reply-to:",
    "sender:",
    "delivered-to:",
    "list-",
    "dkim-",
    "arc-",
    "authentication-",
];

/// The header with its empty line, and the body. What does not begin like a header has none; where the empty line is
/// missing, the header ends before the first line that is no field.
pub fn split(raw: &[u8]) -> (&[u8], &[u8]) {
    let at = |end: usize| raw.split_at_checked(end).unwrap_or((&[], raw));
    let mut last_field = None;
    let mut end = 0;
    for line in lines(raw) {
        if matches!(line, b"\n" | b"\r\n") {
            return at(end + line.len());
        }
        if !may_be_in_header(line) && end >= *last_field.get_or_insert_with(|| last_field_of(raw)) {
            return at(end);
        }
        end += line.len();
    }
    (raw, &[])
}

/// The lines with their ends. Not by the standard library, which looks at each byte alone.
fn lines(raw: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = raw;
    iter::from_fn(move || {
        let end = memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        let (line, after) = rest.split_at_checked(end)?;
        rest = after;
        (!line.is_empty()).then_some(line)
    })
}

/// A field, a line that goes on with one, or the mark of a mailbox file.
fn may_be_in_header(line: &[u8]) -> bool {
    let is_field = || {
        let name = memchr(b':', line).and_then(|colon| line.get(..colon)).map(<[u8]>::trim_ascii_end);
        name.is_some_and(|name| !name.is_empty() && name.iter().all(u8::is_ascii_graphic))
    };
    is_field()
        || matches!(line.first(), Some(b' ' | b'\t'))
        || line.starts_with(b"From ")
        || line.starts_with(b">From ")
}

/// Where the last line begins, above the first empty one, that is a known field.
fn last_field_of(raw: &[u8]) -> usize {
    let (mut at, mut last) = (0, 0);
    for line in lines(raw).take_while(|line| !matches!(*line, b"\n" | b"\r\n")) {
        let is_known =
            |field: &&str| line.get(..field.len()).is_some_and(|start| start.eq_ignore_ascii_case(field.as_bytes()));
        if FIELDS.iter().any(is_known) {
            last = at;
        }
        at += line.len();
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> (Headers<'_>, &[u8]) {
        Headers::parse(text.as_bytes())
    }

    #[test]
    fn the_body_begins_behind_the_first_empty_line() {
        assert_eq!(parse("A: b\r\n\r\nx\r\n\r\ny").1, b"x\r\n\r\ny");
        assert_eq!(parse("A: b\n\nx").1, b"x");
        assert_eq!(parse("\r\nx").1, b"x");
        assert_eq!(parse("A: b").1, b"");
        assert_eq!(parse("no header\n\nx").1, b"no header\n\nx");
    }

    #[test]
    fn without_an_empty_line_the_body_begins_where_the_fields_end() {
        assert_eq!(parse("From: a@b.example\r\nHallo Anna,\r\n\r\nwie geht es?").1, b"Hallo Anna,\r\n\r\nwie geht es?");
        let (headers, body) = parse("Subject: eine lange\nZeile\nTo: a@b.example\n\nHallo");
        assert_eq!((headers.addresses(HeaderName::To), body), (vec!["a@b.example".to_owned()], &b"Hallo"[..]));
        assert_eq!(parse("From bob Thu Nov 12 10:00:00 2026\nSubject: x\n\nHallo").0.subject(), "x");
    }

    #[test]
    fn answers_begin_with_the_nearest_and_have_no_doubles() {
        let (headers, _) = parse("In-Reply-To: <c@x>\r\nReferences: <a@x>\r\n <b@x> <c@x> <b\u{fc}@x>\r\n\r\n");
        assert_eq!(headers.answers().iter().map(RemoteMessageId::as_str).collect::<Vec<_>>(), ["c@x", "b@x", "a@x"]);
        let (alone, _) = parse("In-Reply-To: <c@x>\r\n\r\n");
        assert_eq!(alone.answers(), [RemoteMessageId::new("c@x")]);
        let many: String = (0..99).map(|n| format!(" <{n}@x>\r\n")).collect();
        assert_eq!(parse(&format!("References: {many}\r\n")).0.answers().len(), ANSWERS);
    }

    #[test]
    fn the_sender_is_from_or_sender_or_the_return_path() {
        let who = |text: &str| parse(text).0.sender().map(|(address, name)| (address.to_string(), name));
        let bob = |name: Option<&str>| Some(("bob@example.org".to_owned(), name.map(str::to_owned)));
        assert_eq!(
            who("From: =?iso-8859-1?Q?J=F6rg?= Beispiel <Bob@Example.org>\r\n\r\n"),
            bob(Some("J\u{f6}rg Beispiel"))
        );
        assert_eq!(who("From: 'bob@example.org' <bob@example.org>\r\n\r\n"), bob(None));
        assert_eq!(who("From: bob@example.org (Bob)\r\n\r\n"), bob(Some("Bob")));
        assert_eq!(who("From: nobody\r\nSender: Bob <bob@example.org>\r\n\r\n"), bob(Some("Bob")));
        assert_eq!(who("Return-Path: <bob@example.org>\r\nFrom: <>\r\n\r\n"), bob(None));
        assert_eq!(who("Return-Path: <>\r\nFrom: \r\n\r\n"), None);
        assert_eq!(who("From: x\r\n\r\n"), None);
    }

    #[test]
    fn a_name_has_no_controls_and_an_end() {
        let raw = format!(
            "From: =?utf-8?Q?A=0D=0ABcc:_x=E2=80=AEy?= <a@b.example>\r\nSender: {} <c@d.example>\r\n\r\n",
            "n".repeat(999)
        );
        let (headers, _) = parse(&raw);
        assert_eq!(headers.sender().unwrap().1.unwrap(), "A Bcc: xy");
        assert_eq!(headers.mailbox(HeaderName::Sender).unwrap().1.unwrap().len(), clean::NAME);
    }

    #[test]
    fn a_folded_message_id_is_one_and_a_bad_one_is_none() {
        assert_eq!(parse("Message-ID:\r\n <a\r\n b@x>\r\n\r\n").0.message_id().unwrap().as_str(), "ab@x");
        assert_eq!(parse("Message-ID: a@x\r\n\r\n").0.message_id().unwrap().as_str(), "a@x");
        assert_eq!(parse("Message-ID: <>\r\n\r\n").0.message_id(), None);
        assert_eq!(parse(&format!("Message-ID: <{}@x>\r\n\r\n", "a".repeat(2000))).0.message_id(), None);
    }
}
