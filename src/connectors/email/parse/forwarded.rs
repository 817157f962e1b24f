//! A mail that hangs at a mail: what stands above its words.

use super::{body::Piece, calendar};
use crate::{
    connectors::email::{mime::headers::Headers, text::clean},
    language::Language,
};
use mail_parser::HeaderName;

/// How many recipients are named.
const RECIPIENTS: usize = 5;

/// Its header as people know it: from, date, to, subject.
pub fn head(headers: &Headers<'_>, language: Language) -> Piece {
    let from = headers.sender().map(|(address, name)| match name {
        Some(name) => format!("{name} <{address}>"),
        None => address.to_string(),
    });
    let mut to = headers.addresses(HeaderName::To);
    let more = to.len() > RECIPIENTS;
    to.truncate(RECIPIENTS);
    let to = clean::line(&format!("{}{}", to.join(", "), if more { ", ..." } else { "" }), clean::SUBJECT);
    let mut text = language.look_up("mail-attached", &[]);
    for (key, value) in [
        ("mail-from", from.unwrap_or_default()),
        ("mail-date", headers.sent_at().map(|at| calendar::time_in_words(at, language)).unwrap_or_default()),
        ("mail-to", to),
        ("mail-subject", clean::line(headers.subject(), clean::SUBJECT)),
    ] {
        if !value.is_empty() {
            text.push('\n');
            text.push_str(&language.look_up(key, &[("value", &value)]));
        }
    }
    Piece::of_text(text)
}
