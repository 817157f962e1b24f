//! What the bot does for who writes to it.

use crate::common::{
    Conversation, Fehmarn, Letter, Outside, Setup, Staff,
    events::{bodies, text},
    gate::Gate,
    sender, servers,
    staff::File,
};
use reqwest::Method;
use serde_json::{Value, json};

/// How a client is led to a room.
fn link(room: &str) -> String {
    let id = room.replace('!', "%21").replace(':', "%3A");
    format!("https://matrix.to/#/{}?via={}", id.replacen("%21", "!", 1), servers().server_name)
}

/// The bot's answers in a room, in order.
async fn answers(staff: &Staff, room: &str, bot: &str) -> Vec<String> {
    let messages = staff.messages(room).await;
    messages.iter().filter(|event| sender(event) == bot).map(|event| text(event, "/content/body").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_alone_becomes_a_conversation_and_never_a_second_one() {
    let fehmarn = Fehmarn::new().await;
    let (anna, bob, bot) = (Staff::new("Anna Muster").await, Outside::new("Bob"), fehmarn.slot().bot_id());
    let ghost = fehmarn.slot().ghost(&bob.address);
    let office = anna.direct_chat(&bot).await;
    // As clients do that make the room with the first message: nobody of us is there yet.
    anna.say(&office, &bob.address).await;
    let room = anna.wait_for_invitation(&ghost).await;
    let ready = anna.wait_for_part(&office, &bot, "ist bereit").await;
    assert!(ready.contains(&bob.address) && ready.contains(&link(&room)), "{ready}");
    anna.join(&room).await;
    anna.say(&room, "Guten Tag").await;
    let mail = bob.wait_for_text("Guten Tag").await;
    bob.send(Letter::answering(&bob, &mail).text("Danke")).await;
    anna.wait_for_words(&room, &ghost, "Danke").await;

    anna.say(&office, &format!("Mail an {}", bob.address.to_uppercase())).await;
    let known = anna.wait_for_part(&office, &bot, "schon ein Gespräch").await;
    assert!(known.contains(&link(&room)), "{known}");
    assert_eq!(anna.invitations().await, 0, "there is no second room");

    anna.leave(&room).await;
    anna.say(&office, &bob.address).await;
    assert_eq!(anna.wait_for_invitation(&ghost).await, room, "the old room is offered again");
    assert_eq!(answers(&anna, &office, &bot).await[..1], [ready], "the first words were answered, not greeted");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bot_greets_explains_and_says_what_to_do() {
    let fehmarn = Fehmarn::new().await;
    let (anna, bot) = (Staff::new("Anna Muster").await, fehmarn.slot().bot_id());
    let office = anna.direct_chat(&bot).await;
    let welcome = anna.wait_for_part(&office, &bot, "Guten Tag! Ich bin Fehmarn.").await;
    assert!(welcome.contains("mail bob@example.org – ein Gespräch beginnen"), "{welcome}");
    anna.send(&office, json!({ "msgtype": "m.notice", "body": "hilfe" })).await;
    let questions = [
        ("!HILFE", "hilfe – diese Übersicht"),
        ("Was kannst du?", "Das habe ich nicht verstanden."),
        ("mail bob@", "„bob@“ ist keine Adresse, an die ich schreiben kann. Bitte so: mail bob@example.org"),
        ("bob@example", "„bob@example“ ist keine Adresse"),
        ("+49 431 988", "„+49 431 988“ ist keine Adresse"),
        ("mail", "Bitte schreiben Sie die Adresse dazu, zum Beispiel: mail bob@example.org"),
        ("status", "Es ist nichts offen: Von Ihnen wartet nichts, und nichts ist fehlgeschlagen."),
        ("sprache klingonisch", "Ich spreche Deutsch (sprache de) und Englisch (sprache en)."),
    ];
    for (typed, answer) in questions {
        let before = answers(&anna, &office, &bot).await.len();
        anna.say(&office, typed).await;
        let said = anna
            .wait(answer, async || Some(answers(&anna, &office, &bot).await).filter(|said| said.len() > before))
            .await;
        assert!(said[before].contains(answer), "{typed}: {said:?}");
        assert_eq!(said.len(), before + 1, "{typed}: one answer, and none to a program");
    }
    let before = answers(&anna, &office, &bot).await.len();
    assert_eq!(before, 1 + questions.len(), "no program is answered");
    anna.send_file(&office, "m.file", &File { name: "plan.pdf", media_type: "application/pdf", bytes: b"%PDF" }).await;
    let said = anna.wait("an answer to a file", async || answers(&anna, &office, &bot).await.into_iter().nth(before));
    assert!(said.await.starts_with("Das habe ich nicht verstanden."));
    assert_eq!(anna.invitations().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_told_things_in_their_own_language() {
    let mut fehmarn = Fehmarn::new().await;
    let (anna, tom, bot) = (Staff::new("Anna Muster").await, Staff::new("Tom").await, fehmarn.slot().bot_id());
    let ghost = fehmarn.slot().ghost("reject@example.org");
    let office = anna.direct_chat(&bot).await;
    anna.say(&office, "sprache englisch").await;
    anna.wait_for_part(&office, &bot, "From now on I speak English with you.").await;
    fehmarn.stop().await;
    fehmarn.start_again().await;
    anna.say(&office, "mail").await;
    anna.wait_for_part(&office, &bot, "Please add the address").await;

    const ENGLISH: &str = "The message to reject@example.org was not delivered: There is no such address.";
    const GERMAN: &str = "Die Nachricht an reject@example.org wurde nicht zugestellt: Diese Adresse gibt es nicht.";
    let room = anna.direct_chat(&ghost).await;
    anna.say(&room, "Sind Sie da?").await;
    anna.wait_for_notice(&room, ENGLISH).await;
    let state = |event: &Value| text(event, "/type") == "com.beeper.message_send_status";
    let state = anna.wait_for(&room, "a state", state).await;
    assert_eq!(text(&state, "/content/message"), ENGLISH);
    let eve = Outside::new("Eve").address;
    anna.say(&office, &eve).await;
    let room = anna.wait_for_invitation(&fehmarn.slot().ghost(&eve)).await;
    anna.join(&room).await;
    let topic = |event: &Value| text(event, "/content/topic") == format!("What you write here goes to {eve}.");
    anna.wait_for(&room, "a topic in her language", topic).await;

    // Where several languages are spoken, each is answered in their own.
    let room = anna.room("Sitzung", &[&tom.id]).await;
    tom.join(&room).await;
    anna.invite(&room, &ghost).await;
    anna.wait_for_member(&room, &ghost, "join").await;
    let asked = [anna.say(&room, "Are you there?").await, tom.say(&room, "Sind Sie da?").await];
    for (words, about) in [ENGLISH, GERMAN].into_iter().zip(&asked) {
        let told = anna.wait_for_notice(&room, words).await;
        assert_eq!(text(&told, "/content/m.relates_to/m.in_reply_to/event_id"), about, "{words}");
    }
    // A refusal, too.
    let nobody = fehmarn.slot().ghost("das ist keine adresse");
    let room = anna.direct_chat(&nobody).await;
    let declined = anna.wait_for_member(&room, &nobody, "leave").await;
    assert_eq!(text(&declined, "/content/reason"), "This is not an address that can be written to.");
    // And a sentence that is about no message, and a greeting.
    let max = fehmarn.slot().ghost(&Outside::new("Max").address);
    let first = anna.direct_chat(&max).await;
    anna.wait_for_member(&first, &max, "join").await;
    anna.direct_chat(&max).await;
    anna.wait_for_part(&first, &max, "Here is your conversation with this person.").await;
    anna.leave(&office).await;
    let again = anna.direct_chat(&bot).await;
    anna.wait_for_part(&again, &bot, "Hello! I am Fehmarn.").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn status_says_what_waits_what_failed_and_what_came_back() {
    let mut setup = Setup::new();
    let mut gate = Gate::new(setup.slot.spare_ports[0], servers().mail_ports.smtp);
    setup.smtp_port = gate.port;
    gate.open().await;
    let talk = Conversation::begin(setup.start().await).await;
    let (anna, tom, bot) = (&talk.anna, Staff::new("Tom").await, talk.fehmarn.slot().bot_id());
    let mut rooms = Vec::new();
    for address in ["reject@example.org", "bounce@example.org"] {
        let room = anna.direct_chat(&talk.fehmarn.slot().ghost(address)).await;
        anna.say(&room, "Sind Sie da?").await;
        anna.wait_for(&room, "a notice", |event| text(event, "/content/msgtype") == "m.notice").await;
        rooms.push(room);
    }
    gate.close().await;
    anna.say(&talk.room, "Raum 3").await;
    anna.say(&talk.room, "Raum 4").await;
    crate::common::until("the first attempt", async || {
        talk.fehmarn.rows(&talk.bob.address).into_iter().find(|row| row.contains("unreachable"))
    })
    .await;
    let office = anna.direct_chat(&bot).await;
    anna.say(&office, "status").await;
    let status = anna.wait_for_part(&office, &bot, "Nächster Versuch").await;
    let waiting = format!(
        "{}: {}\n• 2 Nachrichten warten: Die Gegenseite ist nicht erreichbar. Nächster Versuch ",
        talk.bob.address,
        link(&talk.room)
    );
    let failed = format!(
        "reject@example.org: {}\n• 1 Nachricht wurde nicht zugestellt: Diese Adresse gibt es nicht.",
        link(&rooms[0])
    );
    let returned = format!("bounce@example.org: {}\n• 1 Nachricht kam zurück.", link(&rooms[1]));
    for part in [&waiting, &failed, &returned] {
        assert!(status.contains(part), "{part} in {status}");
    }

    // A colleague in the same room has written nothing.
    anna.invite(&talk.room, &tom.id).await;
    tom.join(&talk.room).await;
    let office = tom.direct_chat(&bot).await;
    tom.say(&office, "status").await;
    tom.wait_for_part(&office, &bot, "Es ist nichts offen").await;
    gate.open().await;
    talk.bob.wait_for_text("Raum 4").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bot_talks_only_with_who_is_alone_with_it() {
    let mut setup = Setup::new();
    let guest = Staff::new("Gast").await;
    setup.permissions.push(format!("{:?}: none", guest.id));
    // Else it is in rooms with people outside, to show what becomes of messages.
    setup.core.push("status_events: false".into());
    let talk = Conversation::begin(setup.start().await).await;
    let (anna, tom, bot) = (&talk.anna, Staff::new("Tom").await, talk.fehmarn.slot().bot_id());
    const ALONE: &str = "Ich antworte nur, wenn Sie mit mir allein sind.";
    let left = async |staff: &Staff, room: &str, why: &str| {
        let left = staff.wait_for_member(room, &bot, "leave").await;
        assert!(text(&left, "/content/reason").starts_with(why), "{left}");
        assert!(bodies(&staff.messages(room).await).last().unwrap().starts_with(why), "it is said in the room as well");
    };

    let room = anna.room("Büro", &[&tom.id]).await;
    tom.join(&room).await;
    anna.invite(&room, &bot).await;
    left(anna, &room, ALONE).await;

    // Somebody who comes later must not hear what concerns others.
    let office = anna.direct_chat(&bot).await;
    anna.wait_for_part(&office, &bot, "Ich bin Fehmarn").await;
    anna.invite(&office, &tom.id).await;
    tom.join(&office).await;
    tom.say(&office, "status").await;
    left(anna, &office, ALONE).await;

    anna.invite(&talk.room, &bot).await;
    left(anna, &talk.room, ALONE).await;
    let office = guest.direct_chat(&bot).await;
    left(&guest, &office, "Ihr Konto ist für Fehmarn nicht freigeschaltet.").await;

    let encryption =
        json!([{ "type": "m.room.encryption", "state_key": "", "content": { "algorithm": "m.megolm.v1.aes-sha2" } }]);
    let request =
        json!({ "preset": "trusted_private_chat", "is_direct": true, "invite": [bot], "initial_state": encryption });
    let office = anna.ask(Method::POST, "/v3/createRoom", request).await["room_id"].as_str().unwrap().to_owned();
    anna.wait_for_part(&office, &bot, "Dieser Raum ist verschlüsselt, ich kann hier nichts lesen.").await;
    let sealed = json!({
        "algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "AwgAEnACgAkLmt6qF84IK++J7UDH2Za1YVchHyprqTqsg",
        "device_id": "D", "sender_key": "K", "session_id": "S",
    });
    anna.send_event(&office, "m.room.encrypted", sealed).await;
    anna.wait("an answer to each", async || (answers(anna, &office, &bot).await.len() == 2).then_some(())).await;

    let office = anna.direct_chat(&bot).await;
    anna.wait_for_part(&office, &bot, "Ich bin Fehmarn").await;
    anna.leave(&office).await;
    talk.tell("Ende").await;
    let again = anna.direct_chat(&bot).await;
    anna.wait_for_part(&again, &bot, "Ich bin Fehmarn").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_two_networks_could_have_is_one_of_mail_unless_the_other_is_named() {
    let fehmarn = Setup::with_xmpp().start().await;
    let (anna, bot) = (Staff::new("Anna Muster").await, fehmarn.slot().bot_id());
    let people = ["Bob", "Eve", "Max"].map(|name| Outside::new(name).address);
    let office = anna.direct_chat(&bot).await;
    let welcome = anna.wait_for_part(&office, &bot, "Ich bin Fehmarn").await;
    for known in ["raum office@conference.example.org – ", "kennwort KENNWORT – ", "xmpp bob@example.org – "] {
        assert!(welcome.contains(known), "{known} is not in {welcome}");
    }
    for (typed, network, address) in [
        (people[0].clone(), "email", &people[0]),
        (format!("xmpp {}", people[1]), "xmpp", &people[1]),
        (format!("Jabber: {}", people[2]), "xmpp", &people[2]),
    ] {
        anna.say(&office, &typed).await;
        anna.wait_for_invitation(&fehmarn.slot().ghost_of(network, address)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_chosen_nothing_is_told_things_in_the_configured_language() {
    let mut setup = Setup::new();
    setup.top.push("language: en".into());
    let fehmarn = setup.start().await;
    let (anna, bot) = (Staff::new("Anna Muster").await, fehmarn.slot().bot_id());
    let office = anna.direct_chat(&bot).await;
    anna.wait_for_part(&office, &bot, "Hello! I am Fehmarn.").await;
    let room = anna.direct_chat(&fehmarn.slot().ghost("reject@example.org")).await;
    anna.say(&room, "Are you there?").await;
    anna.wait_for_notice(&room, "The message to reject@example.org was not delivered: There is no such address.").await;
    anna.say(&office, "sprache de").await;
    anna.wait_for_part(&office, &bot, "Deutsch").await;
}
