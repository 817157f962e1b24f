//! One direct room for each member of staff and each person outside.

use crate::common::{
    Conversation, Fehmarn, Letter, Outside, Setup, Staff,
    events::{bodies, text},
    gate::Gate,
    servers, until,
};

const HERE: &str = "Hier ist Ihr Gespräch mit diesem Menschen.";
const ELSEWHERE: &str = "Sie haben mit diesem Menschen schon ein Gespräch:";

#[tokio::test(flavor = "multi_thread")]
async fn a_second_direct_chat_leads_back_to_the_first() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let Conversation { anna, ghost, room, .. } = &talk;
    let second = anna.direct_chat(ghost).await;
    anna.say(&second, "Geht das verloren?").await;
    let left = anna.wait_for_member(&second, ghost, "leave").await;
    assert!(text(&left, "/content/reason").starts_with(ELSEWHERE), "{left}");
    let told = anna.wait_for_part(&second, ghost, ELSEWHERE).await;
    let link = format!("https://matrix.to/#/{}?via={}", room.replace(':', "%3A"), servers().server_name);
    assert!(told.contains(&link), "{told} does not lead to {link}");
    anna.wait_for_part(room, ghost, HERE).await;
    assert_eq!(anna.name_of(room, ghost).await, talk.bob.address, "the ghost keeps its name");

    talk.tell("Weiter geht es hier.").await;
    let new = Letter::new(&talk.bob, &talk.address()).subject("Neu").text("Gut.");
    talk.bob.send(new).await;
    anna.wait_for_words(room, ghost, "Gut.").await;
    assert_eq!(talk.mailed().await, ["Guten Tag", "Weiter geht es hier."]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_direct_chat_takes_over_when_the_first_was_left() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let Conversation { anna, bob, ghost, room, .. } = &talk;
    anna.leave(room).await;
    let second = anna.direct_chat(ghost).await;
    anna.say(&second, "Noch einmal von vorn").await;
    bob.wait_for_text("Noch einmal von vorn").await;
    bob.send(Letter::new(bob, &talk.address()).subject("Neu").text("Gern.")).await;
    anna.wait_for_words(&second, ghost, "Gern.").await;
    assert_eq!(anna.invitations().await, 0, "the first room stays closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_clicks_twice_gets_one_room() {
    let fehmarn = Fehmarn::new().await;
    let (anna, bob) = (Staff::new("Anna Muster").await, Outside::new("Bob"));
    let ghost = fehmarn.slot().ghost(&bob.address);
    let rooms = tokio::join!(anna.direct_chat(&ghost), anna.direct_chat(&ghost));
    let rooms = [rooms.0, rooms.1];
    let is_in = async |room: &String| {
        let events = anna.events(room).await;
        let mut of_ghost = events.iter().filter(|event| text(event, "/state_key") == ghost);
        of_ghost.next_back().is_some_and(|event| text(event, "/content/membership") == "join")
    };
    let is_out =
        async |room: &String| bodies(&anna.messages(room).await).iter().any(|said| said.starts_with(ELSEWHERE));
    let kept = until("one room", async || {
        for (one, other) in [(0, 1), (1, 0)] {
            if is_in(&rooms[one]).await && is_out(&rooms[other]).await && !is_in(&rooms[other]).await {
                return Some(one);
            }
        }
        None
    })
    .await;
    anna.say(&rooms[kept], "Guten Tag").await;
    bob.wait_for_text("Guten Tag").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_write_to_each_other_in_the_same_moment_meet_in_one_room() {
    let mut setup = Setup::new();
    let mut gate = Gate::new(setup.slot.spare_ports[0], servers().synapse.port);
    setup.homeserver = gate.url();
    gate.open().await;
    let fehmarn = setup.start().await;
    let (anna, bob, eve) = (Staff::new("Anna Muster").await, Outside::new("Bob"), Outside::new("Eve"));
    let (ghost, address) = (fehmarn.slot().ghost(&bob.address), anna.address(&fehmarn.slot().domain));
    // From now on Fehmarn knows that Anna is there.
    eve.send(Letter::new(&eve, &address).text("Vorher")).await;
    let other = anna.wait_for_invitation(&fehmarn.slot().ghost(&eve.address)).await;
    anna.join(&other).await;
    anna.say(&other, "Danke").await;
    eve.wait_for_text("Danke").await;
    gate.close().await;
    bob.send(Letter::new(&bob, &address).text("Eine Frage")).await;
    let row = async |kind: &str| {
        let rows = async || fehmarn.rows(kind).into_iter().find(|row| row.contains("unreachable"));
        until(kind, rows).await
    };
    row("arrival").await;
    let room = anna.direct_chat(&ghost).await;
    anna.say(&room, "Auch eine").await;
    row("join").await;
    gate.open().await;
    anna.wait_for_words(&room, &ghost, "Eine Frage").await;
    bob.wait_for_text("Auch eine").await;
    assert_eq!(anna.invitations().await, 0, "there is no second room");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_called_by_their_address_has_their_name_before_their_first_words() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let Conversation { anna, ghost, room, .. } = &talk;
    assert_eq!(anna.name_of(room, ghost).await, talk.bob.address);
    talk.hear("Guten Tag, Frau Muster").await;
    talk.hear("Noch etwas").await;
    let events = anna.events(room).await;
    let of_ghost = events.iter().filter(|event| text(event, "/sender") == ghost);
    let of_ghost = of_ghost.map(|event| match text(event, "/type") {
        "m.room.member" => format!("is called {}", text(event, "/content/displayname")),
        "m.room.message" => text(event, "/content/body").to_owned(),
        other => other.to_owned(),
    });
    let shown: Vec<String> = of_ghost.skip_while(|shown| shown != "is called Bob").collect();
    assert_eq!(shown, ["is called Bob", "Guten Tag, Frau Muster", "Noch etwas"]);
}

/// As an invitation by address makes it: not marked as direct.
#[tokio::test(flavor = "multi_thread")]
async fn a_room_without_a_name_for_the_two_is_their_direct_room() {
    let fehmarn = Fehmarn::new().await;
    let (anna, bob, bot) = (Staff::new("Anna Muster").await, Outside::new("Bob"), fehmarn.slot().bot_id());
    let ghost = fehmarn.slot().ghost(&bob.address);
    let request = serde_json::json!({ "preset": "private_chat", "invite": [ghost] });
    let answer = anna.ask(reqwest::Method::POST, "/v3/createRoom", request).await;
    let room = answer["room_id"].as_str().unwrap();
    anna.say(room, "Guten Tag").await;
    bob.wait_for_text("Guten Tag").await;
    let office = anna.direct_chat(&bot).await;
    anna.say(&office, &bob.address).await;
    let known = anna.wait_for_part(&office, &bot, "schon ein Gespräch").await;
    assert!(known.contains(&room.replace(':', "%3A")), "{known}");
    assert_eq!(anna.invitations().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_with_a_name_or_with_a_colleague_in_it_is_not_their_direct_room() {
    let fehmarn = Fehmarn::new().await;
    let (anna, tom) = (Staff::new("Anna Muster").await, Staff::new("Tom Beispiel").await);
    // With a name.
    let bob = Outside::new("Bob");
    let ghost = fehmarn.slot().ghost(&bob.address);
    let room = anna.room("Bauantrag 17", &[&ghost]).await;
    anna.say(&room, "Zum Antrag").await;
    bob.wait_for_text("Zum Antrag").await;
    let direct = anna.direct_chat(&ghost).await;
    anna.say(&direct, "Unter uns").await;
    bob.wait_for_text("Unter uns").await;
    // Without one, but not of two.
    let eve = Outside::new("Eve");
    let ghost = fehmarn.slot().ghost(&eve.address);
    let request = serde_json::json!({ "preset": "private_chat", "invite": [tom.id] });
    let answer = anna.ask(reqwest::Method::POST, "/v3/createRoom", request).await;
    let room = answer["room_id"].as_str().unwrap();
    tom.join(room).await;
    anna.invite(room, &ghost).await;
    anna.wait_for_member(room, &ghost, "join").await;
    for staff in [&anna, &tom] {
        let words = format!("Von {}", staff.name);
        let direct = staff.direct_chat(&ghost).await;
        staff.say(&direct, &words).await;
        eve.wait_for_text(&words).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_colleague_who_reads_along_does_not_make_another_chat_of_it() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let (anna, bob, tom) = (&talk.anna, &talk.bob, Staff::new("Tom Beispiel").await);
    anna.invite(&talk.room, &tom.id).await;
    tom.join(&talk.room).await;
    talk.tell("Tom liest mit.").await;
    bob.send(Letter::new(bob, &talk.address()).subject("Neu").text("Eine Frage")).await;
    anna.wait_for_words(&talk.room, &talk.ghost, "Eine Frage").await;
    assert_eq!(anna.invitations().await, 0, "there is no second room");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_a_name_keeps_it_whatever_a_later_mail_says() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    talk.hear("Guten Tag").await;
    let same = Outside::with_address("Robert", &talk.bob.address);
    same.send(Letter::answering(&same, &talk.first).text("Ich bin es.")).await;
    talk.anna.wait_for_words(&talk.room, &talk.ghost, "Ich bin es.").await;
    assert_eq!(talk.anna.name_of(&talk.room, &talk.ghost).await, "Bob");
}
