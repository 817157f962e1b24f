//! Mail as the people outside see it, as far as the connector alone decides.

use crate::common::{Conversation, Fehmarn, Letter, Mail, Outside, Setup, Staff, staff::File};

#[tokio::test(flavor = "multi_thread")]
async fn who_writes_for_an_office_elsewhere_is_known_by_its_name_and_gets_the_answers() {
    let (anna, bob, mut setup) = (Staff::new("Anna Muster").await, Outside::new("Bob"), Setup::new());
    setup.email.extend([
        "from_name: '{name} ({office})'".into(),
        "delimiter: '-'".into(),
        "offices: { bau: { name: Bauamt, signature: \"{name}\\nStadt Kiel\" } }".into(),
        format!("people: {{ {:?}: {{ address: bauamt@kiel.example, office: bau }} }}", anna.id),
    ]);
    let fehmarn = setup.start().await;
    let ghost = fehmarn.slot().ghost(&bob.address);
    let room = anna.direct_chat(&ghost).await;
    anna.say(&room, "Guten Tag").await;
    let mail = bob.wait_for_text("Guten Tag\n\n-- \nAnna Muster\nStadt Kiel").await;
    assert_eq!(mail.from(), ("Anna Muster (Bauamt)".into(), "bauamt@kiel.example".into()));
    let html = mail.html().unwrap();
    assert!(html.contains("Anna Muster<br>") && html.contains("font-size:9pt"), "{html}");

    let (delivery, domain) =
        mail.message_id().split_once('@').map(|(id, domain)| (id.to_owned(), domain.to_owned())).unwrap();
    let address = format!("{}-{delivery}@{domain}", anna.localpart);
    assert_eq!(mail.header("Reply-To"), [format!("\"Anna Muster (Bauamt)\" <{address}>")]);
    bob.send(Letter::new(&bob, &address).subject("Frage").text("Danke!")).await;
    anna.wait_for_words(&room, &ghost, "Danke!").await;

    // Nothing but the number in the address says that it belongs in the other room.
    let other = anna.room("Bauantrag", &[&ghost]).await;
    anna.say(&other, "Es fehlt der Plan.").await;
    let is_it = |mail: &Mail| mail.text().starts_with("Es fehlt der Plan.");
    let delivery = bob.wait_for_mail("the second mail", is_it).await.message_id();
    let address = format!("{}-{}@{domain}", anna.localpart, delivery.split('@').next().unwrap());
    bob.send(Letter::new(&bob, &address).subject("Plan").text("Kommt morgen.")).await;
    anna.wait_for_words(&other, &ghost, "Kommt morgen.").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_to_an_address_of_the_table_reaches_its_owner() {
    let (anna, bob, mut setup) = (Staff::new("Anna Muster").await, Outside::new("Bob"), Setup::new());
    let address = format!("bauamt@{}", setup.domain);
    setup.email.push(format!("people: {{ {}: {{ address: {address}, name: Bauamt Kiel }} }}", anna.localpart));
    let fehmarn = setup.start().await;
    bob.send(Letter::new(&bob, &address).subject("Frage").text("Wann haben Sie geöffnet?")).await;
    let ghost = fehmarn.slot().ghost(&bob.address);
    let room = anna.wait_for_invitation(&ghost).await;
    anna.join(&room).await;
    anna.wait_for_words(&room, &ghost, "Wann haben Sie geöffnet?").await;

    anna.say(&room, "Von neun bis zwölf.").await;
    let mail = bob.wait_for_text("Von neun bis zwölf.").await;
    assert_eq!((mail.from(), mail.header("Reply-To")), (("Bauamt Kiel".into(), address), vec![]));
    assert!(mail.header("Return-Path")[0].starts_with("<bauamt+"), "{:?}", mail.header("Return-Path"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_name_stands_in_both_forms_that_programs_read_and_survives_the_way() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let (name, bytes) = ("Antrag für Grünfläche – Anlage 3, „neu“.pdf", b"%PDF-1\r\n\0\xff\n".as_slice());
    talk.anna.send_file(&talk.room, "m.file", &File { name, media_type: "application/pdf", bytes }).await;
    let mail = talk.bob.wait_for_mail("the file", |mail| mail.files().len() == 1).await;
    assert_eq!(mail.files(), [(name.to_owned(), "application/pdf".to_owned(), bytes.to_vec())]);
    let source = String::from_utf8(mail.raw.clone()).unwrap();
    let part = source.split("application/pdf;").nth(1).unwrap();
    let header = part.split("\r\n\r\n").next().unwrap();
    // Programs that follow RFC 2231, and Outlook, which reads RFC 2047 where that does not allow it.
    assert!(header.contains("name=\"=?utf-8?B?"), "{header}");
    assert!(header.contains("filename*") && header.contains("%C3%BC"), "{header}");
}
