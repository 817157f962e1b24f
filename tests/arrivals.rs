//! Whom a mail concerns, and the room in which they read it.

use crate::common::{
    Conversation, Fehmarn, Letter, Outside, Staff, body,
    events::{event_id, text},
    lmtp, sender,
    wait::unique,
};
use serde_json::Value;

fn answers(event: &Value) -> &str {
    text(event, "/content/m.relates_to/m.in_reply_to/event_id")
}

/// Anna in a room with Bob and Eve from outside, and the ghosts of the two.
async fn group(fehmarn: &Fehmarn, anna: &Staff, bob: &Outside, eve: &Outside) -> (String, [String; 2]) {
    let ghosts = [bob, eve].map(|person| fehmarn.slot().ghost(&person.address));
    let room = anna.room("Sitzung", &[&ghosts[0], &ghosts[1]]).await;
    anna.say(&room, "Willkommen").await;
    for person in [bob, eve] {
        person.wait_for_text("Willkommen").await;
    }
    (room, ghosts)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_one_of_several_messages_says_to_which() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let asked = talk.anna.say(&talk.room, "Kommen Sie am Montag?").await;
    let question = talk.bob.wait_for_text("Kommen Sie am Montag?").await;
    talk.tell("Der Ausweis fehlt noch.").await;
    talk.bob.send(Letter::answering(&talk.bob, &question).text("Ja, gern.")).await;
    let event = talk.anna.wait_for_words(&talk.room, &talk.ghost, "Ja, gern.").await;
    assert_eq!(answers(&event), asked);
    let new = Letter::new(&talk.bob, &talk.address()).subject("Neu").text("Und noch etwas.");
    talk.bob.send(new).await;
    let event = talk.anna.wait_for_words(&talk.room, &talk.ghost, "Und noch etwas.").await;
    assert_eq!(answers(&event), "", "a new mail answers nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_all_stays_in_the_group_and_a_private_one_does_not() {
    let fehmarn = Fehmarn::new().await;
    let (anna, bob, eve) = (Staff::new("Anna Muster").await, Outside::new("Bob"), Outside::new("Eve"));
    let (room, ghosts) = group(&fehmarn, &anna, &bob, &eve).await;
    anna.say(&room, "Wer kommt?").await;
    let mail = bob.wait_for_text("Wer kommt?").await;
    let address = anna.address(&fehmarn.slot().domain);

    bob.send(Letter::answering_all(&bob, &mail, &[&address, &eve.address]).text("Wir beide.")).await;
    anna.wait_for_words(&room, &ghosts[0], "Wir beide.").await;

    bob.send(Letter::answering(&bob, &mail).text("Nur für Sie: Eve kommt nicht.")).await;
    let private = anna.wait_for_invitation(&ghosts[0]).await;
    anna.join(&private).await;
    anna.wait_for_words(&private, &ghosts[0], "Nur für Sie: Eve kommt nicht.").await;
    let heard: Vec<String> = anna.messages(&room).await.iter().map(|event| body(event).to_owned()).collect();
    assert_eq!(heard, ["Willkommen", "Wer kommt?", "Wir beide."]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_to_two_colleagues_and_another_ends_once_in_one_room_of_all() {
    let fehmarn = Fehmarn::new().await;
    let (anna, tom) = (Staff::new("Anna Muster").await, Staff::new("Tom Beispiel").await);
    let (bob, eve) = (Outside::new("Bob"), Outside::new("Eve"));
    let addresses = [&anna, &tom].map(|staff| staff.address(&fehmarn.slot().domain));
    let all = [addresses[0].as_str(), &addresses[1], &eve.address];
    bob.send(Letter::to_all(&bob, &all).subject("Ortstermin").text("Passt Dienstag?")).await;

    let ghosts = [&bob, &eve].map(|person| fehmarn.slot().ghost(&person.address));
    let room = anna.wait_for_invitation(&ghosts[0]).await;
    assert_eq!(tom.wait_for_invitation(&ghosts[0]).await, room);
    for staff in [&anna, &tom] {
        staff.join(&room).await;
    }
    anna.wait_for_words(&room, &ghosts[0], "Passt Dienstag?").await;
    tom.say(&room, "Dienstag passt.").await;
    let mail = eve.wait_for_text("Dienstag passt.").await;
    assert_eq!(mail.to(), [bob.address.as_str(), eve.address.as_str()]);
    assert_eq!(mail.subject(), "Re: Ortstermin");

    let all = [addresses[1].as_str(), &addresses[0], &bob.address];
    eve.send(Letter::answering_all(&eve, &mail, &all).text("Gut.")).await;
    anna.wait_for_words(&room, &ghosts[1], "Gut.").await;
    let heard: Vec<String> = anna.messages(&room).await.iter().map(|event| body(event).to_owned()).collect();
    assert_eq!(heard, ["Passt Dienstag?", "Dienstag passt.", "Gut."]);
    let state = anna.events(&room).await;
    let content = |kind: &str| state.iter().find(|event| text(event, "/type") == kind).unwrap()["content"].clone();
    assert_eq!(content("m.room.name"), serde_json::json!({ "name": "Ortstermin" }));
    assert_eq!(text(&content("m.bridge"), "/channel/id"), bob.address);
    assert_eq!(anna.invitations().await + tom.invitations().await, 0, "there is no second room");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_answers_in_a_foreign_thread_does_not_get_in_and_is_shown_as_somebody_else() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let eve = Outside::new("Eve");
    eve.send(Letter::answering(&eve, &talk.first).text("Ich bin es, Bob.")).await;
    let ghost = talk.fehmarn.slot().ghost(&eve.address);
    let room = talk.anna.wait_for_invitation(&ghost).await;
    talk.anna.join(&room).await;
    talk.anna.wait_for_words(&room, &ghost, "Ich bin es, Bob.").await;
    let told = |event: &Value| text(event, "/content/msgtype") == "m.notice";
    let told = talk.anna.wait_for(&room, "a notice", told).await;
    assert!(body(&told).contains(&talk.bob.address), "{told}");
    assert!(talk.heard().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_names_no_message_is_found_by_its_subject() {
    let fehmarn = Fehmarn::new().await;
    let (anna, tom, bob) = (Staff::new("Anna Muster").await, Staff::new("Tom Beispiel").await, Outside::new("Bob"));
    let ghost = fehmarn.slot().ghost(&bob.address);
    let direct = anna.direct_chat(&ghost).await;
    anna.say(&direct, "Guten Tag").await;
    bob.wait_for_text("Guten Tag").await;
    let room = anna.room("Bauantrag 17", &[&ghost, &tom.id]).await;
    anna.say(&room, "Der Plan fehlt.").await;
    bob.wait_for_text("Der Plan fehlt.").await;

    let address = anna.address(&fehmarn.slot().domain);
    bob.send(Letter::new(&bob, &address).subject("AW: bauantrag  17").text("Der Plan kommt morgen.")).await;
    anna.wait_for_words(&room, &ghost, "Der Plan kommt morgen.").await;
    bob.send(Letter::new(&bob, &address).subject("Etwas anderes").text("Haben Sie Zeit?")).await;
    anna.wait_for_words(&direct, &ghost, "Haben Sie Zeit?").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_server_reports_that_a_mail_is_there_the_ghost_has_read() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let said = talk.anna.say(&talk.room, "Ist das angekommen?").await;
    let mail = talk.bob.wait_for_text("Ist das angekommen?").await;
    let boundary = unique("boundary");
    let report = format!(
        "From: MAILER-DAEMON@example.org\r\nTo: {to}\r\nSubject: Zustellbericht\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary={boundary}\r\n\r\n\
         --{boundary}\r\n\r\nAngekommen.\r\n--{boundary}\r\nContent-Type: message/delivery-status\r\n\r\n\
         Reporting-MTA: dns; example.org\r\n\r\nFinal-Recipient: rfc822; {bob}\r\nAction: delivered\r\n\
         Status: 2.0.0\r\n\r\n--{boundary}\r\nContent-Type: text/rfc822-headers\r\n\r\n\
         Message-ID: <{id}>\r\n\r\n--{boundary}--\r\n",
        to = talk.address(),
        bob = talk.bob.address,
        id = mail.message_id(),
    );
    let slot = talk.fehmarn.slot();
    let answer = lmtp::hand_over(slot.lmtp_port, "", &talk.address(), report.as_bytes()).await.unwrap();
    assert!(answer.starts_with("250"), "{answer}");
    let read = talk.anna.wait_for_read(&talk.room, &talk.ghost).await;
    assert_eq!(read, said);
    assert!(talk.heard().await.is_empty(), "a report is no message");
    assert!(!event_id(&talk.hear("Ja.").await).is_empty() && sender(&talk.hear("Doch.").await) == talk.ghost);
}
