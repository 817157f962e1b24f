//! What is written, changed and taken back before a mail leaves, and after.

use crate::common::{
    Conversation, Fehmarn, Mail, Outside, Setup, Sitting, Staff,
    events::{event_id, text},
    gate::Gate,
    servers,
    staff::File,
    until,
};

/// Longer than a client needs between two lines, on a machine that has other things to do as well.
const HOLD: &str = "3s";

const GONE: &str = "Diese Nachricht ist schon verschickt und lässt sich nicht mehr zurückholen.";

async fn patient() -> Conversation {
    let mut setup = Setup::new();
    setup.hold = HOLD;
    Conversation::begin(setup.start().await).await
}

#[tokio::test(flavor = "multi_thread")]
async fn quick_lines_and_files_are_one_mail() {
    let talk = patient().await;
    let (anna, room) = (&talk.anna, &talk.room);
    anna.say(room, "Anbei die Unterlagen.").await;
    anna.send_file(room, "m.file", &File { name: "antrag.pdf", media_type: "application/pdf", bytes: b"%PDF-1" }).await;
    anna.send_file(room, "m.image", &File { name: "plan.png", media_type: "image/png", bytes: b"\x89PNG" }).await;
    anna.say_html(room, "Viele Grüße", "<b>Viele Grüße</b>").await;
    let mail = talk.bob.wait_for_mail("all of it", |mail| mail.text().contains("Viele Grüße")).await;
    assert_eq!(mail.text(), "Anbei die Unterlagen.\n\nViele Grüße");
    let html = mail.html().unwrap();
    let (words, greeting) = html.split_once("Anbei die Unterlagen.</p>").expect(&html);
    assert!(!words.contains("Viele Grüße") && greeting.contains("<b>Viele Grüße</b></p>"), "{html}");
    let files: Vec<(String, Vec<u8>)> = mail.files().into_iter().map(|(name, _, bytes)| (name, bytes)).collect();
    assert_eq!(files, [("antrag.pdf".into(), b"%PDF-1".to_vec()), ("plan.png".into(), b"\x89PNG".to_vec())]);
    talk.tell("Ende").await;
    assert_eq!(talk.mailed().await.len(), 3, "the first, the one of four parts, and the last");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_changes_what_has_not_left_yet() {
    let talk = patient().await;
    let event = talk.anna.say(&talk.room, "Der Termin ist um 10 Uhr.").await;
    talk.anna.edit(&talk.room, &event, "Der Termin ist um 11 Uhr.").await;
    talk.bob.wait_for_text("Der Termin ist um 11 Uhr.").await;
    talk.tell("Ende").await;
    assert_eq!(talk.mailed().await, ["Guten Tag", "Der Termin ist um 11 Uhr.", "Ende"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_back_in_time_is_not_sent() {
    let talk = patient().await;
    let (anna, room) = (&talk.anna, &talk.room);
    let wrong = anna.say(room, "Falscher Raum").await;
    anna.say(room, "Richtig").await;
    anna.redact(room, &wrong).await;
    talk.bob.wait_for_text("Richtig").await;
    let alone = anna.say(room, "Auch falsch").await;
    anna.redact(room, &alone).await;
    talk.tell("Ende").await;
    assert_eq!(talk.mailed().await, ["Guten Tag", "Richtig", "Ende"]);
    assert!(talk.heard().await.is_empty(), "nobody needs to be told");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_afterwards_is_a_short_correction() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let (anna, room) = (&talk.anna, &talk.room);
    let event = anna.say(room, "Der Termin ist um 10 Uhr.").await;
    let sent = talk.bob.wait_for_text("Der Termin ist um 10 Uhr.").await;
    talk.tell("Bitte mit Ausweis.").await;
    anna.edit(room, &event, "Der Termin ist um 10 Uhr.").await;
    anna.edit(room, &event, "Der Termin ist um 11 Uhr.").await;
    let words = "Korrektur zu „Der Termin ist um 10 Uhr.“: Der Termin ist um 11 Uhr.";
    let mail = talk.bob.wait_for_text(words).await;
    assert_eq!(mail.in_reply_to(), [sent.message_id()]);
    // Back to what it was first: that is a change again.
    anna.edit(room, &event, "Der Termin ist um 10 Uhr.").await;
    let back = "Korrektur zu „Der Termin ist um 11 Uhr.“: Der Termin ist um 10 Uhr.";
    talk.bob.wait_for_mail(back, |mail| mail.text().contains(back)).await;
    talk.tell("Ende").await;
    assert_eq!(talk.mailed().await.len(), 6, "an edit that changes nothing is nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correction_quotes_what_was_sent_last_and_not_what_was_written_first() {
    let talk = patient().await;
    let (anna, room) = (&talk.anna, &talk.room);
    let event = anna.say(room, "Der Termin ist um 10 Uhr.").await;
    anna.edit(room, &event, "Der Termin ist um 11 Uhr.").await;
    let sent = talk.bob.wait_for_text("Der Termin ist um 11 Uhr.").await;
    // What Bob has got already is nothing new.
    anna.edit(room, &event, "Der Termin ist um 11 Uhr.").await;
    talk.tell("Mit Ausweis").await;
    let mut was = "Der Termin ist um 11 Uhr.";
    // One of two that follow each other quickly is never sent; the last is what was written first, and is no more there.
    for edits in [&["um 12", "um 13"][..], &["um 14"], &["Der Termin ist um 10 Uhr."]] {
        for words in edits {
            anna.edit(room, &event, words).await;
        }
        let new = edits[edits.len() - 1];
        let words = format!("Korrektur zu „{was}“: {new}");
        let mail = talk.bob.wait_for_mail(&words, |mail| mail.text().starts_with(&words)).await;
        assert_eq!(mail.in_reply_to(), [sent.message_id()]);
        was = new;
    }
    assert_eq!(talk.mailed().await.len(), 6, "{:?}", talk.mailed().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_the_mail_server_can_still_be_changed() {
    let mut setup = Setup::new();
    let mut gate = Gate::new(setup.slot.spare_ports[0], servers().mail_ports.smtp);
    setup.smtp_port = gate.port;
    gate.open().await;
    let talk = Conversation::begin(setup.start().await).await;
    gate.close().await;
    let (anna, room) = (&talk.anna, &talk.room);
    let waiting = async |count: usize| {
        let rows = async || (talk.fehmarn.rows(&talk.bob.address).len() == count).then_some(());
        until(&format!("{count} rows"), rows).await;
    };
    let event = anna.say(room, "Raum 3").await;
    until("the first attempt", async || {
        talk.fehmarn.rows(&talk.bob.address).into_iter().find(|row| row.contains("unreachable"))
    })
    .await;
    let wrong = anna.say(room, "Falsch").await;
    waiting(2).await;
    anna.redact(room, &wrong).await;
    waiting(1).await;
    anna.edit(room, &event, "Raum 4").await;
    // The homeserver pushes in order: when this is there, so is the edit.
    anna.say(room, "Ende").await;
    waiting(2).await;
    gate.open().await;
    talk.bob.wait_for_text("Ende").await;
    assert_eq!(talk.mailed().await, ["Guten Tag", "Raum 4", "Ende"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_back_what_has_left_is_told_so() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let event = talk.anna.say(&talk.room, "Zu spät").await;
    talk.bob.wait_for_text("Zu spät").await;
    talk.anna.redact(&talk.room, &event).await;
    let told = talk.anna.wait_for_notice(&talk.room, GONE).await;
    assert_eq!(text(&told, "/content/m.relates_to/m.in_reply_to/event_id"), event);
    assert!(!event_id(&told).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn several_people_get_the_same_mail_and_the_same_correction() {
    let mut setup = Setup::new();
    setup.hold = HOLD;
    let Sitting { fehmarn: _fehmarn, anna, bob, eve, ghosts, room, .. } = Sitting::begin(setup).await;
    let event = anna.say(&room, "Montag um 9").await;
    anna.say(&room, "Raum 3").await;
    let seen = [bob.wait_for_text("Montag um 9\n\nRaum 3").await, eve.wait_for_text("Montag um 9\n\nRaum 3").await];
    anna.edit(&room, &event, "Montag um 10").await;
    let is_correction = |mail: &Mail| mail.text().contains("Korrektur zu „Montag um 9“: Montag um 10");
    let corrected = [
        bob.wait_for_mail("a correction", is_correction).await,
        eve.wait_for_mail("a correction", is_correction).await,
    ];
    for mails in [&seen, &corrected] {
        assert_eq!(mails[0].message_id(), mails[1].message_id());
        assert_eq!(mails[0].in_reply_to(), mails[1].in_reply_to());
        for mail in mails {
            assert_eq!(mail.to(), [bob.address.as_str(), eve.address.as_str()]);
            assert_eq!(mail.subject(), "Re: Sitzung");
        }
    }
    assert_eq!(corrected[0].in_reply_to(), [seen[0].message_id()]);

    // Who is sent away before it leaves gets nothing, and is not shown to the others.
    anna.say(&room, "Ohne Eve").await;
    anna.kick(&room, &ghosts[1]).await;
    let mail = bob.wait_for_text("Ohne Eve").await;
    assert_eq!(mail.to(), [bob.address.as_str()]);
    assert_eq!(eve.mails().await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_still_on_the_way_in_gets_the_same_mail_as_the_others() {
    let mut setup = Setup::new();
    // Long enough for both to come in on a machine that has other things to do.
    setup.hold = "12s";
    let fehmarn = setup.start().await;
    let (anna, bob, eve) = (Staff::new("Anna Muster").await, Outside::new("Bob"), Outside::new("Eve"));
    let ghosts = [&bob, &eve].map(|person| fehmarn.slot().ghost(&person.address));
    let room = anna.room("Sitzung", &[&ghosts[0], &ghosts[1]]).await;
    anna.say(&room, "Montag um 9").await;
    anna.say(&room, "Raum 3").await;
    let words = "Montag um 9\n\nRaum 3";
    let seen = [bob.wait_for_text(words).await, eve.wait_for_text(words).await];
    assert_eq!(seen[0].message_id(), seen[1].message_id());
    for mail in &seen {
        assert_eq!(mail.to(), [bob.address.as_str(), eve.address.as_str()]);
        assert_eq!((mail.subject().as_str(), mail.in_reply_to().len()), ("Sitzung", 0));
    }
    assert_eq!((bob.mails().await.len(), eve.mails().await.len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_a_room_is_made_with_gets_one_mail_for_all_where_nothing_is_held_as_well() {
    let fehmarn = Fehmarn::new().await;
    let anna = Staff::new("Anna Muster").await;
    let people = ["Bob", "Carla", "Dan", "Eve"].map(Outside::new);
    let ghosts = people.each_ref().map(|person| fehmarn.slot().ghost(&person.address));
    let room = anna.room("Sitzung", &[&ghosts[0], &ghosts[1], &ghosts[2]]).await;
    let all_get = async |words: &str, count: usize| {
        let people = &people[..count];
        let to: Vec<&str> = people.iter().map(|person| person.address.as_str()).collect();
        let mut ids = Vec::new();
        for person in people {
            let mail = person.wait_for_text(words).await;
            assert_eq!(mail.to(), to, "{words}");
            ids.push(mail.message_id());
        }
        assert!(ids.iter().all(|id| *id == ids[0]), "{words}: {ids:?}");
    };
    anna.say(&room, "Montag um 9").await;
    anna.say(&room, "Raum 3").await;
    all_get("Montag um 9", 3).await;
    all_get("Raum 3", 3).await;
    // And who comes to those who are there.
    anna.invite(&room, &ghosts[3]).await;
    anna.say(&room, "Eve ist auch dabei.").await;
    all_get("Eve ist auch dabei.", 4).await;
    let counts = [people[0].mails().await.len(), people[3].mails().await.len()];
    assert_eq!(counts, [3, 1], "nobody gets anything twice");
}
