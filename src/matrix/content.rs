//! What staff say in Matrix, read leniently: an odd field must not cost the words. Pure.

use ruma::{OwnedEventId, OwnedUserId};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::{Value, value::RawValue};

/// Something that was said, and what it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    pub content: Content,
    pub relation: Relation,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    Message(Message),
    Sticker(Message),
    Poll(Poll),
}

/// The content of `m.room.message` and `m.sticker` (Client-Server API 1.11, section 11.2.1).
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Message {
    #[serde(deserialize_with = "lenient")]
    pub msgtype: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub body: String,
    #[serde(deserialize_with = "lenient")]
    pub format: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub formatted_body: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub filename: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub url: Option<String>,
    /// Of an encrypted file.
    #[serde(deserialize_with = "lenient")]
    pub file: Option<Encrypted>,
    #[serde(deserialize_with = "lenient")]
    pub info: Info,
    #[serde(deserialize_with = "lenient")]
    pub geo_uri: Option<String>,
    /// Only whether it is there (MSC3245).
    #[serde(rename = "org.matrix.msc3245.voice", alias = "m.voice", deserialize_with = "lenient")]
    pub voice: Option<Empty>,
    #[serde(rename = "m.mentions", deserialize_with = "lenient")]
    pub mentions: Mentions,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Encrypted {
    #[serde(default)]
    pub url: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Empty {}

/// What a client says of a file; nobody has checked it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Info {
    #[serde(deserialize_with = "lenient")]
    pub mimetype: Option<String>,
    /// In bytes.
    #[serde(deserialize_with = "lenient")]
    pub size: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Mentions {
    #[serde(deserialize_with = "lenient")]
    pub user_ids: Vec<OwnedUserId>,
}

/// A question with its answers (`m.poll.start`, MSC3381).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Poll {
    pub question: String,
    pub answers: Vec<String>,
}

/// What a message belongs to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Relation {
    /// What the writer picked to answer.
    pub reply_to: Option<OwnedEventId>,
    /// The root of its Matrix thread.
    pub thread: Option<OwnedEventId>,
    /// The message whose words these are from now on.
    pub replaces: Option<OwnedEventId>,
}

/// An emoji under a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    pub to: OwnedEventId,
    pub emoji: String,
}

/// Reads the content of an event of this type. `None`: it says nothing, being of another type, or redacted.
pub fn said(kind: &str, content: &str) -> Result<Option<Said>, serde_json::Error> {
    let outer = || serde_json::from_str::<Outer>(content);
    match kind {
        "m.room.message" | "m.sticker" => {
            let (whole, outer): (Message, _) = (serde_json::from_str(content)?, outer()?);
            let relation = outer.relation();
            let is_edit = relation.replaces.is_some();
            let message = if is_edit { outer.new_content.unwrap_or_else(|| without_star(whole)) } else { whole };
            let content = match (kind, &message.msgtype) {
                ("m.sticker", _) if message.url.is_some() || message.file.is_some() => Content::Sticker(message),
                ("m.room.message", Some(_)) => Content::Message(message),
                _ => return Ok(None),
            };
            Ok(Some(Said { content, relation }))
        }
        "m.poll.start" | "org.matrix.msc3381.poll.start" => {
            let value: Value = serde_json::from_str(content)?;
            let poll = value.get("m.new_content").and_then(poll).or_else(|| poll(&value));
            let relation = outer()?.relation();
            Ok(poll.map(|poll| Said { content: Content::Poll(poll), relation }))
        }
        _ => Ok(None),
    }
}

/// The reaction in the content of an `m.reaction`. `None`: redacted, or a picture.
pub fn annotation(content: &str) -> Result<Option<Annotation>, serde_json::Error> {
    /// Emoji of several people with skin colours have some 40 bytes; more is no emoji.
    const LONGEST: usize = 64;
    let relates_to = serde_json::from_str::<Outer>(content)?.relates_to.unwrap_or_default();
    let emoji = relates_to.key.map(|key| key.replace(char::is_control, "").trim().to_owned());
    let emoji = emoji.filter(|emoji| !emoji.is_empty() && emoji.len() <= LONGEST && !emoji.starts_with("mxc://"));
    let is_one = relates_to.rel_type.as_deref() == Some("m.annotation");
    Ok(relates_to.event_id.zip(emoji).filter(|_| is_one).map(|(to, emoji)| Annotation { to, emoji }))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Outer {
    #[serde(rename = "m.relates_to", deserialize_with = "lenient")]
    relates_to: Option<RelatesTo>,
    #[serde(rename = "m.new_content", deserialize_with = "lenient")]
    new_content: Option<Message>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RelatesTo {
    rel_type: Option<String>,
    event_id: Option<OwnedEventId>,
    key: Option<String>,
    is_falling_back: Option<bool>,
    #[serde(rename = "m.in_reply_to", deserialize_with = "lenient")]
    in_reply_to: Option<InReplyTo>,
}

#[derive(Deserialize)]
struct InReplyTo {
    event_id: OwnedEventId,
}

impl Outer {
    fn relation(&self) -> Relation {
        let Some(relates_to) = &self.relates_to else { return Relation::default() };
        let is = |kind: &str| relates_to.rel_type.as_deref() == Some(kind);
        let (thread, replaces) = (is("m.thread"), is("m.replace"));
        // In a thread the reply is often only for clients that know no threads ("Fallback for unthreaded clients").
        let is_fallback = thread && relates_to.is_falling_back.unwrap_or(false);
        let reply = relates_to.in_reply_to.as_ref().filter(|_| !is_fallback && !replaces);
        Relation {
            reply_to: reply.map(|reply| reply.event_id.clone()),
            thread: relates_to.event_id.clone().filter(|_| thread),
            replaces: relates_to.event_id.clone().filter(|_| replaces),
        }
    }
}

/// The fallback of a replacement begins with "* ".
fn without_star(message: Message) -> Message {
    let strip = |text: &str| text.strip_prefix("* ").unwrap_or(text).to_owned();
    let formatted_body = message.formatted_body.as_deref().map(strip);
    Message { body: strip(&message.body), formatted_body, ..message }
}

fn poll(content: &Value) -> Option<Poll> {
    let poll = content.get("m.poll").or_else(|| content.get("org.matrix.msc3381.poll.start"))?;
    let answers = poll.get("answers").and_then(Value::as_array).into_iter().flatten();
    Some(Poll { question: plain(poll.get("question")?)?, answers: answers.filter_map(plain).collect() })
}

/// The plain text of an extensible part (MSC1767), in its stable and its unstable form.
fn plain(part: &Value) -> Option<String> {
    let forms = part.get("m.text").and_then(Value::as_array).into_iter().flatten();
    let is_plain = |form: &&Value| form.get("mimetype").and_then(Value::as_str).is_none_or(|it| it == "text/plain");
    let stable = forms.filter(is_plain).find_map(|form| form.get("body")?.as_str());
    let text = stable.or_else(|| part.get("org.matrix.msc1767.text")?.as_str()).or_else(|| part.get("body")?.as_str());
    text.map(str::to_owned)
}

/// A field of another shape than the specification's counts as missing.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(field: D) -> Result<T, D::Error> {
    let raw = <&RawValue>::deserialize(field)?;
    Ok(serde_json::from_str(raw.get()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(kind: &str, content: Value) -> Option<Said> {
        said(kind, &content.to_string()).unwrap()
    }

    fn relation(relates_to: Value) -> Relation {
        read("m.room.message", json!({ "msgtype": "m.text", "body": "x", "m.relates_to": relates_to }))
            .unwrap()
            .relation
    }

    #[test]
    fn what_was_redacted_says_nothing() {
        for kind in ["m.room.message", "m.sticker", "m.poll.start", "org.matrix.msc3381.poll.start", "m.poll.end"] {
            assert_eq!(read(kind, json!({})), None, "{kind}");
        }
        assert_eq!(annotation("{}").unwrap(), None);
    }

    #[test]
    fn an_odd_field_does_not_cost_the_words() {
        let content = json!({
            "msgtype": "m.text", "body": "Guten Tag", "format": 7, "info": [], "m.mentions": { "user_ids": ["nobody"] },
            "m.relates_to": { "rel_type": "m.thread", "event_id": "no id" },
        });
        let said = read("m.room.message", content).unwrap();
        let Content::Message(message) = said.content else { panic!() };
        assert_eq!((message.body.as_str(), message.format, said.relation), ("Guten Tag", None, Relation::default()));
    }

    #[test]
    fn a_reply_in_a_thread_counts_only_if_the_writer_picked_it() {
        let thread = |falling_back: bool| {
            relation(json!({
                "rel_type": "m.thread", "event_id": "$root", "is_falling_back": falling_back,
                "m.in_reply_to": { "event_id": "$last" },
            }))
        };
        assert_eq!((thread(true).thread.unwrap().as_str(), thread(true).reply_to), ("$root", None));
        assert_eq!(thread(false).reply_to.unwrap(), "$last");
        assert_eq!(relation(json!({ "m.in_reply_to": { "event_id": "$e" } })).reply_to.unwrap(), "$e");
    }

    #[test]
    fn an_edit_says_its_new_words() {
        let edit = |content: Value| {
            let Said { content: Content::Message(message), relation } = read("m.room.message", content).unwrap() else {
                panic!()
            };
            assert_eq!(relation.replaces.unwrap(), "$old");
            message.body
        };
        let relates_to = json!({ "rel_type": "m.replace", "event_id": "$old" });
        let new = json!({ "msgtype": "m.text", "body": "neu" });
        let whole = json!({ "msgtype": "m.text", "body": "* neu", "m.relates_to": relates_to, "m.new_content": new });
        assert_eq!(edit(whole), "neu");
        assert_eq!(edit(json!({ "msgtype": "m.text", "body": "* neu", "m.relates_to": relates_to })), "neu");
    }

    #[test]
    fn polls_are_read_in_both_forms() {
        let expected = Poll { question: "Wann?".into(), answers: vec!["Montag".into(), "Dienstag".into()] };
        let stable = json!({ "m.poll": {
            "question": { "m.text": [{ "body": "<b>", "mimetype": "text/html" }, { "body": "Wann?" }] },
            "answers": [{ "m.id": "1", "m.text": [{ "body": "Montag" }] }, { "m.text": [{ "body": "Dienstag" }] }],
        } });
        let unstable = json!({ "org.matrix.msc3381.poll.start": {
            "question": { "org.matrix.msc1767.text": "Wann?", "msgtype": "m.text", "body": "Wann?" },
            "answers": [{ "id": "1", "org.matrix.msc1767.text": "Montag" }, { "id": "2", "org.matrix.msc1767.text": "Dienstag" }],
        } });
        for (kind, content) in [("m.poll.start", stable), ("org.matrix.msc3381.poll.start", unstable)] {
            assert_eq!(read(kind, content).unwrap().content, Content::Poll(expected.clone()), "{kind}");
        }
    }

    #[test]
    fn a_reaction_is_an_emoji_and_nothing_else() {
        let read = |key: &str| {
            let relates_to = json!({ "rel_type": "m.annotation", "event_id": "$e", "key": key });
            annotation(&json!({ "m.relates_to": relates_to }).to_string()).unwrap().map(|it| it.emoji)
        };
        assert_eq!(read("👍🏽").as_deref(), Some("👍🏽"));
        for none in ["", " ", "mxc://x/y", &"x".repeat(65)] {
            assert_eq!(read(none), None, "{none:?}");
        }
    }
}
