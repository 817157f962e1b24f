//! Names, pictures and late messages of people who have XMPP, over a real Prosody.

use crate::common::{Contact, Setup, Staff, body, events::text, talk::Talk, until};
use serde_json::Value;
use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n a picture";
const GIF: &[u8] = b"GIF89a another one";

fn card(name: &str, picture: &[u8]) -> String {
    let picture = data_encoding::BASE64.encode(picture);
    format!(
        "<vCard xmlns='vcard-temp'><FN>{name}</FN><PHOTO><TYPE>image/png</TYPE><BINVAL>{picture}</BINVAL></PHOTO></vCard>"
    )
}

/// The last look at anybody is four days ago.
async fn days_later(talk: &mut Talk) {
    talk.fehmarn.stop().await;
    let path = talk.fehmarn.setup().database_path();
    let mut database = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    let days = "UPDATE ghosts SET looked_up_at = looked_up_at - 4 * 86400000 WHERE looked_up_at IS NOT NULL";
    assert_eq!(sqlx::query(days).execute(&mut database).await.unwrap().rows_affected(), 1);
    drop(database);
    talk.fehmarn.start_again().await;
}

/// The ghost's pictures in its room, one after the other; empty where it has none.
async fn pictures(talk: &Talk) -> Vec<String> {
    let events = talk.anna.events(&talk.room).await;
    let joined = events
        .iter()
        .filter(|event| text(event, "/state_key") == talk.ghost && text(event, "/content/membership") == "join");
    joined.map(|event| text(event, "/content/avatar_url").to_owned()).collect()
}

/// The ghost's first coming into a room.
async fn came(anna: &Staff, room: &str, ghost: &str) -> Value {
    anna.wait_for_member(room, ghost, "join").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ghost_has_name_and_picture_before_anybody_sees_it() {
    let fehmarn = Setup::with_xmpp().start().await;
    let (anna, bob) = (Staff::new("Anna Muster").await, Contact::new("Bob").await);
    let own = bob.address.clone();
    assert_eq!(bob.ask(&own, "set", &card("Bob Meier", PNG)).await["type"], "result");
    let ghost = fehmarn.slot().ghost_of("xmpp", &bob.address);
    let room = anna.direct_chat(&ghost).await;
    let join = came(&anna, &room, &ghost).await;
    assert_eq!(text(&join, "/content/displayname"), "Bob Meier");
    assert!(anna.download(text(&join, "/content/avatar_url")).await == PNG);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_nothing_of_themself_is_called_by_their_address() {
    let talk = Talk::begin().await;
    let join = came(&talk.anna, &talk.room, &talk.ghost).await;
    assert_eq!(text(&join, "/content/displayname"), talk.bob.address);
    assert_eq!(text(&join, "/content/avatar_url"), "");
    talk.hear("Ich bin es").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_some_days_a_new_name_and_picture_are_taken_over_and_no_sooner() {
    let mut talk = Talk::begin().await;
    let own = talk.bob.address.clone();
    talk.bob.ask(&own, "set", &card("Bob Schulze", GIF)).await;
    talk.hear("Noch wie früher").await;
    // Looking is a step of its own.
    until("empty queues", async || talk.fehmarn.rows("").is_empty().then_some(())).await;
    assert_eq!(talk.anna.name_of(&talk.room, &talk.ghost).await, own);

    days_later(&mut talk).await;
    talk.hear("Nach Tagen").await;
    let renewed = |event: &Value| {
        text(event, "/state_key") == talk.ghost
            && text(event, "/content/displayname") == "Bob Schulze"
            && !text(event, "/content/avatar_url").is_empty()
    };
    let event = talk.anna.wait_for(&talk.room, "the new looks", renewed).await;
    assert!(talk.anna.download(text(&event, "/content/avatar_url")).await == GIF);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_is_changed_only_for_another_one_and_goes_when_it_is_taken_away() {
    let mut talk = Talk::begin().await;
    let own = talk.bob.address.clone();
    talk.bob.ask(&own, "set", &card(&own, PNG)).await;
    days_later(&mut talk).await;
    talk.hear("Mit Bild").await;
    until("a picture", async || (pictures(&talk).await.len() == 2).then_some(())).await;
    // The same one, and then another.
    for (words, picture) in [("Noch das alte", PNG), ("Ein neues", GIF)] {
        talk.bob.ask(&own, "set", &card(&own, picture)).await;
        days_later(&mut talk).await;
        talk.hear(words).await;
    }
    until("the new picture", async || {
        let shown = pictures(&talk).await.pop().unwrap();
        (talk.anna.download(&shown).await == GIF).then_some(())
    })
    .await;
    assert_eq!(pictures(&talk).await.len(), 3, "the same one is no change");
    talk.bob.ask(&own, "set", &card(&own, b"")).await;
    days_later(&mut talk).await;
    talk.hear("Ohne Bild").await;
    until("no picture", async || pictures(&talk).await.pop().filter(String::is_empty)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_held_up_on_its_way_says_so() {
    let talk = Talk::begin().await;
    let hours_ago = |hours: i64| {
        let at = std::time::SystemTime::now() - std::time::Duration::from_secs(hours as u64 * 3600 + 60);
        let seconds = at.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let output = std::process::Command::new("date")
            .args(["-u", "-d", &format!("@{seconds}"), "+%Y-%m-%dT%H:%M:%SZ"])
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let send = |words: &str, stamp: &str| {
        talk.bob.send(&talk.address(), &format!("<body>{words}</body><delay xmlns='urn:xmpp:delay' stamp='{stamp}'/>"))
    };
    send("Von vorhin", &hours_ago(3));
    talk.anna.wait_for_words(&talk.room, &talk.ghost, "Geschrieben 3 Stunden vor dem Eintreffen.\n\nVon vorhin").await;
    send("Ohne Sinn", "vorgestern");
    send("Von jetzt", &hours_ago(0));
    talk.anna.wait_for_words(&talk.room, &talk.ghost, "Ohne Sinn").await;
    let event = talk.anna.wait_for_words(&talk.room, &talk.ghost, "Von jetzt").await;
    assert_eq!(body(&event), "Von jetzt");
}
