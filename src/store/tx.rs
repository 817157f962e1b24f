//! The one writer.

use super::{Error, Queue, Store};
use sqlx::{AnyConnection, ConnectOptions, any::AnyConnectOptions};
use std::sync::Arc;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// The connection that all writing shares. Empty until the first use, and after a transaction that was not committed:
/// closing the connection is the undo that works however a task was stopped.
pub(super) struct Writer {
    options: AnyConnectOptions,
    sqlite: bool,
    slot: Arc<Mutex<Option<AnyConnection>>>,
}

impl Writer {
    pub(super) fn new(options: AnyConnectOptions, sqlite: bool) -> Self {
        Self { options, sqlite, slot: Arc::default() }
    }

    async fn connect(&self) -> Result<AnyConnection, Error> {
        let mut connection = self.options.connect().await?;
        if self.sqlite {
            // FULL: a commit is on the disk when it returns. WAL: readers do not wait for the writer.
            for pragma in ["PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA busy_timeout = 5000"] {
                sqlx::query(pragma).execute(&mut connection).await?;
            }
        }
        Ok(connection)
    }
}

/// A write transaction. [`commit`](Self::commit) makes it durable; dropping it undoes it.
pub struct Tx {
    store: Store,
    slot: OwnedMutexGuard<Option<AnyConnection>>,
    pub(super) connection: AnyConnection,
    grew: [bool; 2],
}

impl Tx {
    pub(super) async fn begin(store: &Store) -> Result<Self, Error> {
        let writer = &store.0.writer;
        let mut slot = writer.slot.clone().lock_owned().await;
        let (mut connection, used) = match slot.take() {
            Some(connection) => (connection, true),
            None => (writer.connect().await?, false),
        };
        // IMMEDIATE: a transaction that reads first and writes then could otherwise fail in the middle.
        let begin = if writer.sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" };
        let begun = sqlx::query(begin).execute(&mut connection).await;
        match begun {
            Ok(_) => {}
            // A database server that was restarted leaves a dead connection behind.
            Err(_) if used => {
                connection = writer.connect().await?;
                sqlx::query(begin).execute(&mut connection).await?;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(Self { store: store.clone(), slot, connection, grew: [false; 2] })
    }

    /// Notes that a queue has something new to claim once this is committed.
    pub(super) fn mark_grown(&mut self, queue: Queue) {
        self.grew[queue as usize] = true;
    }

    /// Makes everything durable. An `Err` means that nothing was kept, or that nobody can tell.
    pub async fn commit(mut self) -> Result<(), Error> {
        sqlx::query("COMMIT").execute(&mut self.connection).await?;
        *self.slot = Some(self.connection);
        drop(self.slot);
        for queue in [Queue::Outbox, Queue::Inbox] {
            if self.grew[queue as usize] {
                self.store.grew_signal(queue).notify_one();
            }
        }
        Ok(())
    }
}
