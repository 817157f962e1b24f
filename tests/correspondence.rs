//! What people on both sides take for granted of mail, through Postfix and Dovecot.

use crate::common::{
    Conversation, Fehmarn, Letter, Outside, Setup, Staff, body, events::text, html, servers, until, wait::unique,
};
use serde_json::{Value, json};

/// What programs write, for who knows more of it than `Letter` does.
fn raw(from: &Outside, header: &str, words: &str) -> Vec<u8> {
    let Outside { name, address, .. } = from;
    let id = unique("raw");
    format!(
        "From: {name} <{address}>\r\nMessage-ID: <{id}@example.org>\r\nDate: Thu, 12 Nov 2026 10:00:00 +0100\r\n\
         MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n{header}\r\n{words}\r\n"
    )
    .into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_can_be_written_is_in_both_forms_of_a_mail() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let formatted = format!(
        "<h2>Ortstermin</h2><p>Guten Tag <a href=\"https://matrix.to/#/{anna}\">Anna Muster</a>, <del>Montag</del> \
         <em>Dienstag</em> gilt <strong>sicher</strong>.</p><blockquote><p>Wann passt es?</p></blockquote>\
         <ol><li>Ausweis</li><li>Foto</li></ol><p><a href=\"https://example.org/plan\">Zum Plan</a></p>\
         <table><thead><tr><th>Raum</th><th>Zeit</th></tr></thead><tbody><tr><td>3</td><td>9 Uhr</td></tr></tbody></table>\
         <pre><code>cd /srv\nmake</code></pre><p>Mit <code>make</code>.</p>",
        anna = talk.anna.id
    );
    talk.anna.say_html(&talk.room, "Ortstermin, siehe unten", &formatted).await;
    let mail = talk.bob.wait_for_mail("the letter", |mail| mail.text().contains("Ortstermin")).await;
    let (plain, seen) = (mail.text(), mail.html().expect("the mail has no HTML"));
    for part in [
        "Guten Tag Anna Muster, ~~Montag~~ Dienstag gilt sicher.",
        "1. Ausweis",
        "> Wann passt es?",
        "https://example.org/plan",
        "\nRaum | Zeit\n3 | 9 Uhr\n",
        "cd /srv",
    ] {
        assert!(plain.contains(part), "{part} in {plain}");
    }
    for part in [
        "Anna Muster",
        "<em>",
        "<strong>",
        "<ol",
        "<table",
        "<th",
        "cd /srv\nmake",
        "href=\"https://example.org/plan\"",
    ] {
        assert!(seen.replace("\r\n", "\n").contains(part), "{part} in {seen}");
    }
    for form in [&plain, &seen] {
        let names = ["matrix", "bridge", "fehmarn", talk.anna.id.as_str()];
        assert!(!names.iter().any(|name| form.to_lowercase().contains(name)), "{form}");
    }
    let content_type = mail.header("Content-Type").concat();
    assert!(content_type.starts_with("multipart/alternative"), "{content_type}");
    let source = String::from_utf8(mail.raw.clone()).unwrap();
    assert!(source.find("format=\"flowed\"").or(source.find("format=flowed")) < source.find("text/html"), "{source}");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_go_where_a_contact_form_asks_for_them() {
    let fehmarn = Fehmarn::new().await;
    let (anna, form, eve) = (Staff::new("Anna Muster").await, Outside::new("Kontaktformular"), Outside::new("Eve"));
    let (address, ghost) = (anna.address(&fehmarn.slot().domain), fehmarn.slot().ghost(&form.address));
    for (visitor, words) in [(&eve, "Wann haben Sie auf?"), (&Outside::new("Ida"), "Wo sind Sie?")] {
        let header =
            format!("To: {address}\r\nReply-To: {} <{}>\r\nSubject: Anfrage\r\n", visitor.name, visitor.address);
        form.send_raw(&[&address], &raw(&form, &header, words)).await;
        let room = anna.wait_for_invitation(&ghost).await;
        anna.join(&room).await;
        anna.wait_for_words(&room, &ghost, words).await;
        anna.say(&room, &format!("Das steht auf der Seite, {}.", visitor.name)).await;
        visitor.wait_for_text(&format!("Das steht auf der Seite, {}.", visitor.name)).await;
    }
    assert_eq!(eve.mails().await.len(), 1, "what another visitor is told is not for her");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_address_for_answers_does_not_take_an_answer_out_of_its_room() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    for (n, reply_to) in ["Bob <other@example.net>", "Ida <ida@example.net>"].iter().enumerate() {
        let (address, words) = (talk.address(), format!("Antwort {n}"));
        let header = format!(
            "To: {address}\r\nReply-To: {reply_to}\r\nIn-Reply-To: <{}>\r\nSubject: Re: Guten Tag\r\n",
            talk.first.message_id()
        );
        talk.bob.send_raw(&[&address], &raw(&talk.bob, &header, &words)).await;
        talk.anna.wait_for_words(&talk.room, &talk.ghost, &words).await;
    }
    assert_eq!(talk.anna.invitations().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_got_hold_of_a_reply_address_does_not_get_into_its_room() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let eve = Outside::new("Eve");
    let delivery = talk.first.message_id().split('@').next().unwrap().to_owned();
    let address = talk.address().replace('@', &format!("+{delivery}@"));
    eve.send(Letter::new(&eve, &address).subject("Hallo").text("Ich bin es, Bob.")).await;
    let ghost = talk.fehmarn.slot().ghost(&eve.address);
    let room = talk.anna.wait_for_invitation(&ghost).await;
    talk.anna.join(&room).await;
    talk.anna.wait_for_words(&room, &ghost, "Ich bin es, Bob.").await;
    let told = |event: &Value| text(event, "/content/msgtype") == "m.notice";
    let told = talk.anna.wait_for(&room, "a notice", told).await;
    assert!(body(&told).contains(&talk.bob.address), "{told}");
    // Where no person is asked to whom it goes, nothing but who is in the room decides.
    let header = format!("To: {address}\r\nSubject: Abwesend\r\nAuto-Submitted: auto-replied\r\n");
    eve.send_raw(&[&address], &raw(&eve, &header, "Ich bin im Urlaub.")).await;
    talk.anna.wait_for_words(&room, &ghost, "Automatische Nachricht:\n\nIch bin im Urlaub.").await;
    assert!(talk.heard().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_sent_away_does_not_get_back_in_by_answering_an_old_mail() {
    let fehmarn = Fehmarn::new().await;
    let (anna, tom, eve) = (Staff::new("Anna Muster").await, Staff::new("Tom Beispiel").await, Outside::new("Eve"));
    let ghost = fehmarn.slot().ghost(&eve.address);
    let room = anna.room("Sitzung", &[&ghost, &tom.id]).await;
    tom.join(&room).await;
    anna.say(&room, "Willkommen").await;
    let mail = eve.wait_for_text("Willkommen").await;
    anna.kick(&room, &ghost).await;
    anna.wait_for_member(&room, &ghost, "leave").await;
    // Fehmarn learns of it in order.
    until("an empty inbox", async || fehmarn.rows("inbox:").is_empty().then_some(())).await;
    let (delivery, domain) = mail.message_id().split_once('@').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let address = format!("{}+{delivery}@{domain}", anna.localpart);
    eve.send(Letter::answering_all(&eve, &mail, &[&address]).text("Ich bin noch da.")).await;
    let own = anna.wait_for_invitation(&ghost).await;
    assert_ne!(own, room);
    anna.join(&own).await;
    anna.wait_for_words(&own, &ghost, "Ich bin noch da.").await;
    assert_eq!(anna.messages(&room).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_letters_beyond_ascii_in_the_address_is_read() {
    let fehmarn = Fehmarn::new().await;
    let anna = Staff::new("Anna Muster").await;
    let joerg = Outside::with_address("Jörg", &format!("{}@{}", unique("jörg"), servers().outside_domain));
    let address = anna.address(&fehmarn.slot().domain);
    joerg.send_raw(&[&address], &raw(&joerg, &format!("To: {address}\r\nSubject: Grüße\r\n"), "Schöne Grüße")).await;
    let ghost = fehmarn.slot().ghost(&joerg.address);
    let room = anna.wait_for_invitation(&ghost).await;
    anna.join(&room).await;
    let event = anna.wait_for_words(&room, &ghost, "Schöne Grüße").await;
    assert_eq!((html(&event), anna.name_of(&room, &ghost).await.as_str()), ("", "Jörg"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_above_the_limit_of_the_mail_server_is_named_with_that_limit() {
    let mut setup = Setup::new();
    setup.max_size = "200MB";
    let talk = Conversation::begin(setup.start().await).await;
    let film = json!({
        "msgtype": "m.file", "body": "Hier der Film", "filename": "film.mp4", "url": "mxc://fehmarn.test/nowhere",
        "info": { "mimetype": "video/mp4", "size": 50_000_000 },
    });
    talk.anna.send(&talk.room, film).await;
    let mail = talk.bob.wait_for_text("Hier der Film").await;
    assert!(mail.files().is_empty());
    // Postfix takes 50 MiB, of which encoding leaves so much.
    let notice = "Die Datei film.mp4 wurde nicht gesendet: Sie ist größer als 38 MB.";
    talk.anna.wait_for_notice(&talk.room, notice).await;
}
