//! Pictures in the words of a mail. Matrix clients show pictures inside of formatted words only in part, so a picture is
//! posted behind the message, and its name stands where it stood. Nothing is loaded from elsewhere.

use super::body::Piece;
use crate::{
    connectors::email::{
        mime,
        text::{clean, tags},
    },
    language::Language,
    message::{Attachment, Body},
};
use bytes::Bytes;

/// Pictures no larger than this in one direction, in pixels, are lines, spacers and counters of readers.
const TINY: u32 = 3;
/// The most pictures of one mail whose place in the words is marked.
const MARKED: usize = 100;

/// A file of a mail, and how the words may name it.
pub struct File {
    pub attachment: Attachment,
    /// Without its angle brackets (RFC 2392).
    pub content_id: Option<String>,
    pub is_inline: bool,
    /// The sender wants it shown as a file, whatever the words say of it.
    pub is_attached: bool,
}

/// What stands in the place of a picture.
pub fn mark(language: Language, name: &str) -> String {
    language.look_up("picture", &[("name", name)])
}

/// Names of pictures that stand in the words, made different from each other, so that each mark means one.
pub fn rename(files: &mut [File]) {
    let mut seen: Vec<String> = Vec::new();
    for file in files.iter_mut().filter(|file| file.content_id.is_some()).take(MARKED) {
        let name = &mut file.attachment.name;
        if seen.contains(name) {
            let (stem, end) = name.rsplit_once('.').map_or((name.as_str(), ""), |(stem, end)| (stem, end));
            let number = seen.len() + 1;
            *name = if end.is_empty() { format!("{stem}-{number}") } else { format!("{stem}-{number}.{end}") };
        }
        seen.push(name.clone());
    }
}

/// Puts marks where pictures stand, but for tiny ones. Returns which files have one.
pub fn place(pieces: &mut [Piece], files: &[File], language: Language) -> Vec<bool> {
    let mark_of = |file: &File| {
        if is_tiny(&file.attachment) { String::new() } else { mark(language, &file.attachment.name) }
    };
    let named = |(at, file): (usize, &File)| (file.content_id.is_some() && at < MARKED).then(|| mark_of(file));
    let marks: Vec<Option<String>> = files.iter().enumerate().map(named).collect();
    let find = |id: &str| {
        let id = id.trim_matches(['<', '>']);
        let by_id = files.iter().position(|file| file.content_id.as_deref() == Some(id));
        let at =
            by_id.or_else(|| files.iter().position(|file| file.content_id.is_some() && file.attachment.name == id));
        at.and_then(|at| marks.get(at)?.clone())
    };
    for piece in pieces.iter_mut() {
        piece.html = piece.html.take().map(|html| in_html(&html, &find));
        piece.text = piece.text.take().map(|text| in_text(&text, &find));
    }
    let is_there = |mark: &String| !mark.is_empty() && pieces.iter().any(|piece| has(&piece.text, &piece.html, mark));
    marks.iter().map(|mark| mark.as_ref().is_some_and(is_there)).collect()
}

/// The files that a person should get: without tiny pictures, and without those whose place in the words (`placed`) was
/// cut away with a quote or a signature.
pub fn kept(files: Vec<File>, placed: &[bool], body: &Body, language: Language) -> Vec<Attachment> {
    let is_seen = |file: &File, placed: bool| {
        let tiny = (file.content_id.is_some() || file.is_inline) && is_tiny(&file.attachment);
        let text = Some(body.text.clone());
        file.is_attached || !tiny && (!placed || has(&text, &body.html, &mark(language, &file.attachment.name)))
    };
    let placed = placed.iter().copied().chain(std::iter::repeat(false));
    files
        .into_iter()
        .zip(placed)
        .filter(|(file, placed)| is_seen(file, *placed))
        .map(|(file, _)| file.attachment)
        .collect()
}

fn has(text: &Option<String>, html: &Option<String>, mark: &str) -> bool {
    text.as_ref().is_some_and(|text| text.contains(mark))
        || html.as_ref().is_some_and(|html| html.contains(&escaped(mark)))
}

fn escaped(text: &str) -> String {
    crate::connectors::email::text::html::from_text(text)
}

/// `[cid:image001.png@01DB.0]` is what Outlook writes in the plain form, `[image: plan.png]` what Gmail does.
fn in_text(text: &str, find: &dyn Fn(&str) -> Option<String>) -> String {
    let mut pieces = text.split('[');
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let named = ["cid:", "image: ", "Bild: ", "Image: "].iter().find_map(|start| piece.strip_prefix(start));
        let marked = named.and_then(|rest| rest.split_once(']')).filter(|(id, _)| id.len() <= clean::NAME * 4);
        match marked.and_then(|(id, rest)| Some((find(id)?, rest))) {
            Some((mark, rest)) => out.extend([mark.as_str(), rest]),
            None => out.extend(["[", piece]),
        }
    }
    out
}

fn in_html(html: &str, find: &dyn Fn(&str) -> Option<String>) -> String {
    replaced(html, &mut |source| {
        let id = source.strip_prefix("cid:").or_else(|| source.strip_prefix("CID:"))?;
        let id = percent_encoding(id);
        Some(find(&id).map(|mark| escaped(&mark)).unwrap_or_default())
    })
}

/// RFC 2392 section 2: an id is percent-encoded in a URL.
fn percent_encoding(id: &str) -> String {
    let bytes = crate::connectors::email::address::unhex(id, b'%');
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_else(|| id.to_owned())
}

/// Pictures that stand in the HTML itself (`data:`) as files, each with a place of its own. `number`: how many files
/// there are already.
pub fn without_data(html: String, number: usize) -> (String, Vec<File>) {
    if !html.contains("data:image/") {
        return (html, Vec::new());
    }
    let mut files: Vec<File> = Vec::new();
    let html = replaced(&html, &mut |source| {
        let (kind, data) = source.strip_prefix("data:")?.split_once(";base64,")?;
        let kind = kind.split(';').next().filter(|kind| kind.starts_with("image/"))?;
        if files.len() >= MARKED {
            return None;
        }
        let number = number + files.len() + 1;
        let id = format!("data-{number}");
        let attachment = super::attachment::named("", kind, Bytes::from(mime::base64(data.as_bytes())), number);
        let tag = format!("<img src=\"cid:{id}\">");
        files.push(File { attachment, content_id: Some(id), is_inline: true, is_attached: false });
        Some(tag)
    });
    (html, files)
}

/// The HTML with every `<img>` replaced for whose source there is something else.
fn replaced(html: &str, other: &mut dyn FnMut(&str) -> Option<String>) -> String {
    tags::replaced(html, "img", &mut |tag| other(tag.value("src")?.trim()))
}

/// The alternative texts of the pictures in HTML, each once: all that a mail says that is nothing but pictures.
pub fn alternative_texts(html: &str) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut at = 0;
    while let Some(tag) = tags::next(html, at).filter(|_| texts.len() < MARKED) {
        at = tag.end;
        let alt = tag.value("alt").filter(|_| tag.name == "img");
        let text = alt.map(|alt| clean::line(&mail_parser::decoders::html::html_to_text(alt), clean::NAME));
        if let Some(text) = text.filter(|text| text.chars().any(char::is_alphanumeric) && !texts.contains(text)) {
            texts.push(text);
        }
    }
    texts.join("\n")
}

fn is_tiny(file: &Attachment) -> bool {
    file.media_type.starts_with("image/")
        && size(&file.bytes).is_some_and(|(width, height)| width <= TINY || height <= TINY)
}

/// Width and height of a PNG or GIF: nobody sends counters in other forms.
fn size(bytes: &[u8]) -> Option<(u32, u32)> {
    let big = |at: usize| bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map(u32::from_be_bytes);
    let little = |at: usize| bytes.get(at..at + 2).and_then(|two| two.try_into().ok()).map(u16::from_le_bytes);
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Some((big(16)?, big(20)?));
    }
    bytes.starts_with(b"GIF8").then_some((u32::from(little(6)?), u32::from(little(8)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_a_picture_is_read() {
        assert_eq!(size(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\0\0\0\0\x02"), Some((256, 2)));
        assert_eq!(size(b"GIF89a\x01\0\x02\0"), Some((1, 2)));
        assert_eq!(size(b"GIF89a"), None);
    }

    #[test]
    fn a_mail_of_pictures_says_what_they_stand_for() {
        let html = "<a><img alt=\"Unser F&uuml;nf-Punkte-Plan\" src=https://x/1.png></a><img alt=' '><img alt='Unser F&uuml;nf-Punkte-Plan'><img alt=Jetzt>";
        assert_eq!(alternative_texts(html), "Unser F\u{fc}nf-Punkte-Plan\nJetzt");
    }

    #[test]
    fn hostile_tags_are_passed_in_one_go() {
        for unit in ["<img ", "<img src=\"", "<img src=cid:x alt", "<img a=", "[cid:", "<img '"] {
            let text = unit.repeat(100_000);
            let find = |_: &str| None;
            assert!(in_html(&text, &find).len() <= text.len() && in_text(&text, &find).len() <= text.len(), "{unit}");
            alternative_texts(&text);
        }
    }
}
