//! Mails as programs write them, through Postfix and a real homeserver: what staff see, and how they get at the rest.

use crate::common::{
    Conversation, Fehmarn, Letter, Mail, Outside, Staff, body,
    events::{event_id, text},
    lmtp,
    outside::hand_over,
};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The delivery that the fixtures speak of, and their addresses of staff and of people outside.
const DELIVERY: &str = "mzxw6ytboi2dkmbrgq4tqmzxga";
const STAFF: &str = "anna@amt.example";
const PEOPLE: &[&str] =
    &["bob@example.org", "bob@example.net", "bob@example.com", "emil@example.com", "dora@example.org"];

/// A reviewed mail or page, as if Bob had written it to Anna, on a message of hers.
fn adapted(talk: &Conversation, text: &str, about: &Mail) -> String {
    let delivery = about.message_id().split('@').next().unwrap().to_owned();
    let to_delivery = talk.address().replace('@', &format!("+{delivery}@"));
    let text = text.replace(&format!("anna+{DELIVERY}@amt.example"), &to_delivery);
    let text = text.replace(&format!("{DELIVERY}@amt.example"), &about.message_id());
    let text = text.replace(STAFF, &talk.address());
    PEOPLE.iter().fold(text, |text, person| text.replace(person, &talk.bob.address))
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/golden").join(name)
}

/// What a mail server outside hands over: without what ours writes.
fn mail(talk: &Conversation, name: &str, about: &Mail) -> Vec<u8> {
    // Each byte as a character: the mails have all character sets.
    let mail: String = fs::read(file(&format!("{name}.eml"))).unwrap().into_iter().map(char::from).collect();
    let mail = adapted(talk, &mail, about);
    let lines = mail.split('\n').filter(|line| !line.starts_with("Return-Path:") && !line.starts_with("Delivered-To:"));
    lines.collect::<Vec<_>>().join("\r\n").chars().map(|c| u8::try_from(c).unwrap()).collect()
}

/// Words and names of the files, as the page beside the mail has them.
fn page(talk: &Conversation, name: &str) -> (String, Vec<String>) {
    let page = adapted(talk, &fs::read_to_string(file(&format!("{name}.txt"))).unwrap(), &talk.first);
    let (_, rest) = page.split_once("--- text\n").unwrap();
    let words = rest.split("\n--- ").next().unwrap().trim_end().to_owned();
    let files = rest.lines().filter_map(|line| line.strip_prefix("--- file \"")?.split_once("\", "));
    (words, files.map(|(name, _)| name.to_owned()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_mail_is_shown_as_its_reviewed_page_says() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    for name in [
        "outlook-classic-de-reply",
        "gmx-web-de-reply",
        "thunderbird-de-interleaved",
        "apple-mail-pictures",
        "outlook-winmail-dat",
        "outlook-invitation",
        "attached-mail",
        "charset-mixed",
        "broken-cut-off",
        "smime-signed",
        "file-names",
    ] {
        let (words, files) = page(&talk, name);
        talk.bob.send_raw(&[&talk.address()], &mail(&talk, name, &talk.first)).await;
        let message = talk.anna.wait_for_words(&talk.room, &talk.ghost, &words).await;
        let is_last = |event: &Value| files.last().is_none_or(|last| body(event) == last);
        talk.anna.wait_for(&talk.room, "its files", is_last).await;
        let messages = talk.anna.messages(&talk.room).await;
        let from_bob = messages.iter().filter(|event| text(event, "/sender") == talk.ghost);
        let behind = from_bob.skip_while(|event| event_id(event) != event_id(&message)).skip(1);
        let behind: Vec<&Value> = behind.filter(|event| text(event, "/content/msgtype") != "m.notice").collect();
        assert_eq!(behind.iter().map(|event| body(event)).collect::<Vec<_>>(), files, "{name}");
        for file in behind {
            let bytes = talk.anna.download(text(file, "/content/url")).await;
            assert_eq!(file["content"]["info"]["size"], bytes.len(), "{name}: {file}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_for_it_gets_the_whole_mail_as_it_came() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let quoted = "Danke!\n\nAm 12.11.2026 um 10:00 schrieb Anna Muster:\n> Guten Tag\n> und danke";
    talk.bob.send(talk.answer(quoted)).await;
    let message = talk.anna.wait_for_words(&talk.room, &talk.ghost, "Danke!").await;
    let hint = "Zitate und Signaturen sind hier ausgeblendet. Reagieren Sie mit \u{1f4c4} auf eine Nachricht, um sie ganz zu sehen.";
    talk.anna.wait_for_notice(&talk.room, hint).await;
    talk.anna.react(&talk.room, event_id(&message), "\u{1f4c4}\u{fe0f}").await;
    let is_file = |event: &Value| text(event, "/content/msgtype") == "m.file";
    let file = talk.anna.wait_for(&talk.room, "the original", is_file).await;
    assert_eq!((body(&file), text(&file, "/sender")), ("Original \u{2013} Guten Tag.eml", talk.ghost.as_str()));
    let original = String::from_utf8(talk.anna.download(text(&file, "/content/url")).await).unwrap();
    assert!(original.contains("From: \"Bob\"") && original.contains("\r\n> und danke"), "{original}");
    talk.tell("Ende").await;
    assert_eq!(talk.mailed().await, ["Guten Tag", "Ende"], "asking is no mail");
}

/// What people can do about a mail that came back.
const AGAIN: &str = "Reagieren Sie mit \u{1f501} auf Ihre Nachricht, um sie noch einmal zu senden.";

#[tokio::test(flavor = "multi_thread")]
async fn delays_readings_complaints_and_returns_change_what_the_writer_sees() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let bob = &talk.bob.address;
    for (name, told) in [
        (
            "delay-exim",
            format!(
                "Die Nachricht an {bob} ist noch nicht angekommen. Es wird weiter versucht; Sie brauchen nichts zu tun."
            ),
        ),
        ("complaint-arf", format!("{bob} hat Ihre Nachricht als unerw\u{fc}nscht gemeldet.")),
        ("bounce-gmx-de", format!("Die Nachricht an {bob} kam zur\u{fc}ck: Das Postfach ist voll. {AGAIN}")),
    ] {
        let said = talk.anna.say(&talk.room, name).await;
        let sent = talk.bob.wait_for_text(name).await;
        let to = talk.address().replace('@', &format!("+{}@", sent.message_id().split('@').next().unwrap()));
        hand_over(None, &[&to], &mail(&talk, name, &sent));
        let notice = talk.anna.wait_for_notice(&talk.room, &told).await;
        assert_eq!(text(&notice, "/content/m.relates_to/m.in_reply_to/event_id"), said);
    }
    let said = talk.anna.say(&talk.room, "Haben Sie es gelesen?").await;
    let sent = talk.bob.wait_for_text("Haben Sie es gelesen?").await;
    hand_over(Some(bob), &[&talk.address()], &mail(&talk, "receipt-read-outlook-de", &sent));
    assert_eq!(talk.anna.wait_for_read(&talk.room, &talk.ghost).await, said);
    let heard = talk.heard().await;
    assert_eq!(heard.len(), 3, "a report is no message: {heard:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reaction_is_one_on_both_sides_once_it_is_known_that_a_program_shows_them() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let said = talk.anna.say(&talk.room, "Der Termin steht.").await;
    let sent = talk.bob.wait_for_text("Der Termin steht.").await;
    talk.bob.send_raw(&[&talk.address()], &mail(&talk, "delta-chat-reaction", &sent)).await;
    let is_reaction = |event: &Value| text(event, "/type") == "m.reaction" && text(event, "/sender") == talk.ghost;
    let reaction = talk.anna.wait_for(&talk.room, "a reaction", is_reaction).await;
    let relation = &reaction["content"]["m.relates_to"];
    assert_eq!((text(relation, "/event_id"), text(relation, "/key")), (said.as_str(), "\u{1f44d}"));
    assert!(talk.heard().await.is_empty());

    let thanks = talk.hear("Danke").await;
    talk.anna.react(&talk.room, event_id(&thanks), "\u{1f389}").await;
    let mail = talk.bob.wait_for_mail("a reaction", |mail| mail.text().contains('\u{1f389}')).await;
    let raw = String::from_utf8_lossy(&mail.raw).to_ascii_lowercase();
    assert!(raw.contains("content-disposition: reaction"), "{raw}");
    assert!(mail.in_reply_to()[0].starts_with("letter-"), "{:?}", mail.in_reply_to());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_overtakes_what_it_answers_ends_in_the_same_room() {
    let fehmarn = Fehmarn::new().await;
    let anna = Staff::new("Anna Muster").await;
    let (bob, eve) = (Outside::new("Bob"), Outside::new("Eve"));
    let ghosts = [&bob, &eve].map(|person| fehmarn.slot().ghost(&person.address));
    let address = anna.address(&fehmarn.slot().domain);
    // Two rooms of the same people: who they are says nothing of where it belongs.
    let mut rooms = Vec::new();
    for name in ["Ortstermin", "Etwas anderes"] {
        let room = anna.room(name, &[&ghosts[0], &ghosts[1]]).await;
        let said = anna.say(&room, name).await;
        let mail = bob.wait_for_text(name).await;
        eve.wait_for_text(name).await;
        rooms.push((room, said, mail));
    }
    let (room, said, asked) = &rooms[0];
    let first = Letter::answering_all(&bob, asked, &[&address, &eve.address]).text("Passt Dienstag?").bytes();
    let seen = Mail { raw: first.clone() };
    // Nor does the subject, which Eve has changed.
    let answer =
        Letter::answering_all(&eve, &seen, &[&address, &bob.address]).subject("Dienstag").text("Mir passt es.");
    eve.send(answer).await;
    let early = anna.wait_for_words(room, &ghosts[1], "Mir passt es.").await;
    bob.send_raw(&[&address], &first).await;
    let late = anna.wait_for_words(room, &ghosts[0], "Passt Dienstag?").await;
    let answers = |event: &Value| text(event, "/content/m.relates_to/m.in_reply_to/event_id").to_owned();
    assert_eq!([answers(&early), answers(&late)], [said.clone(), said.clone()], "the next older message that is there");
    assert_eq!(anna.invitations().await, 0, "there is no third room");
    assert_eq!(anna.messages(&rooms[1].0).await.len(), 1);
    anna.say(room, "Gut.").await;
    for mail in [bob.wait_for_text("Gut.").await, eve.wait_for_text("Gut.").await] {
        assert_eq!(mail.references().first(), Some(&asked.message_id()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_all_that_overtakes_the_first_mail_of_a_group_ends_in_one_room_with_it() {
    let fehmarn = Fehmarn::new().await;
    let anna = Staff::new("Anna Muster").await;
    let (bob, eve) = (Outside::new("Bob"), Outside::new("Eve"));
    let ghosts = [&bob, &eve].map(|person| fehmarn.slot().ghost(&person.address));
    let address = anna.address(&fehmarn.slot().domain);
    let first = Letter::to_all(&bob, &[&address, &eve.address]).subject("Ortstermin").text("Passt Dienstag?").bytes();
    let seen = Mail { raw: first.clone() };
    let all = [address.as_str(), &bob.address];
    eve.send(Letter::answering_all(&eve, &seen, &all).subject("Dienstag").text("Mir passt es.")).await;
    let room = anna.wait_for_invitation(&ghosts[1]).await;
    anna.join(&room).await;
    anna.wait_for_words(&room, &ghosts[1], "Mir passt es.").await;
    bob.send_raw(&[&address], &first).await;
    anna.wait_for_words(&room, &ghosts[0], "Passt Dienstag?").await;
    assert_eq!(anna.invitations().await, 0, "there is no second room");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_beyond_the_limits_is_shown_as_a_file_or_comes_back_to_its_sender() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let header = format!(
        "From: {}\r\nTo: {}\r\nSubject: Zu viel\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n",
        talk.bob.address,
        talk.address()
    );
    let many = format!("{header}{}--b--\r\n", "--b\r\n\r\nx\r\n".repeat(500));
    talk.bob.send_raw(&[&talk.address()], many.as_bytes()).await;
    let words =
        "Diese E-Mail ist zu gro\u{df} oder zu verschachtelt, um sie hier zu zeigen. Das Original h\u{e4}ngt daran.";
    talk.anna.wait_for_words(&talk.room, &talk.ghost, words).await;
    let is_file = |event: &Value| text(event, "/content/msgtype") == "m.file";
    let file = talk.anna.wait_for(&talk.room, "the original", is_file).await;
    let original = talk.anna.download(text(&file, "/content/url")).await;
    assert_eq!(String::from_utf8(original).unwrap().matches("--b\r\n\r\nx\r\n").count(), 500);

    let line = format!("{}\r\n", "A".repeat(76));
    let large = format!("{header}--b\r\n\r\n{}--b--\r\n", line.repeat(26 * 1024 * 1024 / line.len()));
    talk.bob.send_raw(&[&talk.address()], large.as_bytes()).await;
    let report = talk.bob.wait_for_mail("a report", |mail| mail.text().contains(&talk.address())).await;
    let report = String::from_utf8_lossy(&report.raw).into_owned();
    assert!(report.contains("Status: 5.3.4"), "{}", report.chars().take(3000).collect::<String>());
    // A server that does not look at what we announce is told as well.
    let port = talk.fehmarn.slot().lmtp_port;
    let answer = lmtp::hand_over(port, &talk.bob.address, &talk.address(), large.as_bytes()).await.unwrap();
    assert!(answer.starts_with("552 5.3.4"), "{answer}");
    assert_eq!(talk.heard().await.len(), 2);
}
