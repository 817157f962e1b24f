//! What mail servers and mail programs report on a mail of ours. A report changes the state of a message; it is no talk.
//!
//! | file | reports |
//! |---|---|
//! | `delivery` | of mail servers, by RFC 3464 |
//! | `text` | of mail servers that know no RFC 3464 |
//! | `disposition` | of the recipient's mail program, by RFC 8098 |
//! | `feedback` | of the recipient's provider: a complaint, by RFC 5965 |
//! | `reason` | what a person is told of a failure |
//!
//! Anybody can forge a report, but not for a mail that they have not seen: every way in which a report names its mail holds
//! the delivery's id, 128 random bits that stand nowhere but in that mail. Who has the mail may as well refuse it.

mod delivery;
mod disposition;
mod feedback;
mod reason;
#[cfg(test)]
mod tests;
mod text;

use super::{
    address::{self, Identity},
    fields::Fields,
    mime::{
        Part,
        headers::{self, Headers},
    },
    text::clean,
};
use crate::{
    ids::{DeliveryId, RemoteMessageId, RemoteUserId},
    message::{Receipt, ReceiptState},
};
use mail_parser::HeaderName;

/// The longest diagnostic text that is kept, in characters.
const DETAIL: usize = 500;
/// How much of a part is read, in bytes: enough for hundreds of recipients, or for any header.
const PART: usize = 256 * 1024;
/// How deep multiparts are followed, and how many parts are looked at. Reports are flat.
const DEPTH: usize = 4;
const PARTS: usize = 50;
/// Where servers write down for whom they took a mail.
const ENVELOPE: &[&str] = &["delivered-to", "x-original-to", "envelope-to", "to"];

/// What a report says, of whichever mail.
struct Said {
    to: Option<RemoteUserId>,
    state: ReceiptState,
    detail: String,
}

/// Reads a report; `None` for any other mail, and for a report that names no mail of ours. That one is shown as a mail
/// that a machine wrote: whoever asked for it, or is confused by it, can see it.
///
/// `fields`: those of the mail.
pub fn read(mail: &Part<'_>, fields: &Fields, identity: &Identity) -> Option<Receipt> {
    // A person may pass a report on as an attachment: theirs is a message. Servers on the way make other multiparts of it.
    if !is_report(fields) && !text::is_machine(fields) {
        return None;
    }
    let parts = Parts::of(mail);
    let said = match &parts.status {
        Some((kind, groups)) => said(kind, groups),
        None => text::read(fields, mail.headers.subject(), &parts.words, identity),
    }?;
    let message = original(mail, fields, &parts, identity)?;
    let to = said.to.or_else(|| parts.returned_to());
    Some(Receipt { message, to, state: said.state, detail: clean::line(&said.detail, DETAIL) })
}

/// Whether a mail calls itself a report (RFC 6522).
pub fn is_report(fields: &Fields) -> bool {
    let kind = fields.get("content-type").and_then(|value| value.split([';', ' ']).next());
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case("multipart/report"))
}

fn said(media_type: &str, groups: &[Fields]) -> Option<Said> {
    match media_type {
        "message/feedback-report" => groups.first().and_then(feedback::read),
        kind if kind.ends_with("disposition-notification") => groups.first().and_then(disposition::read),
        _ => delivery::read(groups),
    }
}

/// What of a report matters.
#[derive(Default)]
struct Parts {
    /// The fields of the part that a program is to read, by its media type.
    status: Option<(String, Vec<Fields>)>,
    /// The header of the mail that comes back.
    returned: Option<Vec<u8>>,
    /// What a person is to read.
    words: String,
    seen: usize,
}

impl Parts {
    fn of(mail: &Part<'_>) -> Self {
        let mut parts = Self::default();
        parts.walk(mail, 0);
        parts
    }

    fn walk(&mut self, part: &Part<'_>, depth: usize) {
        self.seen += 1;
        if self.seen > PARTS || depth > DEPTH {
            return;
        }
        let media_type = part.media_type();
        match media_type.as_str() {
            "message/delivery-status"
            | "message/global-delivery-status"
            | "message/disposition-notification"
            | "message/global-disposition-notification"
            | "message/feedback-report"
                if self.status.is_none() =>
            {
                self.status = Some((media_type, Fields::groups(&text_of(part))));
            }
            "text/rfc822-headers" | "message/rfc822" | "message/global" | "message/global-headers"
                if self.returned.is_none() =>
            {
                // Headers alone may come without an empty line behind them, and without a line break in the last one.
                let bytes = part.bytes();
                self.returned = Some([bytes.get(..PART).unwrap_or(&bytes), b"\r\n\r\n"].concat());
            }
            kind if kind.starts_with("multipart/") => {
                part.children().iter().for_each(|child| self.walk(child, depth + 1));
            }
            "text/plain" | "text/html" if self.words.is_empty() => self.words = text_of(part),
            _ => {}
        }
    }

    /// All that the report says of the mail as a whole.
    fn field(&self, name: &str) -> Option<&str> {
        self.status.as_ref()?.1.iter().find_map(|group| group.get(name))
    }

    fn returned(&self) -> Option<Headers<'_>> {
        self.returned.as_deref().map(|bytes| Headers::parse(headers::split(bytes).0).0)
    }

    /// To whom the returned mail is addressed, if that is one person.
    fn returned_to(&self) -> Option<RemoteUserId> {
        match self.returned()?.addresses(HeaderName::To).as_slice() {
            [sole] => address::remote(sole),
            _ => None,
        }
    }
}

/// The text of a part, as much of it as matters.
fn text_of(part: &Part<'_>) -> String {
    let mut text = part.text();
    text.truncate(text.floor_char_boundary(PART));
    text
}

/// The mail of ours that the report is about: by the envelope id that we gave it, by its Message-ID in whatever place, or
/// by the envelope sender that the report went to.
fn original(mail: &Part<'_>, fields: &Fields, parts: &Parts, identity: &Identity) -> Option<RemoteMessageId> {
    let envelope_id = parts.field("original-envelope-id").and_then(xtext).and_then(|id| of_delivery(&id, identity));
    let named = parts.field("original-message-id").map(message_id);
    let returned = parts.returned().and_then(|headers| headers.message_id());
    let in_words = parts.words.lines().filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim_matches(['>', ' ']).eq_ignore_ascii_case("message-id").then(|| message_id(value))
    });
    let ids = named.into_iter().chain(returned).chain(mail.headers.answers()).chain(in_words);
    envelope_id.or_else(|| ids.into_iter().find(is_ours)).or_else(|| {
        let to = ENVELOPE.iter().flat_map(|name| fields.all(name));
        to.chain(parts.field("original-mail-from")).find_map(|address| of_return_path(address, identity))
    })
}

fn message_id(text: &str) -> RemoteMessageId {
    RemoteMessageId::new(text.trim().trim_start_matches('<').split(['>', ' ']).next().unwrap_or_default())
}

/// Ours are named by a delivery.
fn is_ours(message: &RemoteMessageId) -> bool {
    message.as_str().split_once('@').is_some_and(|(id, _)| DeliveryId::read(id).is_some())
}

fn of_delivery(id: &str, identity: &Identity) -> Option<RemoteMessageId> {
    DeliveryId::read(id).map(|id| identity.message_id(&id))
}

/// The message whose delivery stands as the detail in an envelope sender of ours.
fn of_return_path(address: &str, identity: &Identity) -> Option<RemoteMessageId> {
    let address = address::remote(address)?;
    identity.answered(address.as_str())
}

/// The address in a field such as `rfc822; bob@example.org`.
fn address_in(group: &Fields, name: &str) -> Option<RemoteUserId> {
    let value = group.get(name)?;
    let (kind, value) = value.split_once(';').unwrap_or(("rfc822", value));
    // An original recipient is in xtext: "+2B" for "+".
    let plain = (name == "original-recipient" && kind.trim().eq_ignore_ascii_case("rfc822")).then(|| xtext(value));
    plain.flatten().as_deref().and_then(address::remote).or_else(|| address::remote(value))
}

/// RFC 3461 section 4
fn xtext(text: &str) -> Option<String> {
    address::unhex(text.trim(), b'+').and_then(|bytes| String::from_utf8(bytes).ok())
}
