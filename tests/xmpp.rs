//! People who have XMPP: what they and staff write to each other, over a real Prosody and a client that is not ours.

use crate::common::{
    Contact, Setup, Staff, body,
    events::{event_id, text},
    html, sender, servers,
    staff::File,
    talk::Talk,
    until,
};
use data_encoding::HEXLOWER;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};
use xmpp_parsers::sha1::{Digest, Sha1};

fn id(stanza: &Value) -> &str {
    stanza["id"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_write_and_each_reads_the_other_in_order() {
    let talk = Talk::begin().await;
    let words: Vec<String> = (1..=10).map(|n| format!("Zeile {n}")).collect();
    for words in &words {
        talk.anna.say(&talk.room, words).await;
    }
    talk.bob.wait_for_words("Zeile 10").await;
    let got: Vec<Value> = talk.bob.messages_from(&talk.address());
    let texts: Vec<&str> = got.iter().skip(1).map(|told| told["body"].as_str().unwrap()).collect();
    assert_eq!(texts, words);
    let xml = got[0]["xml"].as_str().unwrap();
    assert!(xml.contains("Anna Muster"), "the name is in the message");
    assert!(xml.contains(&format!("origin-id id=\"{}\"", id(&got[0]))), "the id that stays (XEP-0359): {xml}");

    for words in &words {
        talk.bob.say(&talk.address(), words);
    }
    talk.anna.wait_for_words(&talk.room, &talk.ghost, "Zeile 10").await;
    let messages = talk.anna.messages(&talk.room).await;
    let heard: Vec<&str> = messages.iter().filter(|event| sender(event) == talk.ghost).map(body).collect();
    assert_eq!(heard, words);
    assert_eq!(talk.anna.invitations().await, 0, "there is no second room");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_writes_first_opens_a_direct_room() {
    let fehmarn = Setup::with_xmpp().start().await;
    let (anna, bob) = (Staff::new("Anna Muster").await, Contact::new("Bob").await);
    let (ghost, address) = (fehmarn.slot().ghost_of("xmpp", &bob.address), anna.address(&fehmarn.slot().xmpp_domain));
    bob.say(&address, "Sind Sie zuständig?");
    let room = anna.wait_for_invitation(&ghost).await;
    anna.join(&room).await;
    anna.wait_for_words(&room, &ghost, "Sind Sie zuständig?").await;
    anna.say(&room, "Ja.").await;
    bob.wait_for_words("Ja.").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn marked_words_cross_both_ways() {
    let talk = Talk::begin().await;
    talk.anna.say_html(&talk.room, "Bitte heute", "Bitte <strong>heute</strong>").await;
    talk.bob.wait_for_words("Bitte *heute*").await;

    talk.bob.say(&talk.address(), "Ich komme *morgen*");
    let event = talk.anna.wait_for_words(&talk.room, &talk.ghost, "Ich komme *morgen*").await;
    assert_eq!(html(&event), "Ich komme <strong>morgen</strong>");
    let rich = "<body>Ja</body><html xmlns='http://jabber.org/protocol/xhtml-im'><body xmlns='http://www.w3.org/1999/xhtml'>\
                <p><em>Ja</em><script>x</script></p></body></html>";
    talk.bob.send(&talk.address(), rich);
    let event = talk.anna.wait_for_words(&talk.room, &talk.ghost, "Ja").await;
    assert_eq!(html(&event), "<p><em>Ja</em></p>");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_name_what_they_answer_on_both_sides() {
    let talk = Talk::begin().await;
    let (bobs, event) = talk.hear("Wann haben Sie geöffnet?").await;
    talk.anna.reply(&talk.room, event_id(&event), "Von neun bis zwölf").await;
    let stanza = talk.bob.wait_for_words("> Wann haben Sie geöffnet?\nVon neun bis zwölf").await;
    let xml = stanza["xml"].as_str().unwrap();
    assert!(xml.contains("urn:xmpp:reply:0") && xml.contains(&format!("id=\"{bobs}\"")), "{xml}");
    let end = "> Wann haben Sie geöffnet?\n".chars().count();
    let fallback = xml.contains("for=\"urn:xmpp:reply:0\"") && xml.contains(&format!("end=\"{end}\""));
    assert!(fallback, "what is only a quote: {xml}");

    let reply = format!(
        "<body>> Von neun\nGut</body><reply xmlns='urn:xmpp:reply:0' id='{}' to='{}'/>\
         <fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='0' end='11'/></fallback>",
        id(&stanza),
        talk.address()
    );
    talk.bob.send(&talk.address(), &reply);
    let answer = talk.anna.wait_for_words(&talk.room, &talk.ghost, "Gut").await;
    let answered = text(&answer, "/content/m.relates_to/m.in_reply_to/event_id");
    let messages = talk.anna.messages(&talk.room).await;
    let answered = messages.iter().find(|event| event_id(event) == answered).expect("it answers nothing in the room");
    assert_eq!(body(answered), "Von neun bis zwölf");
}

#[tokio::test(flavor = "multi_thread")]
async fn corrections_and_what_is_taken_back_reach_the_message_itself() {
    let talk = Talk::begin().await;
    let (event, stanza) = talk.tell("Um 10 Uhr").await;
    talk.anna.edit(&talk.room, &event, "Um 11 Uhr").await;
    let corrected = talk.bob.wait_for_words("Um 11 Uhr").await;
    let xml = corrected["xml"].as_str().unwrap();
    assert!(xml.contains("message-correct:0") && xml.contains(&format!("id=\"{}\"", id(&stanza))), "{xml}");
    talk.anna.redact(&talk.room, &event).await;
    let xml = talk.stanza("message-retract:1").await;
    assert!(xml.contains(&format!("id=\"{}\"", id(&stanza))), "{xml}");

    let (bobs, event) = talk.hear("Ich komme um 10").await;
    talk.bob.send(
        &talk.address(),
        &format!("<body>Ich komme um 11</body><replace xmlns='urn:xmpp:message-correct:0' id='{bobs}'/>"),
    );
    let replaces = |it: &Value| text(it, "/content/m.relates_to/event_id") == event_id(&event);
    let edit = talk.wait_for_event("an edit", replaces).await;
    assert_eq!(text(&edit, "/content/m.relates_to/rel_type"), "m.replace");
    assert_eq!(text(&edit, "/content/m.new_content/body"), "Ich komme um 11");
    talk.bob.send(
        &talk.address(),
        &format!("<body>/me nimmt etwas zurück</body><retract xmlns='urn:xmpp:message-retract:1' id='{bobs}'/>"),
    );
    let redaction = |it: &Value| text(it, "/type") == "m.room.redaction" && sender(it) == talk.ghost;
    let redaction = talk.wait_for_event("a redaction", redaction).await;
    assert_eq!(text(&redaction, "/content/redacts"), event_id(&event));
}

#[tokio::test(flavor = "multi_thread")]
async fn reactions_are_sets_on_both_sides() {
    let talk = Talk::begin().await;
    let (bobs, event) = talk.hear("Fertig").await;
    let thumb = talk.anna.react(&talk.room, event_id(&event), "👍").await;
    let xml = talk.stanza("👍").await;
    assert!(xml.contains("urn:xmpp:reactions:0") && xml.contains(&format!("id=\"{bobs}\"")), "{xml}");
    let party = talk.anna.react(&talk.room, event_id(&event), "🎉").await;
    let xml = talk.stanza("🎉").await;
    assert!(xml.contains("👍"), "the second does not take the place of the first: {xml}");
    talk.anna.redact(&talk.room, &thumb).await;
    let left = |emoji: &'static str, gone: &'static str| {
        move |told: &Value| {
            let xml = told["xml"].as_str().unwrap_or_default();
            xml.contains("urn:xmpp:reactions:0") && xml.contains(emoji) && !xml.contains(gone)
        }
    };
    talk.bob.wait_for("what is left", left("🎉", "👍")).await;
    talk.anna.redact(&talk.room, &party).await;
    let none = talk.bob.wait_for("no reaction any more", left("reactions", ":reaction>")).await;
    assert!(none["xml"].as_str().unwrap().contains(&format!("id=\"{bobs}\"")), "{none}");

    let (event, stanza) = talk.tell("Danke").await;
    let react = |emoji: &[&str]| {
        let emoji: String = emoji.iter().map(|it| format!("<reaction>{it}</reaction>")).collect();
        talk.bob.send(
            &talk.address(),
            &format!("<reactions xmlns='urn:xmpp:reactions:0' id='{}'>{emoji}</reactions>", id(&stanza)),
        );
    };
    let key = |it: &Value| text(it, "/content/m.relates_to/key").to_owned();
    react(&["❤", "🎉"]);
    let heart = talk.wait_for_event("a heart", |it| key(it) == "❤" && sender(it) == talk.ghost).await;
    assert_eq!(text(&heart, "/content/m.relates_to/event_id"), event);
    talk.wait_for_event("the other one", |it| key(it) == "🎉" && sender(it) == talk.ghost).await;
    react(&["🎉"]);
    let gone = |it: &Value| text(it, "/content/redacts") == event_id(&heart);
    talk.wait_for_event("the end of the heart", gone).await;
    let left =
        talk.anna.events(&talk.room).await.iter().filter(|it| key(it) == "🎉" && sender(it) == talk.ghost).count();
    assert_eq!(left, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_and_markers_are_read_receipts_and_words_are_confirmed() {
    let talk = Talk::begin().await;
    let (event, stanza) = talk.tell("Lesen Sie das?").await;
    let state = SqliteConnectOptions::new().filename(talk.fehmarn.setup().database_path()).read_only(true);
    let mut state = state.connect().await.unwrap();
    let mut wait_for_state = async |wanted: &str| {
        until(&format!("{event} to be {wanted}"), async || {
            let query = sqlx::query_scalar("SELECT state FROM messages WHERE event_id = $1").bind(&event);
            let state: Option<String> = query.fetch_optional(&mut state).await.unwrap();
            (state.as_deref() == Some(wanted)).then_some(())
        })
        .await
    };
    talk.bob.send(&talk.address(), &format!("<received xmlns='urn:xmpp:receipts' id='{}'/>", id(&stanza)));
    wait_for_state("delivered").await;
    talk.bob.send(&talk.address(), &format!("<displayed xmlns='urn:xmpp:chat-markers:0' id='{}'/>", id(&stanza)));
    let read = async || talk.anna.wait_for_read(&talk.room, &talk.ghost).await;
    while read().await != event {}
    wait_for_state("read").await;

    let bobs = talk.bob.send(&talk.address(), "<body>Ja</body><request xmlns='urn:xmpp:receipts'/>");
    talk.anna.wait_for_words(&talk.room, &talk.ghost, "Ja").await;
    let xml = talk.stanza(&format!("id=\"{bobs}\"")).await;
    assert!(xml.contains("received"), "{xml}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_twice_under_one_id_is_read_once() {
    let talk = Talk::begin().await;
    let again = |words: &str| {
        talk.bob
            .send_xml(&format!("<message to='{}' id='1' type='chat'><body>{words}</body></message>", talk.address()));
    };
    again("Guten Morgen");
    again("Guten Morgen");
    again("Andere Worte unter der alten Nummer");
    talk.anna.wait_for_words(&talk.room, &talk.ghost, "Andere Worte unter der alten Nummer").await;
    let messages = talk.anna.messages(&talk.room).await;
    assert_eq!(messages.iter().filter(|event| body(event) == "Guten Morgen").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_cross_both_ways_with_every_byte() {
    let talk = Talk::begin().await;
    let bytes: Vec<u8> = (0..70_000u32).map(|n| (n * 7 + n / 256) as u8).collect();
    let file = File { name: "Prüfbericht.pdf", media_type: "application/pdf", bytes: &bytes };
    talk.anna.send_file(&talk.room, "m.file", &file).await;
    let stanza =
        talk.bob.wait_for("a file", |told| told["body"].as_str().is_some_and(|body| body.starts_with("http"))).await;
    let got = reqwest::get(stanza["body"].as_str().unwrap()).await.unwrap().bytes().await.unwrap();
    assert!(got == bytes, "it has changed on its way out");
    assert!(stanza["xml"].as_str().unwrap().contains("jabber:x:oob"));

    let link = talk.bob.upload("antrag.png", "image/png", &bytes[..5000]).await;
    talk.bob.send(&talk.address(), &format!("<body>{link}</body><x xmlns='jabber:x:oob'><url>{link}</url></x>"));
    let event = talk.wait_for_event("a picture", |it| text(it, "/content/msgtype") == "m.image").await;
    assert_eq!((body(&event), text(&event, "/content/info/mimetype")), ("antrag.png", "image/png"));
    assert!(talk.anna.download(text(&event, "/content/url")).await == bytes[..5000], "it has changed on its way in");
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_can_be_added_as_contacts_and_have_name_and_picture() {
    let talk = Talk::begin().await;
    let picture = b"\x89PNG\r\n\x1a\n a picture";
    let url = format!("{}/_matrix/media/v3/upload", servers().synapse.url);
    let answer = talk.anna.upload(&url, "image/png", picture).await;
    let path = format!("/v3/profile/{}/avatar_url", talk.anna.id);
    talk.anna.ask(Method::PUT, &path, json!({ "avatar_url": answer })).await;

    talk.bob.send_xml(&format!("<presence to='{}' type='subscribe'/>", talk.address()));
    talk.bob.wait_for("her consent", |told| told["stanza"] == "presence" && told["type"] == "subscribed").await;
    let here = |told: &Value| {
        let from = told["sender"].as_str().unwrap_or_default();
        told["stanza"] == "presence" && told["type"].is_null() && from.starts_with(&talk.address())
    };
    let presence = talk.bob.wait_for("her presence", here).await;
    let (xml, hash) = (presence["xml"].as_str().unwrap(), HEXLOWER.encode(&Sha1::digest(picture)));
    assert!(xml.contains("vcard-temp:x:update") && xml.contains(&format!("photo>{hash}<")), "{presence}");

    let card = talk.bob.ask(&talk.address(), "get", "<vCard xmlns='vcard-temp'/>").await;
    let xml = card["xml"].as_str().unwrap();
    assert!(
        xml.contains("FN>Anna Muster<") && xml.contains("image/png") && xml.contains("iVBORw0KGgogYSBwaWN0dXJl"),
        "{xml}"
    );
    let info = talk.bob.ask(&talk.address(), "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>").await;
    assert!(info["xml"].as_str().unwrap().contains("urn:xmpp:receipts"), "{info}");
    let ping = talk.bob.ask(&talk.address(), "get", "<ping xmlns='urn:xmpp:ping'/>").await;
    assert_eq!(ping["type"], "result");

    let nobody = format!("niemand.hier@{}", talk.fehmarn.slot().xmpp_domain);
    talk.bob.send_xml(&format!("<presence to='{nobody}' type='subscribe'/>"));
    talk.bob.wait_for("a refusal", |told| told["type"] == "unsubscribed" && told["sender"] == *nobody).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_work_is_said_to_whoever_has_written() {
    let talk = Talk::begin().await;
    let nobody = format!("niemand.hier@{}", talk.fehmarn.slot().xmpp_domain);
    talk.bob.say(&nobody, "Ist da wer?");
    let error = talk.bob.wait_for("an error", |told| told["type"] == "error" && told["sender"] == *nobody).await;
    assert!(error["xml"].as_str().unwrap().contains("item-not-found"), "{error}");
    let sealed = "<encrypted xmlns='eu.siacs.conversations.axolotl'><payload>x</payload></encrypted><body>OMEMO</body>";
    talk.bob.send(&talk.address(), sealed);
    let xml = talk.stanza("not-acceptable").await;
    assert!(xml.contains("ohne Verschlüsselung (OMEMO)"), "{xml}");

    let again = "Reagieren Sie mit 🔁 auf Ihre Nachricht, um sie noch einmal zu senden.";
    for (address, what, why) in [
        ("gibt.es.nicht@xmpp.test", "wurde nicht zugestellt", "Unter dieser Adresse nimmt niemand Nachrichten an."),
        // Their server is looked for when ours has taken the message already.
        ("bob@127.0.0.1", "kam zurück", "Die Gegenseite ist nicht erreichbar."),
    ] {
        let room = talk.anna.direct_chat(&talk.fehmarn.slot().ghost_of("xmpp", address)).await;
        talk.anna.say(&room, "Sind Sie da?").await;
        let notice = format!("Die Nachricht an {address} {what}: {why} {again}");
        talk.anna.wait_for_notice(&room, &notice).await;
    }
    assert!(talk.anna.messages(&talk.room).await.iter().all(|event| body(event) != "OMEMO"));
}
