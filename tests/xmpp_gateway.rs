//! What people outside find where staff are: the gateway itself, names with characters that no address has, and what a
//! program learns of ours without asking anybody else. Over a real Prosody and a client that is not ours.

use crate::common::{
    Contact, Setup, Staff,
    events::text,
    homeserver::{Homeserver, message},
    servers,
    talk::Talk,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

fn xml(stanza: &Value) -> &str {
    stanza["xml"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_knows_only_a_matrix_id_finds_the_gateway_and_through_it_the_address() {
    let fehmarn = Setup::with_xmpp().start().await;
    let (anna, bob) = (Staff::new("Anna Muster").await, Contact::new("Bob").await);
    let gateway = fehmarn.slot().xmpp_domain.clone();
    let items = bob.ask(&servers().xmpp.domain, "get", "<query xmlns='http://jabber.org/protocol/disco#items'/>").await;
    assert!(xml(&items).contains(&format!("jid=\"{gateway}\"")), "{items}");
    let info = bob.ask(&gateway, "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>").await;
    for part in [
        "category=\"gateway\"",
        "type=\"matrix\"",
        "var=\"jabber:iq:register\"",
        "var=\"jabber:iq:gateway\"",
        "var=\"jid\\20escaping\"",
    ] {
        assert!(xml(&info).contains(part), "{part} is not in {info}");
    }

    // There is nothing to sign up for, and whoever does so all the same is welcome.
    let form = bob.ask(&gateway, "get", "<query xmlns='jabber:iq:register'/>").await;
    assert!(xml(&form).contains("registered") && xml(&form).contains("instructions"), "{form}");
    for content in ["<username>bob</username>", "<remove/>"] {
        let answer = bob.ask(&gateway, "set", &format!("<query xmlns='jabber:iq:register'>{content}</query>")).await;
        assert_eq!(answer["type"], "result", "{answer}");
    }
    bob.send_xml(&format!("<presence to='{gateway}' type='subscribe'/>"));
    bob.wait_for("its consent", |told| told["type"] == "subscribed" && told["sender"] == *gateway).await;
    let is_here = |told: &Value| told["stanza"] == "presence" && told["type"].is_null() && told["sender"] == *gateway;
    bob.wait_for("its presence", is_here).await;

    let asked = bob.ask(&gateway, "get", "<query xmlns='jabber:iq:gateway'/>").await;
    assert!(xml(&asked).contains("prompt"), "{asked}");
    let query = format!("<query xmlns='jabber:iq:gateway'><prompt>{}</prompt></query>", anna.id);
    let found = bob.ask(&gateway, "set", &query).await;
    let address = anna.address(&gateway);
    assert!(xml(&found).contains(&format!(">{address}<")), "{found}");
    bob.say(&address, "Gefunden");
    let ghost = fehmarn.slot().ghost_of("xmpp", &bob.address);
    let room = anna.wait_for_invitation(&ghost).await;
    anna.join(&room).await;
    anna.wait_for_words(&room, &ghost, "Gefunden").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_with_characters_that_no_address_has_are_read_on_both_sides() {
    let fehmarn = Setup::with_xmpp().start().await;
    let (anna, bob) = (Staff::new("Anna/Amt=1").await, Contact::new(r"d\27artagnan").await);
    let domain = fehmarn.slot().xmpp_domain.clone();
    let address = format!("{}@{domain}", anna.localpart.replace('/', r"\2f"));
    // As staff type it.
    let typed = bob.address.replace(r"\27", "%27");
    let found = anna.ask(Method::GET, &format!("/v3/thirdparty/user/xmpp?jid={typed}"), Value::Null).await;
    let ghost = fehmarn.slot().ghost_of("xmpp", &bob.address);
    assert!(found.as_array().unwrap().iter().any(|it| text(it, "/userid") == ghost), "{found}");
    let room = anna.direct_chat(&ghost).await;
    anna.say(&room, "Wie heißen Sie?").await;
    let told = bob.wait_for_words("Wie heißen Sie?").await;
    assert_eq!(told["sender"], format!("{address}/fehmarn"));
    assert_eq!(told["name"], *anna.localpart, "what a client that knows XEP-0106 shows");
    bob.say(&address, "Wie Sie sehen");
    anna.wait_for_words(&room, &ghost, "Wie Sie sehen").await;
    assert_eq!(anna.invitations().await, 0, "there is no second room");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_finds_what_ours_understand_under_the_hash_in_their_presence() {
    let talk = Talk::begin().await;
    talk.bob.send_xml(&format!("<presence to='{}' type='subscribe'/>", talk.address()));
    let full = format!("{}/fehmarn", talk.address());
    let is_here = |told: &Value| told["stanza"] == "presence" && told["sender"] == *full;
    talk.bob.wait_for("her presence", is_here).await;
    // The client asks once what stands behind the hash, and keeps it only if the two belong together.
    let known = talk.bob.capabilities_of(&full).await;
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    for feature in ["urn:xmpp:receipts", "urn:xmpp:reactions:0", "urn:xmpp:message-correct:0", "urn:xmpp:reply:0"] {
        assert!(known.contains(&feature), "{feature} is not among {known:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_of_staff_was_held_up_on_its_way_says_when_it_was_written() {
    let talk = Talk::begin().await;
    let homeserver = Homeserver::of(talk.fehmarn.slot());
    // Written in November 2023.
    let body = json!({ "events": [message(&talk.room, &talk.anna.id, "Von vorhin")] });
    let transaction = crate::common::wait::unique("by-hand");
    assert_eq!(homeserver.put(&transaction, &body.to_string()).await.0, StatusCode::OK);
    let told = talk.bob.wait_for_words("Von vorhin").await;
    assert!(told["delayed"].as_str().unwrap().starts_with("2023-11-14T22:13:20"), "{told}");
    let (_, now) = talk.tell("Von jetzt").await;
    assert!(now["delayed"].is_null(), "{now}");
}
