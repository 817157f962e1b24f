//! An invitation that the homeserver forgot to push is found: of a room without a ghost in it Fehmarn knows nothing, but
//! whoever was invited sees that they were.

use crate::common::{
    Fehmarn, Mail, Outside, Staff, body,
    events::bodies,
    own_synapse::{End, OwnSynapse},
    sender,
};

const SECRET: &str = "Das bleibt unter uns.";
const FOUND: &str = "one of ours has found invitations";
/// Only then it is noted what is not to be asked for again.
const STARTED: &str = "all ghosts were asked";

/// A chat in which somebody writes all the time.
struct Chat {
    staff: Staff,
    outside: Outside,
    room: String,
}

impl Chat {
    async fn begin(fehmarn: &Fehmarn, name: &str) -> Self {
        let (staff, outside) = (Staff::new("Anna Muster").await, Outside::new(name));
        // Not as a direct chat: there the ghost has all rights, and nobody can send it away.
        let room = staff.room("Gespräch", &[&fehmarn.slot().ghost(&outside.address)]).await;
        let chat = Self { staff, outside, room };
        chat.tell("Guten Tag").await;
        chat
    }

    async fn tell(&self, words: &str) {
        self.staff.say(&self.room, words).await;
        self.outside.wait_for_text(words).await;
    }

    /// What is pushed now is not answered, and so everything later waits in Synapse's memory.
    async fn keep_busy(&self, end: End) {
        self.staff.say(&self.room, &format!("{end:?}: hier")).await;
        self.staff.say(&self.room, &format!("{end:?}: auch hier")).await;
    }
}

/// Invites somebody into a room of its own, and writes there before and after that.
async fn invite(staff: &Staff, ghost: &str, words: &str) {
    let room = staff.room("Sitzung", &[]).await;
    staff.say(&room, SECRET).await;
    staff.invite(&room, ghost).await;
    staff.say(&room, words).await;
}

fn restart(synapse: &OwnSynapse, fehmarn: &mut Fehmarn, end: End) {
    synapse.end(end);
    synapse.start_again();
    fehmarn.go_on();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_somebody_who_is_written_to_these_days() {
    let synapse = OwnSynapse::start();
    let mut fehmarn = Fehmarn::new().await;
    let chat = Chat::begin(&fehmarn, "Bob").await;
    let (eva, ghost) = (Staff::new("Eva Beispiel").await, fehmarn.slot().ghost(&chat.outside.address));
    fehmarn.wait_for_log(STARTED).await;
    for end in [End::Orderly, End::Crash] {
        fehmarn.hang();
        chat.keep_busy(end).await;
        invite(&eva, &ghost, &format!("{end:?}: dort")).await;
        restart(&synapse, &mut fehmarn, end);
        chat.outside.wait_for_text(&format!("{end:?}: dort")).await;
        chat.outside.wait_for_text(&format!("{end:?}: auch hier")).await;
    }
    assert!(chat.outside.mails().await.iter().all(|mail| mail.text() != SECRET));
    assert!(fehmarn.log().contains(FOUND), "it was pushed after all: this shows nothing");
}

/// Whom nobody writes to any more: they are in no room, and of all that there are nobody can say who was invited.
#[tokio::test(flavor = "multi_thread")]
async fn of_somebody_who_was_not_written_to_for_long() {
    let synapse = OwnSynapse::start();
    let mut fehmarn = Fehmarn::new().await;
    let chat = Chat::begin(&fehmarn, "Bob").await;
    let eva = Staff::new("Eva Beispiel").await;
    let mut old = Vec::new();
    for name in ["Carla", "Dora"] {
        let before = Chat::begin(&fehmarn, name).await;
        let ghost = fehmarn.slot().ghost(&before.outside.address);
        before.staff.kick(&before.room, &ghost).await;
        old.push((before.outside, ghost));
    }
    // What is pushed comes in order: by now it is known that they are gone.
    chat.tell("Und jetzt").await;
    fehmarn.wait_for_log(STARTED).await;
    for (end, (outside, ghost)) in [End::Orderly, End::Crash].into_iter().zip(&old) {
        fehmarn.hang();
        chat.keep_busy(end).await;
        invite(&eva, ghost, &format!("{end:?}: dort")).await;
        restart(&synapse, &mut fehmarn, end);
        outside.wait_for_text(&format!("{end:?}: dort")).await;
        let all: Vec<String> = outside.mails().await.iter().map(Mail::text).collect();
        assert_eq!(all, ["Guten Tag".to_owned(), format!("{end:?}: dort")]);
    }
    assert_eq!(fehmarn.log().matches(FOUND).count(), 2, "it was pushed after all: this shows nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_bot() {
    let synapse = OwnSynapse::start();
    let mut fehmarn = Fehmarn::new().await;
    let chat = Chat::begin(&fehmarn, "Bob").await;
    let (eva, bot) = (Staff::new("Eva Beispiel").await, fehmarn.slot().bot_id());
    fehmarn.wait_for_log(STARTED).await;
    for end in [End::Orderly, End::Crash] {
        fehmarn.hang();
        chat.keep_busy(end).await;
        let greeted = eva.direct_chat(&bot).await;
        let asked = eva.room("Büro", &[]).await;
        eva.say(&asked, "status").await;
        eva.invite(&asked, &bot).await;
        eva.say(&asked, "hilfe").await;
        restart(&synapse, &mut fehmarn, end);
        eva.wait_for_part(&greeted, &bot, "Ich bin Fehmarn").await;
        eva.wait_for_part(&asked, &bot, "diese Übersicht").await;
        for room in [&greeted, &asked] {
            let messages = eva.messages(room).await;
            let said = messages.iter().filter(|event| sender(event) == bot).map(body).count();
            assert_eq!(said, 1, "{:?}", bodies(&messages));
        }
    }
    assert_eq!(fehmarn.log().matches(FOUND).count(), 2, "it was pushed after all: this shows nothing");
}
