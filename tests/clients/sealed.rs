//! Encrypted rooms, as a client makes them.

use super::Library;
use crate::common::{Fehmarn, Letter, Outside};
use serde_json::json;

const ENCRYPTED: &str =
    "Dieser Raum ist verschlüsselt. Nachrichten von hier können Menschen außerhalb nicht erreichen.";

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_encrypts_is_told_at_once_and_each_message_is_marked() {
    let fehmarn = Fehmarn::new().await;
    let (anna, bob) = (Library::encrypting("Anna Muster", fehmarn.setup()).await, Outside::new("Bob"));
    let ghost = fehmarn.slot().ghost(&bob.address);
    let encryption =
        json!({ "type": "m.room.encryption", "state_key": "", "content": { "algorithm": "m.megolm.v1.aes-sha2" } });
    let options = json!({ "preset": "trusted_private_chat", "is_direct": true, "invite": [ghost], "initial_state": [encryption] });
    let room = anna.create_room(options).await;
    assert_eq!(
        anna.wait_until(&room, "encryption", |shown| shown.0["encrypted"] == true).await.0["membership"],
        "join"
    );
    let told = anna.wait_for_notice(&room, ENCRYPTED).await;
    assert_eq!(told["type"], "m.room.message", "it is readable for everybody");
    let said = anna.say(&room, "Geheim").await;
    let message = anna.wait_for_state(&room, &said, "FAIL_PERMANENT").await;
    assert_eq!(
        (&message["body"], message["content"]["ciphertext"].is_null()),
        (&json!("Geheim"), true),
        "it was encrypted"
    );
    assert!(message["state"]["message"].as_str().unwrap().starts_with(ENCRYPTED), "{message:#}");

    // A chat that has begun can be encrypted afterwards.
    let room = anna.direct_chat(&ghost).await;
    anna.say(&room, "Guten Tag").await;
    let mail = bob.wait_for_text("Guten Tag").await;
    anna.call("sendStateEvent", json!([room, "m.room.encryption", { "algorithm": "m.megolm.v1.aes-sha2" }, ""])).await;
    anna.wait_for_notice(&room, ENCRYPTED).await;
    let said = anna.say(&room, "Auch geheim").await;
    anna.wait_for_state(&room, &said, "FAIL_PERMANENT").await;
    bob.send(Letter::answering(&bob, &mail).text("Danke")).await;
    let answer = anna.wait_for_words(&room, &ghost, "Danke").await;
    assert_eq!(answer["unreadable"], false);
    assert_eq!(bob.mails().await.len(), 1);
}
