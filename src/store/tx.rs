//! The one writer.

use super::{Error, Queue, Store};
use sqlx::{AnyConnection, ConnectOptions, any::AnyConnectOptions};
use std::{collections::BTreeSet, mem, sync::Arc};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// Whether a commit must survive a power cut. Every commit survives a crash of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Durability {
    /// On the disk when it returns.
    Full,
    /// On the disk with the next full one.
    Lazy,
}

/// The connection that all writing shares. Empty until the first use, and after a transaction that was not committed:
/// closing the connection is the undo that works however a task was stopped.
pub(super) struct Writer {
    options: AnyConnectOptions,
    sqlite: bool,
    slot: Arc<Mutex<Option<Connection>>>,
}

/// The connection, and how its commits are made at present.
struct Connection {
    inner: AnyConnection,
    durability: Durability,
}

impl Writer {
    pub(super) fn new(options: AnyConnectOptions, sqlite: bool) -> Self {
        Self { options, sqlite, slot: Arc::default() }
    }

    async fn connect(&self) -> Result<Connection, Error> {
        let mut inner = self.options.connect().await?;
        if self.sqlite {
            // WAL: readers do not wait for the writer.
            for pragma in ["PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA busy_timeout = 5000"] {
                sqlx::query(pragma).execute(&mut inner).await?;
            }
        }
        Ok(Connection { inner, durability: Durability::Full })
    }

    async fn start(&self, connection: &mut Connection, wanted: Durability) -> Result<(), Error> {
        if connection.durability != wanted {
            let setting = match (self.sqlite, wanted) {
                (true, Durability::Full) => "PRAGMA synchronous = FULL",
                (true, Durability::Lazy) => "PRAGMA synchronous = NORMAL",
                (false, Durability::Full) => "SET synchronous_commit = on",
                (false, Durability::Lazy) => "SET synchronous_commit = off",
            };
            sqlx::query(setting).execute(&mut connection.inner).await?;
            connection.durability = wanted;
        }
        // IMMEDIATE: a transaction that reads first and writes then could otherwise fail in the middle.
        let begin = if self.sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" };
        sqlx::query(begin).execute(&mut connection.inner).await?;
        Ok(())
    }
}

/// A write transaction. [`commit`](Self::commit) makes it durable; dropping it undoes it.
pub struct Tx {
    store: Store,
    slot: OwnedMutexGuard<Option<Connection>>,
    durability: Durability,
    pub(super) connection: AnyConnection,
    /// Lanes whose oldest row may be another one now, by queue.
    touched: [BTreeSet<String>; 2],
    grew: [bool; 2],
}

impl Tx {
    pub(super) async fn begin(store: &Store, durability: Durability) -> Result<Self, Error> {
        let writer = &store.0.writer;
        let mut slot = writer.slot.clone().lock_owned().await;
        let connection = match slot.take() {
            Some(mut used) => match writer.start(&mut used, durability).await {
                Ok(()) => used,
                // A database server that was restarted leaves a dead connection behind.
                Err(_) => Self::anew(writer, durability).await?,
            },
            None => Self::anew(writer, durability).await?,
        };
        Ok(Self {
            store: store.clone(),
            slot,
            durability,
            connection: connection.inner,
            touched: Default::default(),
            grew: [false; 2],
        })
    }

    async fn anew(writer: &Writer, durability: Durability) -> Result<Connection, Error> {
        let mut connection = writer.connect().await?;
        writer.start(&mut connection, durability).await?;
        Ok(connection)
    }

    /// Notes that rows of a lane came or went; what that makes ready is found out once, before claiming or committing.
    pub(super) fn touch(&mut self, queue: Queue, lane: String) {
        self.touched[queue as usize].insert(lane);
    }

    pub(super) fn take_touched(&mut self, queue: Queue) -> BTreeSet<String> {
        mem::take(&mut self.touched[queue as usize])
    }

    /// Notes that a queue has something new to claim once this is committed.
    pub(super) fn mark_grown(&mut self, queue: Queue) {
        self.grew[queue as usize] = true;
    }

    /// Makes everything durable. An `Err` means that nothing was kept, or that nobody can tell.
    pub async fn commit(mut self) -> Result<(), Error> {
        for queue in [Queue::Outbox, Queue::Inbox] {
            self.promote_touched(queue).await?;
        }
        sqlx::query("COMMIT").execute(&mut self.connection).await?;
        *self.slot = Some(Connection { inner: self.connection, durability: self.durability });
        drop(self.slot);
        for queue in [Queue::Outbox, Queue::Inbox] {
            if self.grew[queue as usize] {
                self.store.grew_signal(queue).notify_one();
            }
        }
        Ok(())
    }
}
