//! Rooms in which several people from outside are: what one of them writes reaches those whom no network has served.

use crate::common::{
    Contact, Fehmarn, Letter, Mail, Outside, Setup, Staff, body,
    events::{bodies, event_id, text},
    lmtp, sender,
    staff::File,
    until,
    wait::unique,
};
use serde_json::Value;

const PASSES_ON: &str = "Was Menschen von außerhalb in diesem Raum schreiben, bekommen auch die anderen von außerhalb, \
                         mit dem Namen des Absenders.";

/// Anna of the staff, Bob with e-mail and Eve with XMPP, in one room.
struct Mixed {
    fehmarn: Fehmarn,
    anna: Staff,
    bob: Outside,
    eve: Contact,
    /// Of Bob and of Eve.
    ghosts: [String; 2],
    room: String,
    /// What Anna has said to both.
    first: (String, Mail),
}

impl Mixed {
    async fn begin(setup: Setup) -> Self {
        let fehmarn = setup.start().await;
        let (anna, bob, eve) = (Staff::new("Anna Muster").await, Outside::new("Bob"), Contact::new("Eve").await);
        let ghosts = [fehmarn.slot().ghost(&bob.address), fehmarn.slot().ghost_of("xmpp", &eve.address)];
        let room = anna.room("Ortstermin", &[&ghosts[0], &ghosts[1]]).await;
        for ghost in &ghosts {
            anna.wait_for_member(&room, ghost, "join").await;
        }
        let said = anna.say(&room, "Wann passt es?").await;
        let mail = bob.wait_for_text("Wann passt es?").await;
        eve.wait_for_words("Wann passt es?").await;
        Self { fehmarn, anna, bob, eve, ghosts, room, first: (said, mail) }
    }

    /// The addresses under which they write to Anna.
    fn mail(&self) -> String {
        self.anna.address(&self.fehmarn.slot().domain)
    }

    fn jid(&self) -> String {
        self.anna.address(&self.fehmarn.slot().xmpp_domain)
    }

    /// All that Eve was told, in order.
    fn told(&self) -> Vec<String> {
        let messages = self.eve.messages_from(&self.jid());
        messages.iter().map(|told| told["body"].as_str().unwrap().to_owned()).collect()
    }

    async fn mailed(&self) -> Vec<String> {
        self.bob.mails().await.iter().map(Mail::text).collect()
    }

    async fn idle(&self) {
        until("empty queues", async || self.fehmarn.rows("").is_empty().then_some(())).await;
    }
}

fn answers(event: &Value) -> &str {
    text(event, "/content/m.relates_to/m.in_reply_to/event_id")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_writes_reaches_the_other_on_another_network_with_the_name_of_the_writer() {
    let talk = Mixed::begin(Setup::with_xmpp()).await;
    let (anna, room) = (&talk.anna, &talk.room);

    // Mail to XMPP; the answer in XMPP names no message.
    talk.bob.send(Letter::answering(&talk.bob, &talk.first.1).text("Am Dienstag.")).await;
    let dienstag = anna.wait_for_words(room, &talk.ghosts[0], "Am Dienstag.").await;
    talk.eve.wait_for_words("> Wann passt es?\nBob schreibt:\n\nAm Dienstag.").await;
    talk.eve.say(&talk.jid(), "Mir auch.");
    let auch = anna.wait_for_words(room, &talk.ghosts[1], "Mir auch.").await;
    assert_eq!(anna.invitations().await, 0, "there is no second room");

    // XMPP to mail: from Anna's address, in the thread of the room, in the name of who has written.
    let eve = anna.name_of(room, &talk.ghosts[1]).await;
    let mail = talk.bob.wait_for_text(&format!("{eve} schreibt:\n\nMir auch.")).await;
    assert_eq!(mail.from(), (format!("{eve} (über Anna Muster)"), talk.mail()));
    assert_eq!(mail.to(), [talk.bob.address.as_str()]);
    assert_eq!(mail.references().first(), Some(&talk.first.1.message_id()), "the mails are one thread");
    assert_eq!(mail.subject(), "Re: Ortstermin");

    // The answer to what was passed on comes back into the room, and says what it answers on both sides.
    talk.bob.send(Letter::answering(&talk.bob, &mail).text("Dann um zehn.")).await;
    let zehn = anna.wait_for_words(room, &talk.ghosts[0], "Dann um zehn.").await;
    assert_eq!((answers(&dienstag), answers(&zehn)), (talk.first.0.as_str(), event_id(&auch)));
    let told = talk.eve.wait_for_words("> Mir auch.\nBob schreibt:\n\nDann um zehn.").await;
    let xml = told["xml"].as_str().unwrap();
    assert!(xml.contains("urn:xmpp:reply:0") && xml.contains(&talk.eve.address), "it names her own message: {xml}");
    // As she can answer to what was passed on.
    let id = told["id"].as_str().unwrap();
    let reply = format!("<body>Gut.</body><reply xmlns='urn:xmpp:reply:0' id='{id}' to='{}'/>", talk.jid());
    talk.eve.send(&talk.jid(), &reply);
    assert_eq!(answers(&anna.wait_for_words(room, &talk.ghosts[1], "Gut.").await), event_id(&zehn));
    talk.bob.wait_for_text(&format!("{eve} schreibt:\n\nGut.\n\n> Bob: Dann um zehn.")).await;

    // Staff are told once, nobody got anything twice, and nothing goes round.
    talk.idle().await;
    let said = anna.messages(room).await;
    let expected = ["Wann passt es?", "Am Dienstag.", PASSES_ON, "Mir auch.", "Dann um zehn.", "Gut."];
    let mut said = bodies(&said);
    said.sort_unstable();
    let mut sorted = expected;
    sorted.sort_unstable();
    assert_eq!(said, sorted);
    assert_eq!((talk.told().len(), talk.mailed().await.len()), (3, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_the_network_has_served_gets_nothing_twice_and_a_private_answer_goes_to_nobody_else() {
    let talk = Mixed::begin(Setup::with_xmpp()).await;
    let (anna, room, fred) = (&talk.anna, &talk.room, Outside::new("Fred"));
    let ghost = talk.fehmarn.slot().ghost(&fred.address);
    anna.invite(room, &ghost).await;
    anna.wait_for_member(room, &ghost, "join").await;
    anna.say(room, "Fred ist auch dabei.").await;
    let mail = talk.bob.wait_for_text("Fred ist auch dabei.").await;
    fred.wait_for_text("Fred ist auch dabei.").await;

    talk.bob.send(Letter::answering_all(&talk.bob, &mail, &[&talk.mail(), &fred.address]).text("Willkommen!")).await;
    anna.wait_for_words(room, &talk.ghosts[0], "Willkommen!").await;
    talk.eve.wait_for_words("> Fred ist auch dabei.\nBob schreibt:\n\nWillkommen!").await;
    fred.wait_for_text("Willkommen!").await;

    talk.bob.send(Letter::answering(&talk.bob, &mail).text("Nur für Sie.")).await;
    let private = anna.wait_for_invitation(&talk.ghosts[0]).await;
    anna.join(&private).await;
    anna.wait_for_words(&private, &talk.ghosts[0], "Nur für Sie.").await;
    talk.idle().await;
    assert_eq!(fred.mails().await.iter().map(Mail::text).collect::<Vec<_>>(), ["Fred ist auch dabei.", "Willkommen!"]);
    assert!(talk.told().iter().all(|words| !words.contains("Nur für Sie.")));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_came_later_gets_what_is_answered_to_older_mails_and_a_new_private_mail_stays_private() {
    let fehmarn = Fehmarn::new().await;
    let (anna, bob, carla) = (Staff::new("Anna Muster").await, Outside::new("Bob"), Outside::new("Carla"));
    let ghosts = [&bob, &carla].map(|person| fehmarn.slot().ghost(&person.address));
    let room = anna.direct_chat(&ghosts[0]).await;
    anna.say(&room, "Guten Tag").await;
    let first = bob.wait_for_text("Guten Tag").await;
    anna.invite(&room, &ghosts[1]).await;
    anna.wait_for_member(&room, &ghosts[1], "join").await;

    // Bob knows nothing of Carla.
    bob.send(Letter::answering(&bob, &first).text("Der Plan ist fertig.").file("image/png", "plan.png", b"\x89PNG"))
        .await;
    anna.wait_for_words(&room, &ghosts[0], "Der Plan ist fertig.").await;
    let is_it = |mail: &Mail| mail.text().starts_with("Bob schreibt:\n\nDer Plan ist fertig.");
    let mail = carla.wait_for_mail("his words", is_it).await;
    assert!(!mail.text().contains("Guten Tag"), "she does not get what was said before she came: {}", mail.text());
    assert_eq!(mail.from().0, "Bob (über Anna Muster)");
    let is_file = |mail: &Mail| mail.files().iter().any(|file| file.0 == "plan.png" && file.2 == b"\x89PNG");
    carla.wait_for_mail("the plan", is_file).await;

    let address = anna.address(&fehmarn.slot().domain);
    carla.send(Letter::answering(&carla, &mail).text("Sehr gut.")).await;
    anna.wait_for_words(&room, &ghosts[1], "Sehr gut.").await;
    let passed_on =
        bob.wait_for_mail("her answer", |mail| mail.text().starts_with("Carla schreibt:\n\nSehr gut.")).await;
    assert_eq!(passed_on.in_reply_to().len(), 1);

    // The room is not that of the two any more.
    bob.send(Letter::new(&bob, &address).subject("Vertraulich").text("Unter uns.")).await;
    let private = anna.wait_for_invitation(&ghosts[0]).await;
    assert_ne!(private, room);
    anna.join(&private).await;
    anna.wait_for_words(&private, &ghosts[0], "Unter uns.").await;
    until("empty queues", async || fehmarn.rows("").is_empty().then_some(())).await;
    assert!(carla.mails().await.iter().all(|mail| !mail.text().contains("Unter uns.")));
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_are_told_when_words_do_not_reach_the_others_and_can_have_them_passed_on_again() {
    let talk = Mixed::begin(Setup::with_xmpp()).await;
    let (anna, room) = (&talk.anna, &talk.room);
    let nobody = talk.fehmarn.slot().ghost("reject@example.org");
    let gone = talk.fehmarn.slot().ghost_of("xmpp", "gibt.es.nicht@xmpp.test");
    for ghost in [&nobody, &gone] {
        anna.invite(room, ghost).await;
        anna.wait_for_member(room, ghost, "join").await;
    }
    talk.bob.send(Letter::answering(&talk.bob, &talk.first.1).text("Am Dienstag.")).await;
    let said = anna.wait_for_words(room, &talk.ghosts[0], "Am Dienstag.").await;
    let told = "Diese Nachricht hat reject@example.org nicht erreicht: Diese Adresse gibt es nicht.";
    let told = anna.wait_for_notice(room, told).await;
    assert_eq!((answers(&told), sender(&told)), (event_id(&said), nobody.as_str()));
    let told = "Diese Nachricht hat gibt.es.nicht@xmpp.test nicht erreicht: Unter dieser Adresse nimmt niemand \
                Nachrichten an. Reagieren Sie mit 🔁 darauf, um sie noch einmal weiterzugeben.";
    let notice = anna.wait_for_notice(room, told).await;
    assert_eq!(answers(&notice), event_id(&said));
    talk.eve.wait_for_words("> Wann passt es?\nBob schreibt:\n\nAm Dienstag.").await;

    anna.react(room, event_id(&said), "🔁").await;
    let again = "Die Nachricht an gibt.es.nicht@xmpp.test wird noch einmal gesendet.";
    let is_again = |event: &Value| text(event, "/content/m.new_content/body") == again;
    anna.wait_for(room, again, is_again).await;
    let failed_again = |event: &Value| text(event, "/content/m.new_content/body") == told;
    anna.wait_for(room, "the same end", failed_again).await;
    assert_eq!(talk.told().iter().filter(|words| words.contains("Am Dienstag.")).count(), 1, "who has it gets it once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_is_not_passed_on_and_who_is_not_confirmed_is_marked() {
    let mut setup = Setup::with_xmpp();
    setup.senders = Some("{ trust: [mx.example.org] }".into());
    let fehmarn = setup.start().await;
    let (anna, eve) = (Staff::new("Anna Muster").await, Contact::new("Eve").await);
    let bob = Outside::new("Bob");
    let (address, port) = (anna.address(&fehmarn.slot().domain), fehmarn.slot().lmtp_port);
    let write = async |more: &str, words: &str| {
        let id = unique("letter");
        let mail = format!(
            "From: Bob <{}>\r\nTo: {address}\r\nSubject: Frage\r\nMessage-ID: <{id}@example.org>\r\n{more}\r\n{words}\r\n",
            bob.address
        );
        assert!(lmtp::hand_over(port, &bob.address, &address, mail.as_bytes()).await.unwrap().starts_with("250"));
    };
    write("", "Sind Sie da?").await;
    let ghost = fehmarn.slot().ghost(&format!("unverified:{}", bob.address));
    let room = anna.wait_for_invitation(&ghost).await;
    anna.join(&room).await;
    let eves = fehmarn.slot().ghost_of("xmpp", &eve.address);
    anna.invite(&room, &eves).await;
    anna.wait_for_member(&room, &eves, "join").await;
    anna.say(&room, "Ja.").await;
    let mail = bob.wait_for_mail("an answer", |mail| mail.text().starts_with("Ja.")).await;
    eve.wait_for_words("Ja.").await;

    let answer = format!("In-Reply-To: <{}>\r\n", mail.message_id());
    let parts = "--b\r\n\r\nIch bin im Urlaub.\r\n--b\r\nContent-Type: image/png\r\n\
                 Content-Disposition: attachment; filename=Urlaub.png\r\n\r\nPNG\r\n--b--";
    let kind = "Auto-Submitted: auto-replied\r\nContent-Type: multipart/mixed; boundary=b\r\n";
    write(&format!("{answer}{kind}"), parts).await;
    let is_absence = |event: &Value| sender(event) == ghost && body(event).contains("Ich bin im Urlaub.");
    anna.wait_for(&room, "an absence notice", is_absence).await;
    anna.wait_for_words(&room, &ghost, "Urlaub.png").await;
    write(&answer, "Ich bin Bob.\r\nCc: fremd@example.org").await;
    anna.wait_for_words(&room, &ghost, "Ich bin Bob.\nCc: fremd@example.org").await;
    let told =
        eve.wait_for("his words", |told| told["body"].as_str().is_some_and(|it| it.contains("Ich bin Bob."))).await;
    assert!(told["body"].as_str().unwrap().contains("Bob (Absender nicht bestätigt) schreibt:"), "{told}");
    assert!(told["body"].as_str().unwrap().contains("Cc: fremd@example.org"), "nobody outside orders copies: {told}");
    until("empty queues", async || fehmarn.rows("").is_empty().then_some(())).await;
    assert!(eve.told().iter().all(|told| !told.to_string().contains("Urlaub")));
}

#[tokio::test(flavor = "multi_thread")]
async fn quick_lines_are_one_mail_and_corrections_and_files_are_passed_on_as_well() {
    let mut setup = Setup::with_xmpp();
    setup.hold = "6s";
    let talk = Mixed::begin(setup).await;
    let (anna, room) = (&talk.anna, &talk.room);
    let eve = anna.name_of(room, &talk.ghosts[1]).await;
    let first = talk.eve.say(&talk.jid(), "Ich komme um 10.");
    let second = talk.eve.say(&talk.jid(), "Mit dem Rad.");
    talk.eve.say(&talk.jid(), "Cc: fremd@example.org");
    let correct = |id: &str, words: &str| {
        let replace = format!("<replace xmlns='urn:xmpp:message-correct:0' id='{id}'/>");
        talk.eve.send(&talk.jid(), &format!("<body>{words}</body>{replace}"));
    };
    correct(&first, "Ich komme um 11.");
    talk.eve.send(
        &talk.jid(),
        &format!("<body>/me nimmt etwas zurück</body><retract xmlns='urn:xmpp:message-retract:1' id='{second}'/>"),
    );
    let words = format!("{eve} schreibt:\n\nIch komme um 11.\n\nCc: fremd@example.org");
    let mail = talk.bob.wait_for_text(&words).await;
    assert!(mail.header("Cc").is_empty(), "nobody outside orders copies");
    correct(&first, "Ich komme um 12.");
    let is_it = |mail: &Mail| mail.text().contains("Ich komme um 12.");
    let correction = talk.bob.wait_for_mail("a correction", is_it).await;
    let words = format!("{eve} schreibt:\n\nKorrektur zu „Ich komme um 11.“: Ich komme um 12.");
    assert!(correction.text().starts_with(&words), "{}", correction.text());
    assert_eq!(correction.in_reply_to(), [mail.message_id()]);

    let link = talk.eve.upload("skizze.png", "image/png", b"\x89PNG").await;
    talk.eve.send(&talk.jid(), &format!("<body>{link}</body><x xmlns='jabber:x:oob'><url>{link}</url></x>"));
    let is_file =
        |mail: &Mail| mail.files() == [("skizze.png".to_owned(), "image/png".to_owned(), b"\x89PNG".to_vec())];
    let mail = talk.bob.wait_for_mail("a sketch", is_file).await;
    assert_eq!(mail.text(), format!("{eve} schreibt:"));

    // And the other way: what waits is taken out when staff take it away.
    let file = File { name: "Amt.pdf", media_type: "application/pdf", bytes: b"%PDF" };
    anna.send_file(room, "m.file", &file).await;
    talk.eve.wait_for("a file", |told| told["body"].as_str().is_some_and(|body| body.starts_with("http"))).await;
    talk.eve.say(&talk.jid(), "Das sollte hier nicht stehen.");
    let said = anna.wait_for_words(room, &talk.ghosts[1], "Das sollte hier nicht stehen.").await;
    anna.redact(room, event_id(&said)).await;
    talk.idle().await;
    assert!(talk.mailed().await.iter().all(|mail| !mail.contains("Das sollte hier nicht stehen.")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_some_of_them_can_see_is_told() {
    let talk = Mixed::begin(Setup::with_xmpp()).await;
    talk.anna.say_in_thread(&talk.room, &talk.first.0, "Im Thread").await;
    let told = "Nicht alle hier sehen Threads. Sie bekommen, was darin steht, als Antworten auf die erste Nachricht.";
    talk.anna.wait_for_notice(&talk.room, told).await;
}
