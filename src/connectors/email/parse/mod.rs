//! What a mail says: conversion only, no socket and no clock.

pub(super) mod attachment;
mod body;

use super::{
    mime::{self, Part},
    text::subject,
};
use crate::{
    failure::Failure,
    ids::{RemoteMessageId, RemoteUserId},
    message::{Arrival, Attachment, Body, Inbound, RawArrival},
};
use body::Piece;

/// How deep parts may be nested; mail programs need four levels.
const DEPTH: usize = 20;
/// How many parts are shown as words; further ones are files. Apple Mail writes one before and after every picture.
const WORDS: usize = 20;
/// What stands in place of a mail that is beyond the limits. The original hangs below it.
const BEYOND: &str = "Diese E-Mail ist zu gro\u{df} oder zu verschachtelt, um sie hier zu zeigen. Das Original ist angeh\u{e4}ngt.\n\
    This e-mail is too large or too complex to be shown here. The original is attached.";

/// Reads a mail. `max_size`, in bytes, is the largest that is taken apart: a larger one, or one with too many parts,
/// becomes a message that says so, with the original attached. A mail without any sender is from
/// nobody: it is shown all the same.
pub fn read(raw: &RawArrival, max_size: u64) -> Result<Inbound, Failure> {
    let mail = Part::parse(&raw.raw);
    let fits = u64::try_from(raw.raw.len()).is_ok_and(|size| size <= max_size);
    let (from, from_name) = mail.headers.sender().unwrap_or_else(nobody);
    let content = if fits { content(&mail) } else { None };
    let (body, attachments) = content.unwrap_or_else(|| beyond(raw));
    Ok(Inbound::Message(Box::new(Arrival {
        message: mail.headers.message_id().unwrap_or_else(|| made_id(raw)),
        from,
        from_name,
        verified: true,
        to: raw.to.clone(),
        staff: Vec::new(),
        others: Vec::new(),
        answers: mail.headers.answers(),
        automatic: false,
        reaction: None,
        shows_reactions: false,
        subject: subject::bare(mail.headers.subject()),
        body,
        attachments,
        original: None,
    })))
}

/// The sender of a mail that names none: an address at which nobody can be (RFC 2606).
fn nobody() -> (RemoteUserId, Option<String>) {
    (RemoteUserId::new("unknown@sender.invalid").unverified(), None)
}

/// A Message-ID for a mail without one: the same for a repeat, and in nobody's domain (RFC 2606).
fn made_id(raw: &RawArrival) -> RemoteMessageId {
    RemoteMessageId::new(format!("{}@missing.invalid", raw.source))
}

fn beyond(raw: &RawArrival) -> (Body, Vec<Attachment>) {
    let body = Body { text: BEYOND.to_owned(), html: None };
    (body, vec![attachment::of_mail(raw.raw.clone())])
}

/// Words and files; `None` beyond the limits.
fn content(mail: &Part<'_>) -> Option<(Body, Vec<Attachment>)> {
    let mut walk = Walk::default();
    let pieces = walk.pieces(mail, &Place::default())?;
    // What was passed on is what the sender has to say.
    let is_forward = subject::is_forward(mail.headers.subject());
    let pieces = if is_forward { pieces } else { pieces.into_iter().map(Piece::without_quotes).collect() };
    Some((body::joined(pieces), walk.attachments))
}

/// Where a part stands.
#[derive(Clone, Default)]
struct Place {
    depth: usize,
    /// The media type of the multipart around it; empty for the mail itself.
    around: String,
    is_first: bool,
}

#[derive(Default)]
struct Walk {
    parts: usize,
    words: usize,
    attachments: Vec<Attachment>,
}

impl Walk {
    /// The words of a part; its files are kept beside. `None` beyond the limits.
    fn pieces(&mut self, part: &Part<'_>, place: &Place) -> Option<Vec<Piece>> {
        self.parts += 1;
        if self.parts > mime::PARTS || place.depth > DEPTH {
            return None;
        }
        let media_type = part.media_type();
        let children = if media_type.starts_with("multipart/") { part.children() } else { Vec::new() };
        if !children.is_empty() {
            return self.multipart(&media_type, &children, place.depth + 1);
        }
        if self.words < WORDS && is_words(part, &media_type, place) {
            self.words += 1;
            let piece = if media_type == "text/html" { Piece::html(part) } else { Piece::plain(part) };
            return Some(vec![piece]);
        }
        if !is_noise(&media_type, &place.around) {
            self.attachments.push(attachment::of(part, self.attachments.len() + 1));
        }
        Some(Vec::new())
    }

    fn multipart(&mut self, media_type: &str, children: &[Part<'_>], depth: usize) -> Option<Vec<Piece>> {
        let mut each = Vec::new();
        for (index, child) in children.iter().enumerate() {
            let place = Place { depth, around: media_type.to_owned(), is_first: index == 0 };
            each.push(self.pieces(child, &place)?);
        }
        if media_type == "multipart/alternative" {
            return Some(vec![Piece::of_alternatives(each)]);
        }
        Some(each.into_iter().flatten().collect())
    }
}

/// Whether a part without parts of its own is something to read rather than a file.
fn is_words(part: &Part<'_>, media_type: &str, place: &Place) -> bool {
    // A multipart in which no boundary can be found is shown as it is.
    let is_text = media_type == "text/plain" || media_type == "text/html" || media_type.starts_with("multipart/");
    let is_sole = place.around.is_empty() || place.around == "multipart/alternative";
    // Some programs give the first text a name; a later one with a name is a file.
    let has_name = part.headers.file_name().is_some();
    is_text && !part.is_attached() && (is_sole || place.is_first || !has_name)
}

/// Forms and signatures that say nothing to a person.
fn is_noise(media_type: &str, around: &str) -> bool {
    match around {
        "multipart/alternative" => {
            ["text/x-amp-html", "text/watch-html", "text/enriched", "text/richtext"].contains(&media_type)
        }
        "multipart/signed" => media_type.ends_with("-signature"),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
