//! The untouched mail, for whoever misses something in what is shown of it.

use crate::{
    connectors::email::text::{clean, tags},
    message::{Attachment, Original},
};
use bytes::Bytes;

/// The longest subject in a file name, in characters.
const SUBJECT: usize = 80;
/// Colours that say nothing: programs write them into every mail.
const PLAIN: &[&str] = &["black", "windowtext", "inherit", "initial", "#000", "rgb(0,0,0)", "#212121", "rgb(33,33,33)"];
/// Elements that no Matrix client shows.
const UNSHOWN: &[&str] = &["form", "input", "button", "select", "svg", "video", "audio", "object", "embed"];

/// The mail as a file named by its subject. It shares the bytes of `raw`.
pub fn of(raw: &Bytes, subject: Option<&str>) -> Original {
    let subject: String = subject.unwrap_or_default().chars().map(|c| if is_troubling(c) { ' ' } else { c }).collect();
    let subject = clean::line(&subject, SUBJECT);
    let subject = subject.trim_matches(['.', ' ']);
    let name = if subject.is_empty() { "Original.eml".to_owned() } else { format!("Original \u{2013} {subject}.eml") };
    let media_type = "message/rfc822".to_owned();
    // Whether it is shown at once is configured; this knows only the mail.
    Original { file: Attachment { name, media_type, location: String::new(), bytes: raw.clone() }, at_once: false }
}

/// What is no letter of a file name somewhere.
fn is_troubling(c: char) -> bool {
    "/\\:*?\"<>|%".contains(c)
}

/// Whether Matrix clients show so little of this HTML that somebody could miss something: pictures from elsewhere,
/// colours, forms.
pub fn is_simplified(html: &str) -> bool {
    let mut at = 0;
    while let Some(tag) = tags::next(html, at) {
        at = tag.end;
        if !tag.closes && loses_something(&tag) {
            return true;
        }
    }
    false
}

fn loses_something(tag: &tags::Tag<'_>) -> bool {
    match tag.name.as_str() {
        "img" => {
            tag.value("src").is_some_and(|source| !source.to_ascii_lowercase().starts_with("cid:")) && !is_pixel(tag)
        }
        "a" | "style" => false,
        name => UNSHOWN.contains(&name) || colour(tag).is_some_and(|colour| is_meant(&colour)),
    }
}

/// A picture of one pixel only tells its sender that it was loaded.
fn is_pixel(tag: &tags::Tag<'_>) -> bool {
    let tiny = |name| tag.value(name).is_some_and(|size| matches!(size.trim_end_matches("px"), "0" | "1"));
    tiny("width") && tiny("height")
}

/// The colour of the words, small and without spaces.
fn colour(tag: &tags::Tag<'_>) -> Option<String> {
    let small = |value: &str| value.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase();
    if let Some(value) = tag.value("color") {
        return Some(small(value));
    }
    let style = small(tag.value("style")?);
    style.split(';').find_map(|rule| rule.strip_prefix("color:")).map(str::to_owned)
}

/// Grey and nearly black are matters of taste; a colour is one if its parts are far from each other.
fn is_meant(colour: &str) -> bool {
    if PLAIN.contains(&colour) {
        return false;
    }
    match parts(colour) {
        Some(parts) => {
            let (least, most) = (parts.iter().min().copied().unwrap_or(0), parts.iter().max().copied().unwrap_or(0));
            most - least > 96
        }
        None => ["red", "blue", "green", "magenta", "purple", "orange"].contains(&colour),
    }
}

/// Red, green and blue.
fn parts(colour: &str) -> Option<Vec<u8>> {
    if let Some(digits) = colour.strip_prefix('#') {
        let pair = |at: usize| digits.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        return [0, 2, 4].into_iter().map(pair).collect();
    }
    let inside = colour.strip_prefix("rgb(")?.strip_suffix(')')?;
    inside.split(',').map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connectors::email::fixture;

    #[test]
    fn whoever_may_miss_something_gets_the_mail_as_it_came() {
        for name in ["outlook-reply", "gmail-reply", "gmx-reply"] {
            let original = fixture::message(name).original.expect(name);
            assert_eq!(original.file.bytes, fixture::bytes(name));
            assert!(!original.at_once);
        }
        for name in ["raw-latin1", "windows-1252", "nested", "no-message-id", "out-of-office"] {
            assert_eq!(fixture::message(name).original, None, "{name}");
        }
    }

    #[test]
    fn the_file_is_the_mail_itself_and_is_called_by_its_subject() {
        let raw = Bytes::from_static(b"Subject: x\r\n\r\ny");
        let original = of(&raw, Some("Antrag 3/26: \"eilt\"?"));
        assert_eq!(original.file.name, "Original \u{2013} Antrag 3 26 eilt.eml");
        assert_eq!(original.file.media_type, "message/rfc822");
        assert!(std::ptr::eq(original.file.bytes.as_ptr(), raw.as_ptr()), "the mail was copied");
        for (subject, name) in [
            (None, "Original.eml"),
            (Some("../.."), "Original.eml"),
            (Some("a\u{202e}b.\n"), "Original \u{2013} ab.eml"),
        ] {
            assert_eq!(of(&raw, subject).file.name, name);
        }
        assert!(of(&raw, Some(&"x".repeat(900))).file.name.len() < 120);
    }

    #[test]
    fn a_plain_letter_loses_nothing_worth_asking_for() {
        for html in [
            "<p>Ja, <b>gerne</b></p>",
            "<div style=\"font-family: Calibri; color: rgb(0, 0, 0);\">Ja</div>",
            "<p style='color:windowtext'><span style='color:#1a1a1a'>Ja</span></p>",
            "<font color=\"#333333\">Ja</font><a href=x style='color:blue'>x</a>",
            "<img src=\"cid:x\">",
            "<img src=\"https://x.example/p.gif\" width=1 height=\"1\">",
        ] {
            assert!(!is_simplified(html), "{html}");
        }
    }

    #[test]
    fn colours_pictures_from_elsewhere_and_forms_are_worth_it() {
        for html in [
            "<span style=\"font-size:1em; color: #FF0000\">Nein</span>",
            "<font color=red>Nein</font>",
            "<span style='color:rgb(192, 0, 0)'>Nein</span>",
            "<img src=\"https://x.example/bild.jpg\" width=600>",
            "<form><input></form>",
        ] {
            assert!(is_simplified(html), "{html}");
        }
    }
}
