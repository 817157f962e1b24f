mod hostile;

use super::*;
use crate::{
    connectors::email::{arrival, fixture},
    ids::LocalUser,
};
use bytes::Bytes;

fn raw(text: impl Into<Bytes>) -> RawArrival {
    arrival::arrival(&fixture::identity(), LocalUser::new("anna"), text.into())
}

fn message(text: impl Into<Bytes>) -> Arrival {
    fixture::read(&raw(text))
}

fn names(arrival: &Arrival) -> Vec<(&str, &str)> {
    arrival.attachments.iter().map(|file| (file.name.as_str(), file.media_type.as_str())).collect()
}

#[test]
fn an_outlook_reply_is_what_its_writer_wrote() {
    let mail = fixture::message("outlook-reply");
    assert_eq!(mail.from.as_str(), "bob@example.org");
    assert_eq!(mail.from_name.as_deref(), Some("Beispiel, Bob"));
    assert_eq!(mail.message.as_str(), "AM0PR0142D1A@AM0PR01.example.org");
    assert_eq!(mail.answers, [RemoteMessageId::new("mzxw6ytboi2dkmbrgq4tqmzxga@chat.example.org")]);
    assert_eq!(mail.subject.as_deref(), Some("Ihr Antrag auf Sondernutzung f\u{fc}r den Marktplatz"));
    assert_eq!(
        mail.body.text,
        "Guten Tag Frau Muster,\n\nder 20. November passt uns gut. Wir ben\u{f6}tigen etwa 40 m\u{b2}.\n\nMit freundlichen Gr\u{fc}\u{df}en\nBob Beispiel"
    );
    let html = mail.body.html.unwrap();
    assert!(html.contains("<b>20. November</b>") && html.ends_with("<div>Bob Beispiel</div>"), "{html}");
}

#[test]
fn a_gmail_reply_keeps_its_formatting_and_loses_its_quote() {
    let mail = fixture::message("gmail-reply");
    assert_eq!(mail.from_name.as_deref(), Some("J\u{f6}rg M\u{fc}ller"));
    assert_eq!(mail.body.text, "Ja, gerne \u{1f44d}");
    assert_eq!(mail.body.html.as_deref(), Some("<div dir=\"ltr\">Ja, <i>gerne</i> \u{1f44d}</div>"));
    let answers: Vec<&str> = mail.answers.iter().map(RemoteMessageId::as_str).collect();
    assert_eq!(answers, ["mzxw6ytboi2dkmbrgq4tqmzxga@chat.example.org", "root@chat.example.org"]);
}

#[test]
fn an_apple_mail_with_a_picture_between_its_words_keeps_both() {
    let mail = fixture::message("apple-mail");
    assert_eq!(mail.body.text, "Hier ist das Foto:\n\nSie steht vor dem Rathaus.");
    assert_eq!(names(&mail), [("Laterne am Rathaus (au\u{df}en).png", "image/png")]);
    let html = mail.body.html.unwrap();
    assert!(html.contains("Foto") && html.contains("Rathaus") && !html.contains("schrieb"), "{html}");
}

#[test]
fn answers_between_quotes_are_read_with_their_quotes() {
    let mail = fixture::message("thunderbird-inline");
    assert_eq!(
        mail.body.text,
        "Am 12.11.26 um 10:00 schrieb Anna Muster:\n> Wie viele Personen kommen zur Besichtigung am kommenden Freitag um 14 Uhr?\n\n\
         Wir kommen zu dritt. Meine Tochter ist auch dabei, wenn es geht; sie bringt die Unterlagen mit.\n\n\
         > Brauchen Sie einen Parkplatz?\n\nJa, bitte."
    );
}

#[test]
fn html_alone_has_a_text_too() {
    let mail = fixture::message("gmx-reply");
    assert_eq!(
        mail.body.text,
        "Hallo Frau Muster,\n\nam Freitag kann ich nicht, aber am Montag.\nSiehe mein Plan (https://example.org/plan)."
    );
    assert!(mail.body.html.is_some_and(|html| html.contains("<strong>Montag</strong>") && !html.contains("Gesendet")));
}

#[test]
fn old_character_sets_are_read() {
    let mail = fixture::message("windows-1252");
    assert_eq!(mail.from_name.as_deref(), Some("Fr\u{e4}nkel \u{2013} B\u{fc}ro"));
    assert_eq!(mail.subject.as_deref(), Some("\u{201e} \u{c4}nderung \u{201c}"));
    assert_eq!(mail.body.text, "Die Geb\u{fc}hr betr\u{e4}gt 30\u{a0}\u{20ac} \u{2013} \u{201e}bar\u{201c}.");
    assert_eq!(fixture::message("raw-latin1").body.text, "Gr\u{fc}\u{df}e aus der Stra\u{df}e.");
}

#[test]
fn a_broken_mail_shows_its_words_and_its_file() {
    let mail = fixture::message("broken-boundary");
    assert_eq!(mail.body.text, "100 % sicher = ganz sicher, Gr\u{fc}\u{df}e");
    assert_eq!(names(&mail), [("Akte.pdf", "application/pdf")]);
    assert_eq!(mail.attachments[0].bytes, "%PDF-1.4\n");
}

#[test]
fn files_have_the_names_that_their_sender_gave_them() {
    let mail = fixture::message("attachments");
    assert_eq!(mail.subject.as_deref(), Some("Unterlagen f\u{fc}r den Bauantrag"));
    assert_eq!(mail.body.text, "Anbei die Unterlagen.");
    let docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
    assert_eq!(
        names(&mail),
        [
            ("Bauantrag Geb\u{e4}ude S\u{fc}d.pdf", "application/pdf"),
            ("\u{dc}bersicht der Fl\u{e4}chen und Bauma\u{df}nahmen.docx", docx),
            ("notiz.txt", "text/plain")
        ]
    );
    assert_eq!(mail.attachments[2].bytes.as_ref(), b"\xfcber");
}

#[test]
fn what_was_passed_on_is_not_cut_and_a_mail_in_a_mail_is_a_file() {
    let mail = fixture::message("nested");
    assert_eq!(mail.subject.as_deref(), Some("Beschwerde"));
    assert!(
        mail.body.text.starts_with("Das kam gestern") && mail.body.text.ends_with("Die Laterne brummt."),
        "{}",
        mail.body.text
    );
    assert_eq!(names(&mail), [("Beschwerde \u{fc}ber L\u{e4}rm.eml", "message/rfc822")]);
    assert!(mail.attachments[0].bytes.starts_with(b"From: ida@example.com\r\n"));
    assert!(mail.attachments[0].bytes.ends_with(b"--b2--"));
}

#[test]
fn an_automatic_answer_is_a_message() {
    let mail = fixture::message("out-of-office");
    assert_eq!(mail.body.text, "Ich bin bis zum 20. November nicht im B\u{fc}ro.");
    assert_eq!(mail.subject.as_deref(), Some("Automatische Antwort: Termin"));
    let is_automatic = |from: &str, subject: &str| {
        message(format!("From: {from}\r\nMessage-ID: <x@y>\r\nSubject: {subject}\r\n\r\nGuten Tag")).automatic
    };
    assert!(!is_automatic("bob@example.org", "Termin"));
    assert!(is_automatic("bob@example.org", "Automatische Antwort: Termin"), "by its subject alone");
    assert!(is_automatic("no-reply@example.org", "Termin"), "nobody would read an answer");
}

#[test]
fn nothing_unseen_gets_into_names() {
    let mail = fixture::message("injection");
    assert_eq!(mail.from_name.as_deref(), Some("Chef Bcc: x@example.org"));
    assert_eq!(mail.subject.as_deref(), Some("Hallo Bcc: x@example.org x"));
    assert_eq!(mail.message.as_str(), "evilid@example.com");
    assert_eq!(mail.answers.iter().map(RemoteMessageId::as_str).collect::<Vec<_>>(), ["a@x", "b@x"]);
    assert_eq!(names(&mail), [("Bcc: xfdp.exe", "text/x-evil")]);
}

#[test]
fn a_mail_without_an_id_gets_one_that_stays_the_same() {
    let mail = fixture::message("no-message-id");
    assert_eq!(mail.message, fixture::message("no-message-id").message);
    assert!(
        mail.message.as_str().ends_with("@missing.invalid") && mail.message.as_str().len() == 68,
        "{}",
        mail.message
    );
    assert_eq!(mail.subject, None);
    assert_eq!(mail.body.text, "Danke");
}

#[test]
fn a_mail_without_a_sender_is_shown_as_from_nobody() {
    for text in ["", "\r\n", "Subject: x\r\n\r\ny", "From: nobody\r\n\r\ny", "Return-Path: <>\r\n\r\n"] {
        assert_eq!(fixture::read(&raw(text)).from.as_str(), "unverified:unknown@sender.invalid", "{text}");
    }
}

#[test]
fn beyond_the_limits_a_mail_is_shown_as_a_file() {
    let head = "From: bob@example.org\r\nSubject: Viel\r\nMessage-ID: <x@y>\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n";
    let many = format!("{head}{}", "--b\r\n\r\nx\r\n".repeat(300));
    let mut deep = String::new();
    for level in 0..40 {
        deep.push_str(&format!("--b{level}\r\nContent-Type: multipart/mixed; boundary=b{}\r\n\r\n", level + 1));
    }
    let deep = format!("{}{deep}--b40\r\n\r\nx", head.replace("boundary=b", "boundary=b0"));
    for text in [many, deep] {
        let mail = message(text.clone());
        assert_eq!(
            (mail.body.text.as_str(), mail.body.html.as_ref()),
            (
                "Diese E-Mail ist zu gro\u{df} oder zu verschachtelt, um sie hier zu zeigen. Das Original h\u{e4}ngt daran.",
                None
            )
        );
        assert_eq!(names(&mail), [("Viel.eml", "message/rfc822")]);
        assert_eq!(mail.attachments[0].bytes, text);
        assert_eq!(mail.message.as_str(), "x@y");
    }
    let large = raw("From: bob@example.org\r\n\r\n0123456789");
    let mail = fixture::read_at_most(&large, 20);
    assert_eq!(
        mail.body.text,
        "Diese E-Mail ist zu gro\u{df} oder zu verschachtelt, um sie hier zu zeigen. Das Original h\u{e4}ngt daran."
    );
    let mail = fixture::read_at_most(&large, large.raw.len() as u64);
    assert_eq!(mail.body.text, "0123456789");
}

#[test]
fn a_multipart_without_any_boundary_is_shown_as_it_is() {
    assert_eq!(message("From: a@b.example\nContent-Type: multipart/mixed; boundary=b\n\nHallo").body.text, "Hallo");
}

#[test]
fn a_text_with_a_name_is_a_file_unless_it_is_the_mail() {
    let part = |name: &str| format!("--b\nContent-Type: text/plain; name={name}\n\n{name}\n");
    let mail = message(format!(
        "From: a@b.example\nContent-Type: multipart/mixed; boundary=b\n\n{}{}--b--\n",
        part("a.txt"),
        part("b.txt")
    ));
    assert_eq!((mail.body.text.as_str(), names(&mail)), ("a.txt", vec![("b.txt", "text/plain")]));
    assert_eq!(message("From: a@b.example\nContent-Type: text/plain; name=a.txt\n\nHallo").body.text, "Hallo");
}

#[test]
fn of_very_many_texts_the_later_ones_are_files() {
    let mail =
        message(format!("From: a@b.example\nContent-Type: multipart/mixed; boundary=b\n\n{}", "--b\n\nx\n".repeat(30)));
    assert_eq!((mail.body.text.matches('x').count(), mail.attachments.len()), (20, 10));
}

#[test]
fn signatures_and_second_forms_that_nobody_reads_are_left_out() {
    let mail = message(
        "From: a@b.example\nContent-Type: multipart/signed; boundary=s\n\n--s\nContent-Type: multipart/alternative; boundary=b\n\n\
         --b\n\nHallo\n--b\nContent-Type: text/x-amp-html\n\n<html>\n--b\nContent-Type: text/calendar\n\nBEGIN:VCALENDAR\n--b--\n\
         --s\nContent-Type: application/pkcs7-signature; name=smime.p7s\n\nx\n--s--\n",
    );
    let text = "Hallo\n\n\u{1f50f} Digital unterschrieben. Die Unterschrift wurde nicht gepr\u{fc}ft.";
    assert_eq!((mail.body.text.as_str(), names(&mail)), (text, vec![("file-1.ics", "text/calendar")]));
}

#[test]
fn a_reaction_is_an_emoji_and_its_program_shows_reactions() {
    let react = |header: &str, text: &str| {
        let mail = message(format!("From: a@b.example\nIn-Reply-To: <x@y>\n{header}\n\n{text}\n"));
        (mail.reaction, mail.body.text, mail.shows_reactions)
    };
    let thumb = "\u{1f44d}".to_owned();
    assert_eq!(react("Content-Disposition: reaction", "\u{1f44d}"), (Some(thumb.clone()), thumb.clone(), true));
    assert_eq!(react("Content-Disposition: reaction", "danke"), (None, "danke".to_owned(), false));
    assert_eq!(react("Chat-Version: 1.0", "\u{1f44d}"), (None, thumb.clone(), true));
    let google = "Content-Type: text/vnd.google.email-reaction+json";
    assert_eq!(react(google, "{\"emoji\":\"\u{1f44d}\"}"), (Some(thumb.clone()), thumb, false));
    assert_eq!(message("From: a@b.example\n\nx").reaction, None);
}

#[test]
fn a_header_longer_than_any_persons_is_shown_as_a_file() {
    let recipients: String = (0..100_000).map(|n| format!(" p{n}@example.org,\r\n")).collect();
    let mail = message(format!("From: a@b.example\r\nTo:{recipients} x@example.org\r\n\r\nHallo"));
    assert!(
        mail.body.text.starts_with("Diese E-Mail ist zu gro\u{df}") && mail.others.len() == 100,
        "{}",
        mail.body.text
    );
    assert_eq!(names(&mail), [("message-1.eml", "message/rfc822")]);
    let many = message(format!("From: a@b.example\r\n{}\r\nHallo", "X-Y: z\r\n".repeat(30_000)));
    assert_eq!(many.body.text, "Hallo");
}

#[test]
fn a_picture_in_the_html_itself_is_a_file_too() {
    let mail = message(
        "From: a@b.example\nContent-Type: text/html\n\n<p>vorher <img src=\"data:image/png;base64,iVBORw0KGgo=\"> nachher</p>",
    );
    assert_eq!(
        (mail.body.text.as_str(), names(&mail)),
        ("vorher [Bild: image-1.png] nachher", vec![("image-1.png", "image/png")])
    );
}

#[test]
fn of_two_pictures_with_one_name_each_is_known_by_its_own() {
    let picture = |id: &str| format!("--b\nContent-Type: image/png; name=bild.png\nContent-ID: <{id}>\n\n{id}\n");
    let mail = message(format!(
        "From: a@b.example\nContent-Type: multipart/related; boundary=b\n\n--b\nContent-Type: text/html\n\n\
         <p>A <img src=cid:2> B <img src=cid:1></p>\n{}{}--b--\n",
        picture("1"),
        picture("2")
    ));
    assert_eq!(mail.body.text, "A [Bild: bild-2.png] B [Bild: bild.png]");
    assert_eq!(names(&mail), [("bild.png", "image/png"), ("bild-2.png", "image/png")]);
}

#[test]
fn a_picture_in_a_signature_goes_with_it_unless_it_was_attached() {
    let mail = |disposition: &str| {
        message(format!(
            "From: a@b.example\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n\n\
             <div>Ja.</div><div class=gmail_signature>Bob <img src=cid:1></div>\n--b\nContent-Type: image/png; \
             name=bild.png\nContent-Disposition: {disposition}\nContent-ID: <1>\n\nx\n--b--\n"
        ))
    };
    assert_eq!((mail("inline").body.text.as_str(), mail("inline").attachments.len()), ("Ja.", 0));
    assert_eq!((mail("attachment").body.text.as_str(), mail("attachment").attachments.len()), ("Ja.", 1));
}

#[test]
fn a_mail_that_says_nothing_is_still_a_message() {
    assert_eq!(message("From: a@b.example\n\n").body.text, "(Nachricht ohne Text)");
    let remote = message("From: a@b.example\nContent-Type: text/html\n\n<img src=https://x.example/1.png>");
    assert!(remote.body.text.contains("Bildern aus dem Netz") && remote.attachments.len() == 1);
}
