//! What becomes of a message, for clients that show it: the event that bridges of the mautrix family send.

use super::{Error, Intent};
use ruma::{OwnedEventId, RoomId, TransactionId, events::MessageLikeEventType, serde::Raw};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const KIND: &str = "com.beeper.message_send_status";

/// How it stands with a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendStatus {
    /// The message.
    pub event: OwnedEventId,
    /// The name of the connector.
    pub network: String,
    pub state: SendState,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SendState {
    /// The network has taken it.
    Sent,
    /// It is tried again by itself.
    Waiting(Cause),
    /// It was given up, and can be tried again.
    GivenUp(Cause),
    /// It can never be sent as it is.
    Impossible(Cause),
}

/// Why a message is not sent, in the words of that event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The other side.
    Network,
    /// Fehmarn, or its access.
    Bridge,
    /// What it says or how long it is.
    Content,
    /// It waited for too long.
    Age,
    Encryption,
    Other,
}

impl Cause {
    fn word(self) -> &'static str {
        match self {
            Self::Network => "m.foreign_network_error",
            Self::Bridge => "m.bridge_unavailable",
            Self::Content => "com.beeper.unsupported_event",
            Self::Age => "m.event_too_old",
            Self::Encryption => "com.beeper.undecryptable_event",
            Self::Other => "m.event_not_handled",
        }
    }
}

impl SendState {
    fn words(self) -> (&'static str, Option<Cause>) {
        match self {
            Self::Sent => ("SUCCESS", None),
            Self::Waiting(cause) => ("PENDING", Some(cause)),
            Self::GivenUp(cause) => ("FAIL_RETRIABLE", Some(cause)),
            Self::Impossible(cause) => ("FAIL_PERMANENT", Some(cause)),
        }
    }
}

impl SendStatus {
    /// Without `delivered_to_users`: clients would then wait for it. That a message is there, a read receipt says.
    fn content(&self) -> Value {
        let (status, cause) = self.state.words();
        let mut content = json!({
            "network": self.network,
            "m.relates_to": { "rel_type": "m.reference", "event_id": self.event },
            "status": status,
        });
        if let Some(cause) = cause {
            content["reason"] = cause.word().into();
        }
        if let Some(words) = &self.words {
            content["message"] = words.as_str().into();
        }
        content
    }
}

impl Intent<'_> {
    /// As [`send_message`](Self::send_message).
    pub async fn send_status(
        &self,
        room: &RoomId,
        txn: &TransactionId,
        status: &SendStatus,
    ) -> Result<OwnedEventId, Error> {
        let content = Raw::new(&status.content()).map_err(|e| Error::Unreadable(e.to_string()))?;
        self.send_json(room, txn, MessageLikeEventType::from(KIND), content.cast_unchecked()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ruma::event_id;

    fn content(state: SendState, words: Option<&str>) -> Value {
        let (event, words) = (event_id!("$e").to_owned(), words.map(str::to_owned));
        SendStatus { event, network: "email".into(), state, words }.content()
    }

    #[test]
    fn it_has_the_fields_that_bridges_of_the_mautrix_family_send() {
        let relates_to = json!({ "rel_type": "m.reference", "event_id": "$e" });
        let sent = json!({ "network": "email", "m.relates_to": relates_to, "status": "SUCCESS" });
        assert_eq!(content(SendState::Sent, None), sent);
        let failed = content(SendState::GivenUp(Cause::Network), Some("Das Postfach ist voll."));
        assert_eq!(
            failed,
            json!({
                "network": "email", "m.relates_to": relates_to, "status": "FAIL_RETRIABLE",
                "reason": "m.foreign_network_error", "message": "Das Postfach ist voll.",
            })
        );
    }
}
