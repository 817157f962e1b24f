//! A reaction to a mail: an emoji in a part of its own.

use crate::connectors::email::mime::Part;

/// The longest reaction, in characters: a family is seven, with its joiners.
const LENGTH: usize = 20;

/// Reads a part that is a reaction: by RFC 9078, or in Google's own form.
pub fn of(part: &Part<'_>, media_type: &str) -> Option<String> {
    let by_rfc = part.headers.disposition().is_some_and(|found| found.ctype().eq_ignore_ascii_case("reaction"));
    if by_rfc && media_type == "text/plain" {
        return emoji(&part.text());
    }
    if media_type == "text/vnd.google.email-reaction+json" {
        #[derive(serde::Deserialize)]
        struct Google {
            emoji: String,
        }
        let bytes = part.bytes();
        let json: Google = serde_json::from_slice(bytes.get(..1024).unwrap_or(&bytes)).ok()?;
        return emoji(&json.emoji);
    }
    None
}

/// RFC 9078 section 2: nothing but emoji, with spaces between.
fn emoji(text: &str) -> Option<String> {
    let text = text.trim();
    let is_word = |c: char| c.is_ascii() && c != ' ' || c.is_alphabetic() || c.is_control();
    // Keycaps are digits with two marks.
    let is_keycap = text.contains('\u{20e3}');
    let sound = !text.is_empty() && text.chars().count() <= LENGTH && (is_keycap || !text.contains(is_word));
    sound.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emoji_are_reactions_and_words_are_not() {
        for text in [
            "\u{1f44d}",
            " \u{2764}\u{fe0f}\r\n",
            "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
            "1\u{fe0f}\u{20e3}",
            "\u{1f44d} \u{1f389}",
        ] {
            assert_eq!(emoji(text).as_deref(), Some(text.trim()));
        }
        for text in ["", "ja", ":-)", "\u{fc}", "\u{1f44d} danke", &"\u{1f44d}".repeat(21)] {
            assert_eq!(emoji(text), None, "{text}");
        }
    }
}
