//! The application service's side of HTTP, as the specification has it (Application Service API 1.11).

use crate::common::{
    Conversation, Fehmarn, Setup,
    homeserver::{Homeserver, message, user},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

const EMPTY: &str = r#"{"events":[]}"#;

fn is(status: u16, code: &str) -> (StatusCode, String) {
    (StatusCode::from_u16(status).unwrap(), code.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_homeserver_may_speak() {
    let fehmarn = Fehmarn::new().await;
    let homeserver = Homeserver::of(fehmarn.slot());
    let token = homeserver.token.clone();
    let ghost = fehmarn.slot().ghost("bob@example.org");
    for (method, path) in [
        (Method::PUT, "/_matrix/app/v1/transactions/1".to_owned()),
        (Method::GET, format!("/_matrix/app/v1/users/{ghost}")),
        (Method::GET, "/_matrix/app/v1/rooms/%23r:x".to_owned()),
        (Method::POST, "/_matrix/app/v1/ping".to_owned()),
        (Method::GET, "/_matrix/app/v1/thirdparty/protocol/email".to_owned()),
    ] {
        let ask = async |path: &str, token| homeserver.ask(method.clone(), path, token, EMPTY).await;
        assert_eq!(ask(&path, Some("wrong")).await, is(403, "M_FORBIDDEN"), "{path}");
        assert_eq!(ask(&path, Some(&token[1..])).await, is(403, "M_FORBIDDEN"), "{path}");
        assert_eq!(ask(&path, None).await, is(401, "M_MISSING_TOKEN"), "{path}");
        assert_eq!(ask(&format!("{path}?access_token={token}"), None).await, is(401, "M_MISSING_TOKEN"), "{path}");
        assert!(ask(&path, Some(&token)).await.1 != "M_FORBIDDEN", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_as_the_specification_has_it_gets_the_answer_that_it_names() {
    let fehmarn = Fehmarn::new().await;
    let homeserver = Homeserver::of(fehmarn.slot());
    assert_eq!(homeserver.put("1", EMPTY).await, is(200, ""));
    assert_eq!(homeserver.put("2", "no JSON").await, is(400, "M_NOT_JSON"));
    assert_eq!(homeserver.put("3", r#"{"events":[}"#).await, is(400, "M_NOT_JSON"));
    for body in ["{}", r#"{"events":{}}"#, "[]"] {
        let (status, code) = homeserver.put("4", body).await;
        assert_eq!((status.as_u16(), code.as_str()), (400, "M_BAD_JSON"), "{body}");
    }
    assert_eq!(homeserver.get("/_matrix/app/v1/nothing").await, is(404, "M_UNRECOGNIZED"));
    assert_eq!(homeserver.get("/nothing").await, is(404, "M_UNRECOGNIZED"));
    assert_eq!(homeserver.get("/_matrix/app/v1/transactions/1").await, is(405, "M_UNRECOGNIZED"));
    let large = format!(r#"{{"events":[],"x":"{}"}}"#, "x".repeat(32 << 20));
    assert_eq!(homeserver.put("5", &large).await.0, StatusCode::PAYLOAD_TOO_LARGE);

    let ghost = fehmarn.slot().ghost("bob@example.org");
    assert_eq!(homeserver.get(&format!("/_matrix/app/v1/users/{ghost}")).await, is(200, ""));
    let nobody =
        [fehmarn.slot().ghost("no address"), fehmarn.slot().ghost("Bob@example.org"), "@anna:x".into(), "x".into()];
    for user in nobody {
        assert_eq!(homeserver.get(&format!("/_matrix/app/v1/users/{user}")).await, is(404, "M_NOT_FOUND"), "{user}");
    }
    for path in [
        "rooms/%23hall:x",
        "thirdparty/protocol/fax",
        "thirdparty/user/email",
        "thirdparty/user/email?address=nobody",
        "thirdparty/user?userid=x",
        "thirdparty/location",
        "thirdparty/location/email",
    ] {
        assert_eq!(homeserver.get(&format!("/_matrix/app/v1/{path}")).await, is(404, "M_NOT_FOUND"), "{path}");
    }
    for path in
        ["protocol/email".to_owned(), "user/email?address=bob%40example.org".to_owned(), format!("user?userid={ghost}")]
    {
        assert_eq!(homeserver.get(&format!("/_matrix/app/v1/thirdparty/{path}")).await, is(200, ""), "{path}");
    }
    for path in ["/health", "/ready"] {
        assert_eq!(homeserver.ask(Method::GET, path, None, "").await.0, StatusCode::OK, "{path} needs no token");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_counts_once_however_often_and_under_whatever_transaction_it_comes() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let homeserver = Homeserver::of(talk.fehmarn.slot());
    let said = |words: &str| message(&talk.room, &talk.anna.id, words);
    let (one, two) = (said("eins"), said("zwei"));
    let events = std::slice::from_ref(&one);
    let at_once = tokio::join!(homeserver.push("77", events), homeserver.push("77", events));
    assert_eq!(at_once, (StatusCode::OK, StatusCode::OK));
    assert_eq!(homeserver.push("77", events).await, StatusCode::OK);
    assert_eq!(homeserver.push("78", events).await, StatusCode::OK);
    // A homeserver that was restarted counts from 1 again.
    assert_eq!(homeserver.push("77", &[two, one]).await, StatusCode::OK);
    assert_eq!(homeserver.push("79", &[said("drei")]).await, StatusCode::OK);
    talk.bob.wait_for_text("drei").await;
    assert_eq!(talk.mailed().await, ["Guten Tag", "eins", "zwei", "drei"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_are_none_and_our_own_echo_hold_nobody_up() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let homeserver = Homeserver::of(talk.fehmarn.slot());
    let said = |sender: &str, words: &str| message(&talk.room, sender, words);
    let mut strange = said(&talk.anna.id, "seltsam");
    strange["content"] = json!({ "msgtype": 7, "body": ["x"] });
    let mut without_room = said(&talk.anna.id, "ohne Raum");
    without_room["room_id"] = Value::Null;
    let bot = user(&talk.fehmarn.slot().bot());
    let events = [
        json!("no event"),
        json!({ "type": "m.room.message" }),
        said(&talk.anna.id, "eins"),
        strange,
        said(&talk.ghost, "Echo des Geistes"),
        said(&bot, "Echo des Bots"),
        without_room,
        json!(null),
        said(&talk.anna.id, "zwei"),
    ];
    assert_eq!(homeserver.push("5", &events).await, StatusCode::OK);
    talk.bob.wait_for_text("zwei").await;
    talk.tell("drei").await;
    assert_eq!(talk.mailed().await, ["Guten Tag", "eins", "zwei", "drei"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_says_which_remote_room_it_leads_to() {
    let fehmarn = Setup::with_xmpp().start().await;
    let homeserver = Homeserver::of(fehmarn.slot());
    let alias = fehmarn.slot().ghost_of("xmpp", "bau@rooms.test").replacen('@', "%23", 1);
    let ask = async |alias: &str| homeserver.get(&format!("/_matrix/app/v1/thirdparty/location?alias={alias}")).await;
    assert_eq!(ask(&alias).await, is(200, ""));
    assert_eq!(ask("%23bau:x").await, is(404, "M_NOT_FOUND"));
}
