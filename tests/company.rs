//! One room with several people of the staff, and several outside on several networks.

use crate::common::{Contact, Letter, Mail, Outside, Setup, Staff, until};

#[tokio::test(flavor = "multi_thread")]
async fn in_one_room_all_of_the_staff_and_all_outside_on_every_network_read_each_other() {
    let fehmarn = Setup::with_xmpp().start().await;
    let (anna, tom) = (Staff::new("Anna Muster").await, Staff::new("Tom Beispiel").await);
    let mail = [Outside::new("Bob"), Outside::new("Dan")];
    let chat = [Contact::new("Eve").await, Contact::new("Fred").await];
    let [bob, dan] = mail.each_ref().map(|person| fehmarn.slot().ghost(&person.address));
    let [eve, fred] = chat.each_ref().map(|person| fehmarn.slot().ghost_of("xmpp", &person.address));
    // Each of the two brings some of them.
    let room = anna.room("Ortstermin", &[&bob, &eve, &tom.id]).await;
    tom.join(&room).await;
    for ghost in [&dan, &fred] {
        tom.invite(&room, ghost).await;
    }
    for ghost in [&bob, &dan, &eve, &fred] {
        anna.wait_for_member(&room, ghost, "join").await;
    }
    for (staff, words) in [(&anna, "Hier ist Anna."), (&tom, "Hier ist Tom.")] {
        staff.say(&room, words).await;
        for person in &mail {
            person.wait_for_text(words).await;
        }
        for person in &chat {
            person.wait_for_words(words).await;
        }
    }

    let of_tom = mail[1].wait_for_text("Hier ist Tom.").await;
    let to = [tom.address(&fehmarn.slot().domain), mail[0].address.clone()];
    mail[1].send(Letter::answering_all(&mail[1], &of_tom, &[&to[0], &to[1]]).text("Hier ist Dan.")).await;
    chat[1].say(&tom.address(&fehmarn.slot().xmpp_domain), "Hier ist Fred.");
    for staff in [&anna, &tom] {
        staff.wait_for_words(&room, &dan, "Hier ist Dan.").await;
        staff.wait_for_words(&room, &fred, "Hier ist Fred.").await;
    }
    until("empty queues", async || fehmarn.rows("").is_empty().then_some(())).await;
    for person in &mail {
        let texts: Vec<String> = person.mails().await.iter().map(Mail::text).collect();
        for words in ["Hier ist Anna.", "Hier ist Tom."] {
            assert_eq!(texts.iter().filter(|text| *text == words).count(), 1, "{texts:?}");
        }
    }
}
