//! Mail that wants to be taken for something else, or for more than anybody can read.

use crate::common::{
    Conversation, Fehmarn, Outside, Staff,
    events::{bodies, text},
    lmtp,
    wait::unique,
};
use serde_json::Value;

fn mail(from: &str, to: &str, header: &str, words: &str) -> String {
    let id = unique("strange");
    format!(
        "From: {from}\r\nTo: {to}\r\nMessage-ID: <{id}@example.org>\r\nMIME-Version: 1.0\r\n{header}\r\n{words}\r\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn who_poses_as_one_of_us_is_called_by_the_address_or_marked() {
    let fehmarn = Fehmarn::new().await;
    let (anna, tom) = (Staff::new("Anna Muster").await, Staff::new("Tom Beispiel").await);
    let domain = &fehmarn.slot().domain;
    let (address, eve) = (anna.address(domain), Outside::new("Eve"));
    let posed = format!("\"Tom Beispiel ({})\" <{}>", tom.address(domain), eve.address);
    eve.send_raw(&[&address], mail(&posed, &address, "", "Bitte rufen Sie mich an.").as_bytes()).await;
    let ghost = fehmarn.slot().ghost(&eve.address);
    let room = anna.wait_for_invitation(&ghost).await;
    anna.join(&room).await;
    anna.wait_for_words(&room, &ghost, "Bitte rufen Sie mich an.").await;
    assert_eq!(anna.name_of(&room, &ghost).await, eve.address);

    // One letter is another one: "bridge" with an l.
    let alike = format!("{}@{}", tom.localpart, domain.replace("bridge", "brldge"));
    let words = mail(&format!("Tom Beispiel <{alike}>"), &address, "", "Ich bin es, Tom.");
    let answer = lmtp::hand_over(fehmarn.slot().lmtp_port, &alike, &address, words.as_bytes()).await.unwrap();
    assert!(answer.starts_with("250"), "{answer}");
    let ghost = fehmarn.slot().ghost(&format!("unverified:{alike}"));
    let room = anna.wait_for_invitation(&ghost).await;
    anna.join(&room).await;
    anna.wait_for_words(&room, &ghost, "Ich bin es, Tom.").await;
    assert_eq!(anna.name_of(&room, &ghost).await, "Tom Beispiel (Absender nicht bestätigt)");
    let told = "Es lässt sich nicht prüfen, ob diese Nachricht wirklich von diesem Absender kommt. Bitte geben Sie hier \
                nichts Vertrauliches weiter.";
    anna.wait_for_notice(&room, told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_each_limit_there_is_an_answer_or_a_sentence_and_the_next_mail_is_read() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let (port, from, to) = (talk.fehmarn.slot().lmtp_port, &talk.bob.address, talk.address());
    let hand_over = async |header: &str, words: &str| {
        let raw = mail(&format!("Bob <{from}>"), &to, header, words);
        lmtp::hand_over(port, from, &to, raw.as_bytes()).await.unwrap()
    };
    // 300 KiB of header, in many lines and in one.
    for header in
        [format!("X-Long: {}\r\n", "x".repeat(290)).repeat(1030), format!("X-Long: {}\r\n", "x".repeat(300 << 10))]
    {
        let answer = hand_over(&header, "Hallo").await;
        assert!(answer.starts_with("552 5.3.4"), "{answer}");
    }
    // So is one that is too large, before anything of it was sent.
    let mut server = lmtp::Lmtp::connect(port).await.unwrap();
    let answer = server.ask(&format!("MAIL FROM:<{from}> SIZE=99000000")).await.unwrap();
    assert!(answer.starts_with("552 5.3.4"), "{answer}");
    let files = async |count: usize| {
        let is_file = |event: &&Value| text(event, "/content/msgtype") == "m.file";
        let are_there = async || {
            let said = talk.anna.messages(&talk.room).await;
            (said.iter().filter(is_file).count() == count).then_some(())
        };
        talk.anna.wait(&format!("{count} files"), are_there).await;
    };
    // A mail in a mail in a mail ...: three are shown, and each is a file as well, as is what hangs at the last.
    let answer = hand_over(&"Content-Type: message/rfc822\r\n\r\n".repeat(40), "Hallo").await;
    assert!(answer.starts_with("250"), "{answer}");
    files(4).await;
    // Parts in parts in parts ...
    let parts: String =
        (0..40).map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n")).collect();
    let answer = hand_over(&parts, "Hallo").await;
    assert!(answer.starts_with("250"), "{answer}");
    let beyond = "Diese E-Mail ist zu groß oder zu verschachtelt, um sie hier zu zeigen. Das Original hängt daran.";
    talk.anna.wait_for_words(&talk.room, &talk.ghost, beyond).await;
    files(5).await;
    talk.hear("Weiter").await;
    let said = talk.anna.messages(&talk.room).await;
    assert_eq!(bodies(&said).iter().filter(|words| **words == "Hallo").count(), 0, "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_has_passed_more_than_a_hundred_servers_goes_round_and_is_refused() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let passed = async |servers: usize, words: &str| {
        let hop = "Received: from a.example by b.example; Mon, 23 Nov 2026 10:00:00 +0100\r\n";
        let mail = [hop.repeat(servers).as_bytes(), &talk.answer(words).bytes()].concat();
        lmtp::hand_over(talk.fehmarn.slot().lmtp_port, &talk.bob.address, &talk.address(), &mail).await.unwrap()
    };
    let answer = passed(101, "Im Kreis").await;
    assert!(answer.starts_with("554 5.4.6"), "{answer}");
    talk.fehmarn.wait_for_log("too many hops").await;
    let answer = passed(100, "Ein weiter Weg").await;
    assert!(answer.starts_with("250"), "{answer}");
    talk.anna.wait_for_words(&talk.room, &talk.ghost, "Ein weiter Weg").await;
    assert_eq!(talk.heard().await, ["Ein weiter Weg"]);
}
