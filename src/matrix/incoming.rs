//! What a message from outside is besides its words: an answer, a machine's, a reaction, and the way to all of it.

use super::{Error, Intent, format};
use crate::message::Attachment;
use ruma::{
    OwnedEventId, OwnedMxcUri, RoomId, TransactionId,
    events::{
        MessageLikeEventType,
        reaction::ReactionEventContent,
        relation::{Reply, Thread},
        room::message::{
            MessageType, NoticeMessageEventContent, Relation, ReplacementMetadata, RoomMessageEventContent,
        },
    },
    serde::Raw,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The content of an event that a ghost is to send.
pub enum Incoming {
    Message(Box<RoomMessageEventContent>, Option<Kept>),
    Reaction(ReactionEventContent),
}

/// An uploaded file that a message names and clients do not show: the whole of the message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    url: OwnedMxcUri,
    name: String,
    mimetype: String,
    size: u64,
}

/// Where it stands in the content of the event.
const KEPT: &str = "org.fehmarn.original";

impl Kept {
    pub fn new(file: &Attachment, url: OwnedMxcUri) -> Self {
        Self { url, name: file.name.clone(), mimetype: file.media_type.clone(), size: file.bytes.len() as u64 }
    }

    /// From the content of an event.
    pub fn read(content: &Value) -> Option<Self> {
        serde_json::from_value(content.get(KEPT)?.clone()).ok()
    }

    /// The file as a message of its own, below the message that it belongs to.
    pub fn into_message(self, event: OwnedEventId) -> RoomMessageEventContent {
        let Self { url, name, mimetype, size } = self;
        answering(format::file_message(name, mimetype, size, url), None, Some(&event))
    }
}

/// The same words as a machine's: clients show a notice in another tone, and no bot answers it (Client-Server API,
/// "m.notice"). `mark` is the line that says so in words.
pub fn automatic(content: RoomMessageEventContent, mark: &str) -> RoomMessageEventContent {
    let MessageType::Text(text) = content.msgtype else { return content };
    let mut notice = NoticeMessageEventContent::plain(format!("{mark}\n\n{}", text.body));
    notice.formatted = text.formatted.map(|mut html| {
        html.body = format!("<p><em>{}</em></p>{}", ammonia::clean_text(mark), html.body);
        html
    });
    RoomMessageEventContent::new(MessageType::Notice(notice))
}

/// The same words below a line that says something about them.
pub fn marked(content: RoomMessageEventContent, mark: &str) -> RoomMessageEventContent {
    let MessageType::Text(mut text) = content.msgtype else { return content };
    text.body = format!("{mark}\n\n{}", text.body).trim_end().to_owned();
    if let Some(html) = &mut text.formatted {
        html.body = format!("<p><em>{}</em></p>{}", ammonia::clean_text(mark), html.body);
    }
    RoomMessageEventContent::new(MessageType::Text(text))
}

/// The same message as an answer to an event, in a Matrix thread if it has one.
pub fn answering(
    mut content: RoomMessageEventContent,
    thread: Option<&OwnedEventId>,
    event: Option<&OwnedEventId>,
) -> RoomMessageEventContent {
    content.relates_to = match (thread, event) {
        (Some(root), Some(event)) => Some(Relation::Thread(Thread::reply(root.clone(), event.clone()))),
        (Some(root), None) => Some(Relation::Thread(Thread::without_fallback(root.clone()))),
        (None, Some(event)) => Some(Relation::Reply(Reply::with_event_id(event.clone()))),
        (None, None) => None,
    };
    content
}

/// The same message in the place of an earlier one.
pub fn replacing(content: RoomMessageEventContent, event: &OwnedEventId) -> RoomMessageEventContent {
    content.make_replacement(ReplacementMetadata::new(event.clone(), None))
}

impl Intent<'_> {
    /// As [`send_message`](Self::send_message).
    pub async fn send_incoming(
        &self,
        room: &RoomId,
        txn: &TransactionId,
        content: &Incoming,
    ) -> Result<OwnedEventId, Error> {
        match content {
            Incoming::Reaction(reaction) => self.send_message(room, txn, reaction).await,
            Incoming::Message(message, None) => self.send_message(room, txn, &**message).await,
            Incoming::Message(message, Some(kept)) => {
                let json = with_kept(message, kept).map_err(|e| Error::Unreadable(e.to_string()))?;
                self.send_json(room, txn, MessageLikeEventType::RoomMessage, json.cast_unchecked()).await
            }
        }
    }
}

fn with_kept(message: &RoomMessageEventContent, kept: &Kept) -> Result<Raw<Value>, serde_json::Error> {
    let mut content = serde_json::to_value(message)?;
    if let Some(fields) = content.as_object_mut() {
        fields.insert(KEPT.to_owned(), serde_json::to_value(kept)?);
    }
    Raw::new(&content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ruma::{event_id, mxc_uri};
    use serde_json::json;

    fn kept() -> Kept {
        let file = Attachment {
            name: "Original.eml".into(),
            media_type: "message/rfc822".into(),
            location: String::new(),
            bytes: bytes::Bytes::from_static(b"12345"),
        };
        Kept::new(&file, mxc_uri!("mxc://x/y").to_owned())
    }

    #[test]
    fn the_whole_message_can_be_found_again_in_the_event() {
        let content = with_kept(&RoomMessageEventContent::text_plain("Ja."), &kept()).unwrap().deserialize().unwrap();
        assert_eq!(content["body"], "Ja.");
        assert_eq!(Kept::read(&content), Some(kept()));
        assert_eq!(Kept::read(&json!({ "body": "x", KEPT: { "url": 1 } })), None);
        let message = serde_json::to_value(kept().into_message(event_id!("$e").to_owned())).unwrap();
        assert_eq!((&message["msgtype"], &message["url"]), (&json!("m.file"), &json!("mxc://x/y")));
        assert_eq!(message["m.relates_to"]["m.in_reply_to"]["event_id"], "$e");
    }

    #[test]
    fn a_line_about_a_message_stands_above_it() {
        let content = |words| serde_json::to_value(marked(words, "Spät <1>.")).unwrap();
        let html = content(RoomMessageEventContent::text_html("Ja", "<b>Ja</b>"));
        assert_eq!((&html["msgtype"], &html["body"]), (&json!("m.text"), &json!("Spät <1>.\n\nJa")));
        assert!(html["formatted_body"].as_str().unwrap().ends_with("</em></p><b>Ja</b>"), "{html}");
        assert_eq!(content(RoomMessageEventContent::text_plain(""))["body"], "Spät <1>.", "above a file");
    }

    #[test]
    fn a_machine_speaks_in_another_tone_and_says_so_in_both_forms() {
        let words = RoomMessageEventContent::text_html("Bin weg.", "<p>Bin weg.</p>");
        let content = serde_json::to_value(automatic(words, "Automatisch <1>:")).unwrap();
        assert_eq!(content["msgtype"], "m.notice");
        assert_eq!(content["body"], "Automatisch <1>:\n\nBin weg.");
        assert!(content["formatted_body"].as_str().unwrap().ends_with("</em></p><p>Bin weg.</p>"), "{content}");
        assert!(!content["formatted_body"].as_str().unwrap().contains("<1>"), "{content}");
    }
}
