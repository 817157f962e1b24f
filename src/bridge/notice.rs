//! Sentences that Fehmarn itself says in a room, through a ghost that is there.

use super::{Bridge, Text, texts::Sentence};
use crate::{
    failure::Failure,
    ids::SourceId,
    matrix::{Error, announcement},
    store::{NewRow, now},
};
use ruma::{
    OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, TransactionId, UserId,
    events::{relation::Reply, room::message::Relation},
};
use serde::{Deserialize, Serialize};

/// The payload of an inbox row of the kind `notice`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    pub room: OwnedRoomId,
    /// Who says it.
    pub ghost: OwnedUserId,
    /// The message that it is about.
    pub about: Option<OwnedEventId>,
    pub text: Sentence,
}

impl Bridge {
    /// A row that says something; `source` tells this occasion from all others.
    pub(super) fn notice(
        &self,
        source: String,
        room: OwnedRoomId,
        ghost: OwnedUserId,
        about: Option<OwnedEventId>,
        text: &Text<'_>,
    ) -> NewRow {
        let notice = Notice { room: room.clone(), ghost, about, text: Sentence::new(text) };
        NewRow {
            kind: "notice",
            connector: "matrix".into(),
            lane: format!("notice {room}"),
            source: SourceId::new(format!("notice {source}")),
            target: room.to_string(),
            room: Some(room),
            payload: serde_json::to_vec(&notice).unwrap_or_default(),
            due_at: now(),
        }
    }

    pub(super) async fn say(&self, source: &SourceId, notice: &Notice) -> Result<(), Failure> {
        let reader = self.homeserver.intent(&notice.ghost);
        let language = self.language_in(&notice.room, &reader, notice.about.as_deref()).await?;
        let mut content = announcement(notice.text.in_language(language));
        content.relates_to = notice.about.clone().map(|event| Relation::Reply(Reply::with_event_id(event)));
        let say = async |ghost: &UserId| {
            let txn = txn_id(source, ghost, 0);
            self.homeserver.intent(ghost).send_message(&notice.room, &txn, &content).await
        };
        match say(&notice.ghost).await {
            // This ghost is not in the room: it has left, or stands for somebody who got a copy. Another one speaks.
            Err(Error::Refused { status: 403, .. }) => match self.speaker_now(&notice.room).await? {
                Some(other) if other != notice.ghost => Ok(say(&other).await.map(drop)?),
                // There is nobody left to tell.
                _ => Ok(()),
            },
            result => Ok(result.map(drop)?),
        }
    }

    async fn speaker_now(&self, room: &RoomId) -> Result<Option<OwnedUserId>, Failure> {
        let mut tx = self.store.begin().await?;
        let portals = tx.portals(&[room]).await?;
        tx.commit().await?;
        Ok(portals.get(room).and_then(|portal| self.speaker(portal)).map(ToOwned::to_owned))
    }
}

/// The transaction id of the `n`th event made from a row. It contains the ghost, because the homeserver keeps
/// transaction ids of an application service without the user.
pub(super) fn txn_id(source: &SourceId, ghost: &UserId, n: usize) -> ruma::OwnedTransactionId {
    use sha2::{Digest, Sha256};
    let hash = Sha256::new().chain_update(source.as_str()).chain_update([0]).chain_update(ghost.as_str()).finalize();
    let text = data_encoding::BASE32_NOPAD.encode(hash.get(..20).unwrap_or_default());
    <&TransactionId>::from(format!("{text}.{n}").as_str()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ruma::user_id;

    #[test]
    fn a_transaction_id_is_the_same_for_a_repeat_and_for_nothing_else() {
        let (a, b) = (SourceId::new("a"), SourceId::new("b"));
        let (bob, eve) = (user_id!("@_email_bob:x"), user_id!("@_email_eve:x"));
        assert_eq!(txn_id(&a, bob, 0), txn_id(&a, bob, 0));
        let all = [txn_id(&a, bob, 0), txn_id(&b, bob, 0), txn_id(&a, eve, 0), txn_id(&a, bob, 1)];
        assert!(all.iter().enumerate().all(|(n, id)| !all[..n].contains(id)));
    }
}
