//! What keeps the words of people outside from going to the others outside of their room.

use crate::common::{
    Contact, Fehmarn, Letter, Mail, Outside, Setup, Staff,
    events::{bodies, text},
    until,
};
use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};
use std::time::SystemTime;

/// Anna of the staff, Bob with e-mail and Eve with XMPP, in one room.
struct Three {
    fehmarn: Fehmarn,
    anna: Staff,
    bob: Outside,
    eve: Contact,
    /// Of Bob and of Eve.
    ghosts: [String; 2],
    room: String,
    first: Mail,
}

impl Three {
    async fn begin() -> Self {
        let fehmarn = Setup::with_xmpp().start().await;
        let (anna, bob, eve) = (Staff::new("Anna Muster").await, Outside::new("Bob"), Contact::new("Eve").await);
        let ghosts = [fehmarn.slot().ghost(&bob.address), fehmarn.slot().ghost_of("xmpp", &eve.address)];
        let room = anna.room("Ortstermin", &[&ghosts[0], &ghosts[1]]).await;
        for ghost in &ghosts {
            anna.wait_for_member(&room, ghost, "join").await;
        }
        anna.say(&room, "Wann passt es?").await;
        let first = bob.wait_for_text("Wann passt es?").await;
        eve.wait_for_words("Wann passt es?").await;
        Self { fehmarn, anna, bob, eve, ghosts, room, first }
    }

    /// Bob writes, and Anna reads it.
    async fn hear(&self, words: &str) {
        self.bob.send(Letter::answering(&self.bob, &self.first).text(words)).await;
        self.anna.wait_for_words(&self.room, &self.ghosts[0], words).await;
    }

    /// Whether Eve was told this, now that nothing is on its way any more.
    async fn eve_has(&self, words: &str) -> bool {
        until("empty queues", async || self.fehmarn.rows("").is_empty().then_some(())).await;
        // What went to her before has come before.
        self.anna.say(&self.room, &format!("Nach {words}")).await;
        self.eve.wait_for_words(&format!("Nach {words}")).await;
        let told = self.eve.told();
        told.iter()
            .any(|told| told["body"].as_str().is_some_and(|body| body.ends_with(words) && body.contains("schreibt:")))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_room_that_a_rule_has_closed_nobodys_words_are_passed_on() {
    let mut talk = Three::begin().await;
    talk.hear("Am Dienstag.").await;
    assert!(talk.eve_has("Am Dienstag.").await);
    talk.fehmarn.stop().await;
    let path = talk.fehmarn.setup().config_path();
    let config = std::fs::read_to_string(&path).unwrap();
    let closed = config.replace("permissions:\n", &format!("permissions:\n  {:?}: read\n", talk.room));
    std::fs::write(&path, closed).unwrap();
    talk.fehmarn.start_again().await;

    talk.hear("Doch am Mittwoch.").await;
    until("empty queues", async || talk.fehmarn.rows("").is_empty().then_some(())).await;
    talk.fehmarn.stop().await;
    std::fs::write(&path, config).unwrap();
    talk.fehmarn.start_again().await;
    assert!(!talk.eve_has("Doch am Mittwoch.").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_too_much_in_a_day_is_read_by_staff_alone_and_they_are_told_once() {
    const TOO_MUCH: &str = "Von diesem Absender kommt gerade zu viel auf einmal.";
    let talk = Three::begin().await;
    talk.hear("Eins").await;
    assert!(talk.eve_has("Eins").await);
    // As if he had said so much today already.
    let mut database =
        SqliteConnectOptions::new().filename(talk.fehmarn.setup().database_path()).connect().await.unwrap();
    let day = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() / 86_400;
    let spent = "UPDATE spent SET day = $1, in_day = 999 WHERE mxid = $2 AND deed = 'passed on'";
    let spent = sqlx::query(spent).bind(i64::try_from(day).unwrap()).bind(&talk.ghosts[0]);
    assert_eq!(spent.execute(&mut database).await.unwrap().rows_affected(), 1);

    for (words, is_passed_on) in [("Zwei", true), ("Drei", false), ("Vier", false)] {
        talk.hear(words).await;
        assert_eq!(talk.eve_has(words).await, is_passed_on, "{words}");
    }
    let said = talk.anna.messages(&talk.room).await;
    let told = bodies(&said).into_iter().filter(|words| words.starts_with(TOO_MUCH)).count();
    assert_eq!(told, 1, "{:?}", said.iter().map(|event| text(event, "/content/body")).collect::<Vec<_>>());
}
