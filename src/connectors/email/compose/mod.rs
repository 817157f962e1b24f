//! A delivery as a mail: a person's words, so that nothing in it looks like a machine's (no `Auto-Submitted`, no
//! `Precedence`, no list headers, no footer).
//!
//! | file | what |
//! |---|---|
//! | `headers` | who, to whom, about what, in answer to what |
//! | `words` | the words in two forms, with `quote` and `signature` |
//! | `tables` | tables in the text form |
//! | `html`, `links` | the HTML form as mail programs show it |
//! | `reaction` | a mail that is nothing but an emoji |
//! | `files` | attachments |
//! | `instructions` | what a writer says about a mail in its first lines |

mod files;
mod headers;
mod html;
pub mod instructions;
mod links;
mod quote;
mod reaction;
mod signature;
mod tables;
mod words;

use super::{
    address::{self, Identity, Sender},
    text::{clean, subject},
};
use crate::{
    failure::{Failure, Reason},
    ids::{DeliveryId, RemoteMessageId},
    message::Delivery,
};
use mail_builder::{MessageBuilder, headers::content_type::ContentType, mime::MimePart};
use reaction::Reaction;

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
    /// The subject without `Re:`.
    pub topic: String,
    /// CRLF after every line, no line above 998 bytes; dots are not stuffed yet. 7-bit ASCII, unless `needs_utf8`: then
    /// addresses in the header are UTF-8 (RFC 6532), and the rest is still ASCII.
    pub bytes: Vec<u8>,
    /// `to` goes beyond ASCII: the mail can only be handed to a server that offers SMTPUTF8 (RFC 6531).
    pub needs_utf8: bool,
}

/// Writes the mail. The same delivery always gives the same bytes. All failures are permanent: an address that is none,
/// or a writer whose name is too long for an address.
pub fn compose(identity: &Identity, delivery: &Delivery) -> Result<Mail, Failure> {
    let internal = |detail: &str| Failure::permanent(Reason::Internal, detail);
    let sender = identity
        .sender(&delivery.writer, &delivery.id)
        .ok_or_else(|| internal("the writer's name is too long for an address, or the address is somebody else's"))?;
    let sender = match &delivery.author {
        Some(author) => identity.passing_on(sender, author),
        None => sender,
    };
    let to = address::remote(delivery.to.as_str())
        .ok_or_else(|| Failure::permanent(Reason::UnknownRecipient, "not an e-mail address"))?;
    let message = identity.message_id(&delivery.id);
    if !clean::is_message_id(message.as_str()) {
        return Err(internal("the delivery's id cannot stand in a Message-ID"));
    }
    let topic = topic(delivery, &sender);
    let subject = subject::of(&topic, delivery.thread.parent.is_some());
    let mail = MessageBuilder::new();
    let mail = headers::people(mail, delivery, &sender, &to);
    let mail = headers::about(mail, &subject, delivery.written_at, &message);
    let mail = headers::answering(mail, &delivery.thread, &message);
    let mut bytes = Vec::new();
    mail.body(content(delivery, &sender)).serialize(&mut bytes);
    if !bytes.ends_with(b"\r\n") {
        bytes.extend_from_slice(b"\r\n");
    }
    let (needs_utf8, delivery) = (!to.as_str().is_ascii(), delivery.id.clone());
    Ok(Mail { envelope_from: sender.return_path, to: to.to_string(), message, delivery, topic, bytes, needs_utf8 })
}

/// What the mail is about, should the conversation have no subject yet: its words, its files, or at least its writer.
fn topic(delivery: &Delivery, sender: &Sender) -> String {
    let writer = if sender.name.is_empty() { &sender.address } else { &sender.name };
    let otherwise = delivery.attachments.first().map_or(writer, |file| &file.name);
    subject::topic(delivery.thread.subject.as_deref(), &delivery.body.text, otherwise)
}

/// Words, and files if there are any. Boundaries are made from the delivery's id: nobody can know it beforehand, and
/// `=_` stands in no encoded text (RFC 2045 section 6.7).
fn content<'x>(delivery: &'x Delivery, sender: &Sender) -> MimePart<'x> {
    let alternatives = |parts| multipart("multipart/alternative", format!("=_{}_a", delivery.id), parts);
    if let Some(reaction) = Reaction::of(delivery) {
        return alternatives(reaction.parts());
    }
    let words = words::of(&delivery.body, delivery.quote.as_ref(), sender.signature.as_deref());
    let words = words.map(|words| alternatives(words.parts()));
    if delivery.attachments.is_empty() {
        return words.unwrap_or_else(|| words::plain(""));
    }
    let files = delivery.attachments.iter().enumerate().map(|(index, file)| files::attached(file, index + 1));
    multipart("multipart/mixed", format!("=_{}_m", delivery.id), words.into_iter().chain(files).collect())
}

fn multipart<'x>(kind: &'static str, boundary: String, parts: Vec<MimePart<'x>>) -> MimePart<'x> {
    MimePart::new(ContentType::new(kind).attribute("boundary", boundary), parts)
}

#[cfg(test)]
mod properties;
#[cfg(test)]
pub mod tests;
