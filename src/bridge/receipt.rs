//! What a network says later of a delivery.

use super::{Bridge, Text, worker::Done};
use crate::{
    failure::Failure,
    ids::RemoteUserId,
    message::{Receipt, ReceiptState},
    store::{MessageState, Row},
};

impl Bridge {
    /// Changes the state of the message, and tells its writer what they need to know.
    pub(super) async fn take_receipt(&self, row: &Row, receipt: &Receipt) -> Result<Done, Failure> {
        let sent = self.store.messages(&row.connector, &receipt.message).await?;
        let concerned = sent.iter().filter(|message| {
            let is_to = |to: &RemoteUserId| to.address() == message.remote_user.address();
            message.state != MessageState::Received && receipt.to.as_ref().is_none_or(is_to)
        });
        let mut done = Done::default();
        let mut found = false;
        for message in concerned {
            found = true;
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
            if let (Some(text), Some(ghost)) = (text, ghost) {
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
