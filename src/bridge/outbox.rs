//! Matrix to remote, second half: a delivery is handed to its network.

use super::{Bridge, Text, delivery::Outgoing, worker::Done};
use crate::{
    connector::Connector,
    failure::{Failure, Reason},
    message::{Delivery, Thread},
    store::{Message, MessageState, NewRow, Row, ThreadState},
};
use ruma::OwnedMxcUri;
use std::sync::Arc;

/// At this attempt, about twenty minutes after the first, the writer is told that it takes longer.
const TELL_AT_ATTEMPT: u32 = 8;

impl Bridge {
    pub(super) fn connector(&self, name: &str) -> Result<&Arc<dyn Connector>, Failure> {
        self.connectors.get(name).ok_or_else(|| {
            Failure::transient(Reason::Internal, format!("no connector {name} is configured; add it or drop the row"))
        })
    }

    pub(super) async fn attempt_delivery(&self, row: &Row) -> Result<Done, Failure> {
        let Outgoing { event, room, mut delivery, .. } = outgoing(row)?;
        let connector = self.connector(&row.connector)?;
        let known = row.thread.as_ref();
        delivery.thread = thread(&delivery, known);
        self.load_attachments(&mut delivery, connector.capabilities().attachment_bytes).await?;
        let sent = connector.send(&delivery).await?;
        let message = Message {
            event_id: event,
            room_id: room.clone(),
            connector: row.connector.clone(),
            remote_user: delivery.to,
            remote_message: sent.message.clone(),
            state: MessageState::Sent,
        };
        let thread = ThreadState {
            room_id: room,
            connector: row.connector.clone(),
            subject: sent.subject,
            root: known.map_or(&sent.message, |known| &known.root).clone(),
            last: sent.message,
        };
        Ok(Done { messages: vec![message], thread: Some(thread), follow_up: Vec::new() })
    }

    async fn load_attachments(&self, delivery: &mut Delivery, limit: u64) -> Result<(), Failure> {
        let mut left = limit;
        for attachment in &mut delivery.attachments {
            let uri = OwnedMxcUri::from(attachment.location.as_str());
            attachment.bytes = self.homeserver.download(&uri, left).await?;
            left = left.saturating_sub(attachment.bytes.len() as u64);
        }
        Ok(())
    }

    /// What the writer is told after an attempt that failed.
    pub(super) fn delivery_news(&self, row: &Row, failure: &Failure, dead: bool) -> Vec<NewRow> {
        let Ok(Outgoing { event, room, ghost, delivery }) = outgoing(row) else { return Vec::new() };
        let recipient = delivery.to.as_str();
        let (source, text) = if dead && failure.is_permanent() {
            ("failed", Text::DeliveryFailed { recipient, reason: failure.reason })
        } else if dead {
            ("failed", Text::DeliveryGaveUp { recipient, reason: failure.reason })
        } else if row.attempts == TELL_AT_ATTEMPT {
            ("delayed", Text::DeliveryDelayed { recipient })
        } else {
            return Vec::new();
        };
        let source = format!("{source} {} {}", row.source, row.created_at);
        vec![self.notice(source, room, ghost, Some(event), &text)]
    }
}

fn outgoing(row: &Row) -> Result<Outgoing, Failure> {
    serde_json::from_slice(&row.payload)
        .map_err(|e| Failure::permanent(Reason::Internal, format!("the delivery's row is damaged: {e}")))
}

/// The room's name is the subject of a new conversation; what the remote side knows already stays.
fn thread(delivery: &Delivery, known: Option<&ThreadState>) -> Thread {
    let subject = known.and_then(|known| known.subject.clone());
    Thread {
        subject: subject.or_else(|| delivery.thread.subject.clone()),
        root: known.map(|known| known.root.clone()),
        parent: known.map(|known| known.last.clone()),
    }
}
