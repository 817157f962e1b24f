//! What a mail says: conversion only, no socket and no clock.

pub(super) mod attachment;
mod body;
mod calendar;
mod forwarded;
mod original;
mod people;
mod pictures;
mod reaction;
mod sealed;
mod tnef;
mod walk;

use super::{
    address::Identity,
    automatic, left,
    mime::{Part, headers::Headers},
    text::{clean, subject},
};
use crate::{
    ids::{RemoteMessageId, RemoteUserId},
    language::Language,
    message::{Arrival, Attachment, Body, RawArrival},
};
use body::Piece;
use mail_parser::HeaderName;
use walk::{Place, Walk};

/// What reading a mail needs to know besides the mail.
pub struct Reader<'a> {
    pub identity: &'a Identity,
    /// What staff read.
    pub language: Language,
    /// The largest mail that is taken apart, in bytes.
    pub max_size: u64,
}

impl Reader<'_> {
    /// Reads a mail. A larger one than `max_size`, or one with too many parts, becomes a message that says so, with the
    /// original attached. A mail without any sender is from nobody: it is shown all the same. `mail`: that in `raw`.
    pub fn read(&self, mail: &Part<'_>, raw: &RawArrival) -> Arrival {
        let (from, from_name) = mail.headers.sender().unwrap_or_else(nobody);
        let content = match left::size(&raw.raw) {
            Some(size) => Some(self.left_behind(mail, size)),
            None if self.is_readable(raw) => self.content(mail, raw),
            None => None,
        };
        let content = content.unwrap_or_else(|| self.beyond(raw));
        let subject = subject::bare(mail.headers.subject());
        let original = (!content.is_whole).then(|| original::of(&raw.raw, subject.as_deref()));
        let people = people::of(&mail.headers, self.identity, &from);
        let mut answered_at = mail.headers.addresses(HeaderName::ReplyTo);
        if answered_at.is_empty() {
            answered_at.push(from.address().to_owned());
        }
        Arrival {
            message: mail.headers.message_id().unwrap_or_else(|| made_id(raw)),
            from,
            from_name,
            verified: true,
            to: raw.to.clone(),
            staff: people.staff,
            others: people.others,
            answers_to: people.answers_to,
            answers: people::answers(&mail.headers, self.identity),
            automatic: automatic::is_absence(mail.headers.subject()) || automatic::wants_no_answer(&answered_at),
            reaction: content.reaction,
            // Delta Chat says so in every mail.
            shows_reactions: content.reacts || !mail.headers.texts("Chat-Version").is_empty(),
            replaces: None,
            subject,
            // The date of a mail is the clock of whoever wrote it: it proves no delay.
            written_at: None,
            body: content.body,
            attachments: content.attachments,
            original,
        }
    }

    /// Whether its size and its header are such as people's mails have.
    fn is_readable(&self, raw: &RawArrival) -> bool {
        let fits = u64::try_from(raw.raw.len()).is_ok_and(|size| size <= self.max_size);
        fits && !Headers::is_too_long(&raw.raw)
    }

    /// `None` beyond the limits.
    fn content(&self, mail: &Part<'_>, raw: &RawArrival) -> Option<Content> {
        let mut walk = Walk::new(self.language);
        let mut pieces = walk.pieces(mail, &Place::default())?;
        if let Some(reaction) = walk.reaction {
            let body = Body { text: reaction.clone(), html: None };
            let reaction = Some(reaction);
            return Some(Content { body, attachments: Vec::new(), reaction, reacts: walk.reacts, is_whole: true });
        }
        pieces.retain(|piece| !piece.is_empty());
        if pieces.is_empty() {
            pieces.extend(walk.otherwise);
        }
        pictures::rename(&mut walk.files);
        let placed = pictures::place(&mut pieces, &walk.files, self.language);
        // What was passed on is what the sender has to say.
        let is_forward = subject::is_forward(mail.headers.subject());
        let own: Vec<Piece> = if is_forward { pieces } else { pieces.into_iter().map(Piece::without_quotes).collect() };
        // Of an encrypted mail the original is a file already.
        let is_whole = walk.is_sealed || own.iter().all(Piece::is_whole);
        let note = |key: &str| Piece::of_text(self.language.look_up(key, &[]));
        let sealed = walk.is_sealed.then(|| note("mail-encrypted"));
        let signed = walk.is_signed.then(|| note("mail-signed"));
        let html: String = own.iter().filter_map(|piece| piece.html.as_deref()).collect();
        let pieces = walk.first.into_iter().chain(sealed).chain(own).chain(walk.last).chain(signed);
        let body = body::joined(pieces.collect());
        let mut attachments = pictures::kept(walk.files, &placed, &body, self.language);
        if walk.is_sealed {
            attachments.push(attachment::of_mail(raw.raw.clone()));
        }
        let mut content = Content { body, attachments, reaction: None, reacts: false, is_whole };
        if content.body.text.is_empty() && content.attachments.is_empty() {
            self.fill(&mut content, mail, &html, raw);
        }
        Some(content)
    }

    /// Says something of a mail that says nothing.
    fn fill(&self, content: &mut Content, mail: &Part<'_>, html: &str, raw: &RawArrival) {
        let pictures = pictures::alternative_texts(html);
        content.body.html = None;
        content.body.text = if !pictures.is_empty() {
            pictures
        } else if html.to_ascii_lowercase().contains("<img") {
            content.attachments.push(attachment::of_mail(raw.raw.clone()));
            content.is_whole = true;
            self.language.look_up("mail-only-remote", &[])
        } else {
            subject::bare(mail.headers.subject()).unwrap_or_else(|| self.language.look_up("mail-empty", &[]))
        };
    }

    /// Says of a mail that lies elsewhere what it is about.
    fn left_behind(&self, mail: &Part<'_>, size: u64) -> Content {
        let megabytes = (size.saturating_add(500_000) / 1_000_000).max(1).to_string();
        let text = self.language.look_up("mail-left-in-mailbox", &[("size", &megabytes)]);
        let subject = clean::line(mail.headers.subject(), clean::SUBJECT);
        let about = (!subject.is_empty()).then(|| self.language.look_up("mail-subject", &[("value", &subject)]));
        let text = [Some(text), about].into_iter().flatten().collect::<Vec<_>>().join("\n");
        let body = Body { text, html: None };
        Content { body, attachments: Vec::new(), reaction: None, reacts: false, is_whole: true }
    }

    fn beyond(&self, raw: &RawArrival) -> Content {
        let body = Body { text: self.language.look_up("mail-beyond-limits", &[]), html: None };
        let attachments = vec![attachment::of_mail(raw.raw.clone())];
        Content { body, attachments, reaction: None, reacts: false, is_whole: true }
    }
}

/// What a mail holds for people.
struct Content {
    body: Body,
    attachments: Vec<Attachment>,
    reaction: Option<String>,
    /// By RFC 9078.
    reacts: bool,
    /// Nothing is left out that somebody could miss.
    is_whole: bool,
}

/// The sender of a mail that names none: an address at which nobody can be (RFC 2606).
fn nobody() -> (RemoteUserId, Option<String>) {
    (RemoteUserId::new("unknown@sender.invalid").unverified(), None)
}

/// A Message-ID for a mail without one: the same for a repeat, and in nobody's domain (RFC 2606).
fn made_id(raw: &RawArrival) -> RemoteMessageId {
    RemoteMessageId::new(format!("{}@missing.invalid", raw.source))
}

#[cfg(test)]
mod tests;
