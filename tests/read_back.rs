//! Reading portals back from a homeserver that does what no real one can be brought to do.

use crate::common::{
    Fehmarn, Setup,
    forgetful::Forgetful,
    homeserver::{Homeserver, message, user},
    lmtp, until,
    wait::unique,
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};

/// Fehmarn between a forgetful homeserver and no mail server at all: what is to be sent stays in its outbox.
struct Scene {
    homeserver: Forgetful,
    push: Homeserver,
    fehmarn: Fehmarn,
    transactions: usize,
}

impl Scene {
    async fn new() -> Self {
        let homeserver = Forgetful::start().await;
        let mut setup = Setup::new();
        setup.homeserver = homeserver.url();
        setup.smtp_port = setup.slot.spare_ports[0];
        setup.listen_port = setup.slot.spare_ports[1];
        let push = Homeserver::asking(&setup.slot, setup.listen_port);
        let fehmarn = setup.start_without_waiting();
        fehmarn.wait_for_log("the homeserver reaches us").await;
        Self { homeserver, push, fehmarn, transactions: 0 }
    }

    /// A room into which Anna has invited these addresses, whose ghosts have come.
    async fn portal(&mut self, addresses: &[&str]) -> String {
        let room = format!("!{}:x", unique("room"));
        for address in addresses {
            self.invite(&room, address).await;
        }
        room
    }

    async fn invite(&mut self, room: &str, address: &str) {
        let event = self.invitation(room, address);
        self.homeserver.add(&event);
        assert_eq!(self.push(&[event]).await, StatusCode::OK);
        until("an empty inbox", async || self.fehmarn.rows("inbox:").is_empty().then_some(())).await;
    }

    fn invitation(&self, room: &str, address: &str) -> Value {
        let mut event = self.say(room, "");
        event["type"] = json!("m.room.member");
        event["state_key"] = json!(self.fehmarn.slot().ghost(address));
        event["content"] = json!({ "membership": "invite" });
        event
    }

    /// What Anna says; it is nowhere yet.
    fn say(&self, room: &str, words: &str) -> Value {
        message(room, &user("anna"), words)
    }

    fn forget(&self, room: &str, words: &str) -> Value {
        let event = self.say(room, words);
        self.homeserver.add(&event);
        event
    }

    async fn push(&mut self, events: &[Value]) -> StatusCode {
        self.transactions += 1;
        self.push.push(&self.transactions.to_string(), events).await
    }

    /// Makes Fehmarn doubt: a transaction comes again.
    async fn repeat(&self) {
        assert_eq!(self.push.push(&self.transactions.to_string(), &[]).await, StatusCode::OK);
    }

    /// What waits for this address, in order.
    async fn outbox(&self, address: &str) -> Vec<String> {
        let path = self.fehmarn.setup().database_path();
        let mut database = SqliteConnectOptions::new().filename(path).read_only(true).connect().await.unwrap();
        let query = sqlx::query_scalar("SELECT payload FROM outbox WHERE target = $1 ORDER BY id").bind(address);
        let payloads: Vec<Vec<u8>> = query.fetch_all(&mut database).await.unwrap();
        let text = |payload: &Vec<u8>| {
            let payload: Value = serde_json::from_slice(payload).unwrap();
            payload["parts"][0]["words"]["body"]["text"].as_str().unwrap().to_owned()
        };
        payloads.iter().map(text).collect()
    }
}

const BOB: &str = "bob@example.org";
const EVE: &str = "eve@example.org";

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_of_any_length_is_read_back_before_what_is_pushed() {
    let mut scene = Scene::new().await;
    let room = scene.portal(&[BOB]).await;
    scene.fehmarn.wait_for_log("were read back").await;
    let numbers: Vec<String> = (1..=730).map(|n| n.to_string()).collect();
    let events: Vec<Value> = numbers.iter().map(|number| scene.forget(&room, number)).collect();
    scene.repeat().await;
    assert_eq!(scene.push(&events[729..]).await, StatusCode::OK);
    assert_eq!(scene.outbox(BOB).await, numbers);
}

/// As Synapse does with one that is made in the very moment in which it has caught up with an application service.
#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_that_is_never_pushed_is_found_by_its_ghost_and_nothing_is_doubled_should_it_be_pushed_after_all()
{
    let mut scene = Scene::new().await;
    let (room, ghost) = (format!("!{}:x", unique("room")), scene.fehmarn.slot().ghost(BOB));
    scene.forget(&room, "davor");
    let invitation = scene.invitation(&room, BOB);
    scene.homeserver.add(&invitation);
    scene.homeserver.invite(&ghost, &room, &user("anna"));
    let written: Vec<Value> = ["eins", "zwei"].iter().map(|words| scene.forget(&room, words)).collect();
    let (status, _) = scene.push.get(&format!("/_matrix/app/v1/users/{ghost}")).await;
    assert_eq!(status, StatusCode::OK);
    until("what was written", async || (scene.outbox(BOB).await == ["eins", "zwei"]).then_some(())).await;

    assert_eq!(scene.push(&[&[invitation], written.as_slice()].concat()).await, StatusCode::OK);
    let last = scene.forget(&room, "drei");
    assert_eq!(scene.push(&[last]).await, StatusCode::OK);
    until("an empty inbox", async || scene.fehmarn.rows("inbox:").is_empty().then_some(())).await;
    assert_eq!(scene.outbox(BOB).await, ["eins", "zwei", "drei"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_doubt_ghosts_look_for_invitations_and_strangers_cannot_bring_them_in_by_it() {
    let mut scene = Scene::new().await;
    let known = scene.portal(&[BOB]).await;
    let ghost = scene.fehmarn.slot().ghost(BOB);
    let here = scene.forget(&known, "Schon da");
    assert_eq!(scene.push(&[here]).await, StatusCode::OK);
    // As if it had been answered too late: the ghost has long accepted this one.
    scene.homeserver.invite(&ghost, &known, &user("anna"));
    let (room, other) = (format!("!{}:x", unique("room")), format!("!{}:x", unique("room")));
    scene.homeserver.add(&scene.invitation(&room, BOB));
    scene.homeserver.invite(&ghost, &room, &user("anna"));
    scene.homeserver.invite(&ghost, &other, "@mallory:elsewhere.example");
    for room in [&room, &other] {
        scene.forget(room, "Guten Tag");
    }
    scene.repeat().await;
    until("what was written", async || (scene.outbox(BOB).await.len() > 1).then_some(())).await;
    let has_left = async || scene.homeserver.left().contains(&(other.clone(), ghost.clone())).then_some(());
    until("a refusal", has_left).await;
    until("an empty inbox", async || scene.fehmarn.rows("inbox:").is_empty().then_some(())).await;
    assert_eq!(scene.outbox(BOB).await, ["Schon da", "Guten Tag"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ghost_never_sends_what_was_written_before_its_invitation() {
    let mut scene = Scene::new().await;
    let room = format!("!{}:x", unique("room"));
    scene.forget(&room, "lange davor");
    scene.invite(&room, BOB).await;
    // From then on a push alone makes nobody read back.
    scene.fehmarn.wait_for_log("were read back").await;
    scene.forget(&room, "davor");
    scene.invite(&room, EVE).await;
    let after = scene.forget(&room, "danach");
    scene.repeat().await;
    assert_eq!(scene.push(&[after]).await, StatusCode::OK);
    assert_eq!(scene.outbox(BOB).await, ["davor", "danach"]);
    assert_eq!(scene.outbox(EVE).await, ["danach"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_read_back_from_a_place_that_the_homeserver_named_too_early() {
    let mut scene = Scene::new().await;
    scene.homeserver.stand_still();
    let room = format!("!{}:x", unique("room"));
    scene.forget(&room, "lange davor");
    scene.invite(&room, BOB).await;
    for words in ["eins", "zwei", "drei"] {
        scene.forget(&room, words);
        scene.repeat().await;
        until(words, async || scene.outbox(BOB).await.iter().any(|said| said == words).then_some(())).await;
    }
    assert_eq!(scene.outbox(BOB).await, ["eins", "zwei", "drei"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_homeserver_cannot_be_asked_nothing_overtakes_what_it_forgot() {
    let mut scene = Scene::new().await;
    let room = scene.portal(&[BOB]).await;
    scene.forget(&room, "eins");
    let two = scene.forget(&room, "zwei");
    scene.homeserver.refuse(&room, Some((502, "")));
    scene.repeat().await;
    assert_eq!(scene.push(std::slice::from_ref(&two)).await, StatusCode::SERVICE_UNAVAILABLE);
    assert!(scene.outbox(BOB).await.is_empty());
    scene.homeserver.refuse(&room, None);
    assert_eq!(scene.push(&[two]).await, StatusCode::OK);
    assert_eq!(scene.outbox(BOB).await, ["eins", "zwei"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_that_cannot_be_read_holds_nobody_up() {
    for answer in [(403, "M_FORBIDDEN"), (500, "M_UNKNOWN")] {
        let mut scene = Scene::new().await;
        let (closed, open) = (scene.portal(&[BOB]).await, scene.portal(&[EVE]).await);
        scene.homeserver.refuse(&closed, Some(answer));
        scene.forget(&open, "eins");
        let events = [scene.forget(&closed, "zwei"), scene.forget(&open, "drei")];
        scene.repeat().await;
        assert_eq!(scene.push(&events).await, StatusCode::OK);
        assert_eq!(scene.outbox(BOB).await, ["zwei"], "{answer:?}");
        assert_eq!(scene.outbox(EVE).await, ["eins", "drei"], "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_message_is_found_without_any_push_and_while_all_is_well_a_message_costs_no_request() {
    let mut scene = Scene::new().await;
    let room = scene.portal(&[BOB]).await;
    scene.forget(&room, "vergessen");
    scene.repeat().await;
    until("the forgotten message", async || (scene.outbox(BOB).await == ["vergessen"]).then_some(())).await;
    scene.fehmarn.wait_for_log("recovered=1").await;
    let readings = scene.homeserver.readings();
    for n in 1..=20 {
        let event = scene.forget(&room, &n.to_string());
        assert_eq!(scene.push(&[event]).await, StatusCode::OK);
    }
    assert_eq!(scene.outbox(BOB).await.len(), 21);
    assert_eq!(scene.homeserver.readings(), readings);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_what_our_own_users_send_is_not_pushed_portals_are_read_back() {
    let mut scene = Scene::new().await;
    let room = scene.portal(&[BOB]).await;
    scene.fehmarn.wait_for_log("were read back").await;
    scene.forget(&room, "vergessen");
    let slot = scene.fehmarn.slot();
    let (port, to) = (slot.lmtp_port, format!("anna@{}", slot.domain));
    let mail = format!("From: {EVE}\r\nTo: {to}\r\nMessage-ID: <1@example.org>\r\nSubject: x\r\n\r\nHallo\r\n");
    let answer = lmtp::hand_over(port, EVE, &to, mail.as_bytes()).await.unwrap();
    assert!(answer.starts_with("250"), "{answer}");
    scene.fehmarn.wait_for_log("what our own users have sent does not come back").await;
    until("the forgotten message", async || (scene.outbox(BOB).await == ["vergessen"]).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_the_homeserver_does_not_take_holds_nothing_up() {
    let homeserver = Forgetful::start().await;
    homeserver.refuse_names();
    let mut setup = Setup::new();
    setup.homeserver = homeserver.url();
    setup.listen_port = setup.slot.spare_ports[1];
    let fehmarn = setup.start_without_waiting();
    fehmarn.wait_for_log("the name of the bot is not set").await;
    fehmarn.wait_for_log("the homeserver reaches us").await;
}
