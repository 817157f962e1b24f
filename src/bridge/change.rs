//! Remote to Matrix: what people outside change of what is there already.

use super::{
    Bridge,
    notice::txn_id,
    relay::{Relay, Spoken},
    worker::Done,
};
use crate::{
    failure::Failure,
    ids::{RemoteMessageId, RemoteUserId, SourceId},
    matrix::{Error, content},
    message::{Reactions, TakenBack},
    store::{Message, MessageState, Row, now},
};
use ruma::{
    OwnedEventId, UserId,
    events::{reaction::ReactionEventContent, relation::Annotation},
};

impl Bridge {
    /// Takes back what somebody has said.
    pub(super) async fn hide(&self, row: &Row, gone: &TakenBack) -> Result<Done, Failure> {
        let Some(ghost) = self.ghosts.ghost(&row.connector, &gone.from) else { return Ok(Done::default()) };
        let Some(staff) = self.staff_id(&gone.to) else { return Ok(Done::default()) };
        let mut done = Done::default();
        let said = self.said_by(row, &gone.from, &gone.message).await?;
        let Some(room) = said.first().map(|message| message.room_id.clone()) else { return Ok(done) };
        let mut spoken = Vec::new();
        for (n, message) in said.iter().enumerate() {
            if let Some(event) = self.take_away(row, &ghost, message, n).await? {
                spoken.push(Spoken::TakenBack { event, target: message.event_id.clone() });
            }
        }
        if self.has_others(&room, &ghost).await? {
            done.follow_up.push(Relay { room, author: ghost, staff, served: Vec::new(), at: now(), spoken }.row(row));
        }
        Ok(done)
    }

    /// Makes somebody's reactions to a message those that they have now.
    pub(super) async fn show_reactions(&self, row: &Row, reactions: &Reactions) -> Result<Done, Failure> {
        let Some(ghost) = self.ghosts.ghost(&row.connector, &reactions.from) else { return Ok(Done::default()) };
        let Some(target) = self.reacted_to(row, reactions).await? else { return Ok(Done::default()) };
        self.set_reactions(row, &ghost, &target, reactions).await
    }

    /// The same, of a message that was found.
    pub(super) async fn set_reactions(
        &self,
        row: &Row,
        ghost: &UserId,
        target: &Message,
        reactions: &Reactions,
    ) -> Result<Done, Failure> {
        let mut new = reactions.emoji.clone();
        for (n, old) in self.said_by(row, &reactions.from, &reactions.message).await?.iter().enumerate() {
            match self.emoji_of(ghost, old).await? {
                Some(emoji) if new.contains(&emoji) => new.retain(|it| *it != emoji),
                Some(_) => drop(self.take_away(row, ghost, old, n).await?),
                None => {}
            }
        }
        let mut done = Done::default();
        for emoji in new {
            let txn = txn_id(&SourceId::new(format!("{} {emoji}", row.source)), ghost, 0);
            let content = ReactionEventContent::new(Annotation::new(target.event_id.clone(), emoji));
            match self.homeserver.intent(ghost).send_message(&target.room_id, &txn, &content).await {
                Ok(event) => done.messages.push(reaction(target, event, reactions)),
                // The ghost has left the room, or this emoji is there already.
                Err(Error::Refused { status: 400 | 403, .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        done.messages.iter().for_each(|message| self.reconcile.echoes.expect(&message.event_id));
        Ok(done)
    }

    /// What somebody has said under this id, or has put under it.
    pub(super) async fn said_by(
        &self,
        row: &Row,
        person: &RemoteUserId,
        id: &RemoteMessageId,
    ) -> Result<Vec<Message>, Failure> {
        let mut messages = self.store.messages(&row.connector, id).await?;
        messages.retain(|message| message.state == MessageState::Received && message.remote_user == *person);
        Ok(messages)
    }

    async fn reacted_to(&self, row: &Row, reactions: &Reactions) -> Result<Option<Message>, Failure> {
        for id in &reactions.messages {
            let known = self.store.messages(&row.connector, id).await?;
            if let Some(message) = known.into_iter().find(|message| message.remote_user == reactions.from) {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    async fn emoji_of(&self, ghost: &UserId, message: &Message) -> Result<Option<String>, Failure> {
        let Some(event) = self.homeserver.intent(ghost).event(&message.room_id, &message.event_id).await? else {
            return Ok(None);
        };
        let content = event.get_field::<Box<serde_json::value::RawValue>>("content").ok().flatten();
        let annotation = content.and_then(|content| content::annotation(content.get()).ok().flatten());
        Ok(annotation.map(|annotation| annotation.emoji))
    }

    /// The event by which it was done.
    pub(super) async fn take_away(
        &self,
        row: &Row,
        ghost: &UserId,
        message: &Message,
        n: usize,
    ) -> Result<Option<OwnedEventId>, Failure> {
        let txn = txn_id(&row.source, ghost, n);
        match self.homeserver.intent(ghost).redact(&message.room_id, &message.event_id, &txn).await {
            // The ghost has left the room, or the event is gone.
            Err(Error::Refused { status: 403 | 404, .. }) => Ok(None),
            result => Ok(Some(result?)),
        }
    }
}

fn reaction(target: &Message, event_id: OwnedEventId, reactions: &Reactions) -> Message {
    Message {
        event_id,
        remote_user: reactions.from.clone(),
        remote_message: reactions.message.clone(),
        state: MessageState::Received,
        recipients: 0,
        ..target.clone()
    }
}
