//! The only SQL. Every text here runs on SQLite and on PostgreSQL; `migrations/` has one folder for each.
//!
//! All writing goes through one connection ([`Tx`]); reading has a pool. What arrives one by one and must be durable
//! before it is answered shares its commit with whatever else is waiting ([`group`]).

mod accept;
mod clock;
mod conversation;
mod cursors;
mod depth;
mod direct;
mod enqueue;
mod finish;
mod group;
mod hearers;
mod hold;
mod hurry;
mod identity;
mod large;
mod management;
mod messages;
mod moving;
mod notices;
mod offer;
mod originals;
mod parked;
mod people;
mod places;
mod profiles;
mod pushed;
mod queue;
mod reacted;
mod reactions;
mod readers;
mod remote_rooms;
mod rooms;
mod select;
mod spent;
mod sql;
mod standing;
mod together;
mod tx;
mod users;
mod versions;
mod watermarks;

pub use clock::{FARTHEST, now};
pub use cursors::Cursor;
pub use depth::Depth;
pub use direct::DirectRoom;
pub use hold::{Progress, Scope, Waiting};
pub use large::Concerned;
pub use messages::{Message, MessageState, ThreadState};
pub use moving::Move;
pub use notices::{Told, Trouble};
pub use offer::Claimed;
pub use originals::Original;
pub use parked::Parked;
pub use people::Ghost;
pub use places::{Known, Named, Places};
pub use profiles::Looks;
pub use queue::{Counts, Finished, Listed, NewRow, Outcome, Queue, Row};
pub use reacted::Reacted;
pub use reactions::Pending;
pub use remote_rooms::Paired;
pub use rooms::{Member, Membership, Portal};
pub use select::Selection;
pub use spent::Spent;
pub use standing::{Partner, Standing};
pub use tx::Tx;
pub use versions::Version;
pub use watermarks::{Unread, Watermark};

use crate::{
    failure::{Failure, Reason},
    memory::Memory,
    message::RawArrival,
};
use accept::Accept;
use finish::Finish;
use group::{Group, Item};
use offer::Offer;
use places::Questions;
use readers::Readers;
use ruma::OwnedRoomId;
use sql::Marks;
use sqlx::{AnyConnection, any::AnyConnectOptions, migrate::MigrateError};
use std::{
    path::{Path, PathBuf},
    str::FromStr,
    sync::{Arc, Mutex, atomic::AtomicBool},
    time::Duration,
};
use tokio::sync::{MappedMutexGuard, Notify};

/// Something that the database did not do. Always transient for whoever waits for it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    #[error("database: {0}")]
    Database(Arc<sqlx::Error>),
    #[error(
        "the database was written by a newer Fehmarn (migration {0}); run that version, or restore the backup made before it"
    )]
    Newer(i64),
    #[error(
        "migration {0} of the database is not the one that this Fehmarn knows: it was written by a changed program; run that one, or restore a backup"
    )]
    Changed(i64),
    #[error("migration {0} of the database has begun and not ended; restore the backup made before it")]
    Unfinished(i64),
    #[error("the database file {0}: {1}; its folder must exist, and Fehmarn's user must be able to write there")]
    File(PathBuf, Arc<std::io::Error>),
    #[error("database url {0}: must begin with sqlite: or postgres://")]
    Url(String),
    #[error("the writer of this group was stopped before its commit")]
    Stopped,
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(Arc::new(error))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::transient(Reason::Internal, error)
    }
}

/// The two databases. Cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    readers: Readers,
    writer: tx::Writer,
    marks: Marks,
    group: Group,
    questions: Questions,
    /// Rooms that were large when they were read; only to read less.
    large_rooms: Memory<OwnedRoomId, ()>,
    outbox_grew: Notify,
    inbox_grew: Notify,
    offers: [Mutex<Option<Offer>>; 2],
    /// Whether something may be due that was not claimed. Changes with a commit only.
    unclaimed: [AtomicBool; 2],
}

impl Store {
    /// Opens the database and brings its schema up to date. `sqlite:PATH` (made if missing, readable by its owner
    /// only) or `postgres://...`.
    pub async fn open(url: &str) -> Result<Self, Error> {
        sqlx::any::install_default_drivers();
        let sqlite = url.strip_prefix("sqlite:");
        if sqlite.is_none() && !url.starts_with("postgres:") && !url.starts_with("postgresql:") {
            return Err(Error::Url(url.split(':').next().unwrap_or_default().into()));
        }
        if let Some(path) = sqlite {
            create_private(Path::new(path)).map_err(|e| Error::File(path.into(), Arc::new(e)))?;
        }
        let options = AnyConnectOptions::from_str(url)?;
        let readers = Readers::new(options.clone(), sqlite.is_some());
        migrate(&mut *readers.get().await?, sqlite.is_some()).await?;
        Ok(Self(Arc::new(Inner {
            readers,
            writer: tx::Writer::new(options, sqlite.is_some()),
            marks: if sqlite.is_some() { Marks::Counted } else { Marks::Numbered },
            group: Group::default(),
            questions: Questions::default(),
            large_rooms: Memory::default(),
            outbox_grew: Notify::new(),
            inbox_grew: Notify::new(),
            offers: Default::default(),
            unclaimed: [AtomicBool::new(true), AtomicBool::new(true)],
        })))
    }

    async fn reader(&self) -> Result<MappedMutexGuard<'_, AnyConnection>, Error> {
        self.0.readers.get().await
    }

    /// Starts a write transaction; waits for the one before it. Dropping it undoes it.
    pub async fn begin(&self) -> Result<Tx, Error> {
        Tx::begin(self).await
    }

    /// Puts arrivals into the inbox and moves the cursor, in one durable commit that it shares with whoever else is
    /// waiting. What was accepted before is passed over.
    pub async fn accept_arrivals(
        &self,
        connector: &'static str,
        arrivals: Vec<RawArrival>,
        cursor: Option<Cursor>,
    ) -> Result<(), Error> {
        let accept = Accept { connector, arrivals, cursor };
        self.write(Item::Accept(accept)).await.map(drop)
    }

    /// Records how a row ended, in a durable commit that it shares with whoever else is waiting; and claims, in the
    /// same commit, another row for whoever did this one. `lease`: for how long; `None`: no more.
    pub async fn finish(
        &self,
        queue: Queue,
        finished: Finished,
        lease: Option<Duration>,
    ) -> Result<Option<Row>, Error> {
        self.write(Item::Finish(Box::new(Finish { queue, finished, lease }))).await
    }

    /// Completes when there is something to claim: rows that found no free slot, or a lane that went on.
    pub async fn grew(&self, queue: Queue) {
        self.grew_signal(queue).notified().await;
    }

    fn grew_signal(&self, queue: Queue) -> &Notify {
        match queue {
            Queue::Outbox => &self.0.outbox_grew,
            Queue::Inbox => &self.0.inbox_grew,
        }
    }
}

/// The mapping says who wrote to whom: nobody but its owner may read it.
fn create_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let path = path.to_str().and_then(|text| text.split('?').next()).map_or(path, Path::new);
    std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path).map(drop)
}

async fn migrate(connection: &mut AnyConnection, sqlite: bool) -> Result<(), Error> {
    let migrated = if sqlite {
        sqlx::migrate!("migrations/sqlite").run(connection).await
    } else {
        sqlx::migrate!("migrations/postgres").run(connection).await
    };
    match migrated {
        Err(MigrateError::VersionMissing(version)) => Err(Error::Newer(version)),
        Err(MigrateError::VersionMismatch(version)) => Err(Error::Changed(version)),
        Err(MigrateError::Dirty(version)) => Err(Error::Unfinished(version)),
        Err(error) => Err(Error::from(sqlx::Error::from(error))),
        Ok(()) => Ok(()),
    }
}
