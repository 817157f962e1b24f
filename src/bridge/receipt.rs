//! What a network says later of a delivery.

use super::{
    Bridge, Text,
    status::{Accepted, cause, is_settled},
    worker::Done,
};
use crate::{
    failure::Failure,
    ids::{RemoteUserId, SourceId},
    matrix::{
        Error,
        status::{Cause, SendState},
    },
    message::{Receipt, ReceiptState},
    metrics,
    store::{Message, MessageState, NewRow, Row, Trouble, now},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// A report can be faster than what it speaks of is written down.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// The payload of an inbox row of the kind `report`: what was said of a message that was not known then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Report {
    connector: String,
    receipt: Receipt,
}

impl Report {
    /// Nobody waits behind it.
    fn row(&self, row: &Row) -> NewRow {
        let source = format!("report {}", row.source);
        NewRow {
            kind: "report",
            connector: "matrix".into(),
            lane: source.clone(),
            source: SourceId::new(source),
            target: row.target.clone(),
            room: None,
            payload: serde_json::to_vec(self).unwrap_or_default(),
            due_at: now() + LOOK_AGAIN.as_millis() as i64,
        }
    }
}

impl Bridge {
    pub(super) async fn take_receipt(&self, row: &Row, receipt: Receipt) -> Result<Done, Failure> {
        let sent = self.store.messages(&row.connector, &receipt.message).await?;
        let report = Report { connector: row.connector.clone(), receipt };
        if sent.is_empty() {
            return Ok(Done { follow_up: vec![report.row(row)], ..Done::default() });
        }
        self.apply_report(row, &report, &sent).await
    }

    pub(super) async fn take_report(&self, row: &Row, report: &Report) -> Result<Done, Failure> {
        let sent = self.store.messages(&report.connector, &report.receipt.message).await?;
        self.apply_report(row, report, &sent).await
    }

    /// Changes the state of the message, and shows its writer what they need to know. `sent`: what is known of it, for each
    /// recipient.
    async fn apply_report(&self, row: &Row, report: &Report, sent: &[Message]) -> Result<Done, Failure> {
        let Report { connector, receipt } = report;
        let concerned = sent.iter().filter(|message| {
            let is_to = |to: &RemoteUserId| to.address() == message.remote_user.address();
            message.state != MessageState::Received && receipt.to.as_ref().is_none_or(is_to)
        });
        // Several events may have gone out as one message: the last stands for all.
        let mut last = BTreeMap::new();
        for message in concerned {
            if let Some(state) = next_state(message.state, receipt.state) {
                self.store.set_message_state(message, state).await?;
                self.count_receipt(connector, receipt.state);
            }
            last.insert(&message.remote_user, message);
        }
        if last.is_empty() {
            tracing::warn!(connector, row = row.id, "a report speaks of a message that is not known");
        }
        let mut done = Done::default();
        for message in last.into_values() {
            done.follow_up.extend(self.receipt_notice(row, message, receipt.state).await?);
            if matches!(receipt.state, ReceiptState::Delivered | ReceiptState::Read) {
                self.show_as_read(message).await?;
            }
            let is_settled = next_state(message.state, receipt.state).is_some_and(is_settled);
            if is_settled && message.state == MessageState::Sent && !self.is_passed_on(message).await? {
                done.accepted = self.settled(sent, message, receipt.state);
            }
        }
        Ok(done)
    }

    fn count_receipt(&self, connector: &str, state: ReceiptState) {
        let (outcome, reason) = match state {
            ReceiptState::Delivered => ("delivered", ""),
            ReceiptState::Read => ("read", ""),
            ReceiptState::Failed(reason) => ("failed", reason.key()),
            _ => return,
        };
        metrics::delivery(self.connector_name(connector), outcome, reason);
    }

    async fn receipt_notice(
        &self,
        row: &Row,
        message: &Message,
        state: ReceiptState,
    ) -> Result<Option<NewRow>, Failure> {
        let recipient = message.remote_user.address();
        let (state, text) = match state {
            // A late word.
            ReceiptState::Delayed if matches!(message.state, MessageState::Delivered | MessageState::Read) => {
                return Ok(None);
            }
            ReceiptState::Delayed => (Some(SendState::Waiting(Cause::Network)), Text::DeliveryDelayed { recipient }),
            ReceiptState::Failed(reason) if self.is_passed_on(message).await? => {
                (None, Text::NotPassedOn { recipient, reason })
            }
            ReceiptState::Failed(reason) => {
                (Some(SendState::Impossible(cause(reason))), Text::DeliveryReturned { recipient, reason })
            }
            ReceiptState::Complaint => (None, Text::DeliveryUnwanted { recipient }),
            ReceiptState::Delivered | ReceiptState::Read if self.store.told(&trouble(message)).await?.is_some() => {
                (Some(SendState::Sent), Text::DeliveryArrived { recipient })
            }
            ReceiptState::Relayed | ReceiptState::Delivered | ReceiptState::Read => return Ok(None),
        };
        Ok(self.message_notice(format!("{} {}", row.source, message.event_id), message, state, &text))
    }

    /// Whether somebody outside has written it.
    async fn is_passed_on(&self, message: &Message) -> Result<bool, Failure> {
        let known = self.store.crossed(&[&*message.event_id]).await?;
        Ok(known.iter().any(|message| message.state == MessageState::Received))
    }

    /// What clients are shown of a message of which no more will be heard. That it is there, a read receipt says: then
    /// only others who were to get it may still have been waited for.
    fn settled(&self, sent: &[Message], message: &Message, state: ReceiptState) -> Option<Accepted> {
        let others = message.recipients > 1;
        if !self.status_events || (state != ReceiptState::Relayed && !others) {
            return None;
        }
        let own = sent.iter().filter(|other| other.remote_user == message.remote_user);
        Some(Accepted {
            room: message.room_id.clone(),
            ghost: self.ghosts.ghost(&message.connector, &message.remote_user)?,
            network: message.connector.clone(),
            events: own.map(|message| message.event_id.clone()).collect(),
            others,
        })
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

fn trouble(message: &Message) -> Trouble {
    let Message { event_id, connector, remote_user, .. } = message.clone();
    Trouble { event: event_id, connector, remote_user }
}

/// `None`: the report says nothing new.
fn next_state(now: MessageState, said: ReceiptState) -> Option<MessageState> {
    match said {
        ReceiptState::Relayed if now == MessageState::Sent => Some(MessageState::Relayed),
        ReceiptState::Delivered if now != MessageState::Read => Some(MessageState::Delivered),
        ReceiptState::Read => Some(MessageState::Read),
        ReceiptState::Failed(_) => Some(MessageState::Failed),
        ReceiptState::Relayed | ReceiptState::Delivered | ReceiptState::Delayed | ReceiptState::Complaint => None,
    }
}
