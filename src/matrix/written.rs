//! What staff said, as it can cross. Pure.

use super::{
    content::{Content, Message, Poll},
    format::{escape, outgoing_html},
};
use crate::message::{Attachment, Body};
use bytes::Bytes;
use ruma::UserId;
use serde::{Deserialize, Serialize};

/// What a member of staff wrote, as it can cross.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Written {
    pub body: Body,
    pub file: Option<Attachment>,
    /// Of the file in bytes, as the client says; 0 if it does not say.
    pub size: u64,
    /// What the client wrote of the message that is answered.
    pub fallback: Option<Fallback>,
}

/// The quote that clients before specification 1.13 put in front of a reply's plain text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fallback {
    /// A Matrix id, should the client have written it.
    pub sender: String,
    pub text: String,
}

/// What surrounds a message.
pub struct Setting<'a> {
    /// The writer's name.
    pub writer: &'a str,
    /// When it was written, in milliseconds since 1970.
    pub at: i64,
    /// What a voice message is called.
    pub voice: &'a dyn Fn() -> String,
    /// What a mentioned user is called.
    pub name_of: &'a dyn Fn(&UserId) -> String,
}

/// A file that only Matrix clients can open; its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncryptedFile(pub String);

/// `None`: not a person's words (`m.notice` is how bots speak), or none at all.
pub fn written(content: &Content, setting: &Setting<'_>) -> Result<Option<Written>, EncryptedFile> {
    let mut written = match content {
        Content::Poll(poll) => Written { body: Body { text: poll_text(poll), html: None }, ..Written::default() },
        Content::Sticker(message) => file(message, "image/png", setting)?,
        Content::Message(message) => match of_type(message, setting)? {
            Some(written) => written,
            None => return Ok(None),
        },
    };
    if let Content::Message(message) = content {
        for user in &message.mentions.user_ids {
            mention(&mut written.body, user, setting);
        }
    }
    let is_empty = written.body.text.trim().is_empty() && written.body.html.is_none() && written.file.is_none();
    Ok((!is_empty).then_some(written))
}

fn of_type(message: &Message, setting: &Setting<'_>) -> Result<Option<Written>, EncryptedFile> {
    Ok(Some(match message.msgtype.as_deref().unwrap_or_default() {
        "m.notice" | "m.server_notice" | "m.key.verification.request" => return Ok(None),
        "m.emote" => emote(message, setting.writer),
        "m.location" => location(message),
        "m.image" => file(message, "image/jpeg", setting)?,
        "m.video" => file(message, "video/mp4", setting)?,
        "m.audio" => file(message, "audio/ogg", setting)?,
        "m.file" => file(message, "application/octet-stream", setting)?,
        // What is not known has words for those who do not know it.
        _ => text(message),
    }))
}

/// The words of a message for a quote, in plain text; a file is called by its name.
pub fn plain_words(content: &Content) -> String {
    match content {
        Content::Poll(poll) => poll.question.clone(),
        Content::Sticker(message) => message.body.clone(),
        Content::Message(message) => strip_reply(&message.body).1.to_owned(),
    }
}

fn text(message: &Message) -> Written {
    let (fallback, text) = strip_reply(&message.body);
    Written { body: Body { text: text.to_owned(), html: html(message) }, fallback, ..Written::default() }
}

fn html(message: &Message) -> Option<String> {
    let html =
        message.formatted_body.as_deref().filter(|_| message.format.as_deref() == Some("org.matrix.custom.html"));
    html.map(outgoing_html)
}

fn emote(message: &Message, writer: &str) -> Written {
    let Written { body: Body { text, html }, fallback, .. } = text(message);
    let html = html.map(|html| format!("* {} {html}", escape(writer)));
    Written { body: Body { text: format!("* {writer} {text}"), html }, fallback, ..Written::default() }
}

fn poll_text(poll: &Poll) -> String {
    let answers = poll.answers.iter().enumerate().map(|(n, answer)| format!("\n{}. {answer}", n + 1));
    format!("{}{}", poll.question, answers.collect::<String>())
}

/// The description, a link for people, and the place for programs (RFC 5870).
fn location(message: &Message) -> Written {
    let geo = message.geo_uri.as_deref().unwrap_or_default();
    let Some((latitude, longitude)) = coordinates(geo) else { return text(message) };
    let link = format!("https://www.openstreetmap.org/?mlat={latitude}&mlon={longitude}#map=17/{latitude}/{longitude}");
    // Clients that have no description write the place into the body.
    let description = Some(message.body.trim()).filter(|body| !body.is_empty() && !body.contains("geo:"));
    let lines: Vec<&str> = description.into_iter().chain([link.as_str(), geo]).collect();
    Written { body: Body { text: lines.join("\n"), html: None }, ..Written::default() }
}

/// Of `geo:54.4,11.2;u=35`; numbers again, so that nothing else gets into a link.
fn coordinates(uri: &str) -> Option<(f64, f64)> {
    let rest = uri.strip_prefix("geo:")?.split([';', '?']).next()?;
    let mut numbers = rest.split(',').map(|number| number.trim().parse::<f64>().ok().filter(|it| it.is_finite()));
    Some((numbers.next()??, numbers.next()??))
}

/// Where there is a `filename`, `body` is the caption (Client-Server API 1.10); else it is the file's name.
fn file(message: &Message, usual: &str, setting: &Setting<'_>) -> Result<Written, EncryptedFile> {
    let media_type = message.info.mimetype.clone().unwrap_or_else(|| usual.to_owned());
    let caption = message.filename.as_ref().is_some_and(|name| *name != message.body);
    let called = message.filename.as_ref().unwrap_or(&message.body);
    let name = if message.voice.is_some() {
        format!("{} {}{}", (setting.voice)(), date(setting.at), ending(&media_type))
    } else if called.contains('.') {
        called.clone()
    } else {
        format!("{}{}", if called.trim().is_empty() { "file" } else { called }, ending(&media_type))
    };
    let Some(location) = message.url.clone() else {
        return if message.file.is_some() { Err(EncryptedFile(name)) } else { Ok(text(message)) };
    };
    let (fallback, words) = strip_reply(&message.body);
    let body = if caption { Body { text: words.to_owned(), html: html(message) } } else { Body::default() };
    let file = Some(Attachment { name, media_type, location, bytes: Bytes::new() });
    Ok(Written { body, file, size: message.info.size, fallback })
}

/// What names of files of this type end with; nothing for types of which nobody should guess.
fn ending(media_type: &str) -> &'static str {
    match media_type.split(';').next().unwrap_or_default().trim() {
        "audio/ogg" => ".ogg",
        "audio/mp4" | "audio/x-m4a" | "audio/aac" => ".m4a",
        "audio/mpeg" => ".mp3",
        "audio/webm" => ".webm",
        "audio/wav" | "audio/x-wav" => ".wav",
        "image/png" => ".png",
        "image/jpeg" => ".jpg",
        "image/gif" => ".gif",
        "image/webp" => ".webp",
        "video/mp4" => ".mp4",
        "video/webm" => ".webm",
        "application/pdf" => ".pdf",
        _ => "",
    }
}

/// `2026-11-23`. No time of day: nobody here knows the writer's time zone.
fn date(at: i64) -> String {
    // Days since 1970-01-01 as a date, counted in eras of 400 years that begin in March.
    let days = at.div_euclid(86_400_000) + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Some clients write a mentioned user's id into the text.
fn mention(body: &mut Body, user: &UserId, setting: &Setting<'_>) {
    let in_text = body.text.contains(user.as_str());
    let in_html = body.html.as_deref().is_some_and(|html| html.contains(user.as_str()));
    if !in_text && !in_html {
        return;
    }
    let name = (setting.name_of)(user);
    body.text = body.text.replace(user.as_str(), &name);
    body.html = body.html.take().map(|html| html.replace(user.as_str(), &escape(&name)));
}

/// Takes off the quote in front of a reply: `> <@bob:example.org> words`, more lines with `> `, and an empty line.
fn strip_reply(text: &str) -> (Option<Fallback>, &str) {
    let parts = text.strip_prefix("> <").and_then(|_| text.split_once("\n\n"));
    let Some((quote, rest)) = parts.filter(|(quote, _)| quote.lines().all(|line| line.starts_with('>'))) else {
        return (None, text);
    };
    let lines: Vec<&str> = quote.lines().map(|line| line.trim_start_matches('>').trim_start()).collect();
    let quoted = lines.join("\n");
    let (sender, text) = quoted.strip_prefix('<').and_then(|it| it.split_once('>')).unwrap_or(("", &quoted));
    (Some(Fallback { sender: sender.to_owned(), text: text.trim().to_owned() }), rest)
}

#[cfg(test)]
mod tests {
    use super::{super::content::said, *};
    use serde_json::{Value, json};

    const AT: i64 = 1_795_428_900_000;

    fn read_as(kind: &str, content: Value) -> Result<Option<Written>, EncryptedFile> {
        let name_of = |_: &UserId| "Bob <x>".to_owned();
        let setting = Setting { writer: "Anna", at: AT, voice: &|| "Sprachnachricht".into(), name_of: &name_of };
        written(&said(kind, &content.to_string()).unwrap().unwrap().content, &setting)
    }

    fn read(content: Value) -> Written {
        read_as("m.room.message", content).unwrap().unwrap()
    }

    #[test]
    fn formatting_crosses_and_mentions_become_names() {
        let message = read(json!({
            "msgtype": "m.text", "body": "Hallo Bob", "format": "org.matrix.custom.html",
            "formatted_body": "<mx-reply><blockquote>old</blockquote></mx-reply>Hallo <b>fett</b> \
                <a href=\"https://matrix.to/#/@bob:x.org\">Bob</a> <a href=\"https://x.org\">x</a><script>1</script>",
        }));
        assert_eq!(message.body.html.as_deref(), Some("Hallo <b>fett</b> <a>Bob</a> <a href=\"https://x.org\">x</a>"));
    }

    #[test]
    fn no_matrix_id_of_a_mentioned_person_goes_outside() {
        let message = read(json!({
            "msgtype": "m.text", "body": "@_email_bob:x: bitte", "format": "org.matrix.custom.html",
            "formatted_body": "<a href=\"https://matrix.to/#/x\">@_email_bob:x</a>: bitte",
            "m.mentions": { "user_ids": ["@_email_bob:x"] },
        }));
        assert_eq!(message.body.text, "Bob <x>: bitte");
        assert_eq!(message.body.html.as_deref(), Some("<a>Bob &lt;x&gt;</a>: bitte"));
    }

    #[test]
    fn the_quote_of_a_reply_is_taken_off_and_kept() {
        let message = read(json!({ "msgtype": "m.text", "body": "> <@bob:x> old\n> more\n\nnew" }));
        assert_eq!(message.body.text, "new");
        assert_eq!(message.fallback, Some(Fallback { sender: "@bob:x".into(), text: "old\nmore".into() }));
        let own = read(json!({ "msgtype": "m.text", "body": "> <b\nmine" }));
        assert_eq!((own.body.text.as_str(), own.fallback), ("> <b\nmine", None));
    }

    #[test]
    fn a_picture_with_a_caption_is_words_and_a_file() {
        let message = read(json!({
            "msgtype": "m.image", "body": "Der *Plan*", "filename": "plan.png", "url": "mxc://x/y",
            "format": "org.matrix.custom.html", "formatted_body": "Der <em>Plan</em>",
            "info": { "mimetype": "image/png", "size": 77 },
        }));
        assert_eq!(message.body, Body { text: "Der *Plan*".into(), html: Some("Der <em>Plan</em>".into()) });
        let file = message.file.unwrap();
        assert_eq!((file.name.as_str(), file.location.as_str()), ("plan.png", "mxc://x/y"));
        assert_eq!((file.media_type.as_str(), message.size), ("image/png", 77));
    }

    #[test]
    fn files_have_names_that_their_readers_can_open() {
        let name = |content: Value| read(content).file.unwrap().name;
        let voice = json!({
            "msgtype": "m.audio", "body": "Voice message.ogg", "url": "mxc://x/y", "info": { "mimetype": "audio/ogg" },
            "org.matrix.msc3245.voice": {}, "org.matrix.msc1767.audio": { "duration": 5 },
        });
        assert_eq!(name(voice), "Sprachnachricht 2026-11-23.ogg");
        let image =
            json!({ "msgtype": "m.image", "body": "Foto", "url": "mxc://x/y", "info": { "mimetype": "image/png" } });
        assert_eq!(name(image), "Foto.png");
        let film = json!({ "msgtype": "m.video", "body": "film.mp4", "url": "mxc://x/y", "info": { "size": 7 } });
        let film = read(film).file.unwrap();
        assert_eq!((film.name.as_str(), film.media_type.as_str()), ("film.mp4", "video/mp4"));
        assert_eq!(name(json!({ "msgtype": "m.file", "body": "", "url": "mxc://x/y" })), "file");
        let sticker = json!({ "body": "Winkende Katze", "url": "mxc://x/y", "info": { "mimetype": "image/webp" } });
        let sticker = read_as("m.sticker", sticker).unwrap().unwrap();
        assert_eq!((sticker.file.unwrap().name.as_str(), sticker.body.text.as_str()), ("Winkende Katze.webp", ""));
    }

    #[test]
    fn dates_are_right_in_leap_years_and_before_1970() {
        for (at, expected) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (1_709_164_800_000, "2024-02-29"),
            (1_735_689_599_999, "2024-12-31"),
            (951_782_400_000, "2000-02-29"),
        ] {
            assert_eq!(date(at), expected);
        }
    }

    #[test]
    fn a_place_is_a_link_that_everybody_can_open() {
        let place =
            |body: &str, geo: &str| read(json!({ "msgtype": "m.location", "body": body, "geo_uri": geo })).body.text;
        assert_eq!(
            place("Rathaus", "geo:54.4378,11.1931;u=35"),
            "Rathaus\nhttps://www.openstreetmap.org/?mlat=54.4378&mlon=11.1931#map=17/54.4378/11.1931\n\
             geo:54.4378,11.1931;u=35"
        );
        assert!(place("Location geo:54.4,11.2 at 10:15", "geo:54.4,11.2").starts_with("https://"));
        assert_eq!(place("Rathaus", "geo:x,\"><script>"), "Rathaus");
    }

    #[test]
    fn a_poll_is_a_question_with_numbered_answers() {
        let answers: Vec<_> = ["Montag", "Dienstag"].map(|text| json!({ "m.text": [{ "body": text }] })).into();
        let poll = json!({ "m.poll": { "question": { "m.text": [{ "body": "Wann?" }] }, "answers": answers } });
        assert_eq!(read_as("m.poll.start", poll).unwrap().unwrap().body.text, "Wann?\n1. Montag\n2. Dienstag");
    }

    #[test]
    fn an_emote_names_its_writer() {
        let emote = read(json!({ "msgtype": "m.emote", "body": "winkt" }));
        assert_eq!(emote.body.text, "* Anna winkt");
    }

    #[test]
    fn what_nobody_knows_crosses_as_its_words() {
        assert_eq!(read(json!({ "msgtype": "org.example.new", "body": "In Worten" })).body.text, "In Worten");
    }

    #[test]
    fn an_encrypted_file_is_refused_by_its_name() {
        let file = json!({ "msgtype": "m.file", "body": "geheim.pdf", "file": { "url": "mxc://x/y" } });
        assert_eq!(read_as("m.room.message", file), Err(EncryptedFile("geheim.pdf".into())));
    }

    #[test]
    fn a_bot_is_not_a_person_and_silence_says_nothing() {
        for content in [json!({ "msgtype": "m.notice", "body": "beep" }), json!({ "msgtype": "m.text", "body": " \n" })]
        {
            assert_eq!(read_as("m.room.message", content), Ok(None));
        }
    }
}
