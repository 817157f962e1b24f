//! Remote to Matrix: a message from outside becomes events in a room.

use super::{Bridge, Text, notice::txn_id, worker::Done};
use crate::{
    failure::{Failure, Reason},
    matrix::{self, format},
    message::{Arrival, Attachment},
    store::{Message, MessageState, NewRow, Row, ThreadState},
};
use ruma::{OwnedEventId, RoomId, UserId};

impl Bridge {
    pub(super) async fn deliver_arrival(&self, row: &Row, arrival: &Arrival) -> Result<Done, Failure> {
        let nobody = || Failure::permanent(Reason::UnknownRecipient, "the addressed member of staff cannot exist");
        let staff = self.staff_id(&arrival.to).ok_or_else(nobody)?;
        let ghost = self.ensure_ghost(&row.connector, &arrival.from, arrival.from_name.as_deref()).await?;
        let room = self.room_for(&row.connector, arrival, &staff, &ghost, row.attempts > 1).await?;
        let (events, follow_up) = self.post(row, arrival, &room, &ghost).await?;
        let message = |event_id: OwnedEventId| Message {
            event_id,
            room_id: room.clone(),
            connector: row.connector.clone(),
            remote_user: arrival.from.clone(),
            remote_message: arrival.message.clone(),
            state: MessageState::Received,
        };
        let thread = ThreadState {
            room_id: room.clone(),
            connector: row.connector.clone(),
            subject: arrival.subject.clone(),
            root: arrival.answers.last().unwrap_or(&arrival.message).clone(),
            last: arrival.message.clone(),
        };
        Ok(Done { messages: events.into_iter().map(message).collect(), thread: Some(thread), follow_up })
    }

    /// Sends the words and then the files. Each has its own transaction id, so that an attempt after a crash goes on
    /// where the one before stopped.
    async fn post(
        &self,
        row: &Row,
        arrival: &Arrival,
        room: &RoomId,
        ghost: &UserId,
    ) -> Result<(Vec<OwnedEventId>, Vec<NewRow>), Failure> {
        let mut events = Vec::new();
        let mut notices = Vec::new();
        let (words, overflow) = format::incoming(&arrival.body);
        if !arrival.body.text.is_empty() || arrival.attachments.is_empty() {
            events.push(self.send(row, room, ghost, 0, &words).await?);
        }
        for (n, file) in overflow.iter().chain(&arrival.attachments).enumerate() {
            match self.homeserver.intent(ghost).upload(&file.name, &file.media_type, &file.bytes).await {
                Ok(uri) => {
                    let content = format::incoming_file(file, uri);
                    events.push(self.send(row, room, ghost, n + 1, &content).await?);
                }
                Err(matrix::Error::Refused { status: 413, .. }) => {
                    notices.push(self.too_large(row, room, ghost, n + 1, events.first(), file));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok((events, notices))
    }

    async fn send(
        &self,
        row: &Row,
        room: &RoomId,
        ghost: &UserId,
        n: usize,
        content: &ruma::events::room::message::RoomMessageEventContent,
    ) -> Result<OwnedEventId, Failure> {
        let txn = txn_id(&row.source, ghost, n);
        match self.homeserver.intent(ghost).send_message(room, &txn, content).await {
            // The ghost was sent away and nobody told us: next time the arrival finds another room.
            Err(error @ matrix::Error::Refused { status: 403, .. }) => {
                let mut tx = self.store.begin().await?;
                tx.remove_member(room, ghost).await?;
                tx.commit().await?;
                Err(Failure::transient(Reason::Refused, error))
            }
            result => {
                let event = result?;
                self.reconcile.echoes.expect(&event);
                Ok(event)
            }
        }
    }

    fn too_large(
        &self,
        row: &Row,
        room: &RoomId,
        ghost: &UserId,
        n: usize,
        about: Option<&OwnedEventId>,
        file: &Attachment,
    ) -> NewRow {
        let text = Text::FileTooLarge { name: &file.name };
        self.notice(format!("{} {n}", row.source), room.to_owned(), ghost.to_owned(), about.cloned(), &text)
    }
}
