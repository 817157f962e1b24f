//! The time between writing and sending: what becomes one delivery, until when, and what it says then. Pure.

use super::outgoing::{Outgoing, Part, Purpose};
use crate::{
    matrix::format::escape,
    message::{Attachment, Body},
};
use std::time::Duration;

/// Lines that follow each other for ever are sent after this many times the hold.
const LONGEST: i64 = 3;

/// Reads a row's payload.
pub(super) fn read(payload: &[u8]) -> Result<Outgoing, serde_json::Error> {
    let mut outgoing: Outgoing = serde_json::from_slice(payload)?;
    if let Some(event) = outgoing.only_event.take() {
        let delivery = &mut outgoing.delivery;
        let (body, at) = (std::mem::take(&mut delivery.body), delivery.written_at);
        let words = super::outgoing::Words { body, file: delivery.attachments.pop(), size: 0 };
        outgoing.parts.push(Part { event, at, words, reply_to: None, fallback: None, replaced: Vec::new() });
    }
    Ok(outgoing)
}

/// Whether a message becomes part of a delivery that still waits: the same writer, people and Matrix thread, and nothing
/// that needs a delivery of its own. `limit`: of all files together, in bytes.
pub(super) fn joins(waiting: &Outgoing, message: &Outgoing, limit: u64) -> bool {
    let size = |outgoing: &Outgoing| outgoing.parts.iter().map(|part| part.words.size).sum::<u64>();
    let (first, new) = (waiting.parts.first(), message.parts.first());
    let answers_the_same =
        new.is_some_and(|new| new.reply_to.is_none() || first.is_some_and(|first| first.reply_to == new.reply_to));
    waiting.purpose == Purpose::Message
        && message.purpose == Purpose::Message
        && waiting.delivery.writer.user == message.delivery.writer.user
        && waiting.author == message.author
        && waiting.delivery.audience == message.delivery.audience
        && waiting.thread == message.thread
        && answers_the_same
        && size(waiting).saturating_add(size(message)) <= limit
}

/// When a delivery is due that has got another part `now`; times in milliseconds since 1970.
pub(super) fn prolonged(since: i64, now: i64, hold: Duration) -> i64 {
    let hold = hold.as_millis() as i64;
    (now + hold).min(since + LONGEST * hold)
}

/// All words in order, and all files, each under a name of its own.
pub(super) fn joined(parts: &[Part]) -> (Body, Vec<Attachment>) {
    let mut files: Vec<Attachment> = Vec::new();
    for file in parts.iter().filter_map(|part| part.words.file.as_ref()) {
        let name = free_name(&file.name, &files);
        files.push(Attachment { name, ..file.clone() });
    }
    (bodies(parts.iter().map(|part| &part.words.body)), files)
}

/// Each body as a paragraph; HTML only if one of them has it.
pub(super) fn bodies<'b>(bodies: impl Iterator<Item = &'b Body>) -> Body {
    let bodies: Vec<&Body> = bodies.filter(|body| !body.text.trim().is_empty() || body.html.is_some()).collect();
    if let [one] = bodies[..] {
        return one.clone();
    }
    let text = bodies.iter().map(|body| body.text.trim_end()).collect::<Vec<_>>().join("\n\n");
    let html = bodies.iter().any(|body| body.html.is_some());
    let html = html.then(|| bodies.iter().map(|body| paragraph(body)).collect::<String>());
    Body { text, html }
}

fn paragraph(body: &Body) -> String {
    const BLOCKS: &[&str] = &["<p", "<ul", "<ol", "<div", "<h", "<blockquote", "<pre", "<table", "<details"];
    match &body.html {
        Some(html) if BLOCKS.iter().any(|block| html.contains(block)) => html.clone(),
        Some(html) => format!("<p>{html}</p>"),
        None => format!("<p>{}</p>", escape(body.text.trim_end()).replace('\n', "<br>")),
    }
}

/// `image.png`, `image (2).png`: programs that save files of one mail into one folder must not lose any.
fn free_name(name: &str, taken: &[Attachment]) -> String {
    let is_free = |name: &str| taken.iter().all(|file| !file.name.eq_ignore_ascii_case(name));
    if is_free(name) {
        return name.to_owned();
    }
    let (stem, ending) = name.rfind('.').and_then(|dot| name.split_at_checked(dot)).unwrap_or((name, ""));
    let mut names = (2..).map(|n: u32| format!("{stem} ({n}){ending}"));
    names.find(|name| is_free(name)).unwrap_or_else(|| name.to_owned())
}

/// A delivery of one part, for tests.
#[cfg(test)]
pub(super) fn sample(event: &str, text: &str) -> Outgoing {
    use crate::{
        ids::{DeliveryId, LocalUser, RemoteUserId},
        message::{Delivery, Thread, Writer},
    };
    let words = super::outgoing::Words { body: Body { text: text.into(), html: None }, file: None, size: 0 };
    let event = ruma::EventId::parse(if event == "$" { "$0" } else { event }).unwrap();
    Outgoing {
        room: ruma::room_id!("!r:x").to_owned(),
        ghost: ruma::user_id!("@_email_bob:x").to_owned(),
        thread: None,
        purpose: Purpose::Message,
        anew: false,
        elsewhere: 0,
        author: None,
        delivery: Delivery {
            id: DeliveryId::new("id"),
            writer: Writer { user: LocalUser::new("anna"), name: "Anna Muster".into() },
            author: None,
            to: RemoteUserId::new("bob@example.org"),
            audience: vec![RemoteUserId::new("bob@example.org")],
            copies: Vec::new(),
            thread: Thread::default(),
            quote: None,
            reaction: None,
            reactions: None,
            replaces: None,
            takes_back: None,
            written_by: None,
            topic: None,
            moderates: None,
            body: Body::default(),
            attachments: Vec::new(),
            written_at: 1_000,
        },
        parts: vec![Part { event, at: 1_000, words, reply_to: None, fallback: None, replaced: Vec::new() }],
        reactions: Vec::new(),
        only_event: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{LocalUser, RemoteUserId};
    use bytes::Bytes;
    use ruma::event_id;

    fn file(name: &str) -> Attachment {
        let (location, bytes) = (format!("mxc://x/{name}"), Bytes::new());
        Attachment { name: name.into(), media_type: "image/png".into(), location, bytes }
    }

    #[test]
    fn quick_lines_of_one_writer_to_the_same_people_are_one_delivery() {
        let (first, second) = (sample("$1", "eins"), sample("$2", "zwei"));
        assert!(joins(&first, &second, 100));
        let different = |change: &dyn Fn(&mut Outgoing)| {
            let mut second = second.clone();
            change(&mut second);
            !joins(&first, &second, 100)
        };
        assert!(different(&|it| it.delivery.writer.user = LocalUser::new("tom")));
        assert!(different(&|it| it.author = Some(ruma::user_id!("@_email_eve:x").to_owned())));
        assert!(different(&|it| it.delivery.audience.push(RemoteUserId::new("eve@example.org"))));
        assert!(different(&|it| it.thread = Some(event_id!("$root").to_owned())));
        assert!(different(&|it| it.parts[0].reply_to = Some(event_id!("$bob").to_owned())));
        assert!(different(&|it| it.parts[0].words.size = 101));
        assert!(different(&|it| it.purpose = Purpose::Correction { of: event_id!("$0").to_owned(), first: true }));
    }

    #[test]
    fn a_line_goes_with_an_answer_but_an_answer_with_nothing_else() {
        let (mut answer, line) = (sample("$1", "Ja."), sample("$2", "Gern."));
        answer.parts[0].reply_to = Some(event_id!("$bob").to_owned());
        assert!(joins(&answer, &line, 100));
        assert!(joins(&answer, &answer, 100));
        assert!(!joins(&line, &answer, 100));
    }

    #[test]
    fn waiting_has_an_end() {
        let hold = Duration::from_secs(10);
        assert_eq!(prolonged(1_000, 5_000, hold), 15_000);
        assert_eq!(prolonged(1_000, 30_000, hold), 31_000);
    }

    #[test]
    fn all_words_stand_in_order_and_all_files_have_names_of_their_own() {
        let mut all = sample("$1", "Guten Tag");
        all.parts.extend(sample("$2", "anbei <beides>\nmit Gruß").parts);
        all.parts.extend(sample("$3", "").parts);
        all.parts.extend(sample("$4", "").parts);
        all.parts[2].words.file = Some(file("image.png"));
        all.parts[3].words.file = Some(file("Image.png"));
        let (body, files) = joined(&all.parts);
        assert_eq!(body, Body { text: "Guten Tag\n\nanbei <beides>\nmit Gruß".into(), html: None });
        assert_eq!(files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["image.png", "Image (2).png"]);

        all.parts[0].words.body.html = Some("<b>Guten</b> Tag".into());
        let html = joined(&all.parts).0.html.unwrap();
        assert_eq!(html, "<p><b>Guten</b> Tag</p><p>anbei &lt;beides&gt;<br>mit Gruß</p>");
    }

    #[test]
    fn a_single_message_stays_as_it_was_written() {
        let mut one = sample("$1", "Guten Tag \n");
        one.parts[0].words.body.html = Some("Guten <i>Tag</i>".into());
        assert_eq!(joined(&one.parts).0, one.parts[0].words.body);
    }

    #[test]
    fn a_row_without_parts_has_one() {
        let mut old = sample("$1", "");
        old.parts.clear();
        old.delivery.body.text = "Guten Tag".into();
        old.delivery.attachments.push(file("plan.png"));
        old.only_event = Some(event_id!("$1").to_owned());
        let read = read(&serde_json::to_vec(&old).unwrap()).unwrap();
        let part = &read.parts[0];
        assert_eq!((part.event.as_str(), part.words.body.text.as_str()), ("$1", "Guten Tag"));
        assert_eq!(part.words.file.as_ref().unwrap().name, "plan.png");
        assert!(read.delivery.attachments.is_empty());
    }
}
