//! Each form that a message can have, over a network that has few of them: what people get, and what its writer is told.

use crate::common::{
    Contact, Conversation, Fehmarn, Setup, Staff,
    events::{bodies, event_id, text},
    staff::File,
    until,
};
use serde_json::{Value, json};

const TOLD: [(&str, &str); 5] = [
    ("poll", "Abstimmen können Menschen außerhalb nicht. Sie bekommen die Frage und die Antworten als Text."),
    ("place", "Menschen außerhalb bekommen den Standort als Link."),
    ("sticker", "Menschen außerhalb bekommen den Sticker als Bild."),
    ("voice", "Menschen außerhalb bekommen die Sprachnachricht als Datei."),
    ("thread", "Nicht alle hier sehen Threads. Sie bekommen, was darin steht, als Antworten auf die erste Nachricht."),
];

/// Where an uploaded file is.
async fn uploaded(anna: &Staff, room: &str, file: &File<'_>) -> String {
    let event = anna.send_file(room, "m.file", file).await;
    let event = anna.wait_for(room, "its event", |it| event_id(it) == event).await;
    text(&event, "/content/url").to_owned()
}

async fn say_everything_twice(anna: &Staff, room: &str, root: &str, url: &str) {
    for n in 1..=2 {
        let place =
            json!({ "msgtype": "m.location", "body": format!("Rathaus {n}"), "geo_uri": "geo:54.4378,11.1931" });
        anna.send(room, place).await;
        let words = |text: &str| json!({ "org.matrix.msc1767.text": text });
        let poll = json!({ "question": words(&format!("Frage {n}?")), "answers": [words("Ja"), words("Nein")] });
        let kind = "org.matrix.msc3381.poll.start";
        anna.send_event(room, kind, json!({ kind: poll })).await;
        let voice = json!({
            "msgtype": "m.audio", "body": "Voice message.ogg", "url": url, "info": { "mimetype": "audio/ogg", "size": 4 },
            "org.matrix.msc3245.voice": {},
        });
        anna.send(room, voice).await;
        let sticker = json!({ "body": format!("Katze {n}"), "url": url, "info": { "mimetype": "image/png" } });
        anna.send_event(room, "m.sticker", sticker).await;
        let picture = json!({
            "msgtype": "m.image", "body": format!("Der Plan {n}"), "filename": "plan.png", "url": url,
            "info": { "mimetype": "image/png", "size": 4 },
        });
        anna.send(room, picture).await;
        anna.say_in_thread(room, root, &format!("Im Thread {n}")).await;
    }
}

/// How often each change was told.
async fn told(anna: &Staff, room: &str) -> Vec<(&'static str, usize)> {
    let messages = anna.messages(room).await;
    let said = bodies(&messages);
    TOLD.iter().map(|(form, words)| (*form, said.iter().filter(|it| *it == words).count())).collect()
}

const SOUND: File<'static> = File { name: "ton.ogg", media_type: "audio/ogg", bytes: b"OggS" };

#[tokio::test(flavor = "multi_thread")]
async fn what_xmpp_does_not_have_comes_in_its_best_form_and_the_writer_is_told_once() {
    let fehmarn = Setup::with_xmpp().start().await;
    let (anna, eve) = (Staff::new("Anna Muster").await, Contact::new("Eve").await);
    let room = anna.direct_chat(&fehmarn.slot().ghost_of("xmpp", &eve.address)).await;
    let root = anna.say(&room, "Guten Tag").await;
    eve.wait_for_words("Guten Tag").await;
    let url = uploaded(&anna, &room, &SOUND).await;
    say_everything_twice(&anna, &room, &root, &url).await;
    eve.wait_for_words("> Guten Tag\nIm Thread 2").await;
    let xml = eve.wait_for_words("> Guten Tag\nIm Thread 1").await["xml"].to_string();
    assert!(xml.contains("urn:xmpp:reply:0"), "what stands in a thread answers its root: {xml}");
    until("empty queues", async || fehmarn.rows("").is_empty().then_some(())).await;
    let messages = eve.messages_from(&anna.address(&fehmarn.slot().xmpp_domain));
    let got: Vec<&str> = messages.iter().map(|told| told["body"].as_str().unwrap()).collect();
    for n in 1..=2 {
        let place =
            "https://www.openstreetmap.org/?mlat=54.4378&mlon=11.1931#map=17/54.4378/11.1931\ngeo:54.4378,11.1931";
        for words in [format!("Rathaus {n}\n{place}"), format!("Frage {n}?\n1. Ja\n2. Nein"), format!("Der Plan {n}")] {
            assert!(got.contains(&words.as_str()), "{words} is not in {got:#?}");
        }
    }
    let links = |part: &str| got.iter().filter(|it| it.starts_with("http") && it.contains(part)).count();
    assert_eq!((links("plan.png"), links("Sprachnachricht"), links("Katze")), (2, 2, 2), "{got:#?}");
    assert!(told(&anna, &room).await.iter().all(|(_, count)| *count == 1), "{:?}", told(&anna, &room).await);

    let poll = |event: &Value| text(event, "/content/body") == TOLD[0].1;
    assert!(
        !text(&anna.wait_for(&room, "a notice", poll).await, "/content/m.relates_to/m.in_reply_to/event_id").is_empty()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_mail_does_not_have_is_told_once_and_a_thread_is_one_there_too() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let (anna, room) = (&talk.anna, &talk.room);
    let url = uploaded(anna, room, &SOUND).await;
    let root = anna.say(room, "Dazu:").await;
    talk.bob.wait_for_text("Dazu:").await;
    say_everything_twice(anna, room, &root, &url).await;
    talk.bob.wait_for_text("Im Thread 2").await;
    until("empty queues", async || talk.fehmarn.rows("").is_empty().then_some(())).await;
    let expected = [("poll", 1), ("place", 1), ("sticker", 1), ("voice", 1), ("thread", 0)];
    assert_eq!(told(anna, room).await, expected);

    let heard = talk.hear("Ich komme um 10.").await;
    for emoji in ["👍", "🎉"] {
        anna.react(room, event_id(&heard), emoji).await;
    }
    let later = "Nicht alle hier sehen Reaktionen. Sie lesen davon am Ende Ihrer nächsten Nachricht.";
    anna.wait_for_notice(room, later).await;
    let said = anna.say(room, "Bis dann um 11.").await;
    talk.bob.wait_for_mail("a mail", |mail| mail.text().starts_with("Bis dann um 11.")).await;
    for hour in ["12", "13"] {
        anna.edit(room, &said, &format!("Bis dann um {hour}.")).await;
        let new = format!("Bis dann um {hour}.");
        talk.bob
            .wait_for_mail("a correction", |mail| mail.text().contains("Korrektur") && mail.text().contains(&new))
            .await;
    }
    let correction = "Die Nachricht war schon verschickt und lässt sich nicht bei allen ändern. \
                      Sie bekommen die neue Fassung als kurze Korrektur.";
    anna.wait_for_notice(room, correction).await;
    until("empty queues", async || talk.fehmarn.rows("").is_empty().then_some(())).await;
    let messages = anna.messages(room).await;
    for words in [later, correction] {
        assert_eq!(bodies(&messages).iter().filter(|it| **it == words).count(), 1, "{words}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_files_can_be_sent_nobody_is_told_of_their_size() {
    let mut setup = Setup::with_xmpp();
    setup.xmpp.as_mut().unwrap().retain(|line| !line.starts_with("upload:"));
    let fehmarn = setup.start().await;
    let (anna, eve) = (Staff::new("Anna Muster").await, Contact::new("Eve").await);
    let room = anna.direct_chat(&fehmarn.slot().ghost_of("xmpp", &eve.address)).await;
    anna.say(&room, "Guten Tag").await;
    eve.wait_for_words("Guten Tag").await;
    anna.send_file(&room, "m.file", &SOUND).await;
    let told = "Die Datei ton.ogg wurde nicht gesendet: Auf diesem Weg lassen sich keine Dateien senden.";
    anna.wait_for_notice(&room, told).await;
}
