//! On PostgreSQL everything is as on SQLite.

use crate::common::{Conversation, Setup, staff::File};

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_crosses_both_ways_on_postgresql_and_goes_on_after_a_crash() {
    let mut talk = Conversation::begin(Setup::with_postgres().await.start().await).await;
    talk.hear("Danke").await;
    talk.fehmarn.kill();
    let waiting = talk.anna.say(&talk.room, "Sind Sie noch da?").await;
    assert!(!waiting.is_empty());
    talk.fehmarn.start_again().await;
    let mail = talk.bob.wait_for_text("Sind Sie noch da?").await;
    assert_eq!(mail.subject(), "Re: Guten Tag");
    talk.hear("Ja").await;
    assert_eq!(talk.mailed().await, ["Guten Tag", "Sind Sie noch da?"]);
    assert_eq!(talk.heard().await, ["Danke", "Ja"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_on_postgresql_is_joined_changed_and_taken_back() {
    let mut setup = Setup::with_postgres().await;
    setup.hold = "3s";
    let talk = Conversation::begin(setup.start().await).await;
    let (anna, room) = (&talk.anna, &talk.room);
    let time = anna.say(room, "Der Termin ist um 10 Uhr.").await;
    let wrong = anna.say(room, "Falscher Raum").await;
    anna.send_file(room, "m.file", &File { name: "plan.pdf", media_type: "application/pdf", bytes: b"%PDF-1" }).await;
    anna.edit(room, &time, "Der Termin ist um 11 Uhr.").await;
    anna.redact(room, &wrong).await;
    let mail = talk.bob.wait_for_text("Der Termin ist um 11 Uhr.").await;
    assert_eq!(mail.files(), [("plan.pdf".into(), "application/pdf".into(), b"%PDF-1".to_vec())]);
    let alone = anna.say(room, "Auch falsch").await;
    anna.redact(room, &alone).await;
    let late = anna.say(room, "Raum 3").await;
    talk.bob.wait_for_text("Raum 3").await;
    anna.edit(room, &late, "Raum 4").await;
    let words = "Korrektur zu „Raum 3“: Raum 4";
    talk.bob.wait_for_mail(words, |mail| mail.text().contains(words)).await;
    talk.tell("Ende").await;
    assert_eq!(talk.mailed().await.len(), 5, "the first, the joined one, the late one, its correction, and the last");
}
