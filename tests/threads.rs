//! Where a mail of staff stands in its conversation: answers, threads, reactions, subjects.

use crate::common::{
    Conversation, Fehmarn, Letter, Outside, Staff,
    events::{event_id, text},
    until,
};
use sqlx::{Connection, SqliteConnection};

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_a_message_is_an_answer_to_its_mail() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let letter = talk.answer("Wann haben Sie geöffnet?");
    talk.bob.send(letter).await;
    let question = talk.anna.wait_for_words(&talk.room, &talk.ghost, "Wann haben Sie geöffnet?").await;
    let other = talk.tell("Ich sehe nach.").await;
    talk.anna.reply(&talk.room, event_id(&question), "Von neun bis zwölf.").await;
    let mail = talk.bob.wait_for_mail("the answer", |mail| mail.text().contains("Von neun bis zwölf.")).await;
    assert!(mail.in_reply_to()[0].starts_with("letter-"), "{:?}", mail.in_reply_to());
    assert_eq!(mail.references().first(), Some(&talk.first.message_id()));
    assert_ne!(mail.in_reply_to(), [other.message_id()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_shows_what_it_answers() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let question = talk.hear("Wann haben Sie geöffnet?").await;
    talk.anna.reply(&talk.room, event_id(&question), "Von neun bis zwölf.").await;
    let mail = talk.bob.wait_for_mail("the answer", |mail| mail.text().contains("Von neun bis zwölf.")).await;
    assert_eq!(mail.text(), "Von neun bis zwölf.\n\n> Bob: Wann haben Sie geöffnet?");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_in_matrix_is_a_thread_of_its_own_in_mail() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let (anna, room) = (&talk.anna, &talk.room);
    let root = anna.say(room, "Frage zum Bauantrag").await;
    let asked = talk.bob.wait_for_text("Frage zum Bauantrag").await;
    let main = talk.tell("Und noch etwas anderes").await;
    let mut inside = Vec::new();
    for words in ["Es fehlt der Lageplan.", "Und das Formular B."] {
        anna.say_in_thread(room, &root, words).await;
        inside.push(talk.bob.wait_for_text(words).await);
    }
    let outside = talk.tell("Zurück zum anderen").await;
    assert_eq!(inside[0].in_reply_to(), [asked.message_id()]);
    assert_eq!(inside[1].in_reply_to(), [inside[0].message_id()]);
    assert_eq!(inside[1].references(), [asked.message_id(), inside[0].message_id()]);
    assert_eq!(outside.in_reply_to(), [main.message_id()]);
    assert!([&inside[0], &inside[1], &outside].iter().all(|mail| mail.subject() == "Re: Guten Tag"));
    talk.bob.send(Letter::answering(&talk.bob, &inside[1]).text("Hier ist Formular B.")).await;
    let event = anna.wait_for_words(room, &talk.ghost, "Hier ist Formular B.").await;
    let relation = ["rel_type", "event_id"].map(|key| text(&event, &format!("/content/m.relates_to/{key}")));
    assert_eq!(relation, ["m.thread", &root]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reaction_goes_with_the_next_message_and_only_with_that() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let (anna, room) = (&talk.anna, &talk.room);
    let thanks = talk.hear("Danke für die schnelle Antwort").await;
    let undone = anna.react(room, event_id(&thanks), "🎉").await;
    anna.redact(room, &undone).await;
    anna.react(room, event_id(&thanks), "👍").await;
    anna.say(room, "Bis morgen").await;
    let mail = talk.bob.wait_for_mail("a mail", |mail| mail.text().contains("Bis morgen")).await;
    assert_eq!(mail.text(), "Bis morgen\n\n👍 (zu „Danke für die schnelle Antwort“)");
    talk.tell("Ende").await;
    assert_eq!(talk.mailed().await.len(), 3, "a reaction is no mail");
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_program_shows_reactions_gets_them_as_such() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let (anna, room) = (&talk.anna, &talk.room);
    let thanks = talk.hear("Danke").await;
    let url = format!("sqlite:{}", talk.fehmarn.setup().database_path().display());
    let mut database = SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("INSERT INTO peers (connector, remote_user, shows_reactions) VALUES ('email', $1, 1)")
        .bind(&talk.bob.address)
        .execute(&mut database)
        .await
        .unwrap();
    anna.react(room, event_id(&thanks), "👍").await;
    let mail = talk.bob.wait_for_mail("a reaction", |mail| mail.text().contains('👍')).await;
    assert!(mail.in_reply_to()[0].starts_with("letter-"), "{:?}", mail.in_reply_to());
    let next = talk.tell("Ende").await;
    assert!(next.in_reply_to()[0].starts_with("letter-"), "a reaction is no part of the conversation");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_is_called_like_its_guest_has_no_subject() {
    let fehmarn = Fehmarn::new().await;
    let (anna, bob) = (Staff::new("Anna Muster").await, Outside::new("Bob"));
    let room = anna.room(&bob.address, &[&fehmarn.slot().ghost(&bob.address)]).await;
    anna.say(&room, "Ihr Antrag vom Montag").await;
    assert_eq!(bob.wait_for_text("Ihr Antrag vom Montag").await.subject(), "Ihr Antrag vom Montag");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_lines_set_a_subject_and_send_copies() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let eve = Outside::new("Eve");
    talk.anna.say(&talk.room, &format!("Betreff: Lageplan\nCc: {}\n\nAnbei der Plan.", eve.address)).await;
    let mails = [talk.bob.wait_for_text("Anbei der Plan.").await, eve.wait_for_text("Anbei der Plan.").await];
    assert_eq!(mails[0].message_id(), mails[1].message_id());
    for mail in &mails {
        assert_eq!(mail.subject(), "Lageplan");
        assert_eq!((mail.in_reply_to().len(), mail.references().len()), (0, 0), "a new subject is a new thread");
    }
    let next = talk.tell("Und das Formular.").await;
    assert_eq!((next.subject().as_str(), next.in_reply_to()), ("Re: Lageplan", vec![mails[0].message_id()]));
    assert_eq!(eve.mails().await.len(), 1, "the copy was for one message");
    // Who does not get a copy is named.
    talk.anna.say(&talk.room, "Cc: reject@example.org\n\nNoch einmal.").await;
    talk.bob.wait_for_text("Noch einmal.").await;
    let notice = "Die Nachricht an reject@example.org wurde nicht zugestellt: Diese Adresse gibt es nicht.";
    talk.anna.wait_for_notice(&talk.room, notice).await;
    until("the end of the work", async || talk.fehmarn.rows(&talk.bob.address).is_empty().then_some(())).await;
    talk.bob.send(Letter::answering(&talk.bob, &mails[0]).text("Danke")).await;
    talk.anna.wait_for_words(&talk.room, &talk.ghost, "Danke").await;
}
