//! HTML both ways, and what comes from outside in Matrix's forms. Pure.

use crate::message::{Attachment, Body};
use ammonia::{Builder, UrlRelative};
use ruma::events::room::message::{
    AudioInfo, AudioMessageEventContent, FileInfo, FileMessageEventContent, ImageMessageEventContent, MessageType,
    RoomMessageEventContent, VideoInfo, VideoMessageEventContent,
};
use ruma::{OwnedMxcUri, UInt, events::room::ImageInfo};
use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

/// An event has at most 65,536 bytes (Client-Server API, "Size limits"); this leaves room for its envelope.
const CONTENT_LIMIT: usize = 60_000;

/// Matrix HTML (Client-Server API 1.11, section 11.2.1.1) as HTML that means the same outside Matrix.
pub(super) fn outgoing_html(html: &str) -> String {
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

/// Text as HTML that shows it.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
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
    fn a_file_is_shown_as_what_it_is() {
        let kind = |media_type: &str| {
            let message = file_message("x".into(), media_type.into(), 1, OwnedMxcUri::from("mxc://x/y"));
            serde_json::to_value(message).unwrap()["msgtype"].as_str().unwrap().to_owned()
        };
        let kinds = ["image/png", "audio/ogg; codecs=opus", "Video/mp4", "application/pdf"].map(kind);
        assert_eq!(kinds, ["m.image", "m.audio", "m.video", "m.file"]);
    }

    #[test]
    fn html_that_is_too_long_leaves_the_text() {
        let (content, file) = incoming(&Body { text: "short".into(), html: Some("<b>x</b>".repeat(20_000)) });
        assert_eq!(content.body(), "short");
        assert_eq!(file, None);
    }
}
