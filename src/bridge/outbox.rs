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
        let known = self.store.thread(&room, &row.connector).await?;
        delivery.thread = thread(&delivery, known.as_ref());
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
            subject: delivery.thread.subject,
            root: known.map_or_else(|| sent.message.clone(), |known| known.root),
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

/// The subject of a new conversation is the room's name, else the first words.
fn thread(delivery: &Delivery, known: Option<&ThreadState>) -> Thread {
    let subject = known.and_then(|known| known.subject.clone()).or_else(|| delivery.thread.subject.clone());
    Thread {
        subject: subject.or_else(|| first_words(&delivery.body.text)),
        root: known.map(|known| known.root.clone()),
        parent: known.map(|known| known.last.clone()),
    }
}

/// The first line, up to about 60 characters, ending at a word.
fn first_words(text: &str) -> Option<String> {
    const LONGEST: usize = 60;
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    if line.chars().count() <= LONGEST {
        return Some(line.to_owned());
    }
    let cut: String = line.chars().take(LONGEST).collect();
    let whole_words = cut.rsplit_once(char::is_whitespace).map_or(cut.as_str(), |(words, _)| words);
    Some(format!("{whole_words} …"))
}

#[cfg(test)]
mod tests {
    use super::first_words;

    #[test]
    fn a_subject_is_made_of_whole_words() {
        assert_eq!(first_words("\n  Guten Tag\nmehr").as_deref(), Some("Guten Tag"));
        assert_eq!(first_words(" \n"), None);
        let long = "Sehr geehrte Damen und Herren, hiermit bestätigen wir Ihnen den Eingang Ihres Antrags";
        assert_eq!(first_words(long).as_deref(), Some("Sehr geehrte Damen und Herren, hiermit bestätigen wir Ihnen …"));
        assert_eq!(first_words(&"x".repeat(100)).map(|s| s.chars().count()), Some(62));
    }
}
