//! Mail that no person wrote, through Postfix: shown, marked, and answered by nobody.

use crate::common::{Fehmarn, Outside, Staff, lmtp, until, wait::unique};

fn mail(from: &Outside, to: &str, more: &str, words: &str) -> Vec<u8> {
    let id = unique("machine");
    format!(
        "From: {} <{}>\r\nTo: {to}\r\nSubject: Neues\r\nMessage-ID: <{id}@example.org>\r\n{more}\r\n{words}\r\n",
        from.name, from.address
    )
    .into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_newsletters_and_who_takes_no_answers_are_marked_and_people_are_not() {
    let fehmarn = Fehmarn::new().await;
    let anna = Staff::new("Anna Muster").await;
    let address = anna.address(&fehmarn.slot().domain);
    let (list, news, shop) = (Outside::new("Liste"), Outside::new("Verein"), Outside::new("Laden"));
    let (silent, form) = (Outside::new("no-reply"), Outside::new("noreply.forms"));
    let with_address = format!("Reply-To: Service <{}>\r\n", shop.address);
    for (from, more, is_marked) in [
        (&list, "List-Id: <eltern.example.org>\r\n", true),
        (&news, "List-Unsubscribe: <https://example.org/weg>\r\n", true),
        (&silent, "", true),
        (&form, with_address.as_str(), false),
        (&shop, "", false),
    ] {
        from.send_raw(&[&address], &mail(from, &address, more, "Es gibt Neues.")).await;
        let ghost = fehmarn.slot().ghost(&from.address);
        let room = anna.wait_for_invitation(&ghost).await;
        anna.join(&room).await;
        let mark = if is_marked { "Automatische Nachricht:\n\n" } else { "" };
        anna.wait_for_words(&room, &ghost, &format!("{mark}Es gibt Neues.")).await;
    }
    until("empty queues", async || fehmarn.rows("").is_empty().then_some(())).await;
    for from in [&list, &news, &shop, &silent, &form] {
        assert!(from.mails().await.is_empty(), "nobody answers {}", from.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_has_passed_too_many_servers_is_refused() {
    let fehmarn = Fehmarn::new().await;
    let (anna, bob) = (Staff::new("Anna Muster").await, Outside::new("Bob"));
    let (address, port) = (anna.address(&fehmarn.slot().domain), fehmarn.slot().lmtp_port);
    for (hops, expected) in [(101, "554 5.4.6"), (20, "250")] {
        let raw = mail(&bob, &address, &"Received: by mx.example.org; today\r\n".repeat(hops), &format!("Nach {hops}"));
        let answer = lmtp::hand_over(port, &bob.address, &address, &raw).await.unwrap();
        assert!(answer.starts_with(expected), "{hops}: {answer}");
    }
    let ghost = fehmarn.slot().ghost(&bob.address);
    let room = anna.wait_for_invitation(&ghost).await;
    anna.join(&room).await;
    anna.wait_for_words(&room, &ghost, "Nach 20").await;
    assert_eq!(anna.messages(&room).await.len(), 1);
}
