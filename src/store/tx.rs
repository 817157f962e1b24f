//! The one writer.

use super::{Error, Queue, Store, enqueue::Pending, sql::Marks};
use crate::metrics;
use sqlx::{AnyConnection, ConnectOptions, any::AnyConnectOptions};
use std::{
    panic::resume_unwind,
    sync::{Arc, atomic::Ordering},
    time::Instant,
};
use tokio::sync::{Mutex, OwnedMutexGuard};

const PRAGMAS: [&str; 5] = [
    // Readers do not wait for the writer.
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    // 16 MiB of log, four times what SQLite takes by itself: a page that changes often is copied back less often.
    "PRAGMA wal_autocheckpoint = 4000",
    "PRAGMA busy_timeout = 5000",
    // What undoes half a statement is else a file, made and deleted for every third group.
    "PRAGMA temp_store = MEMORY",
];

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
            for pragma in PRAGMAS {
                sqlx::query(pragma).execute(&mut connection).await?;
            }
        }
        Ok(connection)
    }

    async fn start(&self, connection: &mut AnyConnection) -> Result<(), Error> {
        // IMMEDIATE: a transaction that reads first and writes then could otherwise fail in the middle.
        let begin = if self.sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" };
        sqlx::query(begin).execute(connection).await?;
        Ok(())
    }
}

/// A write transaction. [`commit`](Self::commit) makes it durable; dropping it undoes it.
pub struct Tx {
    pub(super) store: Store,
    slot: OwnedMutexGuard<Option<AnyConnection>>,
    pub(super) connection: AnyConnection,
    pending: [Pending; 2],
}

impl Tx {
    pub(super) async fn begin(store: &Store) -> Result<Self, Error> {
        let writer = &store.0.writer;
        let mut slot = writer.slot.clone().lock_owned().await;
        let connection = match slot.take() {
            Some(mut used) => match writer.start(&mut used).await {
                Ok(()) => used,
                // A database server that was restarted leaves a dead connection behind.
                Err(_) => Self::anew(writer).await?,
            },
            None => Self::anew(writer).await?,
        };
        Ok(Self { store: store.clone(), slot, connection, pending: Default::default() })
    }

    async fn anew(writer: &Writer) -> Result<AnyConnection, Error> {
        let mut connection = writer.connect().await?;
        writer.start(&mut connection).await?;
        Ok(connection)
    }

    pub(super) fn marks(&self) -> Marks {
        self.store.0.marks
    }

    pub(super) fn pending(&mut self, queue: Queue) -> &mut Pending {
        let [outbox, inbox] = &mut self.pending;
        match queue {
            Queue::Outbox => outbox,
            Queue::Inbox => inbox,
        }
    }

    /// Makes everything durable. An `Err` means that nothing was kept, or that nobody can tell. Whoever stops waiting for
    /// it does not stop it: rows that were claimed in it would be held by nobody until their lease ends.
    pub async fn commit(self) -> Result<(), Error> {
        match tokio::spawn(self.commit_whole()).await {
            Ok(result) => result,
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            Err(_) => Err(Error::Stopped),
        }
    }

    /// As [`commit`](Self::commit), for a task that nobody stops.
    pub(super) async fn commit_whole(mut self) -> Result<(), Error> {
        for queue in [Queue::Outbox, Queue::Inbox] {
            self.settle(queue).await?;
        }
        let began = Instant::now();
        sqlx::query("COMMIT").execute(&mut self.connection).await?;
        metrics::commit(began.elapsed());
        // Before anybody else can write.
        for (pending, unclaimed) in self.pending.iter().zip(&self.store.0.unclaimed) {
            match pending.left {
                _ if pending.grew || pending.waits => unclaimed.store(true, Ordering::Relaxed),
                Some(left) => unclaimed.store(left, Ordering::Relaxed),
                None => {}
            }
        }
        *self.slot = Some(self.connection);
        drop(self.slot);
        for (queue, pending) in [Queue::Outbox, Queue::Inbox].into_iter().zip(self.pending) {
            pending.claimed.into_iter().for_each(|(row, slot)| slot.give(row));
            if pending.grew || pending.waits {
                self.store.grew_signal(queue).notify_one();
            }
        }
        Ok(())
    }
}
