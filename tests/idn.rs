//! Addresses with letters beyond ASCII, on either side of the `@`.

use crate::common::{
    Fehmarn, Outside, Setup, Staff,
    events::{body, text},
    servers,
    wait::unique,
};
use serde_json::Value;

const DOMAIN: &str = "müller.example";
/// The same, as servers know it.
const ASCII: &str = "xn--mller-kva.example";

/// A way to the servers of a domain that knows no SMTPUTF8, as most do.
fn old_way_to(domain: &str) -> String {
    format!("routes: {{ {domain:?}: {{ host: 127.0.0.2, port: {}, tls: none }} }}", servers().mail_ports.smtp)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_a_domain_beyond_ascii_is_one_person_in_either_spelling_and_needs_no_new_servers() {
    let mut setup = Setup::new();
    setup.smtp.push(old_way_to(DOMAIN));
    let fehmarn = setup.start().await;
    let (anna, bot, local) = (Staff::new("Anna Muster").await, fehmarn.slot().bot_id(), unique("bob"));
    let bob = Outside::with_address("Bob", &format!("{local}@{ASCII}"));
    let ghost = fehmarn.slot().ghost(&bob.address);
    let office = anna.direct_chat(&bot).await;
    anna.say(&office, &format!("{local}@MÜLLER.example")).await;
    let room = anna.wait_for_invitation(&ghost).await;
    anna.join(&room).await;
    anna.say(&room, "Guten Tag").await;
    assert_eq!(bob.wait_for_text("Guten Tag").await.to(), [bob.address.as_str()]);

    let address = anna.address(&fehmarn.slot().domain);
    for domain in [DOMAIN, ASCII, "MÜLLER.EXAMPLE", "Mu\u{308}ller.example"] {
        let (id, words) = (unique("raw"), format!("Ich schreibe von {domain}"));
        let mail = format!(
            "From: Bob <{local}@{domain}>\r\nTo: {address}\r\nSubject: Hallo\r\nMessage-ID: <{id}@example.org>\r\n\
             MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\
             {words}\r\n"
        );
        bob.send_raw(&[&address], mail.as_bytes()).await;
        anna.wait_for_words(&room, &ghost, &words).await;
    }
    assert_eq!(anna.invitations().await, 0, "all of it is in one room");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_invited_under_another_spelling_of_their_address_is_named_in_ours() {
    let fehmarn = Fehmarn::new().await;
    let anna = Staff::new("Anna Muster").await;
    let ghost = fehmarn.slot().ghost(&format!("bob@{DOMAIN}"));
    let room = anna.direct_chat(&ghost).await;
    let declined = anna.wait_for_member(&room, &ghost, "leave").await;
    let reason = text(&declined, "/content/reason");
    let link = reason.split_whitespace().last().unwrap().replace("%3D", "=").replace("%40", "@").replace("%3A", ":");
    assert!(reason.starts_with("Diese Adresse wird hier anders geschrieben."), "{reason}");
    assert_eq!(link, format!("https://matrix.to/#/{}", fehmarn.slot().ghost(&format!("bob@{ASCII}"))));
    anna.wait_for_notice(&room, reason).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_server_does_not_know_such_letters_the_writer_is_told_and_the_others_get_their_mail() {
    let mut setup = Setup::new();
    setup.smtp.push(old_way_to(&servers().outside_domain));
    let fehmarn = setup.start().await;
    let (anna, bob) = (Staff::new("Anna Muster").await, Outside::new("Bob"));
    let joerg = format!("{}@{}", unique("jörg"), servers().outside_domain);
    let ghosts = [&bob.address, &joerg].map(|address| fehmarn.slot().ghost(address));
    let room = anna.room("Sitzung", &[&ghosts[0], &ghosts[1]]).await;
    for ghost in &ghosts {
        anna.wait_for_member(&room, ghost, "join").await;
    }
    let said = anna.say(&room, "Guten Tag").await;
    bob.wait_for_text("Guten Tag").await;
    let begins = format!("Die Nachricht an {joerg} wurde nicht zugestellt: Diese Adresse hat vor dem @ Buchstaben");
    let is_it = |event: &Value| text(event, "/content/msgtype") == "m.notice" && body(event).starts_with(&begins);
    anna.wait_for(&room, &begins, is_it).await;

    // Whoever is served is not served again.
    anna.react(&room, &said, "🔁").await;
    for words in [format!("Die Nachricht an {joerg} wird noch einmal gesendet."), begins] {
        let is_new = |event: &Value| text(event, "/content/m.new_content/body").starts_with(&words);
        anna.wait_for(&room, &words, is_new).await;
    }
    assert_eq!(bob.mails().await.len(), 1);
    anna.say(&room, "Bis morgen").await;
    let mail = bob.wait_for_text("Bis morgen").await;
    assert_eq!(mail.to(), [bob.address.as_str()], "nobody answers to an address that his server may not know");
    assert!(mail.header("To")[0].contains(":;"), "but he sees who else is there: {:?}", mail.header("To"));
}
