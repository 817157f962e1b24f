//! What a network says later of a delivery.

use super::{Bridge, Text, worker::Done};
use crate::{
    failure::Failure,
    ids::RemoteUserId,
    matrix::Error,
    message::{Receipt, ReceiptState},
    store::{Message, MessageState, NewRow, Row},
};
use std::collections::BTreeMap;

impl Bridge {
    /// Changes the state of the message, and shows its writer what they need to know.
    pub(super) async fn take_receipt(&self, row: &Row, receipt: &Receipt) -> Result<Done, Failure> {
        let sent = self.store.messages(&row.connector, &receipt.message).await?;
        let concerned = sent.iter().filter(|message| {
            let is_to = |to: &RemoteUserId| to.address() == message.remote_user.address();
            message.state != MessageState::Received && receipt.to.as_ref().is_none_or(is_to)
        });
        // Several events may have gone out as one message: the last stands for all.
        let mut last = BTreeMap::new();
        for message in concerned {
            if let Some(state) = next_state(message.state, receipt.state) {
                self.store.set_message_state(message, state).await?;
            }
            last.insert(&message.remote_user, message);
        }
        if last.is_empty() {
            tracing::warn!(connector = %row.connector, row = row.id, "a report speaks of a message that is not known");
        }
        let mut done = Done::default();
        for message in last.into_values() {
            done.follow_up.extend(self.receipt_notice(row, message, receipt.state));
            if matches!(receipt.state, ReceiptState::Delivered | ReceiptState::Read) {
                self.show_as_read(message).await?;
            }
        }
        Ok(done)
    }

    fn receipt_notice(&self, row: &Row, message: &Message, state: ReceiptState) -> Option<NewRow> {
        let recipient = message.remote_user.address();
        let text = match state {
            ReceiptState::Delayed => Text::DeliveryDelayed { recipient },
            ReceiptState::Failed(reason) => Text::DeliveryReturned { recipient, reason },
            ReceiptState::Complaint => Text::DeliveryUnwanted { recipient },
            ReceiptState::Relayed | ReceiptState::Delivered | ReceiptState::Read => return None,
        };
        let source = format!("{} {}", row.source, message.event_id);
        let ghost = self.ghosts.ghost(&message.connector, &message.remote_user);
        let about = Some(message.event_id.clone());
        ghost.map(|ghost| self.notice(source, message.room_id.clone(), ghost, about, &text))
    }

    /// A read receipt is the one mark of arrival that every client shows.
    async fn show_as_read(&self, message: &Message) -> Result<(), Failure> {
        let Some(ghost) = self.ghosts.ghost(&message.connector, &message.remote_user) else { return Ok(()) };
        match self.homeserver.intent(&ghost).mark_read(&message.room_id, &message.event_id).await {
            // The ghost is no longer in the room, or the event is gone.
            Err(Error::Refused { status: 403 | 404, .. }) => Ok(()),
            result => Ok(result?),
        }
    }
}

/// `None`: the report says nothing new.
fn next_state(now: MessageState, said: ReceiptState) -> Option<MessageState> {
    match said {
        ReceiptState::Delivered if now != MessageState::Read => Some(MessageState::Delivered),
        ReceiptState::Read => Some(MessageState::Read),
        ReceiptState::Failed(_) => Some(MessageState::Failed),
        ReceiptState::Delivered | ReceiptState::Delayed | ReceiptState::Relayed | ReceiptState::Complaint => None,
    }
}
