//! What somebody who means harm may push or say: it is refused or left out, and what comes after it crosses.

use crate::common::{
    Conversation, Fehmarn, Letter,
    homeserver::{Homeserver, message, user},
    lmtp::{self, Lmtp},
    wait::unique,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// An event of exactly this many bytes, as JSON without any space.
fn event_of(bytes: usize, room: &str, sender: &str) -> Value {
    let mut event = message(room, sender, "");
    let missing = bytes - event.to_string().len();
    event["content"]["body"] = json!("x".repeat(missing));
    assert_eq!(event.to_string().len(), bytes);
    event
}

#[tokio::test(flavor = "multi_thread")]
async fn events_as_large_as_allowed_and_a_byte_more_or_less_cross_whole_and_once() {
    const LARGEST: usize = 65_536;
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let homeserver = Homeserver::of(talk.fehmarn.slot());
    for (n, bytes) in [LARGEST - 1, LARGEST, LARGEST + 1].into_iter().enumerate() {
        let event = event_of(bytes, &talk.room, &talk.anna.id);
        let words = event["content"]["body"].as_str().unwrap().to_owned();
        assert_eq!(homeserver.push(&format!("large-{n}"), std::slice::from_ref(&event)).await, StatusCode::OK);
        talk.bob.wait_for_text(&words).await;
    }
    // A hundred of them, as many as a homeserver pushes at once; and none at all.
    let elsewhere = format!("!{}:x", unique("elsewhere"));
    let many: Vec<Value> = (0..100).map(|_| event_of(LARGEST, &elsewhere, &talk.anna.id)).collect();
    assert_eq!(homeserver.push("many", &many).await, StatusCode::OK);
    assert_eq!(homeserver.push("none", &[]).await, StatusCode::OK);
    talk.tell("Ende").await;
    assert_eq!(talk.mailed().await.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_any_depth_and_with_ids_of_any_length_hold_nobody_up() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let homeserver = Homeserver::of(talk.fehmarn.slot());
    let plain = |words: &str| message(&talk.room, &talk.anna.id, words).to_string();
    let push = async |id: &str, events: &[String]| {
        homeserver.put(id, &format!(r#"{{"events":[{}]}}"#, events.join(","))).await.0
    };
    for (n, (open, close)) in [("[", "]"), (r#"{"a":"#, "}")].into_iter().enumerate() {
        let deep = format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
        let places = [
            plain("tief").replacen("\"tief\"", &deep, 1),
            plain("tief").replacen("\"content\":{", &format!("\"content\":{{\"x\":{deep},"), 1),
            plain("tief").replacen("{", &format!("{{\"unsigned\":{deep},"), 1),
            deep,
        ];
        for (m, deep) in places.into_iter().enumerate() {
            let status = push(&format!("deep {n} {m}"), &[deep]).await;
            assert!(matches!(status.as_u16(), 200 | 400), "{status}");
        }
    }
    // 255 bytes are allowed for users, rooms and events; one more, and what is no id at all, is not.
    for length in [254, 255, 256, 70_000] {
        let id = |sigil: &str, rest: &str| format!("{sigil}{}{rest}", "x".repeat(length - rest.len() - 1));
        let server = user("").split_off(1);
        let with = |key: &str, id: String| {
            let mut event = message(&talk.room, &talk.anna.id, "id");
            event[key] = json!(id);
            event.to_string()
        };
        let mut invited = message(&talk.room, &talk.anna.id, "");
        invited["type"] = json!("m.room.member");
        invited["state_key"] = json!(id("@", &server));
        invited["content"] = json!({ "membership": "invite" });
        let events = [
            with("sender", id("@", &server)),
            with("room_id", id("!", ":x")),
            with("type", id("m", "")),
            invited.to_string(),
        ];
        assert_eq!(push(&format!("ids {length}"), &events).await, StatusCode::OK, "{length}");
    }
    let event = message(&talk.room, &talk.anna.id, "eine lange Nummer").to_string();
    let id = message("", "", "")["event_id"].as_str().unwrap().to_owned();
    let mut event: Value = serde_json::from_str(&event).unwrap();
    event["event_id"] = json!(format!("{id:x<255}"));
    for id in ["long 1", "long 2"] {
        assert_eq!(push(id, &[event.to_string()]).await, StatusCode::OK);
    }
    talk.bob.wait_for_text("eine lange Nummer").await;
    talk.tell("Ende").await;
    let mailed = talk.mailed().await;
    assert_eq!(mailed.iter().filter(|text| *text == "eine lange Nummer").count(), 1, "{mailed:?}");
    assert_eq!(talk.fehmarn.log().matches("a fault in the program").count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_tries_one_token_after_the_other_gets_nowhere_and_delays_nobody() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let homeserver = Homeserver::of(talk.fehmarn.slot());
    let body = json!({ "events": [message(&talk.room, &talk.anna.id, "gestohlen")] }).to_string();
    let guess = async |first: usize| {
        for n in first..first + 250 {
            let path = format!("/_matrix/app/v1/transactions/guess-{n}");
            let token = format!("{}{n}", &homeserver.token[..homeserver.token.len() / 2]);
            let (status, code) = homeserver.ask(Method::PUT, &path, Some(&token), &body).await;
            assert_eq!((status.as_u16(), code.as_str()), (403, "M_FORBIDDEN"));
        }
    };
    tokio::join!(guess(0), guess(1000), guess(2000), guess(3000), async {
        talk.tell("dazwischen").await;
        talk.hear("auch dazwischen").await;
    });
    assert_eq!(talk.mailed().await, ["Guten Tag", "dazwischen"]);
    assert!(!talk.fehmarn.log().contains(&homeserver.token), "a token in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_recipients_are_no_more_than_a_hundred() {
    const MANY: usize = 100_000;
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let port = talk.fehmarn.slot().lmtp_port;
    let mut client = Lmtp::connect(port).await.unwrap();
    assert!(client.ask("MAIL FROM:<bob@example.org>").await.unwrap().starts_with("250"));
    let to = format!("RCPT TO:<{}>", talk.address());
    let mut taken = 0;
    for n in 0..MANY {
        let answer = client.ask(&to).await.unwrap();
        assert_eq!(answer.starts_with("250"), n < 100, "{n}: {answer}");
        taken += usize::from(answer.starts_with("250"));
    }
    assert_eq!(taken, 100);
    drop(client);
    // In the header they are only words.
    let list: String = (0..MANY).map(|n| format!(",\r\n p{n}@example.org")).collect();
    let mail = String::from_utf8(talk.answer("An alle").bytes()).unwrap();
    let mail = mail.replacen("To: ", "Cc: bob@example.org", 1).replacen(
        "Cc: bob@example.org",
        &format!("Cc: q@example.org{list}\r\nTo: "),
        1,
    );
    let answer = lmtp::hand_over(port, &talk.bob.address, &talk.address(), mail.as_bytes()).await.unwrap();
    assert!(answer.starts_with('5') || answer.starts_with("250"), "{answer}");
    talk.hear("Ende").await;
    talk.tell("Auch").await;
    assert_eq!(talk.fehmarn.log().matches("a fault in the program").count(), 0);
}

/// Each of these is an end of data to some server or other. To us it is none: what follows is no second mail.
#[tokio::test(flavor = "multi_thread")]
async fn no_mail_can_be_smuggled_in_within_another() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let port = talk.fehmarn.slot().lmtp_port;
    let (from, to) = (&talk.bob.address, talk.address());
    let ends = [
        "\n.\n",
        "\n.\r\n",
        "\r\n.\n",
        "\r.\r",
        "\r.\r\n",
        "\r\n.\r",
        "\r\n.\r\r\n",
        "\n\r.\r\n",
        "\r\n\0.\r\n",
        "\r\n.\0\r\n",
        "\n\0.\n",
        "\r\n.\r\0\n",
    ];
    for (n, end) in ends.iter().enumerate() {
        let mut client = Lmtp::connect(port).await.unwrap();
        for line in [format!("MAIL FROM:<{from}>"), format!("RCPT TO:<{to}>"), "DATA".into()] {
            client.ask(&line).await.unwrap();
        }
        let letter = String::from_utf8(talk.answer(&format!("Brief {n}")).bytes()).unwrap();
        let inner = Letter::new(&talk.bob, &to).text("geschmuggelt").bytes();
        let smuggled = format!("MAIL FROM:<{from}>\r\nRCPT TO:<{to}>\r\nDATA\r\n{}", String::from_utf8(inner).unwrap());
        client.write(letter.trim_end().as_bytes()).await.unwrap();
        client.write(format!("{end}{smuggled}").as_bytes()).await.unwrap();
        let answer = client.ask("\r\n.").await.unwrap();
        assert!(answer.starts_with("250"), "{end:?}: {answer}");
        // The next answer is that to the next command: there was no other in between.
        let answer = client.ask("VRFY x").await.unwrap();
        assert!(answer.starts_with("252"), "{end:?}: {answer}");
    }
    talk.hear("Ende").await;
    let heard = talk.heard().await;
    // Besides them the ghost says once that quotes are cut.
    assert_eq!(heard.iter().filter(|words| words.starts_with("Brief ")).count(), ends.len(), "{heard:#?}");
    assert!(!heard.iter().any(|words| words == "geschmuggelt"), "{heard:#?}");
}

/// Out: what stands in a message can end no mail and begin none, whoever reads it behind Postfix.
#[tokio::test(flavor = "multi_thread")]
async fn no_mail_can_be_smuggled_out_within_a_message() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let homeserver = Homeserver::of(talk.fehmarn.slot());
    let ends =
        ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r.\r\n", "\r\n.\r", "\r\n.\r\n", "\r\r\n.\r\r\n", "\r\n.\0\r\n"];
    for (n, end) in ends.iter().enumerate() {
        let words = format!(
            "Anfang {n}{end}MAIL FROM:<x@example.org>\r\nRCPT TO:<{}>\r\nDATA\r\nSchluss {n}",
            talk.bob.address
        );
        let event = message(&talk.room, &talk.anna.id, &words);
        assert_eq!(homeserver.push(&format!("out {n}"), &[event]).await, StatusCode::OK);
    }
    talk.tell("Ende").await;
    let mailed = talk.mailed().await;
    assert_eq!(mailed.len(), ends.len() + 2, "{mailed:#?}");
    for (n, text) in mailed[1..=ends.len()].iter().enumerate() {
        assert!(text.starts_with(&format!("Anfang {n}")) && text.ends_with(&format!("Schluss {n}")), "{text:?}");
    }
}
