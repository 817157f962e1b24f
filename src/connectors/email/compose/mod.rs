//! A delivery as a mail: a person's words, so that nothing in it looks like a machine's (no `Auto-Submitted`, no
//! `Precedence`, no list headers, no footer).

use super::{
    address::{self, Identity},
    parse::attachment::is_media_type,
    text::{clean, flowed, subject},
};
use crate::{
    failure::{Failure, Reason},
    ids::{DeliveryId, RemoteMessageId, RemoteUserId},
    message::{Attachment, Body, Delivery, Thread},
};
use mail_builder::{
    MessageBuilder,
    encoders::Base64Encoder,
    headers::{
        HeaderType, address::Address, content_type::ContentType, date::Date, message_id::MessageId, raw::Raw,
        text::Text,
    },
    mime::{BodyPart, MimePart},
};

/// A mail that is ready to be handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The envelope sender: the writer's address with the delivery as its detail, `anna+<id>@chat.example.org`.
    pub envelope_from: String,
    /// The one envelope recipient.
    pub to: String,
    pub message: RemoteMessageId,
    /// Stands in the reports on this mail.
    pub delivery: DeliveryId,
    /// An address or a header has letters beyond ASCII: only for servers with SMTPUTF8 (RFC 6531).
    pub needs_utf8: bool,
    /// The subject without `Re:`.
    pub topic: String,
    /// 7-bit ASCII but for what `needs_utf8` allows, CRLF after every line, no line above 998 bytes; dots are not stuffed yet.
    pub bytes: Vec<u8>,
}

/// Outlook shows HTML that names no font in Times; this is what its users write in.
const BEFORE_HTML: &str = "<!DOCTYPE html>\r\n<html><head><meta charset=\"utf-8\"></head>\r\n\
    <body><div style=\"font-family:Aptos,Calibri,Helvetica,Arial,sans-serif;font-size:11pt\">\r\n";
const AFTER_HTML: &str = "\r\n</div></body></html>\r\n";
/// The last second of the year 9999, the largest that a Date field can say.
const LAST_DATE: i64 = 253_402_300_799;

/// Writes the mail. The same delivery always gives the same bytes. All failures are permanent: an address that is none,
/// or a writer whose name is too long for an address.
pub fn compose(identity: &Identity, delivery: &Delivery) -> Result<Mail, Failure> {
    let user = &delivery.writer.user;
    let internal = |detail: &str| Failure::permanent(Reason::Internal, detail);
    let from = identity.address_of(user).ok_or_else(|| internal("the writer's name is too long for an address"))?;
    let envelope_from = identity.return_path(user, &delivery.id).unwrap_or_else(|| from.clone());
    let to = address::remote(delivery.to.as_str())
        .ok_or_else(|| Failure::permanent(Reason::UnknownRecipient, "not an e-mail address"))?;
    let message = RemoteMessageId::new(format!("{}@{}", delivery.id, identity.domain()));
    if !clean::is_message_id(message.as_str()) {
        return Err(internal("the delivery's id cannot stand in a Message-ID"));
    }
    let name = clean::line(&delivery.writer.name, clean::NAME);
    let audience = audience(delivery, &to);
    let topic = topic(delivery, if name.is_empty() { &from } else { &name });
    let mail = MessageBuilder::new()
        .from(mailbox(&name, &from))
        .to(Address::new_list(audience.iter().map(|to| mailbox("", to.as_str())).collect()))
        .header("Subject", unstructured(subject::of(&topic, delivery.thread.parent.is_some())))
        .date(Date::new(delivery.written_at.div_euclid(1000).clamp(0, LAST_DATE)))
        .message_id(message.as_str());
    let mut bytes = Vec::new();
    answering(mail, &delivery.thread, &message).body(content(delivery)).serialize(&mut bytes);
    if !bytes.ends_with(b"\r\n") {
        bytes.extend_from_slice(b"\r\n");
    }
    let delivery = delivery.id.clone();
    Ok(Mail { envelope_from, to: to.to_string(), message, delivery, needs_utf8: false, topic, bytes })
}

/// Everyone who gets the mail, each once.
fn audience(delivery: &Delivery, to: &RemoteUserId) -> Vec<RemoteUserId> {
    let mut all: Vec<RemoteUserId> = Vec::with_capacity(delivery.audience.len() + 1);
    let others = delivery.audience.iter().filter_map(|other| address::remote(other.as_str()));
    for one in others.chain([to.clone()]) {
        if !all.contains(&one) {
            all.push(one);
        }
    }
    all
}

fn mailbox<'x>(name: &'x str, address: &'x str) -> Address<'x> {
    Address::new_address(Some(name).filter(|name| !name.is_empty()), address)
}

fn topic(delivery: &Delivery, otherwise: &str) -> String {
    let otherwise = delivery.attachments.first().map_or(otherwise, |file| file.name.as_str());
    subject::topic(delivery.thread.subject.as_deref(), &delivery.body.text, otherwise)
}

/// `Text` would write a long subject of plain ASCII as encoded words.
fn unstructured(text: String) -> HeaderType<'static> {
    if text.is_ascii() { Raw::new(text).into() } else { Text::new(text).into() }
}

/// In-Reply-To, and References from the root to the parent (RFC 5322 section 3.6.4).
fn answering<'x>(mail: MessageBuilder<'x>, thread: &'x Thread, own: &RemoteMessageId) -> MessageBuilder<'x> {
    let usable = |id: &&RemoteMessageId| clean::is_message_id(id.as_str()) && *id != own;
    let parent = thread.parent.as_ref().filter(usable);
    let root = thread.root.as_ref().filter(usable).filter(|root| Some(*root) != parent);
    let references: Vec<&str> = root.into_iter().chain(parent).map(RemoteMessageId::as_str).collect();
    let mail = match parent {
        Some(parent) => mail.in_reply_to(parent.as_str()),
        None => mail,
    };
    if references.is_empty() { mail } else { mail.references(MessageId::new_list(references.into_iter())) }
}

/// Words, and files if there are any. Boundaries are made from the delivery's id: nobody can know it beforehand, and
/// `=_` stands in no encoded text (RFC 2045 section 6.7).
fn content(delivery: &Delivery) -> MimePart<'_> {
    let words = words(delivery);
    if delivery.attachments.is_empty() {
        return words.unwrap_or_else(|| plain(""));
    }
    let files = delivery.attachments.iter().enumerate().map(|(index, file)| attached(file, index + 1));
    multipart("multipart/mixed", format!("=_{}_m", delivery.id), words.into_iter().chain(files).collect())
}

/// Text alone, or text and then HTML (RFC 2046 section 5.1.4: the best form last); `None` without any words.
fn words(delivery: &Delivery) -> Option<MimePart<'_>> {
    let Body { text, html } = &delivery.body;
    let text = (!text.trim().is_empty()).then(|| plain(text));
    let html = html.as_deref().filter(|html| !html.trim().is_empty()).map(formatted);
    match (text, html) {
        (Some(text), Some(html)) => {
            Some(multipart("multipart/alternative", format!("=_{}_a", delivery.id), vec![text, html]))
        }
        (text, html) => text.or(html),
    }
}

fn multipart<'x>(kind: &'static str, boundary: String, parts: Vec<MimePart<'x>>) -> MimePart<'x> {
    MimePart::new(ContentType::new(kind).attribute("boundary", boundary), parts)
}

fn plain(text: &str) -> MimePart<'static> {
    let kind = ContentType::new("text/plain").attribute("charset", "utf-8").attribute("format", "flowed");
    MimePart::new(kind, flowed::encode(&clean::without_controls(text)))
}

fn formatted(html: &str) -> MimePart<'static> {
    let html = clean::without_controls(html).replace('\n', "\r\n");
    let kind = ContentType::new("text/html").attribute("charset", "utf-8");
    MimePart::new(kind, format!("{BEFORE_HTML}{html}{AFTER_HTML}"))
}

/// A file. Its name stands there by RFC 2231, and by RFC 2047 for Outlook, which wants it so.
fn attached(file: &Attachment, number: usize) -> MimePart<'_> {
    let name = clean::file_name(&file.name).unwrap_or_else(|| format!("file-{number}"));
    let media_type = file.media_type.to_ascii_lowercase();
    // Only any bytes may be in base64 where a mail or a multipart may not (RFC 2046 section 5.2.1).
    let is_composite = media_type.starts_with("message/") || media_type.starts_with("multipart/");
    let media_type =
        if is_media_type(&media_type) && !is_composite { media_type } else { "application/octet-stream".to_owned() };
    let is_text = media_type.starts_with("text/");
    let kind = ContentType::new(media_type).attribute("name", encoded_words(&name));
    let part = if is_text {
        // Left alone, text would be sent as it is, stray line breaks included.
        let mut encoded = Vec::new();
        Base64Encoder::new().wrap_lines().encode_into(&file.bytes, &mut encoded);
        MimePart::new(kind, BodyPart::from(encoded)).transfer_encoding("base64")
    } else {
        MimePart::new(kind, BodyPart::from(file.bytes.as_ref()))
    };
    part.attachment(name)
}

/// RFC 2047 section 2: words of at most 75 characters, never a character in two of them.
fn encoded_words(text: &str) -> String {
    const BYTES: usize = 45;
    if text.is_ascii() {
        return text.to_owned();
    }
    let mut chunks = vec![String::new()];
    for c in text.chars() {
        match chunks.last_mut() {
            Some(last) if last.len() + c.len_utf8() <= BYTES => last.push(c),
            _ => chunks.push(c.to_string()),
        }
    }
    let encode = |chunk: &String| format!("=?utf-8?B?{}?=", data_encoding::BASE64.encode(chunk.as_bytes()));
    chunks.iter().map(encode).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
