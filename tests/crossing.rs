//! What somebody writes on one side is read on the other.

use crate::common::{
    Conversation, Fehmarn, Letter, Mail, Outside, Setup, Staff,
    events::{bodies, event_id, text},
    html, lmtp, sender,
    staff::File,
    until,
};
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_right_after_the_invitation_arrives_as_mails_in_order() {
    let fehmarn = Fehmarn::new().await;
    let (anna, bob) = (Staff::new("Anna Muster").await, Outside::new("Bob"));
    let ghost = fehmarn.slot().ghost(&bob.address);
    let room = anna.direct_chat(&ghost).await;
    let words = ["Guten Tag Herr Müller", "Ihr Antrag ist da.", "Er wird geprüft.", "Viele Grüße"];
    for words in words {
        anna.say(&room, words).await;
    }
    let mails = bob.wait_for_count(words.len()).await;
    assert_eq!(mails.iter().map(Mail::text).collect::<Vec<_>>(), words);
    let from = ("Anna Muster".to_owned(), anna.address(&fehmarn.slot().domain));
    let ids: Vec<String> = mails.iter().map(Mail::message_id).collect();
    for (n, mail) in mails.iter().enumerate() {
        assert_eq!((mail.from(), mail.to()), (from.clone(), vec![bob.address.clone()]));
        if n == 0 {
            assert_eq!(mail.subject(), words[0]);
            assert_eq!((mail.in_reply_to().len(), mail.references().len()), (0, 0));
        } else {
            assert_eq!(mail.subject(), format!("Re: {}", words[0]));
            assert_eq!(mail.in_reply_to(), [ids[n - 1].as_str()]);
            assert_eq!(mail.references().first(), Some(&ids[0]));
            assert_eq!(mail.references().last(), Some(&ids[n - 1]));
        }
    }
    assert_eq!(anna.name_of(&room, &ghost).await, bob.address);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_written_after_the_invitation_leaves_an_old_room() {
    let fehmarn = Fehmarn::new().await;
    let (anna, bob) = (Staff::new("Anna Muster").await, Outside::new("Bob"));
    let room = anna.room("Bauantrag 17", &[]).await;
    anna.say(&room, "Das bleibt unter uns.").await;
    anna.invite(&room, &fehmarn.slot().ghost(&bob.address)).await;
    let words: Vec<String> = (1..=5).map(|n| format!("Das ist für alle, {n}.")).collect();
    for words in &words {
        anna.say(&room, words).await;
    }
    let mails = bob.wait_for_count(words.len()).await;
    assert_eq!(mails.iter().map(Mail::text).collect::<Vec<_>>(), words);
    assert_eq!(mails[0].subject(), "Bauantrag 17");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_arrives_in_its_room_and_so_does_a_new_mail() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let event = talk.hear("Danke für die Nachricht.").await;
    assert_eq!(text(&event, "/content/msgtype"), "m.text");

    let new = Letter::new(&talk.bob, &talk.address()).subject("Etwas anderes").text("Wann haben Sie geöffnet?");
    talk.bob.send(new).await;
    talk.anna.wait_for_words(&talk.room, &talk.ghost, "Wann haben Sie geöffnet?").await;
    assert_eq!(talk.anna.invitations().await, 0, "there is no second room");

    let mail = talk.tell("Von neun bis zwölf.").await;
    assert_eq!(mail.subject().matches("Re:").count(), 1, "{}", mail.subject());
    assert_eq!(mail.in_reply_to().len(), 1);
    assert!(mail.in_reply_to()[0].starts_with("letter-"), "it answers the last mail: {:?}", mail.in_reply_to());
}

#[tokio::test(flavor = "multi_thread")]
async fn bold_words_lists_and_links_cross_both_ways() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let formatted = "<p>Bitte <strong>heute</strong> noch:</p><ul><li>Ausweis</li><li>Foto</li></ul>\
                     <p><a href=\"https://example.org/termin\">Termin</a></p>";
    talk.anna.say_html(&talk.room, "Bitte heute noch:\n\n- Ausweis\n- Foto\n\nTermin", formatted).await;
    let mail = talk.bob.wait_for_mail("a list", |mail| mail.text().contains("- Ausweis")).await;
    let seen = mail.html().expect("the mail has no HTML");
    for part in ["<strong>heute</strong>", "<li>Ausweis</li>", "href=\"https://example.org/termin\""] {
        assert!(seen.contains(part), "{part} in {seen}");
    }

    let formatted = "<html><body><p>Ich komme <b>morgen</b> mit:</p><ol><li>Ausweis</li></ol>\
                     <p><a href=\"https://example.org/plan\">Plan</a></p></body></html>";
    talk.bob.send(talk.answer("Ich komme morgen mit: Ausweis, Plan").html(formatted)).await;
    let arrived = |event: &Value| sender(event) == talk.ghost && html(event).contains("Ausweis");
    let event = talk.anna.wait_for(&talk.room, "formatted words", arrived).await;
    for part in ["<b>morgen</b>", "<li>Ausweis</li>", "href=\"https://example.org/plan\""] {
        assert!(html(&event).contains(part), "{part} in {event}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_and_images_cross_both_ways_with_names_and_every_byte() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let all: Vec<u8> = (0..70_000u32).map(|n| (n * 7 + n / 256) as u8).collect();
    let files = [
        ("m.file", File { name: "Prüfbericht 1 (neu).pdf", media_type: "application/pdf", bytes: &all }),
        ("m.image", File { name: "lageplan.png", media_type: "image/png", bytes: &all[..5000] }),
    ];
    for (msgtype, file) in &files {
        talk.anna.send_file(&talk.room, msgtype, file).await;
        let mail = talk.bob.wait_for_mail(file.name, |mail| mail.files().iter().any(|f| f.0 == file.name)).await;
        let expected = (file.name.to_owned(), file.media_type.to_owned(), file.bytes.to_vec());
        assert!(mail.files() == [expected], "{} has come with other bytes or another type", file.name);
    }
    for (msgtype, file) in &files {
        talk.bob.send(talk.answer("Anbei die Datei.").file(file.media_type, file.name, file.bytes)).await;
        let arrived = |event: &Value| sender(event) == talk.ghost && text(event, "/content/body") == file.name;
        let event = talk.anna.wait_for(&talk.room, file.name, arrived).await;
        assert_eq!(text(&event, "/content/msgtype"), *msgtype);
        assert_eq!(text(&event, "/content/info/mimetype"), file.media_type);
        assert!(talk.anna.download(text(&event, "/content/url")).await == file.bytes, "{} has changed", file.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_in_a_room_get_one_mail_and_see_each_other() {
    let fehmarn = Fehmarn::new().await;
    let (anna, bob, eve) = (Staff::new("Anna Muster").await, Outside::new("Bob"), Outside::new("Eve"));
    let ghosts = [&bob, &eve].map(|person| fehmarn.slot().ghost(&person.address));
    let room = anna.room("Sitzung", &[&ghosts[0], &ghosts[1]]).await;
    anna.say(&room, "Willkommen").await;
    for person in [&bob, &eve] {
        person.wait_for_text("Willkommen").await;
    }
    for words in ["Das ist für Sie beide.", "Und das auch."] {
        anna.say(&room, words).await;
    }
    let seen = [bob.wait_for_text("Und das auch.").await, eve.wait_for_text("Und das auch.").await];
    assert_eq!(seen[0].message_id(), seen[1].message_id());
    for (person, mail) in [&bob, &eve].into_iter().zip(&seen) {
        assert_eq!(mail.to(), [bob.address.as_str(), eve.address.as_str()]);
        let texts: Vec<String> = person.mails().await.iter().map(Mail::text).collect();
        assert_eq!(texts, ["Willkommen", "Das ist für Sie beide.", "Und das auch."], "for {}", person.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_sender_opens_one_direct_room_and_it_never_becomes_a_dead_one() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let (anna, eva) = (&talk.anna, Outside::new("Eva Fremd"));
    let ghost = talk.fehmarn.slot().ghost(&eva.address);
    let write = async |words| eva.send(Letter::new(&eva, &talk.address()).subject("Anfrage").text(words)).await;

    write("Sind Sie zuständig?").await;
    let room = anna.wait_for_invitation(&ghost).await;
    anna.join(&room).await;
    anna.wait_for_words(&room, &ghost, "Sind Sie zuständig?").await;
    assert_eq!(anna.name_of(&room, &ghost).await, "Eva Fremd");

    write("Ich warte noch.").await;
    anna.wait_for_words(&room, &ghost, "Ich warte noch.").await;
    assert_eq!(anna.invitations().await, 0, "there is no second room");

    anna.leave(&room).await;
    // The homeserver pushes in order: when this has crossed, Fehmarn knows that she left.
    talk.tell("Bis morgen").await;
    write("Sind Sie noch da?").await;
    assert_eq!(anna.wait_for_invitation(&ghost).await, room);
    anna.join(&room).await;
    anna.wait_for_words(&room, &ghost, "Sind Sie noch da?").await;
    let messages = anna.messages(&room).await;
    assert_eq!(bodies(&messages), ["Sind Sie zuständig?", "Ich warte noch.", "Sind Sie noch da?"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_for_nobody_is_refused_and_comes_back_to_its_sender() {
    let fehmarn = Fehmarn::new().await;
    let bob = Outside::new("Bob");
    let nobody = format!("niemand.hier@{}", fehmarn.slot().domain);
    let mail = Letter::new(&bob, &nobody).text("Ist da wer?").bytes();
    let answer = lmtp::hand_over(fehmarn.slot().lmtp_port, &bob.address, &nobody, &mail).await.unwrap();
    assert!(answer.starts_with("550 5.1.1"), "{answer}");
    bob.send_raw(&[&nobody], &mail).await;
    let report = bob.wait_for_mail("a report", |mail| mail.text().contains(&nobody)).await;
    assert!(report.header("Content-Type")[0].starts_with("multipart/report"), "{:?}", report.header("Content-Type"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_writes_to_an_address_that_nobody_has_is_told_in_german() {
    let fehmarn = Fehmarn::new().await;
    let anna = Staff::new("Anna Muster").await;
    for (address, notice) in [
        (
            "reject@example.org",
            "Die Nachricht an reject@example.org wurde nicht zugestellt: Diese Adresse gibt es nicht.",
        ),
        ("bounce@example.org", "Die Nachricht an bounce@example.org kam zurück: Diese Adresse gibt es nicht."),
    ] {
        let ghost = fehmarn.slot().ghost(address);
        let room = anna.direct_chat(&ghost).await;
        let message = anna.say(&room, "Sind Sie da?").await;
        let told = anna.wait_for(&room, notice, |event| text(event, "/content/msgtype") == "m.notice").await;
        assert_eq!((text(&told, "/content/body"), sender(&told)), (notice, ghost.as_str()));
        assert_eq!(text(&told, "/content/m.relates_to/m.in_reply_to/event_id"), message);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_write_is_declined_and_nothing_is_mailed() {
    let (guest, mut setup) = (Staff::new("Gast").await, Setup::new());
    setup.permissions.push(format!("{:?}: none", guest.id));
    let talk = Conversation::begin(setup.start().await).await;
    let room = guest.direct_chat(&talk.ghost).await;
    let declined = guest.wait_for_member(&room, &talk.ghost, "leave").await;
    let reason = text(&declined, "/content/reason");
    assert!(reason.starts_with("Sie dürfen keine Menschen von außerhalb einladen."), "{reason}");
    guest.say(&room, "Kommt das an?").await;

    // In a room where somebody else has invited: what a guest says there stays there as well.
    talk.anna.invite(&talk.room, &guest.id).await;
    guest.join(&talk.room).await;
    guest.say(&talk.room, "Und das?").await;
    let told = |event: &Value| text(event, "/content/msgtype") == "m.notice";
    let told = guest.wait_for(&talk.room, "a notice", told).await;
    assert!(
        text(&told, "/content/body").starts_with("Sie dürfen von hier aus niemandem außerhalb schreiben."),
        "{told}"
    );
    talk.tell("Das kommt an.").await;
    assert_eq!(talk.mailed().await, ["Guten Tag", "Das kommt an."]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_none_is_declined() {
    let fehmarn = Fehmarn::new().await;
    let anna = Staff::new("Anna Muster").await;
    let ghost = fehmarn.slot().ghost("das ist keine adresse");
    let room = anna.direct_chat(&ghost).await;
    let declined = anna.wait_for_member(&room, &ghost, "leave").await;
    assert_eq!(text(&declined, "/content/reason"), "Das ist keine Adresse, an die geschrieben werden kann.");
    until("the end of the work", async || fehmarn.rows("outbox:").is_empty().then_some(())).await;
    assert!(!event_id(&declined).is_empty());
}
