//! On PostgreSQL everything is as on SQLite.

use crate::common::{Conversation, Setup};

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
