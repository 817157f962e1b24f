//! Reports that name the mail they are about in one way alone, through a real mail server.

use crate::common::{Conversation, Fehmarn, events::text, outside::hand_over, wait::unique};

/// A mail that was sent came back; `fields` and `returned` are all that names it besides the envelope.
fn bounce(talk: &Conversation, fields: &str, returned: &str) -> Vec<u8> {
    format!(
        "From: MAILER-DAEMON@example.org\r\nTo: {to}\r\nMessage-ID: <{id}@example.org>\r\nSubject: Returned mail\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
         --b\r\n\r\nYour mail came back.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n{fields}\
         Reporting-MTA: dns; example.org\r\n\r\nFinal-Recipient: rfc822; {bob}\r\nAction: failed\r\nStatus: 5.2.2\r\n\
         \r\n{returned}--b--\r\n",
        to = talk.address(),
        id = unique("bounce"),
        bob = talk.bob.address,
    )
    .into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_finds_its_message_by_each_of_the_names_that_we_gave_the_mail() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let told = format!("Die Nachricht an {} kam zurück: Das Postfach ist voll.", talk.bob.address);
    for way in ["envelope id", "message id", "envelope sender"] {
        let said = talk.anna.say(&talk.room, way).await;
        let message = talk.bob.wait_for_text(way).await.message_id();
        let (delivery, _) = message.split_once('@').unwrap();
        let tagged = talk.address().replace('@', &format!("+{delivery}@"));
        let (to, report) = match way {
            "envelope id" => (talk.address(), bounce(&talk, &format!("Original-Envelope-Id: {delivery}\r\n"), "")),
            "message id" => {
                let returned =
                    format!("--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <{message}>\r\n\r\n");
                (talk.address(), bounce(&talk, "", &returned))
            }
            _ => (tagged, bounce(&talk, "", "")),
        };
        hand_over(None, &[&to], &report);
        let about = |event: &serde_json::Value| {
            text(event, "/content/m.relates_to/m.in_reply_to/event_id") == said
                && text(event, "/content/body").starts_with(&told)
        };
        talk.anna.wait_for(&talk.room, &format!("what came back, named by its {way}"), about).await;
    }
    assert!(talk.heard().await.iter().all(|words| words.starts_with(&told)), "a report is no message");
}
