//! Files, what a moderator takes away, and names in group chats, over a real Prosody.

use crate::common::{
    Contact, Staff, body,
    chat_room::stanza_id,
    events::{event_id, text},
    hall::{ANNA, BOB, Hall, alias, join_by},
    sender,
    staff::File,
};
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn files_cross_both_ways_in_a_group_chat_with_every_byte() {
    let hall = Hall::begin().await;
    let bytes: Vec<u8> = (0..70_000u32).map(|n| (n * 11 + n / 256) as u8).collect();
    let file = File { name: "Lageplan.pdf", media_type: "application/pdf", bytes: &bytes };
    hall.anna.send_file(&hall.room, "m.file", &file).await;
    let is_file = |told: &Value| {
        told["type"] == "groupchat" && told["body"].as_str().is_some_and(|body| body.starts_with("http"))
    };
    let stanza = hall.bob.wait_for("a file", is_file).await;
    assert!(stanza["xml"].as_str().unwrap().contains("jabber:x:oob"));
    assert_eq!(stanza["sender"], *hall.there.occupant(ANNA));
    let got = reqwest::get(stanza["body"].as_str().unwrap()).await.unwrap().bytes().await.unwrap();
    assert!(got == bytes, "it has changed on its way out");

    let link = hall.bob.upload("foto.png", "image/png", &bytes[..6000]).await;
    hall.there.send(&hall.bob, &format!("<body>{link}</body><x xmlns='jabber:x:oob'><url>{link}</url></x>"));
    let is_picture = |it: &Value| text(it, "/content/msgtype") == "m.image" && sender(it) == hall.ghost;
    let event = hall.anna.wait_for(&hall.room, "a picture", is_picture).await;
    assert_eq!((body(&event), text(&event, "/content/info/mimetype")), ("foto.png", "image/png"));
    assert!(hall.anna.download(text(&event, "/content/url")).await == bytes[..6000], "it has changed on its way in");
}

fn moderation(id: &str) -> String {
    format!(
        "<apply-to xmlns='urn:xmpp:fasten:0' id='{id}'><moderate xmlns='urn:xmpp:message-moderate:0'>\
         <retract xmlns='urn:xmpp:message-retract:0'/><reason>Gehört nicht hierher</reason></moderate></apply-to>"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_moderator_takes_away_there_is_gone_here_whoever_has_said_it() {
    let hall = Hall::begin().await;
    let eve = Contact::new("Eve").await;
    hall.there.enter(&eve, "Eve").await;
    hall.there.say(&eve, "Unsinn");
    let nonsense = hall.anna.wait_for_words(&hall.room, &hall.ghost_of("Eve"), "Unsinn").await;
    let (said, stanza) = hall.tell("Auch von Anna").await;
    let heard = hall.there.wait_for_words(&hall.bob, "Eve", "Unsinn").await;
    for (stanza, event) in [(&heard, event_id(&nonsense)), (&stanza, said.as_str())] {
        let answer = hall.bob.ask(&hall.there.address, "set", &moderation(&stanza_id(stanza))).await;
        assert_eq!(answer["type"], "result", "{answer}");
        let is_gone = |it: &Value| text(it, "/content/redacts") == event;
        // What staff have said only they, and who may do so in the room here, can take away.
        let gone = hall.anna.wait_for(&hall.room, "a redaction", is_gone).await;
        assert!(gone["sender"].as_str().unwrap().starts_with("@_") || sender(&gone) == hall.keeper, "{gone}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_staff_take_away_here_is_gone_there_if_they_may() {
    let hall = Hall::begin_in_own_room().await;
    let first = hall.hear("Unsinn").await;
    hall.anna.redact(&hall.room, event_id(&first)).await;
    hall.anna
        .wait_for_part(&hall.room, &hall.keeper, "Die Nachricht wurde nur hier entfernt: Dort fehlt das Recht")
        .await;
    assert!(!hall.bob.told().iter().any(|told| told["xml"].as_str().is_some_and(|xml| xml.contains("moderated"))));

    let address = hall.annas_address();
    hall.there.set(&hall.bob, &format!("<item jid='{address}' affiliation='admin'/>")).await;
    let second = hall.hear("Noch mehr Unsinn").await;
    let heard = hall.there.wait_for_words(&hall.bob, BOB, "Noch mehr Unsinn").await;
    hall.anna.redact(&hall.room, event_id(&second)).await;
    let told = hall.bob.wait_for_xml("moderated").await;
    let xml = told["xml"].as_str().unwrap();
    assert!(xml.contains(&format!("id=\"{}\"", stanza_id(&heard))), "{xml}");
    assert_eq!(told["sender"], *hall.there.address);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_is_called_otherwise_is_called_so_here() {
    let hall = Hall::begin().await;
    let is_called =
        |name: &'static str| move |it: &Value| text(it, "/type") == "m.room.name" && text(it, "/content/name") == name;
    let call = async |name: &str| {
        let fields = [("muc#roomconfig_roomname", name), ("muc#roomconfig_persistentroom", "1")];
        hall.there.configure(&hall.bob, &fields).await;
    };
    call("Bauantrag 18").await;
    let named = hall.anna.wait_for(&hall.room, "a new name", is_called("Bauantrag 18")).await;
    assert_eq!(sender(&named), hall.keeper);

    // While nobody was there to hear it.
    let mut hall = hall;
    hall.fehmarn.stop().await;
    let fields = [("muc#roomconfig_roomname", "Bauantrag 19"), ("muc#roomconfig_persistentroom", "1")];
    hall.there.configure(&hall.bob, &fields).await;
    hall.fehmarn.start_again().await;
    hall.anna.wait_for(&hall.room, "a newer name", is_called("Bauantrag 19")).await;
    hall.hear("Und weiter").await;
    assert_eq!(hall.anna.name_of(&hall.room, &hall.keeper).await, "Bauantrag 19");

    // Rooms of staff keep the name that they gave them.
    let own = Hall::begin_in_own_room().await;
    let fields = [("muc#roomconfig_roomname", "Fremd"), ("muc#roomconfig_persistentroom", "1")];
    own.there.configure(&own.bob, &fields).await;
    own.hear("Ruhe").await;
    own.anna
        .wait("the ghost's new name", async || {
            (own.anna.name_of(&own.room, &own.keeper).await == "Fremd").then_some(())
        })
        .await;
    let names = own.anna.events(&own.room).await;
    let names: Vec<&str> =
        names.iter().filter(|it| text(it, "/type") == "m.room.name").map(|it| text(it, "/content/name")).collect();
    assert_eq!(names, ["Unser Raum"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_can_write_to_one_of_a_group_chat_alone_and_begin_with_it() {
    let hall = Hall::begin().await;
    let private = hall.anna.direct_chat(&hall.ghost).await;
    hall.anna.say(&private, "Nur an Sie").await;
    let is_it = |told: &Value| told["body"] == "Nur an Sie" && told["sender"] == *hall.there.occupant(ANNA);
    let told = hall.bob.wait_for("words for him alone", is_it).await;
    assert_eq!(told["type"], "chat");
    hall.bob
        .send(&hall.there.occupant(ANNA), "<body>Verstanden</body><x xmlns='http://jabber.org/protocol/muc#user'/>");
    hall.anna.wait_for_words(&private, &hall.ghost, "Verstanden").await;
    assert!(hall.said_by(&hall.ghost).await.is_empty());

    // Who has gone gets nothing, and staff learn it.
    hall.there.leave(&hall.bob, BOB);
    hall.anna
        .wait("Bob to be gone", async || {
            let events = hall.anna.events(&hall.room).await;
            let last = events.into_iter().rfind(|event| text(event, "/state_key") == hall.ghost);
            last.filter(|event| text(event, "/content/membership") == "leave")
        })
        .await;
    hall.anna.say(&private, "Sind Sie noch da?").await;
    hall.anna.wait_for_part(&private, &hall.ghost, "Diese Adresse gibt es nicht").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_one_of_ours_with_the_same_name_and_one_outside_who_takes_a_name_of_ours_are_told_apart() {
    let hall = Hall::begin().await;
    let other = Staff::new(ANNA).await;
    join_by(&other, &alias(&hall.fehmarn, &hall.there)).await;
    let nick = format!("{ANNA} ({})", other.localpart);
    hall.there.wait_for_member(&hall.bob, &nick).await;
    other.say(&hall.room, "Ich bin die andere").await;
    hall.there.wait_for_words(&hall.bob, &nick, "Ich bin die andere").await;
    hall.tell("Und ich die erste").await;

    // Bob wants to be called as one of ours is: the room does not let him, and nothing changes here.
    hall.bob.send_xml(&format!("<presence to='{}'/>", hall.there.occupant(ANNA)));
    hall.bob.wait_for_xml("conflict").await;
    hall.hear("Immer noch Bob").await;
    assert!(hall.said_by(&hall.ghost_of(ANNA)).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_program_says_again_under_one_id_is_read_once_in_a_group_chat_too() {
    let hall = Hall::begin().await;
    let say = |n: usize, words: &str| {
        let (to, id) = (&hall.there.address, format!("7c1e9a44-{n}"));
        hall.bob.send_xml(&format!("<message to='{to}' id='{id}' type='groupchat'><body>{words}</body></message>"));
    };
    say(1, "Guten Morgen");
    hall.anna.wait_for_words(&hall.room, &hall.ghost, "Guten Morgen").await;
    // For the room these are new words, with a name of their own.
    say(1, "Guten Morgen");
    say(2, "Ja");
    say(2, "Ja");
    hall.hear("Ende").await;
    assert_eq!(hall.said_by(&hall.ghost).await, ["Guten Morgen", "Ja", "Ende"]);
}
