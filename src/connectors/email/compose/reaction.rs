//! A mail that is nothing but a reaction to another one.
//!
//! Three alternatives of one thing: by RFC 9078, which Delta Chat reads; in Gmail's own form, which it wants between text
//! and HTML (developers.google.com, "Email reactions"); and in words, for the rest.

use super::html;
use crate::{
    connectors::email::text::{clean, html as convert},
    message::Delivery,
};
use mail_builder::{headers::content_type::ContentType, mime::MimePart};
use serde_json::json;

pub struct Reaction<'x> {
    emoji: &'x str,
    words: &'x str,
}

impl<'x> Reaction<'x> {
    /// `None` if the delivery is an ordinary message: without a message to react to, or with what is no emoji, the words
    /// say it.
    pub fn of(delivery: &'x Delivery) -> Option<Self> {
        let emoji = delivery.reaction.as_deref().filter(|text| is_emoji(text))?;
        let parent = delivery.thread.parent.as_ref()?;
        let words = Some(delivery.body.text.trim()).filter(|words| !words.is_empty()).unwrap_or(emoji);
        clean::is_message_id(parent.as_str()).then_some(Self { emoji, words })
    }

    pub fn parts(&self) -> Vec<MimePart<'static>> {
        let emoji = ContentType::new("text/plain").attribute("charset", "utf-8");
        let emoji = MimePart::new(emoji, format!("{}\r\n", self.emoji))
            .header("Content-Disposition", ContentType::new("reaction"));
        let gmail = ContentType::new("text/vnd.google.email-reaction+json").attribute("charset", "utf-8");
        let gmail = MimePart::new(gmail, json!({ "emoji": self.emoji, "version": 1 }).to_string());
        let words = convert::from_text(&clean::without_controls(self.words));
        vec![emoji, gmail, html::part(&words)]
    }
}

/// Whether this is one emoji, or a sequence that looks like one (Unicode Technical Standard 51): reactions in Matrix are
/// any text. A few symbols that are no emoji pass as well; no letters and no digits do.
fn is_emoji(text: &str) -> bool {
    /// The longest sequences are families and flags of regions.
    const LENGTH: usize = 16;
    const KEYCAP: char = '\u{20e3}';
    let is_pictograph = |c: char| {
        matches!(c, '\u{a9}' | '\u{ae}' | '\u{203c}' | '\u{2049}' | '\u{2122}' | '\u{2139}' | '\u{3030}' | '\u{303d}'
            | '\u{3297}' | '\u{3299}' | '\u{2194}'..='\u{21aa}' | '\u{231a}'..='\u{23ff}' | '\u{24c2}'
            | '\u{25aa}'..='\u{27bf}' | '\u{2934}'..='\u{2b55}' | '\u{1f000}'..='\u{1faff}')
    };
    let joins = |c: char| matches!(c, '\u{200d}' | '\u{fe0f}' | '\u{e0020}'..='\u{e007f}');
    let is_keycap = text.ends_with(KEYCAP) && text.trim_end_matches([KEYCAP, '\u{fe0f}']).len() == 1;
    let is_sequence = text.starts_with(is_pictograph) && text.chars().all(|c| is_pictograph(c) || joins(c));
    text.chars().count() <= LENGTH
        && (is_sequence || (is_keycap && text.starts_with(|c: char| c.is_ascii_digit() || "#*".contains(c))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emoji_is_told_from_words() {
        for text in [
            "\u{1f44d}",
            "\u{1f44d}\u{1f3fd}",
            "\u{2764}\u{fe0f}",
            "\u{2764}",
            "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
            "\u{1f1e9}\u{1f1ea}",
            "1\u{fe0f}\u{20e3}",
            "#\u{20e3}",
            "\u{2705}",
            "\u{1f3f4}\u{e0067}\u{e007f}",
        ] {
            assert!(is_emoji(text), "{text}");
        }
        for text in [
            "",
            "ok",
            "\u{1f44d} danke",
            "\u{1f44d}\r\n",
            "1",
            "12\u{20e3}",
            "\u{200d}",
            "\u{e4}",
            "+1",
            "\u{1f44d}\0",
            &"\u{1f44d}".repeat(17),
        ] {
            assert!(!is_emoji(text), "{text}");
        }
    }
}
