//! The header of a mail.

use crate::{
    connectors::email::{
        address::{self, Sender},
        text::clean,
    },
    ids::{RemoteMessageId, RemoteUserId},
    message::{Delivery, Thread},
};
use mail_builder::{
    MessageBuilder,
    headers::{HeaderType, address::Address, date::Date, message_id::MessageId, raw::Raw, text::Text},
};

/// The last second of the year 9999, the largest that a Date field can say.
const LAST_DATE: i64 = 253_402_300_799;

/// From, Reply-To, To and Cc.
pub fn people<'x>(
    mail: MessageBuilder<'x>,
    delivery: &Delivery,
    sender: &Sender,
    recipient: &RemoteUserId,
) -> MessageBuilder<'x> {
    let everybody = |users: &[RemoteUserId]| users.iter().filter_map(|user| address::remote(user.as_str())).collect();
    let (audience, copies): (Vec<RemoteUserId>, Vec<RemoteUserId>) =
        (everybody(&delivery.audience), everybody(&delivery.copies));
    let is_named = audience.iter().chain(&copies).any(|user| user == recipient);
    let audience = unique(audience.into_iter().chain((!is_named).then(|| recipient.clone())), &[]);
    let copies = unique(copies, &audience);
    let utf8 = !recipient.as_str().is_ascii();
    let list = |users: &[RemoteUserId]| Address::new_list(users.iter().map(|user| visible(user, utf8)).collect());
    let mut mail = mail.from(mailbox(&sender.name, &sender.address));
    if let Some(address) = &sender.reply_to {
        mail = mail.reply_to(mailbox(&sender.name, address));
    }
    if !audience.is_empty() {
        mail = mail.to(list(&audience));
    }
    if copies.is_empty() { mail } else { mail.cc(list(&copies)) }
}

/// Each once, and none that stands among the others.
fn unique(users: impl IntoIterator<Item = RemoteUserId>, others: &[RemoteUserId]) -> Vec<RemoteUserId> {
    let mut unique = Vec::new();
    for user in users {
        if !others.contains(&user) && !unique.contains(&user) {
            unique.push(user);
        }
    }
    unique
}

fn mailbox(name: &str, address: &str) -> Address<'static> {
    Address::new_address(Some(name.to_owned()).filter(|name| !name.is_empty()), address.to_owned())
}

/// A recipient, as another one sees them. An address beyond ASCII would keep the mail from everybody whose server has
/// no SMTPUTF8, so they see it as the name of an empty group (RFC 6857 section 3.1.1).
fn visible(user: &RemoteUserId, utf8: bool) -> Address<'static> {
    if utf8 || user.as_str().is_ascii() {
        return mailbox("", user.as_str());
    }
    Address::new_group(Some(user.as_str().to_owned()), Vec::new())
}

/// Subject, Date and Message-ID.
pub fn about<'x>(
    mail: MessageBuilder<'x>,
    subject: &str,
    written_at: i64,
    message: &RemoteMessageId,
) -> MessageBuilder<'x> {
    mail.header("Subject", unstructured(subject.to_owned()))
        .date(Date::new(written_at.div_euclid(1000).clamp(0, LAST_DATE)))
        .message_id(message.to_string())
}

/// `Text` would write a long subject of plain ASCII as encoded words.
fn unstructured(text: String) -> HeaderType<'static> {
    if text.is_ascii() { Raw::new(text).into() } else { Text::new(text).into() }
}

/// In-Reply-To, and References from the root to the parent (RFC 5322 section 3.6.4).
pub fn answering<'x>(mail: MessageBuilder<'x>, thread: &'x Thread, own: &RemoteMessageId) -> MessageBuilder<'x> {
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
