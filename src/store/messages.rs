//! Which event is which remote message, and how the remote side knows the conversation.

use super::{Error, Row, Store, Tx, now, people::parse, sql};
use crate::ids::{RemoteMessageId, RemoteUserId};
use ruma::{OwnedEventId, OwnedRoomId, RoomId};
use sqlx::Row as _;
use std::collections::HashMap;

/// A Matrix event and a remote message that are the same words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub event_id: OwnedEventId,
    pub room_id: OwnedRoomId,
    pub connector: String,
    /// The remote person: the recipient of a delivery, the sender of an arrival.
    pub remote_user: RemoteUserId,
    pub remote_message: RemoteMessageId,
    pub state: MessageState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageState {
    /// Came from the remote side.
    Received,
    /// Accepted by the remote side.
    Sent,
    Delivered,
    /// Accepted first, and given back later.
    Failed,
}

impl MessageState {
    fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }

    fn parse(text: &str) -> Self {
        [Self::Received, Self::Delivered, Self::Failed]
            .into_iter()
            .find(|state| state.as_str() == text)
            .unwrap_or(Self::Sent)
    }
}

/// How the remote side knows the conversation of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadState {
    pub room_id: OwnedRoomId,
    pub connector: String,
    pub subject: Option<String>,
    /// The first message; kept when it is known already.
    pub root: RemoteMessageId,
    pub last: RemoteMessageId,
}

impl ThreadState {
    pub(super) fn key(&self) -> (&RoomId, &str) {
        (&self.room_id, &self.connector)
    }
}

impl Store {
    /// What is known of a remote message, for each remote person.
    pub async fn messages(&self, connector: &str, remote: &RemoteMessageId) -> Result<Vec<Message>, Error> {
        let rows = sqlx::query(
            "SELECT event_id, room_id, remote_user, state FROM messages WHERE connector = $1 AND remote_message = $2",
        )
        .bind(connector)
        .bind(remote.as_str())
        .fetch_all(&mut *self.reader().await?)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Message {
                    event_id: parse(row, 0)?,
                    room_id: parse(row, 1)?,
                    connector: connector.to_owned(),
                    remote_user: RemoteUserId::new(row.try_get::<String, _>(2)?),
                    remote_message: remote.clone(),
                    state: MessageState::parse(&row.try_get::<String, _>(3)?),
                })
            })
            .collect()
    }

    pub async fn set_message_state(&self, message: &Message, state: MessageState) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE messages SET state = $1 WHERE event_id = $2 AND connector = $3 AND remote_user = $4")
            .bind(state.as_str())
            .bind(message.event_id.as_str())
            .bind(&message.connector)
            .bind(message.remote_user.as_str())
            .execute(&mut tx.connection)
            .await?;
        tx.commit().await
    }
}

impl Tx {
    /// Puts beside each row how the network knows the conversation of its room.
    pub(super) async fn add_threads(&mut self, rows: impl Iterator<Item = &mut Row>) -> Result<(), Error> {
        let mut rows: Vec<&mut Row> = rows.collect();
        for rows in rows.chunks_mut(sql::ROWS_AT_ONCE) {
            let list = sql::list(1, rows.len());
            let mut query = sql::query(format!(
                "SELECT room_id, connector, subject, root, last FROM threads WHERE room_id IN ({list})"
            ));
            for row in rows.iter() {
                query = query.bind(row.room.as_ref().map(|room| room.as_str()));
            }
            let mut threads = HashMap::new();
            for found in query.fetch_all(&mut self.connection).await? {
                let thread = ThreadState {
                    room_id: parse(&found, 0)?,
                    connector: found.try_get(1)?,
                    subject: found.try_get(2)?,
                    root: RemoteMessageId::new(found.try_get::<String, _>(3)?),
                    last: RemoteMessageId::new(found.try_get::<String, _>(4)?),
                };
                threads.insert((thread.room_id.clone(), thread.connector.clone()), thread);
            }
            for row in rows {
                let key = row.room.clone().map(|room| (room, row.connector.clone()));
                row.thread = key.and_then(|key| threads.get(&key).cloned());
            }
        }
        Ok(())
    }

    pub(super) async fn insert_messages(&mut self, messages: &[&Message]) -> Result<(), Error> {
        let at = now();
        for chunk in messages.chunks(sql::ROWS_AT_ONCE) {
            let values = sql::values(chunk.len(), 7);
            let mut query = sql::query(format!(
                "INSERT INTO messages (event_id, connector, remote_user, remote_message, room_id, state, at)
                 VALUES {values} ON CONFLICT (event_id, connector, remote_user) DO NOTHING"
            ));
            for message in chunk {
                query = query
                    .bind(message.event_id.as_str())
                    .bind(&message.connector)
                    .bind(message.remote_user.as_str())
                    .bind(message.remote_message.as_str())
                    .bind(message.room_id.as_str())
                    .bind(message.state.as_str())
                    .bind(at);
            }
            query.execute(&mut self.connection).await?;
        }
        Ok(())
    }

    pub(super) async fn upsert_threads(&mut self, threads: &[&ThreadState]) -> Result<(), Error> {
        for chunk in threads.chunks(sql::ROWS_AT_ONCE) {
            let values = sql::values(chunk.len(), 5);
            let mut query = sql::query(format!(
                "INSERT INTO threads (room_id, connector, subject, root, last) VALUES {values}
                 ON CONFLICT (room_id, connector) DO UPDATE SET last = excluded.last,
                 subject = COALESCE(threads.subject, excluded.subject)"
            ));
            for thread in chunk {
                query = query
                    .bind(thread.room_id.as_str())
                    .bind(&thread.connector)
                    .bind(&thread.subject)
                    .bind(thread.root.as_str())
                    .bind(thread.last.as_str());
            }
            query.execute(&mut self.connection).await?;
        }
        Ok(())
    }
}
