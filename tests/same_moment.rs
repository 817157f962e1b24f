//! What happens while the homeserver is still at work: no real one can be held in the middle of a request.

use crate::common::{
    Fehmarn, Letter, Mail, Outside, Setup,
    forgetful::Forgetful,
    homeserver::{Homeserver, message, user},
    lmtp, until,
    wait::unique,
};
use reqwest::StatusCode;
use serde_json::{Value, json};

struct Scene {
    homeserver: Forgetful,
    push: Homeserver,
    fehmarn: Fehmarn,
}

impl Scene {
    async fn new() -> Self {
        let homeserver = Forgetful::start().await;
        let mut setup = Setup::new();
        setup.homeserver = homeserver.url();
        setup.listen_port = setup.slot.spare_ports[1];
        let push = Homeserver::asking(&setup.slot, setup.listen_port);
        let fehmarn = setup.start_without_waiting();
        fehmarn.wait_for_log("the homeserver reaches us").await;
        fehmarn.wait_for_log("were read back").await;
        Self { homeserver, push, fehmarn }
    }

    async fn push(&self, event: &Value) {
        self.homeserver.add(event);
        assert_eq!(self.push.push(&unique("txn"), std::slice::from_ref(event)).await, StatusCode::OK);
    }
}

fn invitation(room: &str, sender: &str, invited: &str, is_direct: bool) -> Value {
    let mut invitation = message(room, sender, "");
    invitation["type"] = json!("m.room.member");
    invitation["state_key"] = json!(invited);
    invitation["content"] = json!({ "membership": "invite", "is_direct": is_direct });
    invitation
}

/// A mail has a room made for it, and meanwhile Anna opens a chat. The ghost, and the room that was made in vain.
async fn cross(scene: &Scene) -> (String, String) {
    let (anna, bob) = (unique("anna"), Outside::new("Bob"));
    let (ghost, slot) = (scene.fehmarn.slot().ghost(&bob.address), scene.fehmarn.slot());
    let to = format!("{anna}@{}", slot.domain);
    scene.homeserver.hold_rooms();
    let letter = Letter::new(&bob, &to).subject("Frage").text("Eine Frage").bytes();
    assert!(lmtp::hand_over(slot.lmtp_port, &bob.address, &to, &letter).await.unwrap().starts_with("250"));
    until("a room that is being made", async || (scene.homeserver.rooms_held() == 1).then_some(())).await;

    let room = format!("!{}:x", unique("room"));
    scene.homeserver.let_in(&room, &user(&anna));
    scene.push(&invitation(&room, &user(&anna), &ghost, true)).await;
    until("the ghost", async || scene.homeserver.has_joined(&room, &ghost).then_some(())).await;
    until("its row", async || scene.fehmarn.rows("join").is_empty().then_some(())).await;
    scene.homeserver.requests();
    scene.homeserver.make_rooms();
    until("the mail", async || scene.homeserver.said_in(&room).contains(&"Eine Frage".to_owned()).then_some(())).await;
    assert_eq!(scene.homeserver.made().len(), 1);
    let made = scene.homeserver.made().remove(0);
    (ghost, made)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_invited_while_a_room_for_a_mail_is_being_made_comes_there_and_the_made_room_is_left() {
    let scene = Scene::new().await;
    let (ghost, made) = cross(&scene).await;
    assert!(scene.homeserver.said_in(&made).is_empty(), "nobody speaks in the room that was left");
    assert_eq!(scene.homeserver.left(), [(made, ghost)]);
    let asked = scene.homeserver.requests();
    assert!(asked.contains(&"POST leave".to_owned()), "{asked:?}");
    let invites = |asked: &&String| ["PUT state", "POST invite", "POST kick"].contains(&asked.as_str());
    assert_eq!(asked.iter().find(invites), None, "nobody of the staff ever sees it");
}

/// Of the room it is noted that the two talk there, and then the program ends.
#[tokio::test(flavor = "multi_thread")]
async fn who_could_not_be_invited_into_a_room_that_was_made_for_them_is_invited_later() {
    let scene = Scene::new().await;
    scene.homeserver.refuse_states(1);
    let (anna, bob) = (unique("anna"), Outside::new("Bob"));
    let to = format!("{anna}@{}", scene.fehmarn.slot().domain);
    let letter = Letter::new(&bob, &to).subject("Frage").text("Eine Frage").bytes();
    let port = scene.fehmarn.slot().lmtp_port;
    assert!(lmtp::hand_over(port, &bob.address, &to, &letter).await.unwrap().starts_with("250"));
    let words = "Eine Frage".to_owned();
    let is_said = async || {
        let made = scene.homeserver.made();
        made.first().filter(|room| scene.homeserver.said_in(room).contains(&words)).cloned()
    };
    let room = until("the mail", is_said).await;
    assert_eq!(scene.homeserver.states_of(&room), [format!("m.room.member {}", user(&anna))]);
    assert_eq!(scene.homeserver.made().len(), 1);
}

/// The homeserver was only late, and what the ghost has read of its invitations is old: all of it has been mailed by then.
#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_that_is_pushed_after_its_ghost_has_found_it_doubles_nothing() {
    let scene = Scene::new().await;
    let (anna, bob, room) = (user(&unique("anna")), Outside::new("Bob"), format!("!{}:x", unique("room")));
    let ghost = scene.fehmarn.slot().ghost(&bob.address);
    let written = ["eins", "zwei"].map(|words| message(&room, &anna, words));
    let all = [&[invitation(&room, &anna, &ghost, false)], &written[..]].concat();
    all.iter().for_each(|event| scene.homeserver.add(event));
    scene.homeserver.invite(&ghost, &room, &anna);
    assert_eq!(scene.push.get(&format!("/_matrix/app/v1/users/{ghost}")).await.0, StatusCode::OK);
    bob.wait_for_count(2).await;
    until("an empty outbox", async || scene.fehmarn.rows("outbox:").is_empty().then_some(())).await;

    assert_eq!(scene.push.push("late", &all).await, StatusCode::OK);
    scene.push(&message(&room, &anna, "drei")).await;
    bob.wait_for_text("drei").await;
    scene.homeserver.invite(&ghost, &room, &anna);
    for _ in 0..2 {
        assert_eq!(scene.push.push("again", &[]).await, StatusCode::OK);
    }
    scene.fehmarn.wait_for_log("ghosts=1 found=0").await;
    until("an empty inbox", async || scene.fehmarn.rows("inbox:").is_empty().then_some(())).await;
    scene.push(&message(&room, &anna, "vier")).await;
    bob.wait_for_text("vier").await;
    let mails = bob.mails().await;
    assert_eq!(mails.iter().map(Mail::text).collect::<Vec<_>>(), ["eins", "zwei", "drei", "vier"]);
}

/// The bot has found its invitation itself, and greets; what is pushed then is old.
#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_of_the_bot_that_is_pushed_late_is_not_answered_again() {
    let homeserver = Forgetful::start().await;
    let mut setup = Setup::new();
    setup.homeserver = homeserver.url();
    setup.listen_port = setup.slot.spare_ports[1];
    let (anna, room, bot) = (user(&unique("anna")), format!("!{}:x", unique("room")), setup.slot.bot_id());
    let invitation = invitation(&room, &anna, &bot, true);
    homeserver.add(&invitation);
    homeserver.invite(&bot, &room, &anna);
    let push = Homeserver::asking(&setup.slot, setup.listen_port);
    let fehmarn = setup.start_without_waiting();
    until("a greeting", async || (homeserver.said_in(&room).len() == 1).then_some(())).await;
    until("empty queues", async || fehmarn.rows("").is_empty().then_some(())).await;
    assert_eq!(push.push("late", &[invitation]).await, StatusCode::OK);
    until("empty queues", async || fehmarn.rows("").is_empty().then_some(())).await;
    let asked = message(&room, &anna, "hilfe");
    homeserver.add(&asked);
    assert_eq!(push.push("later", &[asked]).await, StatusCode::OK);
    until("an answer", async || (homeserver.said_in(&room).len() == 2).then_some(())).await;
    until("empty queues", async || fehmarn.rows("").is_empty().then_some(())).await;
    let said = homeserver.said_in(&room);
    assert!(said.len() == 2 && said[1].contains("diese Übersicht"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_bot_was_asked_is_answered_though_it_was_never_pushed() {
    let scene = Scene::new().await;
    let (anna, room) = (user(&unique("anna")), format!("!{}:x", unique("room")));
    let before = message(&room, &anna, "status");
    scene.homeserver.add(&before);
    scene.push(&invitation(&room, &anna, &scene.fehmarn.slot().bot_id(), true)).await;
    until("a greeting", async || (scene.homeserver.said_in(&room).len() == 1).then_some(())).await;

    let forgotten = message(&room, &anna, "hilfe");
    scene.homeserver.add(&forgotten);
    scene.push(&message("!elsewhere:x", &anna, "x")).await;
    // A transaction that comes again makes Fehmarn doubt.
    for _ in 0..2 {
        assert_eq!(scene.push.push("again", &[]).await, StatusCode::OK);
    }
    until("an answer", async || (scene.homeserver.said_in(&room).len() == 2).then_some(())).await;
    assert!(scene.homeserver.said_in(&room)[1].contains("diese Übersicht"), "{:?}", scene.homeserver.said_in(&room));
    let next = message(&room, &anna, "hilfe");
    scene.push(&next).await;
    until("another answer", async || (scene.homeserver.said_in(&room).len() == 3).then_some(())).await;
    assert_eq!(scene.push.push("again", &[forgotten, next]).await, StatusCode::OK);
    until("empty queues", async || scene.fehmarn.rows("").is_empty().then_some(())).await;
    assert_eq!(scene.homeserver.said_in(&room).len(), 3, "each is answered once, and what was said before is not");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_bot_was_asked_while_fehmarn_was_away_is_answered_when_it_is_back() {
    let mut scene = Scene::new().await;
    let (anna, room) = (user(&unique("anna")), format!("!{}:x", unique("room")));
    scene.push(&invitation(&room, &anna, &scene.fehmarn.slot().bot_id(), true)).await;
    until("a greeting", async || (scene.homeserver.said_in(&room).len() == 1).then_some(())).await;
    scene.push(&message(&room, &anna, "hilfe")).await;
    until("an answer", async || (scene.homeserver.said_in(&room).len() == 2).then_some(())).await;
    scene.fehmarn.stop().await;
    scene.homeserver.add(&message(&room, &anna, "hilfe"));
    scene.fehmarn.start_again_without_waiting();
    until("another answer", async || (scene.homeserver.said_in(&room).len() == 3).then_some(())).await;
}
