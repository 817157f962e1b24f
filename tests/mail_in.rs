//! Mail as people outside write it and staff see it, as far as the connector alone decides.

use crate::common::{
    Conversation, Fehmarn, Letter, Outside, Setup, Staff, body,
    events::{event_id, text},
    servers,
    staff::File,
    until,
    wait::unique,
};
use serde_json::{Value, json};
use std::{io::ErrorKind, net::TcpListener, net::TcpStream};

/// Header fields beside From and Message-ID, then the body.
fn raw(from: &Outside, from_field: Option<&str>, rest: &str) -> Vec<u8> {
    let own = format!("{} <{}>", from.name, from.address);
    let from = from_field.unwrap_or(&own);
    format!("From: {from}\r\nMessage-ID: <{}@example.org>\r\nMIME-Version: 1.0\r\n{rest}\r\n", unique("raw"))
        .into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_fetched_because_a_mail_names_it() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let place = listener.local_addr().unwrap();
    let url = format!("http://{place}");
    let html = format!(
        "<html><head><base href=\"{url}/\"><link rel=\"stylesheet\" href=\"{url}/a.css\">\
         <style>@import url({url}/b.css); body {{ background: url({url}/c.png) }}</style></head>\
         <body background=\"{url}/d.png\"><p style=\"background:url({url}/e.png)\">Bild anbei</p>\
         <img src=\"{url}/f.png\" width=1 height=1><img src=\"g.png\"><iframe src=\"{url}/h\"></iframe>\
         <object data=\"{url}/i\"></object><video poster=\"{url}/j\" src=\"{url}/k\"></video>\
         <script src=\"{url}/l.js\"></script></body></html>"
    );
    let parts = format!(
        "To: {}\r\nSubject: Bild\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{html}\r\n\
         --b\r\nContent-Type: message/external-body; access-type=URL; URL=\"{url}/m\"\r\n\r\n\
         Content-Type: image/png\r\n\r\n\r\n--b\r\nContent-Type: image/png; name=n.png\r\nContent-Location: {url}/n.png\r\n\
         Content-Disposition: attachment; filename=n.png\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw==\r\n--b--",
        talk.address()
    );
    talk.bob.send_raw(&[&talk.address()], &raw(&talk.bob, None, &parts)).await;
    let is_it = |event: &Value| body(event).starts_with("Bild anbei");
    let event = talk.anna.wait_for(&talk.room, "the words", is_it).await;
    assert!(!event.to_string().contains(&place.to_string()), "{event}");
    talk.anna.wait_for(&talk.room, "the file", |event| body(event) == "n.png").await;
    talk.hear("Ende").await;
    let nobody = listener.accept().map(|(_, who)| who).map_err(|error| error.kind());
    assert_eq!(nobody, Err(ErrorKind::WouldBlock));
    let us = TcpStream::connect(place).unwrap().local_addr().unwrap();
    assert_eq!(until("who does come is seen", async || listener.accept().ok()).await.1, us);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_it_so_gets_the_whole_mail_below_every_message_that_leaves_something_out() {
    let mut setup = Setup::new();
    setup.email.push("full_message: attach".into());
    let talk = Conversation::begin(setup.start().await).await;
    talk.hear("Das ist alles.").await;
    talk.bob.send(talk.answer("Danke!\n\nAm 12.11.2026 um 10:00 schrieb Anna Muster:\n> Guten Tag\n> und danke")).await;
    let message = talk.anna.wait_for_words(&talk.room, &talk.ghost, "Danke!").await;
    let is_file = |event: &Value| text(event, "/content/msgtype") == "m.file";
    let file = talk.anna.wait_for(&talk.room, "the original", is_file).await;
    assert_eq!((body(&file), text(&file, "/sender")), ("Original \u{2013} Guten Tag.eml", talk.ghost.as_str()));
    let original = String::from_utf8(talk.anna.download(text(&file, "/content/url")).await).unwrap();
    assert!(original.contains("\r\n> und danke"), "{original}");
    talk.hear("Ende").await;
    let messages = talk.anna.messages(&talk.room).await;
    let files: Vec<&Value> = messages.iter().filter(|event| is_file(event)).collect();
    assert_eq!(files.len(), 1, "what is shown in full has no file: {files:?}");
    let order: Vec<&str> = messages.iter().map(event_id).collect();
    let at = |event: &Value| order.iter().position(|id| *id == event_id(event));
    assert!(at(&message) < at(&file));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_belongs_where_its_newest_reference_is_else_where_the_same_person_wrote_under_the_same_subject() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let (anna, bob, address) = (&talk.anna, &talk.bob, talk.address());
    let second = anna.room("Bauantrag", &[&talk.ghost]).await;
    anna.wait_for_member(&second, &talk.ghost, "join").await;
    anna.say(&second, "Es fehlt der Plan.").await;
    let plan = bob.wait_for_text("Es fehlt der Plan.").await;
    assert_eq!(plan.subject(), "Bauantrag");
    let (a, b) = (talk.first.message_id(), plan.message_id());
    for (n, (references, room)) in
        [(format!("<nobody@x.example> <{a}> <{b}>"), &second), (format!("<{b}> <{a}> <unknown@x.example>"), &talk.room)]
            .into_iter()
            .enumerate()
    {
        let words = format!("Verweis {n}");
        let mail = format!("To: {address}\r\nReferences: {references}\r\nSubject: Etwas anderes {n}\r\n\r\n{words}");
        bob.send_raw(&[&address], &raw(bob, None, &mail)).await;
        anna.wait_for_words(room, &talk.ghost, &words).await;
    }
    let mail = format!("To: {address}\r\nSubject: AW: Re:  bauantrag\r\n\r\nAnbei der Plan.");
    bob.send_raw(&[&address], &raw(bob, None, &mail)).await;
    anna.wait_for_words(&second, &talk.ghost, "Anbei der Plan.").await;
    assert_eq!(anna.invitations().await, 0, "all of it is in the rooms that there were");

    let eve = Outside::new("Eve");
    eve.send(Letter::new(&eve, &address).subject("AW: Bauantrag").text("Ich auch.")).await;
    let ghost = talk.fehmarn.slot().ghost(&eve.address);
    let room = anna.wait_for_invitation(&ghost).await;
    anna.join(&room).await;
    anna.wait_for_words(&room, &ghost, "Ich auch.").await;
    assert!(room != second && room != talk.room, "a subject alone is no way into a room");
}

/// What could make a line look like another one, or be one more.
fn is_bad(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_a_name_in_both_directions_whatever_it_is_made_of() {
    let fehmarn = Fehmarn::new().await;
    let (anna, bob, eve) = (Staff::new("Anna").await, Outside::new("Bob"), Outside::new("Eve"));
    let name = format!("Anna\r\nBcc: {}\r\nX-Evil: 1\r\n\r\n\u{202e}retsuM", eve.address);
    let path = format!("/v3/profile/{}/displayname", anna.id);
    anna.ask(reqwest::Method::PUT, &path, json!({ "displayname": name })).await;
    let ghost = fehmarn.slot().ghost(&bob.address);
    let room = anna.room(&format!("Sitzung\r\nBcc: {}\r\n\r\nX", eve.address), &[&ghost]).await;
    anna.wait_for_member(&room, &ghost, "join").await;
    let file = "a\r\nX-Evil: 1\r\n\r\n\u{202e}fdp.exe\"; x=\"";
    anna.send_file(&room, "m.file", &File { name: file, media_type: "application/pdf", bytes: b"%PDF-1" }).await;
    let mail = bob.wait_for_mail("the file", |mail| mail.files().len() == 1).await;
    let source = String::from_utf8(mail.raw.clone()).unwrap();
    let header = source.split("\r\n\r\n").next().unwrap();
    for field in ["\r\nBcc:", "\r\nX-Evil:", "\nBcc:", "\nX-Evil:"] {
        assert!(!source.contains(field), "{field:?} in {source}");
    }
    assert!(header.contains("\r\nSubject: ") && header.contains("\r\nMessage-ID: "), "{header}");
    let (from, subject, attached) = (mail.from(), mail.subject(), mail.files()[0].0.clone());
    assert!(from.0.starts_with("Anna Bcc: ") && subject.starts_with("Sitzung Bcc: "), "{from:?} {subject}");
    for text in [&from.0, &subject, &attached] {
        assert!(!text.chars().any(is_bad), "{text:?}");
    }
    assert_eq!(mail.to(), [bob.address.as_str()]);

    let field = format!("=?utf-8?Q?Bob=0D=0ABcc=3A_x=E2=80=AE=E2=81=A6gnp?= <{}>", bob.address);
    let mail = format!(
        "To: {address}\r\nIn-Reply-To: <{}>\r\nSubject: =?utf-8?Q?Re:_x=0D=0AX:_y=E2=80=AE?=\r\n\
         Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nAnbei\r\n\
         --b\r\nContent-Type: application/pdf\r\n\
         Content-Disposition: attachment; filename*=utf-8''..%2F..%2F%E2%80%AEfdp%0D%0A.exe\r\n\r\nx\r\n--b--",
        mail.message_id(),
        address = anna.address(&fehmarn.slot().domain)
    );
    bob.send_raw(&[&anna.address(&fehmarn.slot().domain)], &raw(&bob, Some(&field), &mail)).await;
    anna.wait_for_words(&room, &ghost, "Anbei").await;
    let is_file = |event: &Value| text(event, "/content/msgtype") == "m.file" && text(event, "/sender") == ghost;
    let file = anna.wait_for(&room, "the file", is_file).await;
    let renamed =
        |event: &Value| text(event, "/state_key") == ghost && text(event, "/content/displayname") == "Bob Bcc: xgnp";
    anna.wait_for(&room, "his name", renamed).await;
    let shown = anna.name_of(&room, &ghost).await;
    for text in [&shown, body(&file)] {
        assert!(!text.is_empty() && !text.chars().any(|c| is_bad(c) || c == '/'), "{text:?}");
    }
    assert_eq!(eve.mails().await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_to_an_address_beyond_ascii_leaves_and_what_becomes_of_it_is_known() {
    let fehmarn = Fehmarn::new().await;
    let anna = Staff::new("Anna Muster").await;
    let joerg = format!("{}@{}", unique("jörg"), servers().outside_domain);
    let room = anna.direct_chat(&fehmarn.slot().ghost(&joerg)).await;
    anna.say(&room, "Guten Tag").await;
    // Postfix takes it, as the standard of 2012 wants; behind it stands a server that does not know that standard.
    let is_it = |event: &Value| text(event, "/content/msgtype") == "m.notice" && body(event).contains(&joerg);
    let notice = anna.wait_for(&room, "what became of it", is_it).await;
    let why = "kam zurück: Diese Adresse hat vor dem @ Buchstaben wie ä oder é.";
    assert!(body(&notice).contains(why), "{notice}");
}
