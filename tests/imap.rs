//! Mail that comes by a mailbox: all new mail arrives once, and the mailbox stays as it is.

use crate::common::{
    Conversation, Fehmarn, Letter, Outside, Setup, Staff, lmtp,
    outside::{flags_of, sign_in},
    until,
};

/// Every mail's UID and flags.
fn contents(login: &str) -> Vec<(u32, String)> {
    let mut session = sign_in(login);
    if session.examine("INBOX").unwrap().exists == 0 {
        return Vec::new();
    }
    let mails = session.fetch("1:*", "(UID FLAGS)").unwrap();
    mails.iter().map(|mail| (mail.uid.unwrap(), flags_of(mail))).collect()
}

/// Sends a mail, and waits until the mailbox has one more.
async fn into_the_mailbox(login: &str, from: &Outside, letter: Letter<'_>) {
    let before = contents(login).len();
    from.send(letter).await;
    until("the mail in the mailbox", async || (contents(login).len() > before).then_some(())).await;
}

/// A mailbox is read from now on; before this line, "now" has not begun.
async fn begin_reading(setup: Setup) -> Fehmarn {
    let fehmarn = setup.start().await;
    fehmarn.wait_for_log("IMAP is ready").await;
    fehmarn
}

#[tokio::test(flavor = "multi_thread")]
async fn new_mail_arrives_and_nothing_in_the_mailbox_is_imported_or_changed() {
    let setup = Setup::with_imap();
    let login = setup.slot.imap_login.clone();
    let (anna, bob) = (Staff::new("Anna Muster").await, Outside::new("Bob"));
    let address = anna.address(&setup.domain);
    let letter = |text| Letter::new(&bob, &address).subject("Anfrage").text(text);
    into_the_mailbox(&login, &bob, letter("Das war vorher.")).await;
    let before = contents(&login);

    let fehmarn = begin_reading(setup).await;
    bob.send(letter("Das ist neu.")).await;
    let ghost = fehmarn.slot().ghost(&bob.address);
    let room = anna.wait_for_invitation(&ghost).await;
    anna.join(&room).await;
    anna.wait_for_words(&room, &ghost, "Das ist neu.").await;

    // For nobody of ours: it stays, and the next one arrives all the same.
    let foreign = format!("niemand@{}", fehmarn.setup().domain);
    into_the_mailbox(&login, &bob, Letter::new(&bob, &foreign).text("Ist da wer?")).await;
    bob.send(letter("Und noch etwas.")).await;
    anna.wait_for_words(&room, &ghost, "Und noch etwas.").await;

    let messages = anna.messages(&room).await;
    assert_eq!(crate::common::events::bodies(&messages), ["Das ist neu.", "Und noch etwas."]);
    assert_eq!(anna.invitations().await, 0);
    let after = contents(&login);
    assert_eq!(after.len(), before.len() + 3);
    assert_eq!(after[..before.len()], before);
    assert!(after[before.len()..].iter().all(|(_, flags)| flags.is_empty()), "{after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_that_comes_while_fehmarn_is_down_arrives_once_after_the_start() {
    let mut talk = Conversation::begin(begin_reading(Setup::with_imap()).await).await;
    let login = talk.fehmarn.slot().imap_login.clone();
    talk.hear("Ich schreibe gleich mehr.").await;
    for (n, words) in ["Es geht um den Antrag.", "Und um den Termin."].into_iter().enumerate() {
        if n == 0 {
            talk.fehmarn.stop().await;
        } else {
            talk.fehmarn.kill();
        }
        into_the_mailbox(&login, &talk.bob, talk.answer(words)).await;
        talk.fehmarn.start_again().await;
        talk.anna.wait_for_words(&talk.room, &talk.ghost, words).await;
    }
    talk.hear("Das war alles.").await;
    let expected = ["Ich schreibe gleich mehr.", "Es geht um den Antrag.", "Und um den Termin.", "Das war alles."];
    assert_eq!(talk.heard().await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_mail_that_is_too_large_its_sender_and_subject_are_told() {
    let mut setup = Setup::with_imap();
    setup.max_size = "1MB";
    let talk = Conversation::begin(begin_reading(setup).await).await;
    let film = vec![7; 1_500_000];
    let letter = Letter::answering(&talk.bob, &talk.first).subject("Unser Film").text("Anbei der Film.");
    talk.bob.send(letter.file("video/mp4", "film.mp4", &film)).await;
    let words = "Diese E-Mail hat 2 MB und ist zu groß, um sie hier zu zeigen. Sie liegt noch im Postfach. Bitte wenden Sie \
                 sich an Ihre Administration, oder bitten Sie um kleinere Dateien.\nBetreff: Unser Film";
    talk.anna.wait_for_words(&talk.room, &talk.ghost, words).await;
    talk.hear("Ist er angekommen?").await;
    assert_eq!(talk.heard().await, [words, "Ist er angekommen?"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_comes_by_lmtp_and_by_the_mailbox_is_shown_once() {
    let mut setup = Setup::with_imap();
    setup.lmtp = true;
    let talk = Conversation::begin(begin_reading(setup).await).await;
    let login = talk.fehmarn.slot().imap_login.clone();
    let port = talk.fehmarn.slot().lmtp_port;
    for (words, lmtp_first) in [("Erst über LMTP.", true), ("Erst über das Postfach.", false)] {
        let mail = talk.answer(words).bytes();
        let hand_over = async || {
            let answer = lmtp::hand_over(port, &talk.bob.address, &talk.address(), &mail).await.unwrap();
            assert!(answer.starts_with("250"), "{answer}");
        };
        if lmtp_first {
            hand_over().await;
            talk.anna.wait_for_words(&talk.room, &talk.ghost, words).await;
        }
        let before = contents(&login).len();
        talk.bob.send_raw(&[&talk.address()], &mail).await;
        until("the mail in the mailbox", async || (contents(&login).len() > before).then_some(())).await;
        talk.anna.wait_for_words(&talk.room, &talk.ghost, words).await;
        if !lmtp_first {
            hand_over().await;
        }
    }
    talk.hear("Das war alles.").await;
    assert_eq!(talk.heard().await, ["Erst über LMTP.", "Erst über das Postfach.", "Das war alles."]);
}
