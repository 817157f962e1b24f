//! What is more than words: how it looks in a mail, and what is said of what cannot cross.

use crate::common::{Conversation, Fehmarn, body, events::text, staff::File};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn places_polls_stickers_and_voices_cross() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let (anna, room) = (&talk.anna, &talk.room);
    anna.send(room, json!({ "msgtype": "m.location", "body": "Rathaus", "geo_uri": "geo:54.4378,11.1931" })).await;
    let place = "Rathaus\nhttps://www.openstreetmap.org/?mlat=54.4378&mlon=11.1931#map=17/54.4378/11.1931\n\
                 geo:54.4378,11.1931";
    talk.bob.wait_for_text(place).await;

    let answer = |id: &str, words: &str| json!({ "id": id, "org.matrix.msc1767.text": words });
    let poll = json!({
        "question": { "org.matrix.msc1767.text": "Wann passt es Ihnen?" }, "kind": "org.matrix.msc3381.poll.disclosed",
        "max_selections": 1, "answers": [answer("a", "Montag"), answer("b", "Dienstag")],
    });
    let poll = json!({ "org.matrix.msc1767.text": "Umfrage", "org.matrix.msc3381.poll.start": poll });
    let started = anna.send_event(room, "org.matrix.msc3381.poll.start", poll).await;
    talk.bob.wait_for_text("Wann passt es Ihnen?\n1. Montag\n2. Dienstag").await;
    let relates_to = json!({ "rel_type": "m.reference", "event_id": started });
    let response = json!({ "m.relates_to": relates_to, "org.matrix.msc3381.poll.response": { "answers": ["a"] } });
    anna.send_event(room, "org.matrix.msc3381.poll.response", response).await;

    let voice = File { name: "Voice message.ogg", media_type: "audio/ogg", bytes: b"OggS" };
    let uploaded = anna.send_file(room, "m.audio", &voice).await;
    talk.bob.wait_for_mail("a sound", |mail| mail.files().iter().any(|file| file.0 == "Voice message.ogg")).await;
    let event = anna.wait_for(room, "its event", |event| text(event, "/event_id") == uploaded).await;
    let (url, info) = (text(&event, "/content/url"), json!({ "mimetype": "audio/ogg", "size": 4 }));
    let voice = json!({
        "msgtype": "m.audio", "body": "Voice message.ogg", "url": url, "info": info, "org.matrix.msc3245.voice": {},
    });
    anna.send(room, voice).await;
    let is_voice = |name: &str| name.starts_with("Sprachnachricht 20") && name.ends_with(".ogg");
    let mail = talk.bob.wait_for_mail("a voice", |mail| mail.files().iter().any(|file| is_voice(&file.0))).await;
    assert_eq!(mail.files()[0].2, b"OggS");

    let sticker = json!({ "body": "Winkende Katze", "url": url, "info": { "mimetype": "image/png" } });
    anna.send_event(room, "m.sticker", sticker).await;
    let sticker = |name: &str| name == "Winkende Katze.png";
    talk.bob.wait_for_mail("a sticker", |mail| mail.files().iter().any(|file| sticker(&file.0))).await;
    talk.tell("Ende").await;
    assert_eq!(talk.mailed().await.len(), 7, "an answer to a poll is no mail");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_cross_is_said_and_the_words_cross() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let (anna, room) = (&talk.anna, &talk.room);
    let huge = json!({
        "msgtype": "m.file", "body": "Hier der Film", "filename": "film.mp4", "url": "mxc://fehmarn.test/nowhere",
        "info": { "mimetype": "video/mp4", "size": 99_000_000 },
    });
    let event = anna.send(room, huge).await;
    let mail = talk.bob.wait_for_text("Hier der Film").await;
    assert!(mail.files().is_empty());
    let too_large = "Die Datei film.mp4 wurde nicht gesendet: Sie ist größer als 18 MB.";
    let told = anna.wait_for_notice(room, too_large).await;
    assert_eq!(text(&told, "/content/m.relates_to/m.in_reply_to/event_id"), event);

    let large = File { name: "klein.bin", media_type: "application/octet-stream", bytes: &vec![7; 19_000_000] };
    let uploaded = anna.send_file(room, "m.file", &large).await;
    anna.wait_for_notice(room, "Die Datei klein.bin wurde nicht gesendet: Sie ist größer als 18 MB.").await;
    let event = anna.wait_for(room, "its event", |event| text(event, "/event_id") == uploaded).await;
    // This client says that it is small.
    let small = json!({
        "msgtype": "m.file", "body": "Doch klein", "filename": "doch.bin", "url": text(&event, "/content/url"),
        "info": { "size": 7 },
    });
    anna.send(room, small).await;
    talk.bob.wait_for_text("Doch klein").await;
    anna.wait_for_notice(room, "Die Datei doch.bin wurde nicht gesendet: Sie ist größer als 18 MB.").await;

    anna.send(room, json!({ "msgtype": "m.file", "body": "geheim.pdf", "file": { "url": "mxc://x/y" } })).await;
    let encrypted = "Die Datei geheim.pdf wurde nicht gesendet: Sie ist verschlüsselt. \
                     Bitte senden Sie sie in einem Gespräch ohne Verschlüsselung.";
    anna.wait_for_notice(room, encrypted).await;

    let call = json!({ "call_id": "1", "lifetime": 1, "version": 0, "offer": { "type": "offer", "sdp": "" } });
    for _ in 0..2 {
        anna.send_event(room, "m.call.invite", call.clone()).await;
    }
    let calls = "Anrufe erreichen Menschen außerhalb nicht. Bitte schreiben Sie ihnen.";
    anna.wait_for_notice(room, calls).await;
    talk.tell("Ende").await;
    let told = talk.heard().await;
    assert_eq!(told.iter().filter(|words| *words == calls).count(), 1, "{told:?}");
    assert_eq!(talk.mailed().await, ["Guten Tag", "Hier der Film", "Doch klein", "Ende"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lets_people_outside_vote_is_told_once_what_they_get() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    for question in ["Wann?", "Und wo?"] {
        let text = |text: &str| json!({ "org.matrix.msc1767.text": text });
        let poll = json!({ "question": text(question), "answers": [text("Montag"), text("Dienstag")] });
        let kind = "org.matrix.msc3381.poll.start";
        talk.anna.send_event(&talk.room, kind, json!({ kind: poll })).await;
        talk.bob.wait_for_text(&format!("{question}\n1. Montag\n2. Dienstag")).await;
    }
    let told = "Abstimmen können Menschen außerhalb nicht. Sie bekommen die Frage und die Antworten als Text.";
    talk.anna.wait_for_notice(&talk.room, told).await;
    let said = talk.anna.messages(&talk.room).await;
    assert_eq!(said.iter().filter(|event| body(event) == told).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_of_a_place_is_told_in_each_room() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let (anna, ghost) = (&talk.anna, &talk.ghost);
    let other = anna.room("Bauantrag 17", &[ghost]).await;
    anna.wait_for_member(&other, ghost, "join").await;
    for room in [&talk.room, &other] {
        anna.send(room, json!({ "msgtype": "m.location", "body": "Rathaus", "geo_uri": "geo:54.4,11.2" })).await;
        anna.wait_for_notice(room, "Menschen außerhalb bekommen den Standort als Link.").await;
    }
}
