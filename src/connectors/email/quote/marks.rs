//! What mail programs write around the mail that they repeat, and around signatures.

use crate::connectors::email::text::tags::Tag;

/// What a mark says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The element is a quote, or says who is quoted.
    Quote,
    /// Whatever stands below is a mail that is repeated.
    Below,
    /// The element is a signature, as long as nobody wrote into it.
    Signature,
}
use Mark::{Below, Quote, Signature};

/// A tag (or any), an attribute of it, one of its values in small letters, and what that means. `x_` before a value is
/// what Outlook puts there when it shows a mail; it is looked past. The signatures of Outlook for phones, Yahoo for
/// Android and Samsung are no marks: people write into them, and what these programs say is known by its words.
const MARKS: &[(&str, &str, &str, Mark)] = &[
    // Outlook on the web, new Outlook, Outlook for phones
    ("div", "id", "divrplyfwdmsg", Below),
    ("div", "id", "mail-editor-reference-message-container", Quote),
    ("div", "class", "ms-outlook-mobile-reference-message", Quote),
    ("div", "id", "signature", Signature),
    // Older Outlooks and Hotmail
    ("div", "class", "outlookmessageheader", Below),
    ("hr", "id", "stopspelling", Below),
    ("", "id", "olk_src_body_section", Quote),
    // Gmail: the container holds answers, too
    ("div", "class", "gmail_attr", Quote),
    ("blockquote", "class", "gmail_quote", Quote),
    ("", "class", "gmail_signature", Signature),
    ("", "class", "gmail_signature_prefix", Signature),
    // Thunderbird, Apple Mail, Open-Xchange and others
    ("div", "class", "moz-cite-prefix", Quote),
    ("blockquote", "type", "cite", Quote),
    ("", "class", "moz-signature", Signature),
    ("", "id", "applemailsignature", Signature),
    ("", "class", "io-ox-signature", Signature),
    // GMX and WEB.DE
    ("div", "name", "quote", Quote),
    // Yahoo
    ("div", "class", "yahoo_quoted", Quote),
    ("p", "class", "yahoo-quoted-begin", Below),
    ("blockquote", "class", "iosymail", Quote),
    ("", "class", "yahoo-signature", Signature),
    // Proton, Tuta, Zoho, Spark, Skiff
    ("blockquote", "class", "protonmail_quote", Quote),
    ("", "class", "protonmail_signature_block", Signature),
    ("", "class", "tutanota_quote", Quote),
    ("", "class", "zmail_extra", Quote),
    ("div", "name", "messagereplysection", Quote),
    ("blockquote", "data-skiff-mail", "true", Quote),
    // Zimbra
    ("hr", "id", "zwchr", Below),
    ("hr", "data-marker", "__divider__", Below),
    ("hr", "id", "replysplit", Below),
    // K-9 and Thunderbird for Android
    ("", "class", "k9mail-signature", Signature),
    // Avast
    ("div", "id", "dab4fad8-2dd7-40bb-a1b8-4e2aa1f9fdf2", Signature),
];
const ATTRIBUTES: &[&str] = &["id", "class", "type", "name", "data-marker", "data-skiff-mail"];
/// Outlook for Windows marks a quote by nothing but the line above "Von: ...", which always has the same place.
const OUTLOOK_LINES: &[&str] = &["border-top:solid", "border-style:solidnonenone"];
const OUTLOOK_PADDING: &str = "padding:3";

/// What this tag says of what stands in it or below.
pub fn of(tag: &Tag<'_>) -> Option<Mark> {
    if tag.closes || tag.attributes.is_empty() {
        return None;
    }
    ATTRIBUTES
        .iter()
        .find_map(|attribute| {
            let value = tag.value(attribute)?.to_ascii_lowercase();
            let mut words = value.split_whitespace().map(without_prefix);
            words.find_map(|word| found(&tag.name, attribute, word))
        })
        .or_else(|| is_outlook_line(tag).then_some(Below))
}

fn found(tag: &str, attribute: &str, word: &str) -> Option<Mark> {
    let known = |mark: &&(&str, &str, &str, Mark)| {
        mark.1 == attribute && mark.2 == word && (mark.0.is_empty() || mark.0 == tag)
    };
    MARKS.iter().find(known).map(|(_, _, _, mark)| *mark)
}

fn without_prefix(word: &str) -> &str {
    word.trim_start_matches("x_")
}

fn is_outlook_line(tag: &Tag<'_>) -> bool {
    let Some(style) = tag.value("style").filter(|_| tag.name == "div") else { return false };
    let style: String = style.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase();
    OUTLOOK_LINES.iter().any(|line| style.contains(line)) && style.contains(OUTLOOK_PADDING)
}
