//! What a network says later of a delivery.

use super::{Bridge, Text, worker::Done};
use crate::{
    failure::Failure,
    message::{Receipt, ReceiptState},
    store::{MessageState, Row},
};
use std::collections::HashSet;

impl Bridge {
    /// Changes the state of the message, and tells its writer what they need to know.
    pub(super) async fn take_receipt(&self, row: &Row, receipt: &Receipt) -> Result<Done, Failure> {
        let sent = self.store.messages(&row.connector, &receipt.message).await?;
        let concerned = sent.iter().filter(|message| {
            message.state != MessageState::Received && receipt.to.as_ref().is_none_or(|to| *to == message.remote_user)
        });
        let mut done = Done::default();
        let mut found = false;
        let mut told = HashSet::new();
        // Several events may have been one message: its writer is told of it at the last.
        for message in concerned.rev() {
            found = true;
            let first = told.insert(&message.remote_user);
            let recipient = message.remote_user.as_str();
            let (state, text) = match receipt.state {
                ReceiptState::Relayed | ReceiptState::Complaint => (message.state, None),
                ReceiptState::Delivered => (MessageState::Delivered, None),
                ReceiptState::Read => (MessageState::Read, None),
                ReceiptState::Delayed => (message.state, Some(Text::DeliveryDelayed { recipient })),
                ReceiptState::Failed(reason) => {
                    (MessageState::Failed, Some(Text::DeliveryReturned { recipient, reason }))
                }
            };
            self.store.set_message_state(message, state).await?;
            let ghost = self.ghosts.ghost(&message.connector, &message.remote_user);
            if let (Some(text), Some(ghost), true) = (text, ghost, first) {
                let source = format!("{} {}", row.source, message.event_id);
                let about = Some(message.event_id.clone());
                done.follow_up.push(self.notice(source, message.room_id.clone(), ghost, about, &text));
            }
        }
        if !found {
            tracing::warn!(connector = %row.connector, row = row.id, "a report speaks of a message that is not known");
        }
        Ok(done)
    }
}
