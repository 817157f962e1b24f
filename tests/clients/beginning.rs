//! Every way in which a client begins a conversation.

use super::{Library, Shown};
use crate::common::{Contact, Fehmarn, Letter, Outside, Setup, Staff, identity::serve_clients, until};
use serde_json::{Value, json};

async fn serving(setup: Setup) -> Fehmarn {
    serve_clients(setup, &[]).start().await
}

fn is_alone_with(shown: &Shown, name: &str) -> bool {
    shown.0["name"] == name
}

#[tokio::test(flavor = "multi_thread")]
async fn a_direct_chat_is_shown_as_one_with_the_person_and_an_invitation_brings_more_people() {
    let fehmarn = Setup::with_xmpp().start().await;
    let (anna, bob, eve) =
        (Library::new("Anna Muster", fehmarn.setup()).await, Outside::new("Bob"), Contact::new("Eve").await);
    let ghost = fehmarn.slot().ghost(&bob.address);
    let room = anna.direct_chat(&ghost).await;
    let said = anna.say(&room, "Guten Tag").await;
    let mail = bob.wait_for_text("Guten Tag").await;
    assert_eq!(anna.wait_for_member(&room, &ghost, "join").await["name"], bob.address);
    anna.wait_for_state(&room, &said, "SUCCESS").await;
    anna.wait_for_member(&room, &fehmarn.slot().bot_id(), "join").await;
    anna.wait_until(&room, "the name of the person alone", |shown| is_alone_with(shown, &bob.address)).await;

    bob.send(Letter::answering(&bob, &mail).text("Danke")).await;
    anna.wait_for_words(&room, &ghost, "Danke").await;
    anna.wait_until(&room, "the person's name", |shown| is_alone_with(shown, "Bob")).await;

    let eves = fehmarn.slot().ghost_of("xmpp", &eve.address);
    let group = anna.create_room(json!({ "preset": "private_chat", "name": "Bauausschuss", "invite": [ghost] })).await;
    anna.call("invite", json!([group, eves])).await;
    for person in [&ghost, &eves] {
        anna.wait_for_member(&group, person, "join").await;
    }
    anna.say(&group, "Willkommen").await;
    bob.wait_for_text("Willkommen").await;
    eve.wait_for_words("Willkommen").await;
    assert_eq!(anna.show(&group).await.0["name"], "Bauausschuss");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_typed_becomes_a_person_and_a_second_time_leads_to_the_first_chat() {
    let fehmarn = serving(Setup::new()).await;
    let (anna, bob) = (Library::new("Anna Muster", fehmarn.setup()).await, Outside::new("Bob"));
    let ghost = fehmarn.slot().ghost(&bob.address);
    anna.sign_in_to_identity_service().await;
    let (known, room) = anna.start_chat(&bob.address).await;
    assert_eq!(known, None, "nobody has written to him yet");
    anna.wait_for_member(&room, &ghost, "join").await;
    anna.say(&room, "Guten Tag").await;
    let mail = bob.wait_for_text("Guten Tag").await;
    bob.send(Letter::answering(&bob, &mail).text("Danke")).await;
    anna.wait_for_words(&room, &ghost, "Danke").await;
    anna.wait_until(&room, "the person's name", |shown| is_alone_with(shown, "Bob")).await;
    // What Fehmarn has to say of a message it has said before the next one is there.
    anna.say(&room, "Bis morgen").await;
    bob.wait_for_text("Bis morgen").await;
    until("the end of the work", async || fehmarn.rows(&bob.address).is_empty().then_some(())).await;
    let shown = anna.show(&room).await;
    assert!(is_alone_with(&shown, "Bob"), "a chat of two with somebody else's name: {:#}", shown.0);

    let (known, second) = anna.start_chat(&bob.address).await;
    assert_eq!(known, Some(ghost.clone()));
    anna.wait_for_member(&second, &ghost, "leave").await;
    let elsewhere = |shown: &Shown| {
        let mut said = shown.messages().iter().filter_map(|message| message["body"].as_str());
        said.any(|said| said.starts_with("Sie haben mit diesem Menschen schon ein Gespräch:"))
    };
    anna.wait_until(&second, "a way back", elsewhere).await;
    bob.send(Letter::new(&bob, &anna.staff.address(&fehmarn.setup().domain)).subject("Neu").text("Noch etwas")).await;
    anna.wait_for_words(&room, &ghost, "Noch etwas").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_invited_into_a_room_that_is_there_comes_into_it() {
    let fehmarn = serving(Setup::new()).await;
    let (anna, bob) = (Library::new("Anna Muster", fehmarn.setup()).await, Outside::new("Bob"));
    anna.sign_in_to_identity_service().await;
    let room = anna.create_room(json!({ "preset": "private_chat", "name": "Bauantrag 17" })).await;
    anna.call("inviteByEmail", json!([room, bob.address])).await;
    anna.wait_for_member(&room, &fehmarn.slot().ghost(&bob.address), "join").await;
    anna.say(&room, "Guten Tag").await;
    assert_eq!(bob.wait_for_text("Guten Tag").await.subject(), "Bauantrag 17");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_found_by_searching_for_their_address_and_by_the_fields_of_their_network() {
    let fehmarn = serving(Setup::with_xmpp()).await;
    let (anna, bob) = (Library::new("Anna Muster", fehmarn.setup()).await, Outside::new("Bob"));
    let found = anna.call("searchUserDirectory", json!([{ "term": bob.address }])).await;
    assert_eq!(found["results"][0]["display_name"], format!("{} (E-Mail)", bob.address), "{found}");
    let ghost = found["results"][0]["user_id"].as_str().unwrap();
    // Colleagues are found as before; the homeserver learns of a new one a little later.
    let otto = Staff::new("Otto").await;
    until("a colleague", async || {
        let found = anna.call("searchUserDirectory", json!([{ "term": otto.localpart }])).await;
        (found["results"][0]["user_id"] == otto.id).then_some(())
    })
    .await;

    let protocols = anna.call("getThirdpartyProtocols", json!([])).await;
    for (network, field) in [("email", "address"), ("xmpp", "jid")] {
        assert_eq!(protocols[network]["user_fields"], json!([field]), "{protocols:#}");
        let same = anna.call("getThirdpartyUser", json!([network, { field: bob.address }])).await;
        let ours = fehmarn.slot().ghost_of(network, &bob.address);
        let hit = same.as_array().unwrap().iter().find(|user| user["userid"] == ours);
        assert_eq!(hit.map(|user| &user["fields"]), Some(&json!({ field: bob.address })), "{same:#}");
    }
    let room = anna.direct_chat(ghost).await;
    anna.say(&room, "Guten Tag").await;
    bob.wait_for_text("Guten Tag").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bot_answers_and_its_invitation_says_who_wants_to_chat() {
    let fehmarn = Fehmarn::new().await;
    let (anna, bob) = (Library::new("Anna Muster", fehmarn.setup()).await, Outside::new("Bob"));
    let (bot, ghost) = (fehmarn.slot().bot_id(), fehmarn.slot().ghost(&bob.address));
    let office = anna.direct_chat(&bot).await;
    let welcome = anna.wait_for_notice(&office, "Guten Tag! Ich bin Fehmarn.").await;
    assert!(welcome["html"].as_str().is_some_and(|html| html.contains("<code>status</code>")), "{welcome:#}");
    assert_eq!(welcome["sender_name"], "Fehmarn");
    anna.say(&office, &format!("mail {}", bob.address)).await;
    let ready = anna.wait_for_notice(&office, "ist bereit").await;
    let invitation = anna.wait_for_invitation(&ghost).await;
    let room = invitation["id"].as_str().unwrap();
    assert_eq!(invitation["name"], bob.address, "the list of rooms says who it is");
    assert!(ready["body"].as_str().unwrap().contains(&room.replace(':', "%3A")), "{ready:#}");
    anna.join(room).await;
    anna.say(room, "Guten Tag").await;
    bob.wait_for_text("Guten Tag").await;
    anna.say(&office, "status").await;
    anna.wait_for_notice(&office, "Es ist nichts offen").await;
    anna.say(&office, "language en").await;
    anna.wait_for_notice(&office, "From now on I speak English with you.").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_writes_first_is_an_invitation_to_a_chat_with_a_person() {
    let fehmarn = Fehmarn::new().await;
    let (anna, eva) = (Library::new("Anna Muster", fehmarn.setup()).await, Outside::new("Eva Fremd"));
    let ghost = fehmarn.slot().ghost(&eva.address);
    let letter = Letter::new(&eva, &anna.staff.address(&fehmarn.setup().domain)).subject("Frage").text("Sind Sie da?");
    eva.send(letter).await;
    let invitation = anna.wait_for_invitation(&ghost).await;
    assert_eq!(invitation["name"], "Eva Fremd");
    let room = invitation["id"].as_str().unwrap();
    anna.join(room).await;
    anna.wait_for_words(room, &ghost, "Sind Sie da?").await;
    let Shown(shown) = anna.show(room).await;
    assert_eq!(shown["name"], "Eva Fremd");
    assert_eq!(shown["topic"], format!("Was Sie hier schreiben, geht an {}.", eva.address));
    let bot = &shown["members"][fehmarn.slot().bot_id()];
    assert!([&Value::Null, &json!("join"), &json!("invite")].contains(&&bot["membership"]), "{bot}");
}
