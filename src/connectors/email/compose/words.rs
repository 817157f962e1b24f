//! The words of a mail: plain text and HTML that say the same.
//!
//! There are always both. Outlook shows a mail of text alone in a typewriter font and answers it without any formatting,
//! and few programs on phones join the lines of `format=flowed`: they would break twice on a narrow screen.

use super::{html, quote, signature, tables};
use crate::{
    connectors::email::text::{clean, flowed, html as convert},
    message::{Body, Quote},
};
use mail_builder::{headers::content_type::ContentType, mime::MimePart};
use std::collections::HashSet;

pub struct Words {
    text: String,
    html: String,
}

/// The words, then what they answer, then the signature; `None` where nothing is said.
///
/// The quote stands below, as in all mail: the first lines are what a list of mails or a phone's lock screen shows. The
/// signature is last in both forms, since programs take everything below its mark for a part of it (RFC 3676 section
/// 4.3).
pub fn of(body: &Body, quoted: Option<&Quote>, signature: Option<&str>) -> Option<Words> {
    let own = own(body);
    let quote = quoted.and_then(quote::Shown::of);
    let signature = signature.and_then(signature::Shown::of);
    let texts = [
        own.as_ref().map(|own| own.text.clone()),
        quote.as_ref().map(|it| it.text()),
        signature.as_ref().map(|it| it.text()),
    ];
    let htmls = [own.map(|own| own.html), quote.map(|it| it.html()), signature.map(|it| it.html())];
    let texts: Vec<String> = texts.into_iter().flatten().collect();
    let htmls: Vec<String> = htmls.into_iter().flatten().collect();
    (!texts.is_empty()).then(|| Words { text: texts.join("\n\n"), html: htmls.join("\n") })
}

fn own(body: &Body) -> Option<Words> {
    let text = clean::without_controls(&body.text);
    let text = text.trim_end().trim_start_matches('\n');
    let formatted = body.html.as_deref().map(clean::without_controls).filter(|html| !html.trim().is_empty());
    match formatted {
        Some(formatted) => Some(Words { text: readable(text, &formatted), html: html::formatted(&formatted) }),
        None if text.trim().is_empty() => None,
        None => Some(Words { text: text.to_owned(), html: html::of_text(text) }),
    }
}

/// What Markdown is typed with, and nobody writes in a mail. Lists, and stars and lines around a word, are plain text too.
const MARKDOWN: &[&str] = &["**", "__", "](", "```"];

/// What the writer's program wrote beside its HTML is what they typed, and the best text there is; unless it leaves
/// something out, as the target of a link, or shows how the formatting was typed.
fn readable(text: &str, html: &str) -> String {
    fn words(text: &str) -> HashSet<&str> {
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect()
    }
    let rendered = convert::to_text(&tables::as_lines(html));
    let is_whole = !text.trim().is_empty() && words(&rendered).is_subset(&words(text));
    let is_typed = |mark: &&str| text.contains(*mark) && !rendered.contains(*mark);
    if is_whole && !MARKDOWN.iter().any(is_typed) { text.to_owned() } else { rendered }
}

impl Words {
    /// The best form last (RFC 2046 section 5.1.4).
    pub fn parts(self) -> Vec<MimePart<'static>> {
        vec![plain(&self.text), html::part(&self.html)]
    }
}

pub fn plain(text: &str) -> MimePart<'static> {
    let kind = ContentType::new("text/plain").attribute("charset", "utf-8").attribute("format", "flowed");
    MimePart::new(kind, flowed::encode(text))
}
