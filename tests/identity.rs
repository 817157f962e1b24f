//! An address typed into a client's own box becomes a person in the room.

use crate::common::{
    Fehmarn, Letter, Mail, Outside, Setup, Staff,
    events::text,
    identity::{self, Identity},
    own_synapse::OwnSynapse,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

async fn start(more: &[&str]) -> Fehmarn {
    identity::setup(more).start().await
}

/// A member of staff to whom this Fehmarn gives no permission.
async fn start_without(staff: &Staff, more: &[&str]) -> Fehmarn {
    let mut setup = identity::setup(more);
    setup.permissions.push(format!("{:?}: read", staff.id));
    setup.start().await
}

async fn third_party_invitations(staff: &Staff, room: &str) -> usize {
    let events = staff.events(room).await;
    events.iter().filter(|event| text(event, "/type") == "m.room.third_party_invite").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_in_the_invite_box_brings_the_person_into_the_room_without_a_mail_of_its_own() {
    let fehmarn = start(&[]).await;
    let (anna, bob) = (Staff::new("Anna Muster").await, Outside::new("Bob"));
    let ghost = fehmarn.slot().ghost(&bob.address);
    let identity = Identity::of(fehmarn.setup(), &anna).await;
    assert_eq!(identity.look_up(&bob.address).await, None, "nobody has written to him yet");

    let room = anna.room("Antrag", &[]).await;
    // As people type it.
    let typed = bob.address.replacen("bob", "Bob", 1);
    anna.invite_by(&room, identity.address(&typed)).await;
    anna.say(&room, "Guten Tag").await;
    anna.wait_for_member(&room, &ghost, "join").await;
    bob.wait_for_text("Guten Tag").await;
    assert_eq!(third_party_invitations(&anna, &room).await, 1);
    assert_eq!(bob.mails().await.iter().map(Mail::text).collect::<Vec<_>>(), ["Guten Tag"]);

    assert_eq!(identity.look_up(&bob.address).await, Some(ghost.clone()));
    let second = anna.room("Noch einer", &[]).await;
    anna.invite_by(&second, identity.address(&bob.address)).await;
    anna.wait_for_member(&second, &ghost, "join").await;
    assert_eq!(third_party_invitations(&anna, &second).await, 0, "who is known is invited as any user is");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_direct_chat_begun_with_an_address_is_the_one_in_which_the_answer_comes() {
    let fehmarn = start(&[]).await;
    let (anna, bob) = (Staff::new("Anna Muster").await, Outside::new("Bob"));
    let ghost = fehmarn.slot().ghost(&bob.address);
    let identity = Identity::of(fehmarn.setup(), &anna).await;
    let request = json!({
        "preset": "trusted_private_chat", "is_direct": true, "invite_3pid": [identity.address(&bob.address)],
    });
    let answer = anna.ask(Method::POST, "/v3/createRoom", request).await;
    let room = text(&answer, "/room_id");
    anna.say(room, "Guten Tag").await;
    let first = bob.wait_for_text("Guten Tag").await;
    bob.send(Letter::answering(&bob, &first).text("Danke")).await;
    anna.wait_for_words(room, &ghost, "Danke").await;
    bob.send(Letter::new(&bob, &anna.address(&fehmarn.setup().domain)).subject("Neu").text("Noch etwas")).await;
    anna.wait_for_words(room, &ghost, "Noch etwas").await;
    assert_eq!(anna.invitations().await, 0, "no second room was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_that_was_taken_in_is_claimed_after_a_crash() {
    let mut fehmarn = start(&[]).await;
    let (anna, bob) = (Staff::new("Anna Muster").await, Outside::new("Bob"));
    let ghost = fehmarn.slot().ghost(&bob.address);
    let identity = Identity::of(fehmarn.setup(), &anna).await;
    let room = anna.room("Antrag", &[]).await;
    anna.invite_by(&room, identity.address(&bob.address)).await;
    fehmarn.kill();
    fehmarn.start_again().await;
    anna.wait_for_member(&room, &ghost, "join").await;
    anna.say(&room, "Guten Tag").await;
    bob.wait_for_text("Guten Tag").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_write_to_people_outside_gets_the_answers_for_an_unknown_address() {
    let (anna, otto, bob) = (Staff::new("Anna Muster").await, Staff::new("Otto").await, Outside::new("Bob"));
    let fehmarn = start_without(&otto, &[]).await;
    let ghost = fehmarn.slot().ghost(&bob.address);
    let (annas, ottos) = (Identity::of(fehmarn.setup(), &anna).await, Identity::of(fehmarn.setup(), &otto).await);
    let annas_room = anna.direct_chat(&ghost).await;
    anna.wait_for_member(&annas_room, &ghost, "join").await;
    assert_eq!(annas.look_up(&bob.address).await, Some(ghost.clone()));
    assert_eq!(ottos.look_up(&bob.address).await, None);

    let room = otto.room("Antrag", &[]).await;
    let invite = |sender: &Staff, medium: &str, address: &str| json!({ "medium": medium, "address": address, "room_id": room, "sender": sender.id });
    let store = async |identity: &Identity, request| identity.ask(Method::POST, "/v2/store-invite", request).await;
    let unknown = store(&annas, invite(&anna, "email", "no address")).await;
    assert_eq!((unknown.0.as_u16(), text(&unknown.1, "/errcode")), (400, "M_UNRECOGNIZED"));
    assert_eq!(store(&annas, invite(&anna, "msisdn", "49431988")).await, unknown, "no network here has phone numbers");
    assert_eq!(store(&ottos, invite(&otto, "email", &bob.address)).await, unknown);
    assert_eq!(store(&ottos, invite(&otto, "email", "no address")).await, unknown);
    let of_another = store(&ottos, invite(&anna, "email", &bob.address)).await;
    assert_eq!((of_another.0.as_u16(), text(&of_another.1, "/errcode")), (403, "M_FORBIDDEN"));

    let path = format!("/v3/rooms/{room}/invite");
    let (status, _) = otto.try_to(Method::POST, &path, ottos.address(&bob.address)).await;
    assert!(!status.is_success(), "{status}");
    assert_eq!(third_party_invitations(&otto, &room).await, 0);
    assert!(fehmarn.rows("claim").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_whom_the_homeserver_knows_signs_in_and_a_token_ends_with_its_sign_out() {
    let fehmarn = start(&[]).await;
    let anna = Staff::new("Anna Muster").await;
    let stranger = Identity::stranger(fehmarn.setup());
    assert_eq!(stranger.get("/v2").await, (StatusCode::OK, json!({})));
    assert_eq!(stranger.get("/v2/terms").await, (StatusCode::OK, json!({ "policies": {} })));
    for (method, path) in [
        (Method::GET, "/v2/account"),
        (Method::POST, "/v2/account/logout"),
        (Method::GET, "/v2/hash_details"),
        (Method::POST, "/v2/lookup"),
        (Method::POST, "/v2/store-invite"),
        (Method::POST, "/v2/terms"),
    ] {
        let (status, answer) = stranger.ask(method, path, json!({})).await;
        assert_eq!((status.as_u16(), text(&answer, "/errcode")), (401, "M_UNAUTHORIZED"), "{path}");
    }
    let openid = anna.openid_token().await;
    for (key, wrong, status) in [("access_token", "wrong", 401), ("matrix_server_name", "evil.example", 403)] {
        let mut wrong_openid = openid.clone();
        wrong_openid[key] = wrong.into();
        let (answered, _) = stranger.ask(Method::POST, "/v2/account/register", wrong_openid).await;
        assert_eq!(answered.as_u16(), status, "{key}");
    }
    let (status, answer) = stranger.ask(Method::POST, "/v2/account/register", json!("no object")).await;
    assert_eq!((status.as_u16(), text(&answer, "/errcode")), (400, "M_BAD_JSON"));

    let identity = Identity::of(fehmarn.setup(), &anna).await;
    assert_eq!(identity.get("/v2/account").await, (StatusCode::OK, json!({ "user_id": anna.id })));
    // Synapse asks so.
    let (status, _) = stranger.get(&format!("/v2/hash_details?access_token={}", identity.token)).await;
    assert_eq!(status, StatusCode::OK);
    for file in ["fehmarn.db", "fehmarn.db-wal"] {
        let stored = std::fs::read(fehmarn.setup().folder().join(file)).unwrap();
        assert!(!stored.windows(identity.token.len()).any(|part| part == identity.token.as_bytes()), "{file}");
    }
    assert_eq!(identity.ask(Method::POST, "/v2/account/logout", json!({})).await, (StatusCode::OK, json!({})));
    assert_eq!(identity.get("/v2/account").await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_says_whether_the_homeserver_lets_an_identity_service_work() {
    let mut setup = identity::setup(&[]);
    let checked = |setup: &Setup| {
        setup.write_config();
        String::from_utf8(setup.run(&["check"]).stdout).unwrap()
    };
    let well = checked(&setup);
    assert!(well.contains("ok      federation API of the homeserver"), "{well}");
    assert!(well.contains(&format!("ok      listen address 127.0.0.1:{} for clients: free", identity::port(&setup))));

    let _taken = std::net::TcpListener::bind(("127.0.0.1", identity::port(&setup))).unwrap();
    let wrong = format!(", federation_url: \"http://127.0.0.1:{}\" }}", setup.slot.spare_ports[0]);
    setup.identity = setup.identity.map(|section| section.replace(" }", &wrong));
    let wrong = checked(&setup);
    for line in ["FAILED  federation API of the homeserver", "FAILED  listen address"] {
        assert!(wrong.contains(line), "{line} in {wrong}");
    }
    assert!(wrong.contains("identity.federation_url") && wrong.contains("identity.listen"), "{wrong}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_clients_reach_and_what_the_homeserver_reaches_are_apart() {
    let fehmarn = start(&[]).await;
    let hs_token = fehmarn.slot().registered("hs_token");
    // Not by the front of the clients: that has other answers of its own.
    let clients = format!("http://127.0.0.1:{}", identity::port(fehmarn.setup()));
    for path in ["/_matrix/app/v1/ping", "/_matrix/app/v1/users/x", "/health", "/ready", "/"] {
        let request = reqwest::Client::new().post(format!("{clients}{path}")).bearer_auth(&hs_token);
        let answer = request.body("{}").send().await.unwrap();
        let status = answer.status().as_u16();
        let answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default();
        assert_eq!((status, text(&answer, "/errcode")), (404, "M_UNRECOGNIZED"), "{path}");
    }
    let here = reqwest::get(format!("{}/_matrix/identity/v2", fehmarn.slot().listen_url())).await.unwrap();
    assert_eq!(here.status(), StatusCode::NOT_FOUND);

    let asked = reqwest::Client::new()
        .request(Method::OPTIONS, format!("{clients}/_matrix/identity/v2/lookup"))
        .header("Origin", "https://app.element.io")
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "authorization,content-type")
        .send()
        .await
        .unwrap();
    assert!(asked.status().is_success());
    let allowed = |name: &str| asked.headers()[name].to_str().unwrap().to_lowercase();
    assert!(allowed("access-control-allow-headers").contains("authorization"));
    assert!(["*", "https://app.element.io"].contains(&allowed("access-control-allow-origin").as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_that_signs_is_made_once() {
    let mut fehmarn = start(&[]).await;
    let stranger = Identity::stranger(fehmarn.setup());
    let (_, before) = stranger.get("/v2/pubkey/ed25519:0").await;
    let key = text(&before, "/public_key");
    assert_eq!(key.len(), 43);
    let is_valid = async |key: &str| {
        let key: String = url::form_urlencoded::byte_serialize(key.as_bytes()).collect();
        stranger.get(&format!("/v2/pubkey/isvalid?public_key={key}")).await.1["valid"] == json!(true)
    };
    assert!(is_valid(key).await);
    assert!(!is_valid("Oo2Vjc+jkPIhLtfNC8SCNTlcjGBk4LlNYqPl2AlKBA8").await);
    assert_eq!(stranger.get("/v2/pubkey/ed25519:1").await.0, StatusCode::NOT_FOUND);
    fehmarn.stop().await;
    fehmarn.start_again().await;
    assert_eq!(stranger.get("/v2/pubkey/ed25519:0").await.1, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_in_plain_words_find_people_to_whom_nobody_has_written() {
    let otto = Staff::new("Otto").await;
    let fehmarn = start_without(&otto, &["lookup: none"]).await;
    let (anna, bob) = (Staff::new("Anna Muster").await, Outside::new("Bob"));
    let ghost = fehmarn.slot().ghost(&bob.address);
    let identity = Identity::of(fehmarn.setup(), &anna).await;
    assert_eq!(identity.look_up(&bob.address).await, Some(ghost.clone()));
    for nobody in ["no address".to_owned(), format!("unverified:{}", bob.address)] {
        assert_eq!(identity.look_up(&nobody).await, None, "{nobody}");
    }
    assert_eq!(Identity::of(fehmarn.setup(), &otto).await.look_up(&bob.address).await, None);
    let (status, answer) = identity
        .ask(Method::POST, "/v2/lookup", json!({ "addresses": [], "algorithm": "none", "pepper": "stale" }))
        .await;
    assert_eq!((status.as_u16(), text(&answer, "/errcode")), (400, "M_INVALID_PEPPER"));

    let room = anna.room("Antrag", &[]).await;
    anna.invite_by(&room, identity.address(&bob.address)).await;
    anna.wait_for_member(&room, &ghost, "join").await;
    assert_eq!(third_party_invitations(&anna, &room).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_answered_before_the_terms_are_accepted() {
    let url = "https://example.org/datenschutz";
    let terms = format!("terms: {{ name: Datenschutz, url: {url:?}, version: \"1\" }}");
    let fehmarn = start(&[&terms]).await;
    let anna = Staff::new("Anna Muster").await;
    let identity = Identity::of(fehmarn.setup(), &anna).await;
    let code = async |path: &str| text(&identity.get(path).await.1, "/errcode").to_owned();
    for path in ["/v2/account", "/v2/hash_details"] {
        assert_eq!(code(path).await, "M_TERMS_NOT_SIGNED");
    }
    let policy = &identity.get("/v2/terms").await.1["policies"]["privacy_policy"];
    assert_eq!((&policy["version"], &policy["de"]["url"]), (&json!("1"), &json!(url)));
    let accept = async |url: &str| identity.ask(Method::POST, "/v2/terms", json!({ "user_accepts": [url] })).await.0;
    assert_eq!(accept("https://example.org/other").await, StatusCode::OK);
    assert_eq!(code("/v2/account").await, "M_TERMS_NOT_SIGNED");
    assert_eq!(accept(url).await, StatusCode::OK);
    assert_eq!(code("/v2/account").await, "");
    assert_eq!(Identity::of(fehmarn.setup(), &anna).await.get("/v2/account").await.0, StatusCode::OK, "once is enough");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_can_invite_or_look_up_without_end() {
    let fehmarn = start(&[]).await;
    let anna = Staff::new("Anna Muster").await;
    let identity = Identity::of(fehmarn.setup(), &anna).await;
    let request = json!({ "medium": "email", "address": "no address", "room_id": "!r:x", "sender": anna.id });
    let mut refused = (StatusCode::OK, Value::Null);
    for _ in 0..30 {
        refused = identity.ask(Method::POST, "/v2/store-invite", request.clone()).await;
        if refused.0 == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
    }
    assert_eq!(text(&refused.1, "/errcode"), "M_LIMIT_EXCEEDED", "{refused:?}");
    assert!(refused.1["retry_after_ms"].as_u64().unwrap() <= 5000);

    let details = identity.get("/v2/hash_details").await.1;
    let addresses: Vec<String> = (0..1000).map(|n| format!("hash {n}")).collect();
    let (algorithm, pepper) = (&details["algorithms"][0], &details["lookup_pepper"]);
    let request = json!({ "addresses": addresses, "algorithm": algorithm, "pepper": pepper });
    let look_up = async || identity.ask(Method::POST, "/v2/lookup", request.clone()).await;
    for status in [StatusCode::OK, StatusCode::OK, StatusCode::TOO_MANY_REQUESTS] {
        assert_eq!(look_up().await.0, status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_for_users_finds_the_person_whom_the_term_means() {
    let otto = Staff::new("Otto").await;
    let fehmarn = start_without(&otto, &[]).await;
    let (anna, bob) = (Staff::new("Anna Muster").await, Outside::new("Bob"));
    let ghost = fehmarn.slot().ghost(&bob.address);
    let stranger = Identity::stranger(fehmarn.setup());
    let path = "/_matrix/client/v3/user_directory/search";
    let search = async |token: &str, term: &str| {
        stranger.ask_at(Method::POST, path, token, json!({ "search_term": term })).await
    };
    let ids = |answer: &Value| -> Vec<String> {
        answer["results"].as_array().unwrap().iter().map(|hit| text(hit, "/user_id").to_owned()).collect()
    };
    let (status, answer) = search(anna.token(), &bob.address).await;
    assert_eq!((status, &ids(&answer)[0]), (StatusCode::OK, &ghost));
    assert_eq!(text(&answer, "/results/0/display_name"), bob.address);
    assert!(!ids(&search(otto.token(), &bob.address).await.1).contains(&ghost), "he may not write to people outside");

    let (_, ours) = search(anna.token(), &otto.localpart).await;
    let theirs = anna.ask(Method::POST, "/v3/user_directory/search", json!({ "search_term": otto.localpart })).await;
    assert!(ids(&ours).contains(&otto.id), "{ours}");
    assert_eq!(ours, theirs);
    for token in ["wrong", ""] {
        assert_eq!(search(token, &bob.address).await.0, StatusCode::UNAUTHORIZED, "{token:?}");
    }

    let room = anna.direct_chat(&ghost).await;
    anna.say(&room, "Guten Tag").await;
    bob.wait_for_text("Guten Tag").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_learns_of_networks_and_of_people_there() {
    let _synapse = OwnSynapse::start();
    let fehmarn = Fehmarn::new().await;
    let (anna, bob) = (Staff::new("Anna Muster").await, Outside::new("Bob"));
    let ghost = fehmarn.slot().ghost(&bob.address);
    let get = async |path: &str| anna.ask(Method::GET, &format!("/v3/thirdparty/{path}"), Value::Null).await;
    let network = &get("protocols").await["email"];
    assert_eq!(network["user_fields"], json!(["address"]));
    assert_eq!(network["location_fields"], json!([]));
    assert_eq!(text(network, "/field_types/address/placeholder"), "bob@example.org");
    let pattern = text(network, "/field_types/address/regexp");
    assert!(pattern.starts_with('^') && pattern.ends_with('$'), "{pattern}");
    assert_eq!(text(network, "/instances/0/desc"), "E-Mail");
    assert_eq!(text(network, "/instances/0/network_id"), "email");
    let known = json!([{ "userid": ghost, "protocol": "email", "fields": { "address": bob.address } }]);
    let typed = format!("<{}>", bob.address.to_uppercase());
    let typed: String = url::form_urlencoded::byte_serialize(typed.as_bytes()).collect();
    assert_eq!(get(&format!("user/email?address={typed}")).await, known);
    assert_eq!(get(&format!("user?userid={ghost}")).await, json!([]), "Synapse asks no application service that");
    assert_eq!(get("user/email?address=nobody").await, json!([]));
    assert_eq!(get("location/email?channel=x").await, json!([]));
}
