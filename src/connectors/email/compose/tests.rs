mod words;

use super::*;
use crate::{
    connectors::email::{
        address::{People, Person},
        arrival, fixture,
        text::flowed,
    },
    ids::{DeliveryId, LocalUser, RemoteUserId},
    message::{Arrival, Attachment, Body, Quote, Thread, Writer},
};
use bytes::Bytes;
use mail_parser::MessageParser;

const ID: &str = "mzxw6ytboi2dkmbrgq4tqmzxga";

pub fn identity() -> Identity {
    Identity::new("chat.example.org", "{localpart}@chat.example.org").unwrap()
}

pub fn delivery(text: &str) -> Delivery {
    Delivery {
        id: DeliveryId::new(ID),
        writer: Writer { user: LocalUser::new("anna"), name: "Anna Muster".into() },
        author: None,
        to: RemoteUserId::new("bob@example.org"),
        audience: vec![RemoteUserId::new("bob@example.org")],
        copies: Vec::new(),
        quote: None,
        reaction: None,
        reactions: None,
        replaces: None,
        takes_back: None,
        written_by: None,
        topic: None,
        moderates: None,
        thread: Thread::default(),
        body: Body { text: text.into(), html: None },
        attachments: vec![],
        written_at: 1_794_474_000_000,
    }
}

pub fn file(name: &str, media_type: &str, bytes: &'static [u8]) -> Attachment {
    Attachment {
        name: name.into(),
        media_type: media_type.into(),
        location: String::new(),
        bytes: Bytes::from_static(bytes),
    }
}

/// The mail, with what every mail must be.
fn mail(delivery: &Delivery) -> String {
    let mail = compose(&identity(), delivery).unwrap();
    let text = String::from_utf8(mail.bytes).unwrap();
    assert!(text.is_ascii() && text.ends_with("\r\n"));
    for line in text.split("\r\n") {
        assert!(line.len() <= 998 && !line.contains(['\r', '\n', '\0']), "{line:?}");
    }
    text
}

fn header(delivery: &Delivery) -> String {
    mail(delivery).split_once("\r\n\r\n").unwrap().0.replace("\r\n ", " ")
}

fn read(delivery: &Delivery) -> Arrival {
    let raw = arrival::arrival(&identity(), LocalUser::new("bob"), Bytes::from(mail(delivery)));
    fixture::read(&raw)
}

/// Both forms of the words, decoded; without what stands around every HTML.
fn forms(identity: &Identity, delivery: &Delivery) -> (String, String) {
    let mail = compose(identity, delivery).unwrap();
    let parsed = MessageParser::new().parse(&mail.bytes).unwrap();
    let text = parsed.text_bodies().next().unwrap().text_contents().unwrap();
    let text = flowed::decode(text, false);
    let html = parsed.html_bodies().next().unwrap().text_contents().unwrap().replace("\r\n", "\n");
    let html = html.split_once("11pt\">\n").unwrap().1.rsplit_once("\n</div>\n</body>").unwrap().0.to_owned();
    (text, html)
}

fn with_signature() -> Identity {
    let anna = Person {
        address: Some("bauamt@kiel.example".into()),
        office: Some("Bauamt".into()),
        signature: Some("{name}\n{office} <Kiel>\nhttps://kiel.example".parse().unwrap()),
        ..Person::default()
    };
    let people =
        People::new("{name} ({office})".parse().unwrap(), [(LocalUser::new("anna"), anna)].into(), Person::default());
    identity().with_people(people).unwrap()
}

#[test]
fn a_first_message_is_an_ordinary_personal_mail() {
    assert_eq!(
        mail(&delivery("Guten Tag,\nbitte melden Sie sich.\n")),
        "From: \"Anna Muster\" <anna@chat.example.org>\r\nTo: <bob@example.org>\r\nSubject: Guten Tag,\r\n\
         Date: Thu, 12 Nov 2026 09:00:00 +0000\r\nMessage-ID: <mzxw6ytboi2dkmbrgq4tqmzxga@chat.example.org>\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/alternative; boundary=\"=_mzxw6ytboi2dkmbrgq4tqmzxga_a\"\r\n\r\n\r\n\
         --=_mzxw6ytboi2dkmbrgq4tqmzxga_a\r\n\
         Content-Type: text/plain; charset=\"utf-8\"; format=\"flowed\"\r\nContent-Transfer-Encoding: 7bit\r\n\r\n\
         Guten Tag,\r\nbitte melden Sie sich.\r\n\r\n\
         --=_mzxw6ytboi2dkmbrgq4tqmzxga_a\r\n\
         Content-Type: text/html; charset=\"utf-8\"\r\nContent-Transfer-Encoding: 7bit\r\n\r\n\
         <!DOCTYPE html>\r\n<html><head><meta charset=\"utf-8\"></head>\r\n<body>\r\n\
         <div style=\"font-family:Calibri,Helvetica,Arial,sans-serif;font-size:11pt\">\r\n\
         Guten Tag,<br>\r\nbitte melden Sie sich.\r\n</div>\r\n</body></html>\r\n\r\n\
         --=_mzxw6ytboi2dkmbrgq4tqmzxga_a--\r\n"
    );
}

#[test]
fn the_envelope_names_the_delivery() {
    let mail = compose(&identity(), &delivery("x")).unwrap();
    assert_eq!(mail.envelope_from, format!("anna+{ID}@chat.example.org"));
    assert_eq!(mail.to, "bob@example.org");
    assert_eq!(mail.message.as_str(), format!("{ID}@chat.example.org"));
}

#[test]
fn nothing_says_that_a_machine_sent_it() {
    let header = header(&delivery("x")).to_lowercase();
    for name in ["auto-submitted", "precedence", "list-", "x-"] {
        assert!(!header.contains(&format!("\r\n{name}")), "{header}");
    }
}

#[test]
fn an_answer_names_its_parent_and_its_root_once_and_never_itself() {
    let id = |id: &str| Some(RemoteMessageId::new(id));
    let thread = |root, parent| {
        let mut delivery = delivery("x");
        delivery.thread = Thread { subject: Some("AW: Re: Antrag".into()), root, parent };
        header(&delivery)
    };
    let answer = thread(id("a@x"), id("b@x"));
    assert!(answer.contains("\r\nSubject: Re: Antrag\r\n"), "{answer}");
    assert!(answer.contains("\r\nIn-Reply-To: <b@x>\r\nReferences: <a@x> <b@x>\r\n"), "{answer}");
    assert!(thread(id("b@x"), id("b@x")).contains("\r\nReferences: <b@x>\r\n"));
    let own = thread(id(&format!("{ID}@chat.example.org")), id("a@x>\r\nBcc: x"));
    assert!(!own.contains("References") && !own.contains("Bcc"), "{own}");
    assert!(thread(None, None).contains("\r\nSubject: Antrag\r\n"));
}

#[test]
fn all_recipients_see_each_other_once() {
    let mut delivery = delivery("x");
    delivery.audience =
        ["carla@example.com", "bob@example.org", "not an address", "carla@example.com"].map(RemoteUserId::new).into();
    assert!(header(&delivery).contains("\r\nTo: <carla@example.com>, <bob@example.org>\r\n"));
    delivery.audience.clear();
    assert!(header(&delivery).contains("\r\nTo: <bob@example.org>\r\n"));
    delivery.audience = (0..500).map(|n| RemoteUserId::new(format!("person{n}@example.org"))).collect();
    assert_eq!(header(&delivery).matches("@example.org>").count(), 501);
}

#[test]
fn who_gets_a_copy_stands_in_cc_and_nobody_stands_in_both() {
    let mut delivery = delivery("x");
    delivery.copies = ["carla@example.com", "Bob@example.org", "no address", "carla@example.com", "dan@example.com"]
        .map(RemoteUserId::new)
        .into();
    let recipients = "\r\nTo: <bob@example.org>\r\nCc: <carla@example.com>, <dan@example.com>\r\n";
    assert!(header(&delivery).contains(recipients), "{}", header(&delivery));
    delivery.to = RemoteUserId::new("dan@example.com");
    assert!(header(&delivery).contains(recipients), "{}", header(&delivery));
    assert_eq!(compose(&identity(), &delivery).unwrap().to, "dan@example.com");
    delivery.audience.clear();
    let header = header(&delivery);
    assert!(
        header.contains("\r\nCc: <carla@example.com>, <bob@example.org>, <dan@example.com>\r\n")
            && !header.contains("\r\nTo:")
    );
}

#[test]
fn an_address_beyond_ascii_does_not_keep_the_mail_from_the_others() {
    let mut delivery = delivery("x");
    delivery.audience.push(RemoteUserId::new("j\u{fc}rgen@example.org"));
    assert!(header(&delivery).contains("\r\nTo: <bob@example.org>, =?utf-8?"), "{}", header(&delivery));
    delivery.to = RemoteUserId::new("j\u{fc}rgen@example.org");
    let mail = compose(&identity(), &delivery).unwrap();
    let text = String::from_utf8(mail.bytes).unwrap();
    assert!(mail.needs_utf8 && mail.to == "j\u{fc}rgen@example.org");
    assert!(text.contains("\r\nTo: <bob@example.org>, <j\u{fc}rgen@example.org>\r\n"), "{text}");
}

#[test]
fn what_is_no_address_fails_for_good() {
    let mut unknown = delivery("x");
    unknown.to = RemoteUserId::new("bob@example.org>\r\nRCPT TO:<eve@example.org");
    let failure = compose(&identity(), &unknown).unwrap_err();
    assert!(failure.is_permanent() && failure.reason == Reason::UnknownRecipient && !failure.detail.contains("bob"));
    let mut long = delivery("x");
    long.writer.user = LocalUser::new("a".repeat(70));
    assert!(compose(&identity(), &long).unwrap_err().is_permanent());
}

#[test]
fn no_text_can_begin_a_header_of_its_own() {
    let evil = "x\r\nBcc: eve@example.org\r\n\r\nbody\0\u{85}\u{2028}\rBcc: y";
    let mut delivery = delivery(evil);
    delivery.writer.name = evil.into();
    delivery.thread.subject = Some(evil.into());
    delivery.body.html = Some(evil.into());
    delivery.attachments =
        vec![file(evil, &format!("text/plain\r\n{evil}"), b"x"), file("a\"; x=\"y\r\nZ: 1.txt", "text/plain", b"x")];
    let raw = mail(&delivery);
    let words = raw.find("format=\"flowed\"").unwrap()..raw.find("</html>").unwrap();
    for (at, _) in raw.match_indices("\r\nBcc:").chain(raw.match_indices("\r\nZ:")) {
        assert!(words.contains(&at), "{raw}");
    }
    let header = raw.split_once("\r\n\r\n").unwrap().0;
    assert_eq!(header.lines().filter(|line| !line.starts_with(' ')).count(), 7, "{header}");
    let arrival = read(&delivery);
    assert_eq!(arrival.from_name.as_deref(), Some("x Bcc: eve@example.org body Bcc: y"));
    assert_eq!(arrival.attachments.len(), 2);
}

#[test]
fn names_subjects_and_file_names_come_back() {
    let long =
        "\u{dc}berlange Bezeichnung mit Umlauten \u{e4}\u{f6}\u{fc} und mehr als einer Zeile, die gefaltet werden muss"
            .to_owned();
    for text in [
        "Anna Muster",
        "J\u{f6}rg M\u{fc}ller-L\u{fc}denscheidt",
        "Muster, Anna (Bauamt) \"B2\" <x>",
        "\u{1f469}\u{200d}\u{1f4bb} \u{65e5}\u{672c}\u{8a9e} \u{3b5}\u{3bb}",
        "\u{645}\u{62d}\u{645}\u{62f}",
        "a=b?c_d",
        "back\\slash; semi",
        "e\u{301}\u{301}",
        "100% 'x' *y*",
        &long,
        &"x".repeat(190),
        &"\u{e4}".repeat(190),
    ] {
        let mut delivery = delivery("x");
        delivery.writer.name = text.into();
        delivery.thread.subject = Some(text.into());
        let name = format!("{}.pdf", text.replace('\\', "-"));
        delivery.attachments = vec![file(&name, "application/pdf", b"%PDF")];
        let arrival = read(&delivery);
        assert_eq!(arrival.from_name.as_deref(), Some(text));
        assert_eq!(arrival.subject.as_deref(), Some(text));
        assert_eq!(arrival.attachments[0].name, name);
        assert_eq!(arrival.attachments[0].media_type, "application/pdf");
    }
}

#[test]
fn a_file_name_beyond_ascii_stands_there_for_every_program() {
    let mut delivery = delivery("x");
    delivery.attachments = vec![file("Gr\u{fc}n.pdf", "application/pdf", b"%PDF")];
    let raw = mail(&delivery);
    let header = raw.split_once("Content-Type: application/pdf").and_then(|(_, rest)| rest.split_once("\r\n\r\n"));
    let header = header.unwrap().0.replace("\r\n", "");
    let word = format!("name=\"=?utf-8?B?{}?=\"", data_encoding::BASE64.encode("Gr\u{fc}n.pdf".as_bytes()));
    assert!(header.contains(&word), "RFC 2047, for Outlook: {header}");
    let disposition = header.split_once("Content-Disposition:").map(|(_, rest)| rest.to_ascii_lowercase());
    assert!(disposition.unwrap().contains("filename*=utf-8''gr%c3%bcn.pdf"), "RFC 2231: {header}");
}

#[test]
fn a_turned_name_is_turned_back() {
    let mut delivery = delivery("x");
    delivery.writer.name = "Anna\u{202e}retsuM".into();
    delivery.attachments = vec![file("rechnung\u{202e}fdp.exe", "application/pdf", b"x")];
    let arrival = read(&delivery);
    assert_eq!(arrival.from_name.as_deref(), Some("AnnaretsuM"));
    assert_eq!(arrival.attachments[0].name, "rechnungfdp.exe");
}

#[test]
fn who_writes_from_elsewhere_gets_the_answers_here() {
    let mail = compose(&with_signature(), &delivery("x")).unwrap();
    let text = String::from_utf8(mail.bytes).unwrap();
    let from = format!(
        "From: \"Anna Muster (Bauamt)\" <bauamt@kiel.example>\r\nReply-To: \"Anna Muster (Bauamt)\"\r\n <anna+{ID}@chat.example.org>\r\n"
    );
    assert!(text.starts_with(&from), "{text}");
    assert_eq!(mail.envelope_from, format!("anna+{ID}@chat.example.org"));
    assert!(!header(&delivery("x")).contains("Reply-To"));
}

#[test]
fn a_reaction_is_understood_by_who_knows_it_and_read_by_who_does_not() {
    let mut delivery = delivery("Anna Muster hat mit \u{1f44d} reagiert.");
    delivery.reaction = Some("\u{1f44d}".into());
    delivery.thread.parent = Some(RemoteMessageId::new("a@x"));
    let raw = mail(&delivery);
    assert!(raw.contains("\r\nIn-Reply-To: <a@x>\r\n"));
    let at = |part: &str| raw.find(part).unwrap_or_else(|| panic!("{part} in {raw}"));
    let rfc_9078 = "Content-Type: text/plain; charset=\"utf-8\"\r\nContent-Disposition: reaction\r\n";
    assert!(at(rfc_9078) < at("text/vnd.google.email-reaction+json") && at("email-reaction+json") < at("text/html"));
    let mail = compose(&with_signature(), &delivery).unwrap();
    let parsed = MessageParser::new().parse(&mail.bytes).unwrap();
    assert_eq!(parsed.part(1).unwrap().text_contents().unwrap(), "\u{1f44d}\r\n");
    let gmail: serde_json::Value = serde_json::from_str(parsed.part(2).unwrap().text_contents().unwrap()).unwrap();
    assert_eq!(gmail, serde_json::json!({ "emoji": "\u{1f44d}", "version": 1 }));
    assert!(parsed.part(3).unwrap().text_contents().unwrap().contains("hat mit \u{1f44d} reagiert.\r\n</div>"));

    for (reaction, parent) in [("Danke!", Some("a@x")), ("\u{1f44d}", None), ("\u{1f44d}\r\n\r\n--=_", Some("a@x"))] {
        delivery.reaction = Some(reaction.into());
        delivery.thread.parent = parent.map(RemoteMessageId::new);
        assert!(!self::mail(&delivery).contains("reaction\r\n"), "{reaction}");
        assert!(read(&delivery).body.text.starts_with("Anna Muster hat"));
    }
}

#[test]
fn files_come_back_byte_for_byte() {
    let all: &'static [u8] = &[0, 13, 10, 10, 13, 46, 10, 255, 61, 32, 10];
    // Nothing but text, which servers on the way could change.
    let lines: &'static [u8] = b"a;b \r\nFrom c;d\r\n";
    let mut delivery = delivery("x");
    delivery.attachments.push(file("x", "text/csv", lines));
    assert_eq!(read(&delivery).attachments[0].bytes, lines);
    let mail = String::from_utf8(compose(&identity(), &delivery).unwrap().bytes).unwrap();
    assert!(!mail.contains("From c;d"), "{mail}");
    delivery.attachments.clear();
    for media_type in ["text/csv", "application/pdf", "image/png", "message/rfc822", "multipart/mixed", "Text/HTML"] {
        delivery.attachments.push(file("x", media_type, all));
    }
    let kinds: Vec<String> = read(&delivery).attachments.iter().map(|file| file.media_type.clone()).collect();
    assert_eq!(
        kinds,
        [
            "text/csv",
            "application/pdf",
            "image/png",
            "application/octet-stream",
            "application/octet-stream",
            "text/html"
        ]
    );
    assert!(read(&delivery).attachments.iter().all(|file| file.bytes == all));
}

#[test]
fn a_file_without_words_is_a_mail_about_the_file() {
    let mut delivery = delivery("");
    delivery.attachments = vec![file("Plan.pdf", "application/pdf", b"x")];
    assert!(header(&delivery).contains("\r\nSubject: Plan.pdf\r\n"));
    let arrival = read(&delivery);
    assert_eq!((arrival.body.text.as_str(), arrival.attachments.len()), ("", 1));
}

#[test]
fn a_long_subject_in_ascii_is_readable_in_the_raw_mail() {
    let mut delivery = delivery("x");
    delivery.thread.subject = Some("Your application ".repeat(8));
    assert!(header(&delivery).contains("Subject: Your application Your application"));
}

#[test]
fn the_same_delivery_gives_the_same_bytes() {
    let mut delivery = delivery("x");
    delivery.body.html = Some("<b>x</b>".into());
    delivery.attachments = vec![file("x", "image/png", b"x")];
    assert_eq!(mail(&delivery), mail(&delivery));
}

#[test]
fn the_words_of_somebody_outside_come_in_both_names_and_without_a_signature() {
    let passed_on = Delivery { author: Some("Bob <x@y>\r\nBcc: z".into()), ..delivery("Guten Tag") };
    let mail = compose(&with_signature(), &passed_on).unwrap();
    let text = String::from_utf8(mail.bytes).unwrap();
    let from = text.split("\r\n").find(|line| line.starts_with("From: ")).unwrap().to_owned();
    assert!(text.contains("<bauamt@kiel.example>\r\n"), "{from}");
    assert!(!text.contains("\r\nBcc:") && !text.contains("-- \r\n"), "{text}");
    let parsed = mail_parser::MessageParser::default().parse(text.as_bytes()).unwrap();
    assert!(!parsed.body_text(0).unwrap().contains("https://kiel.example"), "{text}");
    let name = parsed.from().unwrap().first().unwrap().name().unwrap().to_owned();
    assert!(name.starts_with("Bob <x@y>") && name.contains("(über Anna Muster"), "{name}");
}
