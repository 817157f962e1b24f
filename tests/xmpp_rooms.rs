//! Group chats of people who have XMPP, over a real Prosody: staff and people outside are in one room.

use crate::{
    common::{
        ChatRoom, Contact, Setup, Staff,
        chat_room::stanza_id,
        events::{event_id, text},
        hall::{ANNA, BOB, Hall, alias, ghost_of, join_by, wait_until},
        sender, servers,
    },
    xmpp_kill::restart_server,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_in_a_room_is_read_once_on_both_sides_and_in_order() {
    let hall = Hall::begin().await;
    // With a second one of ours there, everything comes twice to Fehmarn.
    let tom = Staff::new("Tom Amt").await;
    let (status, answer) = join_by(&tom, &alias(&hall.fehmarn, &hall.there)).await;
    assert_eq!((status, text(&answer, "/room_id")), (StatusCode::OK, hall.room.as_str()));
    hall.there.wait_for_member(&hall.bob, "Tom Amt").await;

    let words: Vec<String> = (1..=10).map(|n| format!("Zeile {n}")).collect();
    for words in &words {
        hall.there.say(&hall.bob, words);
    }
    hall.anna.wait_for_words(&hall.room, &hall.ghost, "Zeile 10").await;
    for words in &words {
        hall.anna.say(&hall.room, words).await;
    }
    tom.say(&hall.room, "Hier ist Tom").await;
    hall.there.wait_for_words(&hall.bob, ANNA, "Zeile 10").await;
    hall.there.wait_for_words(&hall.bob, "Tom Amt", "Hier ist Tom").await;
    assert_eq!(hall.there.heard(&hall.bob, ANNA), words);
    hall.hear("Ende").await;
    assert_eq!(hall.said_by(&hall.ghost).await, [&words[..], &["Ende".to_owned()]].concat());
    for ours in [ANNA, "Tom Amt"] {
        assert!(hall.said_by(&hall.ghost_of(ours)).await.is_empty(), "ours have no ghosts");
    }
    let members = hall.anna.ask(Method::GET, &format!("/v3/rooms/{}/joined_members", hall.room), Value::Null).await;
    let members: Vec<&String> = members["joined"].as_object().unwrap().keys().collect();
    assert!(!members.iter().any(|user| **user == hall.ghost_of(ANNA)), "{members:?}");
    assert_eq!(hall.anna.invitations().await, 0, "there is no second room");
    assert!(hall.fehmarn.rows("").is_empty(), "{:?}", hall.fehmarn.rows(""));
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_there_is_a_member_and_nobody_else() {
    let hall = Hall::begin().await;
    let (eve, eves) = (Contact::new("Eve").await, hall.ghost_of("Eve"));
    hall.there.enter(&eve, "Eve").await;
    wait_until(&hall.anna, &hall.room, &eves, "join").await;
    assert_eq!(hall.anna.name_of(&hall.room, &eves).await, "Eve");

    hall.there.enter(&eve, "Evi").await;
    let left = wait_until(&hall.anna, &hall.room, &eves, "leave").await;
    assert_eq!(text(&left, "/content/reason"), "Heißt jetzt Evi.");
    wait_until(&hall.anna, &hall.room, &hall.ghost_of("Evi"), "join").await;
    hall.there.leave(&eve, "Evi");
    wait_until(&hall.anna, &hall.room, &hall.ghost_of("Evi"), "leave").await;

    hall.there.enter(&eve, "Eve").await;
    wait_until(&hall.anna, &hall.room, &eves, "join").await;
    hall.there.set(&hall.bob, "<item nick='Eve' role='none'><reason>Bitte Ruhe</reason></item>").await;
    let kicked = wait_until(&hall.anna, &hall.room, &eves, "leave").await;
    assert_eq!((sender(&kicked), text(&kicked, "/content/reason")), (hall.keeper.as_str(), "Bitte Ruhe"));

    // What Fehmarn has not seen it learns when it comes back.
    let mut hall = hall;
    hall.fehmarn.stop().await;
    hall.there.enter(&eve, "Eva").await;
    hall.there.leave(&hall.bob, BOB);
    hall.fehmarn.start_again().await;
    wait_until(&hall.anna, &hall.room, &hall.ghost_of("Eva"), "join").await;
    wait_until(&hall.anna, &hall.room, &hall.ghost, "leave").await;

    // Our own go and come as well.
    hall.anna.leave(&hall.room).await;
    let gone = |told: &Value| told["sender"] == *hall.there.occupant(ANNA) && told["type"] == "unavailable";
    eve.wait_for("the end of Anna", gone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_corrections_reactions_and_what_is_taken_back_find_their_message() {
    let hall = Hall::begin().await;
    let asked = hall.hear("Wann haben Sie geöffnet?").await;
    let question = hall.there.wait_for_words(&hall.bob, BOB, "Wann haben Sie geöffnet?").await;
    hall.anna.reply(&hall.room, event_id(&asked), "Von neun bis zwölf").await;
    let reply = hall.there.wait_for_words(&hall.bob, ANNA, "> Wann haben Sie geöffnet?\nVon neun bis zwölf").await;
    let xml = reply["xml"].as_str().unwrap();
    assert!(xml.contains("urn:xmpp:reply:0") && xml.contains(&format!("id=\"{}\"", stanza_id(&question))), "{xml}");
    assert!(!xml.contains("urn:xmpp:receipts"), "{xml}");

    let (event, stanza) = hall.tell("Um 10 Uhr").await;
    let answer = format!(
        "<body>Gut</body><reply xmlns='urn:xmpp:reply:0' id='{}' to='{}'/>",
        stanza_id(&stanza),
        hall.there.occupant(ANNA)
    );
    hall.there.send(&hall.bob, &answer);
    let good = hall.anna.wait_for_words(&hall.room, &hall.ghost, "Gut").await;
    assert_eq!(text(&good, "/content/m.relates_to/m.in_reply_to/event_id"), event);

    hall.anna.edit(&hall.room, &event, "Um 11 Uhr").await;
    let corrected = hall.there.wait_for_words(&hall.bob, ANNA, "Um 11 Uhr").await;
    let (xml, own) = (corrected["xml"].as_str().unwrap(), stanza["id"].as_str().unwrap());
    assert!(xml.contains("message-correct:0") && xml.contains(&format!("id=\"{own}\"")), "{xml}");

    let bobs = hall.there.say(&hall.bob, "Ich komme um 10");
    let said = hall.anna.wait_for_words(&hall.room, &hall.ghost, "Ich komme um 10").await;
    let heard = hall.there.wait_for_words(&hall.bob, BOB, "Ich komme um 10").await;
    let correction = format!("<body>Ich komme um 11</body><replace xmlns='urn:xmpp:message-correct:0' id='{bobs}'/>");
    hall.there.send(&hall.bob, &correction);
    let is_edit = |it: &Value| text(it, "/content/m.new_content/body") == "Ich komme um 11";
    let edit = hall.anna.wait_for(&hall.room, "an edit", is_edit).await;
    assert_eq!(text(&edit, "/content/m.relates_to/event_id"), event_id(&said));

    hall.anna.react(&hall.room, event_id(&said), "👍").await;
    let reaction = hall.bob.wait_for_xml("👍").await;
    let xml = reaction["xml"].as_str().unwrap();
    assert!(xml.contains("urn:xmpp:reactions:0") && xml.contains(&format!("id=\"{}\"", stanza_id(&heard))), "{xml}");
    let reactions = format!(
        "<reactions xmlns='urn:xmpp:reactions:0' id='{}'><reaction>🎉</reaction></reactions>",
        stanza_id(&stanza)
    );
    hall.there.send(&hall.bob, &reactions);
    let is_party = |it: &Value| text(it, "/content/m.relates_to/key") == "🎉" && sender(it) == hall.ghost;
    let party = hall.anna.wait_for(&hall.room, "a reaction", is_party).await;
    assert_eq!(text(&party, "/content/m.relates_to/event_id"), event);

    let retract = |id: &str| format!("<body>/me</body><retract xmlns='urn:xmpp:message-retract:1' id='{id}'/>");
    // Nobody takes back what another has said.
    hall.there.send(&hall.bob, &retract(&stanza_id(&stanza)));
    hall.there.send(&hall.bob, &retract(&stanza_id(&heard)));
    let is_gone = |it: &Value| text(it, "/content/redacts") == event_id(&said) && sender(it) == hall.ghost;
    hall.anna.wait_for(&hall.room, "a redaction", is_gone).await;
    let events = hall.anna.events(&hall.room).await;
    assert!(!events.iter().any(|it| text(it, "/content/redacts") == event), "Bob has taken back what Anna said");
    hall.anna.redact(&hall.room, &event).await;
    let retraction = hall.bob.wait_for_xml("Eine Nachricht wurde zurückgenommen.").await;
    let xml = retraction["xml"].as_str().unwrap();
    assert!(xml.contains(&format!("id=\"{}\"", stanza_id(&stanza))), "{xml}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_for_one_alone_is_read_by_one_alone() {
    let hall = Hall::begin().await;
    hall.bob
        .send(&hall.there.occupant(ANNA), "<body>Nur für Sie</body><x xmlns='http://jabber.org/protocol/muc#user'/>");
    let private = hall.anna.wait_for_invitation(&hall.ghost).await;
    hall.anna.join(&private).await;
    hall.anna.wait_for_words(&private, &hall.ghost, "Nur für Sie").await;
    hall.anna.say(&private, "Danke, verstanden").await;
    let is_it = |told: &Value| told["body"] == "Danke, verstanden" && told["sender"] == *hall.there.occupant(ANNA);
    let stanza = hall.bob.wait_for("an answer", is_it).await;
    assert_eq!(stanza["type"], "chat");
    hall.hear("Wieder für alle").await;
    assert_eq!(hall.said_by(&hall.ghost).await, ["Wieder für alle"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_missed_comes_once_and_what_was_before_never() {
    let bob = Contact::new("Bob").await;
    let there = ChatRoom::new(&bob, BOB).await;
    there.say(&bob, "Vor unserer Zeit");
    there.wait_for_words(&bob, BOB, "Vor unserer Zeit").await;
    let mut hall = Hall::pair(Setup::with_xmpp().start().await, bob, there).await;
    hall.hear("Eins").await;
    hall.tell("Hier Anna").await;

    hall.fehmarn.kill();
    hall.there.say(&hall.bob, "Zwei");
    hall.there.wait_for_words(&hall.bob, BOB, "Zwei").await;
    hall.fehmarn.start_again().await;
    hall.anna.wait_for_words(&hall.room, &hall.ghost, "Zwei").await;
    hall.hear("Drei").await;

    // The service itself ends, and is there again.
    tokio::task::block_in_place(restart_server);
    let is_back = |told: &Value| told["ready"] == true;
    crate::common::wait::until("Bob's second session", async || {
        (hall.bob.told().iter().filter(|told| is_back(told)).count() > 1).then_some(())
    })
    .await;
    hall.there.enter(&hall.bob, BOB).await;
    hall.anna.say(&hall.room, "Geht es wieder?").await;
    hall.there.wait_for_words(&hall.bob, ANNA, "Geht es wieder?").await;
    hall.hear("Vier").await;
    assert_eq!(hall.said_by(&hall.ghost).await, ["Eins", "Zwei", "Drei", "Vier"]);
    let mut heard = hall.there.heard(&hall.bob, ANNA);
    // Bob's client is told again what was said, when it comes back.
    heard.dedup();
    assert_eq!(heard.iter().filter(|words| *words == "Geht es wieder?").count(), 1, "{heard:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_taken_is_told_apart() {
    let bob = Contact::new("Bob").await;
    let there = ChatRoom::new(&bob, ANNA).await;
    let fehmarn = Setup::with_xmpp().start().await;
    let anna = Staff::new(ANNA).await;
    let room = text(&join_by(&anna, &alias(&fehmarn, &there)).await.1, "/room_id").to_owned();
    let nick = format!("{ANNA} ({})", anna.localpart);
    there.wait_for_member(&bob, &nick).await;
    let ghost = ghost_of(&fehmarn, &there, ANNA);
    wait_until(&anna, &room, &ghost, "join").await;
    there.say(&bob, "Ich heiße auch so");
    anna.wait_for_words(&room, &ghost, "Ich heiße auch so").await;
    anna.say(&room, "Und ich").await;
    there.wait_for_words(&bob, &nick, "Und ich").await;

    let path = format!("/v3/profile/{}/displayname", anna.id);
    anna.ask(Method::PUT, &path, json!({ "displayname": "Anna Neu" })).await;
    there.wait_for_member(&bob, "Anna Neu").await;
    anna.say(&room, "Jetzt anders").await;
    there.wait_for_words(&bob, "Anna Neu", "Jetzt anders").await;
    assert!(anna.messages(&room).await.iter().all(|it| sender(it) == anna.id || sender(it) == ghost));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_sent_away_there_is_told_and_can_try_again() {
    let hall = Hall::begin().await;
    let tom = Staff::new("Tom Amt").await;
    join_by(&tom, &alias(&hall.fehmarn, &hall.there)).await;
    hall.there.wait_for_member(&hall.bob, "Tom Amt").await;
    hall.there.set(&hall.bob, "<item nick='Tom Amt' role='none'><reason>Falscher Raum</reason></item>").await;
    let notice = hall.anna.wait_for_part(&hall.room, &hall.keeper, "wurde dort aus dem Raum entfernt").await;
    assert!(notice.starts_with("Tom Amt") && notice.contains("Begründung: „Falscher Raum“"), "{notice}");
    let gone = wait_until(&hall.anna, &hall.room, &tom.id, "leave").await;
    assert_eq!(sender(&gone), hall.keeper);
    hall.hear("Noch da?").await;

    let before = hall.bob.told().len();
    join_by(&tom, &alias(&hall.fehmarn, &hall.there)).await;
    tom.say(&hall.room, "Wieder da").await;
    hall.there.wait_for_words(&hall.bob, "Tom Amt", "Wieder da").await;
    let came = hall.bob.told()[before..].iter().any(|told| told["sender"] == *hall.there.occupant("Tom Amt"));
    assert!(came);

    // A room that lets in only those whom it knows.
    let otto = Staff::new("Otto").await;
    for staff in [&hall.anna, &tom] {
        let address = staff.address(&hall.fehmarn.slot().xmpp_domain);
        hall.there.set(&hall.bob, &format!("<item jid='{address}' affiliation='member'/>")).await;
    }
    hall.there
        .configure(&hall.bob, &[("muc#roomconfig_membersonly", "1"), ("muc#roomconfig_persistentroom", "1")])
        .await;
    join_by(&otto, &alias(&hall.fehmarn, &hall.there)).await;
    wait_until(&hall.anna, &hall.room, &otto.id, "leave").await;
    let seen =
        hall.bob.told().iter().any(|told| told["sender"] == *hall.there.occupant("Otto") && told["type"].is_null());
    assert!(!seen);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_write_brings_a_room_here_and_speaks_in_it() {
    let bob = Contact::new("Bob").await;
    let there = ChatRoom::new(&bob, BOB).await;
    let [anna, otto, ina, udo] =
        [Staff::new(ANNA).await, Staff::new("Otto").await, Staff::new("Ina").await, Staff::new("Udo").await];
    let mut setup = Setup::with_xmpp();
    setup.permissions = vec![
        "'*': none".into(),
        format!("{:?}: write", anna.id),
        format!("{:?}: read", otto.id),
        format!("{:?}: answer", ina.id),
    ];
    let fehmarn = setup.start().await;
    let keeper = fehmarn.slot().ghost_of("xmpp", &format!("room:{}", there.address));
    let bot = fehmarn.slot().bot_id();
    for (staff, refusal) in [(&otto, "keine Menschen von außerhalb"), (&ina, "keine Gespräche mit ihnen beginnen")] {
        let office = staff.direct_chat(&bot).await;
        staff.say(&office, &format!("raum {}", there.address)).await;
        staff.wait_for_part(&office, &bot, refusal).await;
    }

    let place = anna.ask(Method::GET, "/v3/thirdparty/protocol/xmpp", Value::Null).await;
    assert_eq!(place["location_fields"], json!(["room"]));
    let path = format!("/v3/thirdparty/location/xmpp?room={}", there.address);
    let found = anna.ask(Method::GET, &path, Value::Null).await;
    let alias = alias(&fehmarn, &there);
    assert_eq!((text(&found, "/0/alias"), text(&found, "/0/fields/room")), (alias.as_str(), there.address.as_str()));

    // Whoever comes first gets the room, but brings nobody into it who may not begin.
    let room = text(&join_by(&ina, &alias).await.1, "/room_id").to_owned();
    ina.wait_for_part(&room, &keeper, "keine Gespräche mit ihnen beginnen").await;
    join_by(&udo, &alias).await;
    let gone = wait_until(&ina, &room, &udo.id, "leave").await;
    assert!(text(&gone, "/content/reason").contains("nicht freigeschaltet"), "{gone}");
    join_by(&otto, &alias).await;
    otto.wait_for_part(&room, &keeper, "Ihre Nachrichten in diesem Raum bleiben hier").await;
    let is_ours = |told: &Value| told["sender"].as_str().is_some_and(|it| it.starts_with(&there.occupant("")));
    assert!(bob.told().iter().filter(|told| is_ours(told)).all(|told| told["sender"] == *there.occupant(BOB)));

    join_by(&anna, &alias).await;
    for nick in [ANNA, "Ina"] {
        there.wait_for_member(&bob, nick).await;
    }
    otto.say(&room, "Von Otto").await;
    ina.say(&room, "Von Ina").await;
    there.wait_for_words(&bob, "Ina", "Von Ina").await;
    there.say(&bob, "Für alle");
    otto.wait_for_words(&room, &ghost_of(&fehmarn, &there, BOB), "Für alle").await;
    assert!(!bob.told().iter().any(|told| told["body"] == "Von Otto"));
    assert!(!bob.told().iter().any(|told| told["sender"] == *there.occupant("Otto")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_of_staff_is_paired_by_inviting_the_other_one_and_a_room_that_is_none_says_so() {
    let bob = Contact::new("Bob").await;
    let there = ChatRoom::new(&bob, BOB).await;
    let fehmarn = Setup::with_xmpp().start().await;
    let anna = Staff::new(ANNA).await;
    let keeper = fehmarn.slot().ghost_of("xmpp", &format!("room:{}", there.address));
    let room = anna.room("Unser Raum", &[&keeper]).await;
    anna.say(&room, "Gleich nach der Einladung").await;
    there.wait_for_words(&bob, ANNA, "Gleich nach der Einladung").await;
    let ghost = ghost_of(&fehmarn, &there, BOB);
    there.say(&bob, "Guten Tag");
    anna.wait_for_words(&room, &ghost, "Guten Tag").await;
    assert_eq!(anna.name_of(&room, &keeper).await, "Bauantrag 17");

    there.send(&bob, "<subject>Was noch fehlt</subject>");
    let second = anna.room("Noch einer", &[&keeper]).await;
    anna.wait_for_part(&second, &keeper, "Diesen Raum gibt es hier schon").await;

    let nowhere = format!("gibt.es.nicht@conference.{}", servers().xmpp.domain);
    let office = anna.direct_chat(&fehmarn.slot().bot_id()).await;
    anna.say(&office, &format!("raum {nowhere}")).await;
    anna.wait_for_part(&office, &fehmarn.slot().bot_id(), "Diesen Raum gibt es nicht").await;
    let alias = fehmarn.slot().ghost_of("xmpp", &nowhere).replacen('@', "#", 1);
    assert_eq!(join_by(&anna, &alias).await.0, StatusCode::NOT_FOUND);
    let none = fehmarn.slot().ghost_of("xmpp", &format!("room:{nowhere}"));
    anna.say(&office, "sprache en").await;
    anna.wait_for_part(&office, &fehmarn.slot().bot_id(), "From now on I speak English with you.").await;
    let third = anna.room("Keiner", &[&none]).await;
    anna.wait_for_part(&third, &none, "There is no such room").await;
    wait_until(&anna, &third, &none, "leave").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_room_is_about_is_the_topic() {
    let hall = Hall::begin().await;
    hall.there.send(&hall.bob, "<subject>Was noch fehlt</subject>");
    let is_topic = |it: &Value| text(it, "/type") == "m.room.topic" && text(it, "/content/topic") == "Was noch fehlt";
    hall.anna.wait_for(&hall.room, "a topic", is_topic).await;
    hall.there
        .configure(&hall.bob, &[("muc#roomconfig_changesubject", "1"), ("muc#roomconfig_persistentroom", "1")])
        .await;
    let path = format!("/v3/rooms/{}/state/m.room.topic", hall.room);
    hall.anna.ask(Method::PUT, &path, json!({ "topic": "Was jetzt noch fehlt" })).await;
    let from_anna = hall.there.occupant(ANNA);
    let is_it = |told: &Value| {
        let is_topic = told["xml"].as_str().is_some_and(|xml| xml.contains("subject>Was jetzt noch fehlt<"));
        told["sender"] == *from_anna && told["body"].is_null() && is_topic
    };
    hall.bob.wait_for("the topic", is_it).await;
    let sealed = "<encrypted xmlns='eu.siacs.conversations.axolotl'><payload>x</payload></encrypted><body>OMEMO</body>";
    hall.there.send(&hall.bob, sealed);
    let words = "🔒 Diese Nachricht ist verschlüsselt und kann hier nicht gelesen werden.";
    hall.anna.wait_for_words(&hall.room, &hall.ghost, words).await;
}
