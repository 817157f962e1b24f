//! Sentences that Fehmarn itself says in a room, through a ghost that is there.

use super::{Bridge, Text, edit::has_arrived, inbox::own_row, outgoing::Outgoing, status::statuses, texts::Sentence};
use crate::{
    failure::Failure,
    ids::SourceId,
    matrix::{
        Error, announcement,
        status::{SendState, SendStatus},
    },
    store::{Message, NewRow, Told, Trouble},
};
use ruma::{
    OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, TransactionId, UserId,
    events::{
        relation::Reply,
        room::message::{Relation, ReplacementMetadata},
    },
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
    /// Of a message in trouble: this takes the place of what was said of it before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
    /// The state of the messages that it is about; its words are the same text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<SendStatus>,
}

impl Notice {
    pub(super) fn row(&self, source: String) -> NewRow {
        own_row("notice", format!("notice {}", self.room), format!("notice {source}"), &self.room, self)
    }
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
        let text = Sentence::new(text);
        Notice { room, ghost, about, text, trouble: None, statuses: Vec::new() }.row(source)
    }

    /// As [`notice`](Self::notice), of how it stands with a delivery: one notice for each message and recipient, which
    /// changes with the news.
    pub(super) fn delivery_notice(
        &self,
        source: String,
        outgoing: &Outgoing,
        network: &str,
        state: SendState,
        text: &Text<'_>,
    ) -> NewRow {
        let about = outgoing.about().cloned();
        let trouble = about.clone().map(|event| Trouble {
            event,
            connector: network.to_owned(),
            remote_user: outgoing.delivery.to.clone(),
        });
        let mut statuses = statuses(outgoing, network, state);
        if outgoing.author.is_some() {
            statuses.clear();
        }
        let (room, ghost) = (outgoing.room.clone(), outgoing.ghost.clone());
        Notice { room, ghost, about, text: Sentence::new(text), trouble, statuses }.row(source)
    }

    /// As [`delivery_notice`](Self::delivery_notice), of a message that went out some time ago.
    pub(super) fn message_notice(
        &self,
        source: String,
        message: &Message,
        state: Option<SendState>,
        text: &Text<'_>,
    ) -> Option<NewRow> {
        let (event, network) = (message.event_id.clone(), message.connector.clone());
        let status = |state| SendStatus { event: event.clone(), network: network.clone(), state, words: None };
        let statuses = state.map(status).into_iter().collect();
        let trouble = Some(Trouble {
            event: event.clone(),
            connector: network.clone(),
            remote_user: message.remote_user.clone(),
        });
        let ghost = self.ghosts.ghost(&network, &message.remote_user)?;
        let (room, text) = (message.room_id.clone(), Sentence::new(text));
        Some(Notice { room, ghost, about: Some(event), text, trouble, statuses }.row(source))
    }

    pub(super) async fn say(&self, source: &SourceId, notice: &Notice) -> Result<(), Failure> {
        let reader = self.homeserver.intent(&notice.ghost);
        let language = self.language_in(&notice.room, &reader, notice.about.as_deref()).await?;
        let text = notice.text.in_language(language);
        if !self.say_in_place(source, notice, text).await? {
            self.say_anew(source, notice, text).await?;
        }
        let said = |status: &SendStatus| SendStatus { words: Some(text.to_owned()), ..status.clone() };
        let mut statuses: Vec<SendStatus> = notice.statuses.iter().map(said).collect();
        if statuses.iter().any(|status| status.state == SendState::Sent) {
            // That one of several people has it after all does not end the trouble with the others.
            let gone = self.gone_to_all(statuses.iter().map(|status| &status.event), has_arrived).await?;
            statuses.retain(|status| status.state != SendState::Sent || gone.get(&status.event) != Some(&false));
        }
        self.show_all(source, &notice.room, &notice.ghost, &statuses).await
    }

    /// Puts a notice in the place of what was said of the same trouble. `false`: nothing was, or its speaker is gone.
    async fn say_in_place(&self, source: &SourceId, notice: &Notice, text: &str) -> Result<bool, Failure> {
        let Some(trouble) = &notice.trouble else { return Ok(false) };
        let Some(told) = self.store.told(trouble).await? else { return Ok(false) };
        let content = announcement(text).make_replacement(ReplacementMetadata::new(told.notice.clone(), None));
        let txn = txn_id(source, &told.speaker, 0);
        match self.homeserver.intent(&told.speaker).send_message(&notice.room, &txn, &content).await {
            Err(Error::Refused { status: 403, .. }) => Ok(false),
            result => Ok(result.map(|_| true)?),
        }
    }

    async fn say_anew(&self, source: &SourceId, notice: &Notice, text: &str) -> Result<(), Failure> {
        let mut content = announcement(text);
        content.relates_to = notice.about.clone().map(|event| Relation::Reply(Reply::with_event_id(event)));
        let say = async |room: &RoomId, ghost: &UserId| {
            let txn = txn_id(source, ghost, 0);
            self.homeserver.intent(ghost).send_message(room, &txn, &content).await
        };
        let (mut room, mut speaker) = (notice.room.clone(), notice.ghost.clone());
        let mut said = say(&room, &speaker).await;
        if let Err(Error::Refused { status: 403, .. }) = said {
            // This ghost is not in the room: it has left, or stands for somebody who got a copy. Another one speaks, or
            // all of them have gone on to the room that has taken the place of this one.
            let others = self.speaker_now(&room).await?.filter(|other| *other != speaker);
            match (others, self.successor(&room).await?) {
                (Some(other), _) => speaker = other,
                (None, Some(successor)) => match self.speaker_now(&successor).await? {
                    Some(other) => (speaker, room) = (other, successor),
                    None => return Ok(()),
                },
                // There is nobody left to tell.
                (None, None) => return Ok(()),
            }
            said = say(&room, &speaker).await;
        }
        let told = Told { notice: said?, speaker };
        if let Some(trouble) = &notice.trouble {
            self.store.note_told(trouble, &told).await?;
        }
        Ok(())
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
