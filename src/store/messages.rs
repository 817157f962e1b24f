//! Which event is which remote message, and how the remote side knows the conversation.

use super::{Error, Row, Store, Tx, now, people::parse, sql};
use crate::ids::{RemoteMessageId, RemoteUserId};
use ruma::{EventId, OwnedEventId, OwnedRoomId, RoomId};
use sqlx::{AnyConnection, Row as _, any::AnyRow};
use std::collections::HashMap;

/// A Matrix event and a remote message that are the same words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub event_id: OwnedEventId,
    pub room_id: OwnedRoomId,
    /// The root of the Matrix thread in which the event stands. What answers this message belongs there as well.
    pub thread: Option<OwnedEventId>,
    pub connector: String,
    /// The remote person: the recipient of a delivery, the sender of an arrival.
    pub remote_user: RemoteUserId,
    pub remote_message: RemoteMessageId,
    pub state: MessageState,
    /// How many people were to get what the event says, over all networks. 0: another name of one of them, or an arrival.
    pub recipients: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageState {
    /// Came from the remote side.
    Received,
    /// Accepted by the remote side, which may say more.
    Sent,
    /// Accepted by the remote side, which says no more than that.
    Relayed,
    Delivered,
    /// Shown to the recipient.
    Read,
    /// Accepted first, and given back later.
    Failed,
}

impl MessageState {
    fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Sent => "sent",
            Self::Relayed => "relayed",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Failed => "failed",
        }
    }

    pub(super) fn parse(text: &str) -> Self {
        [Self::Received, Self::Relayed, Self::Delivered, Self::Read, Self::Failed]
            .into_iter()
            .find(|state| state.as_str() == text)
            .unwrap_or(Self::Sent)
    }
}

/// How the remote side knows the conversation of a room, or of one Matrix thread in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadState {
    pub room_id: OwnedRoomId,
    /// The root of the Matrix thread; `None`: the room outside its threads.
    pub thread: Option<OwnedEventId>,
    pub connector: String,
    pub subject: Option<String>,
    /// The first message; kept when it is known already.
    pub root: RemoteMessageId,
    pub last: RemoteMessageId,
    /// What was last before `last`. The store keeps it, and does not look at it when it is given one.
    pub previous: Option<RemoteMessageId>,
    /// Whether this begins a conversation that takes the place of the one that is known: root and subject change.
    pub anew: bool,
}

impl ThreadState {
    pub(super) fn key(&self) -> (&RoomId, &str, Option<&EventId>) {
        (&self.room_id, &self.connector, self.thread.as_deref())
    }
}

const MESSAGE: &str = "event_id, room_id, thread, connector, remote_user, remote_message, state, recipients";
const THREAD: &str = "room_id, thread, connector, subject, root, last, previous";

impl Store {
    /// What is known of a remote message, for each remote person; what was said first comes first.
    pub async fn messages(&self, connector: &str, remote: &RemoteMessageId) -> Result<Vec<Message>, Error> {
        let rows = sql::query(format!(
            "SELECT {MESSAGE} FROM messages WHERE connector = $1 AND remote_message = $2 ORDER BY at"
        ))
        .bind(connector)
        .bind(remote.as_str())
        .fetch_all(&mut *self.reader().await?)
        .await?;
        rows.iter().map(read_message).collect()
    }

    /// What these events are on the remote sides, for each remote person.
    pub async fn crossed(&self, events: &[&EventId]) -> Result<Vec<Message>, Error> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        crossed(&mut *self.reader().await?, events).await
    }

    /// How a network knows the conversation of a Matrix thread.
    pub async fn thread(&self, room: &RoomId, connector: &str, thread: &EventId) -> Result<Option<ThreadState>, Error> {
        let row =
            sql::query(format!("SELECT {THREAD} FROM threads WHERE room_id = $1 AND connector = $2 AND thread = $3"))
                .bind(room.as_str())
                .bind(connector)
                .bind(thread.as_str())
                .fetch_optional(&mut *self.reader().await?)
                .await?;
        row.as_ref().map(read_thread).transpose()
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

async fn crossed(connection: &mut AnyConnection, events: &[&EventId]) -> Result<Vec<Message>, Error> {
    let mut messages = Vec::new();
    for chunk in events.chunks(sql::ROWS_AT_ONCE) {
        let (list, bound) = sql::any_of(1, chunk);
        let mut query = sql::query(format!("SELECT {MESSAGE} FROM messages WHERE event_id IN ({list})"));
        for event in bound {
            query = query.bind(event.as_str());
        }
        for row in query.fetch_all(&mut *connection).await? {
            messages.push(read_message(&row)?);
        }
    }
    Ok(messages)
}

fn read_message(row: &AnyRow) -> Result<Message, Error> {
    Ok(Message {
        event_id: parse(row, 0)?,
        room_id: parse(row, 1)?,
        thread: read_root(row, 2)?,
        connector: row.try_get(3)?,
        remote_user: RemoteUserId::new(row.try_get::<String, _>(4)?),
        remote_message: RemoteMessageId::new(row.try_get::<String, _>(5)?),
        state: MessageState::parse(&row.try_get::<String, _>(6)?),
        recipients: u32::try_from(row.try_get::<i64, _>(7)?).unwrap_or_default(),
    })
}

fn read_thread(row: &AnyRow) -> Result<ThreadState, Error> {
    Ok(ThreadState {
        room_id: parse(row, 0)?,
        thread: read_root(row, 1)?,
        connector: row.try_get(2)?,
        subject: row.try_get(3)?,
        root: RemoteMessageId::new(row.try_get::<String, _>(4)?),
        last: RemoteMessageId::new(row.try_get::<String, _>(5)?),
        previous: row.try_get::<Option<String>, _>(6)?.map(RemoteMessageId::new),
        anew: false,
    })
}

/// In the database no thread is an empty text: it is part of a key.
fn read_root(row: &AnyRow, column: usize) -> Result<Option<OwnedEventId>, Error> {
    if row.try_get::<String, _>(column)?.is_empty() { Ok(None) } else { parse(row, column).map(Some) }
}

fn root_text(thread: Option<&OwnedEventId>) -> &str {
    thread.map_or("", |event| event.as_str())
}

impl Tx {
    /// See [`Store::crossed`].
    pub async fn crossed(&mut self, event: &EventId) -> Result<Vec<Message>, Error> {
        crossed(&mut self.connection, &[event]).await
    }

    /// Puts beside each row how the network knows the conversation of its room, outside Matrix threads.
    pub(super) async fn add_threads(&mut self, rows: impl Iterator<Item = &mut Row>) -> Result<(), Error> {
        let mut rows: Vec<&mut Row> = rows.collect();
        for rows in rows.chunks_mut(sql::ROWS_AT_ONCE) {
            let (list, bound) = sql::any_of(1, rows);
            let mut query =
                sql::query(format!("SELECT {THREAD} FROM threads WHERE thread = '' AND room_id IN ({list})"));
            for row in bound {
                query = query.bind(row.room.as_ref().map(|room| room.as_str()));
            }
            let mut threads = HashMap::new();
            for found in query.fetch_all(&mut self.connection).await? {
                let thread = read_thread(&found)?;
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
        for (n, chunk) in messages.chunks(sql::ROWS_AT_ONCE).enumerate() {
            let rows = sql::with_padding(chunk);
            let values = self.marks().values(rows.len(), 9);
            let mut query = sql::query(format!(
                "INSERT INTO messages
                     (event_id, connector, remote_user, remote_message, room_id, thread, state, recipients, at)
                 VALUES {values} ON CONFLICT (event_id, connector, remote_user) DO NOTHING"
            ));
            for (place, message) in rows.into_iter().enumerate() {
                query = query
                    .bind(message.event_id.as_str())
                    .bind(&message.connector)
                    .bind(message.remote_user.as_str())
                    .bind(message.remote_message.as_str())
                    .bind(message.room_id.as_str())
                    .bind(root_text(message.thread.as_ref()))
                    .bind(message.state.as_str())
                    .bind(i64::from(message.recipients))
                    // Several events may be one remote message: they keep their order.
                    .bind(at + (n * sql::ROWS_AT_ONCE + place) as i64);
            }
            query.execute(&mut self.connection).await?;
        }
        Ok(())
    }

    pub(super) async fn upsert_threads(&mut self, threads: &[&ThreadState]) -> Result<(), Error> {
        let (anew, going_on): (Vec<_>, Vec<_>) = threads.iter().copied().partition(|thread| thread.anew);
        // A conversation that another recipient's row has begun already goes on as it is.
        let replace = "previous = NULL, last = excluded.last, root = excluded.root, subject = excluded.subject
                       WHERE threads.root <> excluded.root";
        let follow = "previous = CASE WHEN threads.last = excluded.last THEN threads.previous ELSE threads.last END,
                      last = excluded.last, subject = COALESCE(threads.subject, excluded.subject)";
        self.put_threads(&anew, replace).await?;
        self.put_threads(&going_on, follow).await
    }

    async fn put_threads(&mut self, threads: &[&ThreadState], change: &'static str) -> Result<(), Error> {
        for chunk in threads.chunks(sql::ROWS_AT_ONCE) {
            let values = self.marks().values(chunk.len(), 6);
            let mut query = sql::query(format!(
                "INSERT INTO threads (room_id, thread, connector, subject, root, last) VALUES {values}
                 ON CONFLICT (room_id, connector, thread) DO UPDATE SET {change}"
            ));
            for thread in chunk {
                query = query
                    .bind(thread.room_id.as_str())
                    .bind(root_text(thread.thread.as_ref()))
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
