//! Matrix's forms of a message, to and from ours. Pure.

use crate::message::{Attachment, Body};
use ammonia::{Builder, UrlRelative};
use ruma::events::room::{
    MediaSource,
    message::{
        AudioInfo, AudioMessageEventContent, FileInfo, FileMessageEventContent, ImageMessageEventContent, MessageType,
        RoomMessageEventContent, VideoInfo, VideoMessageEventContent,
    },
};
use ruma::{OwnedMxcUri, UInt, events::room::ImageInfo};
use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

/// An event has at most 65,536 bytes (Client-Server API, "Size limits"); this leaves room for its envelope.
const CONTENT_LIMIT: usize = 60_000;

/// What a member of staff wrote, as it can cross.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Written {
    pub body: Body,
    pub attachments: Vec<Attachment>,
}

/// Reads a message of staff; `None` for what is not a person's words (`m.notice` is how bots speak).
pub fn written(content: RoomMessageEventContent, writer: &str) -> Option<Written> {
    let words = |text: String, html: Option<String>| Written { body: Body { text, html }, attachments: Vec::new() };
    // The fallback of a replacement begins with "* ", which is how people mark a correction in mail as well.
    Some(match content.msgtype {
        MessageType::Text(text) => {
            let html = text.formatted.filter(|html| html.format == ruma::events::room::message::MessageFormat::Html);
            words(strip_reply(text.body), html.map(|html| outgoing_html(&html.body)))
        }
        MessageType::Emote(text) => words(format!("* {writer} {}", text.body), None),
        MessageType::Location(place) => words(format!("{}\n{}", place.body, place.geo_uri), None),
        MessageType::Image(c) => file(&c.source, c.body, c.filename, c.info.and_then(|i| i.mimetype), "image/jpeg")?,
        MessageType::Video(c) => file(&c.source, c.body, c.filename, c.info.and_then(|i| i.mimetype), "video/mp4")?,
        MessageType::Audio(c) => file(&c.source, c.body, c.filename, c.info.and_then(|i| i.mimetype), "audio/ogg")?,
        MessageType::File(c) => {
            file(&c.source, c.body, c.filename, c.info.and_then(|i| i.mimetype), "application/octet-stream")?
        }
        _ => return None,
    })
}

/// Where there is a `filename`, `body` is the caption (Client-Server API 1.10); else it is the file's name.
fn file(
    source: &MediaSource,
    body: String,
    filename: Option<String>,
    media_type: Option<String>,
    usual: &str,
) -> Option<Written> {
    let MediaSource::Plain(uri) = source else { return None };
    let caption = if filename.as_ref().is_some_and(|name| *name != body) { body.clone() } else { String::new() };
    let attachment = Attachment {
        name: filename.unwrap_or(body),
        media_type: media_type.unwrap_or_else(|| usual.to_owned()),
        location: uri.to_string(),
        bytes: bytes::Bytes::new(),
    };
    Some(Written { body: Body { text: caption, html: None }, attachments: vec![attachment] })
}

/// The quote that clients before specification 1.13 put in front of a reply's plain text.
fn strip_reply(text: String) -> String {
    if !text.starts_with("> <") {
        return text;
    }
    match text.split_once("\n\n") {
        Some((quote, rest)) if quote.lines().all(|line| line.starts_with('>')) => rest.to_owned(),
        _ => text,
    }
}

/// Matrix HTML (Client-Server API 1.11, section 11.2.1.1) as HTML that means the same outside Matrix.
fn outgoing_html(html: &str) -> String {
    static CLEANER: LazyLock<Builder<'static>> = LazyLock::new(|| {
        let mut builder = cleaner();
        // A link to a person or room is of no use outside; the name stays.
        builder.attribute_filter(|element, attribute, value| {
            let inside = element == "a" && attribute == "href" && value.starts_with("https://matrix.to/");
            (!inside).then_some(Cow::Borrowed(value))
        });
        builder
    });
    CLEANER.clean(html).to_string()
}

/// Anybody's HTML as the subset that Matrix clients show. Nothing remote stays in it.
fn incoming_html(html: &str) -> String {
    static CLEANER: LazyLock<Builder<'static>> = LazyLock::new(cleaner);
    CLEANER.clean(html).to_string()
}

/// The tags of the Matrix specification, without `img`: pictures cross as files, remote ones not at all.
fn cleaner() -> Builder<'static> {
    let tags = HashSet::from([
        "del",
        "s",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "blockquote",
        "p",
        "a",
        "ul",
        "ol",
        "li",
        "b",
        "i",
        "u",
        "strong",
        "em",
        "code",
        "hr",
        "br",
        "div",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "caption",
        "pre",
        "span",
        "sup",
        "sub",
        "details",
        "summary",
    ]);
    let mut builder = Builder::empty();
    builder
        .tags(tags)
        .clean_content_tags(HashSet::from(["mx-reply", "script", "style", "title", "head", "template"]))
        .tag_attributes(HashMap::from([("a", HashSet::from(["href"])), ("ol", HashSet::from(["start"]))]))
        .url_schemes(HashSet::from(["http", "https", "mailto", "tel"]))
        .url_relative(UrlRelative::Deny)
        .link_rel(None);
    builder
}

/// A message from outside as the content of an event, and what had to become a file since an event could not hold it.
pub fn incoming(body: &Body) -> (RoomMessageEventContent, Option<Attachment>) {
    let fits =
        |content: &RoomMessageEventContent| serde_json::to_vec(content).is_ok_and(|json| json.len() <= CONTENT_LIMIT);
    let plain = RoomMessageEventContent::text_plain(&body.text);
    if let Some(html) = &body.html {
        let html = incoming_html(html);
        if !html.trim().is_empty() {
            let rich = RoomMessageEventContent::text_html(&body.text, html);
            if fits(&rich) {
                return (rich, None);
            }
        }
    }
    if fits(&plain) {
        return (plain, None);
    }
    let start: String = body.text.chars().take(4_000).collect();
    let whole = Attachment {
        name: "message.txt".into(),
        media_type: "text/plain; charset=utf-8".into(),
        location: String::new(),
        bytes: body.text.clone().into(),
    };
    (RoomMessageEventContent::text_plain(format!("{start} …")), Some(whole))
}

/// An uploaded file as the content of an event.
pub fn incoming_file(attachment: &Attachment, uri: OwnedMxcUri) -> RoomMessageEventContent {
    let size = attachment.bytes.len() as u64;
    file_message(attachment.name.clone(), attachment.media_type.clone(), size, uri)
}

/// `size` in bytes.
pub fn file_message(name: String, media_type: String, size: u64, uri: OwnedMxcUri) -> RoomMessageEventContent {
    let size = UInt::try_from(size).ok();
    let kind = media_type.split(['/', ';']).next().unwrap_or_default().to_ascii_lowercase();
    let mimetype = Some(media_type);
    RoomMessageEventContent::new(match kind.as_str() {
        "image" => {
            let mut info = ImageInfo::new();
            (info.mimetype, info.size) = (mimetype, size);
            MessageType::Image(ImageMessageEventContent::plain(name, uri).info(Some(Box::new(info))))
        }
        "audio" => {
            let mut info = AudioInfo::new();
            (info.mimetype, info.size) = (mimetype, size);
            MessageType::Audio(AudioMessageEventContent::plain(name, uri).info(Some(Box::new(info))))
        }
        "video" => {
            let mut info = VideoInfo::new();
            (info.mimetype, info.size) = (mimetype, size);
            MessageType::Video(VideoMessageEventContent::plain(name, uri).info(Some(Box::new(info))))
        }
        _ => {
            let mut info = FileInfo::new();
            (info.mimetype, info.size) = (mimetype, size);
            MessageType::File(FileMessageEventContent::plain(name, uri).info(Some(Box::new(info))))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json};

    fn read(content: serde_json::Value) -> Option<Written> {
        written(from_value(content).unwrap(), "Anna")
    }

    #[test]
    fn formatting_crosses_and_mentions_become_names() {
        let message = read(json!({
            "msgtype": "m.text", "body": "Hallo Bob", "format": "org.matrix.custom.html",
            "formatted_body": "<mx-reply><blockquote>old</blockquote></mx-reply>Hallo <b>fett</b> \
                <a href=\"https://matrix.to/#/@bob:x.org\">Bob</a> <a href=\"https://x.org\">x</a><script>1</script>",
        }))
        .unwrap();
        assert_eq!(message.body.html.as_deref(), Some("Hallo <b>fett</b> <a>Bob</a> <a href=\"https://x.org\">x</a>"));
    }

    #[test]
    fn the_quote_of_a_reply_is_not_sent_again() {
        let message = read(json!({ "msgtype": "m.text", "body": "> <@bob:x> old\n> more\n\nnew" })).unwrap();
        assert_eq!(message.body.text, "new");
        let own = read(json!({ "msgtype": "m.text", "body": "> <b\nmine" })).unwrap();
        assert_eq!(own.body.text, "> <b\nmine");
    }

    #[test]
    fn a_picture_with_a_caption_is_words_and_a_file() {
        let message = read(json!({
            "msgtype": "m.image", "body": "Der Plan", "filename": "plan.png", "url": "mxc://x/y",
            "info": { "mimetype": "image/png" },
        }))
        .unwrap();
        assert_eq!(message.body.text, "Der Plan");
        assert_eq!(message.attachments[0].name, "plan.png");
        assert_eq!(message.attachments[0].location, "mxc://x/y");
        assert_eq!(message.attachments[0].media_type, "image/png");
    }

    #[test]
    fn a_bot_is_not_a_person() {
        assert_eq!(read(json!({ "msgtype": "m.notice", "body": "beep" })), None);
    }

    #[test]
    fn nothing_remote_and_nothing_active_reaches_a_client() {
        let body = Body {
            text: "hi".into(),
            html: Some(
                "<p onclick=x style='a'>hi<img src=https://t/1.gif><a href='javascript:x'>j</a></p><style>p{}</style>"
                    .into(),
            ),
        };
        let (content, _) = incoming(&body);
        let MessageType::Text(text) = content.msgtype else { panic!() };
        assert_eq!(text.formatted.unwrap().body, "<p>hi<a>j</a></p>");
    }

    #[test]
    fn what_an_event_cannot_hold_becomes_a_file_and_nothing_is_lost() {
        let text = "ä\"\n".repeat(40_000);
        let (content, file) = incoming(&Body { text: text.clone(), html: Some("x".repeat(70_000)) });
        assert!(serde_json::to_vec(&content).unwrap().len() < 65_536);
        assert_eq!(file.unwrap().bytes, text.as_bytes());
    }

    #[test]
    fn html_that_is_too_long_leaves_the_text() {
        let (content, file) = incoming(&Body { text: "short".into(), html: Some("<b>x</b>".repeat(20_000)) });
        assert_eq!(content.body(), "short");
        assert_eq!(file, None);
    }
}
