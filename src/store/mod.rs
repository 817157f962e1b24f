//! The only SQL. Every text here runs on SQLite and on PostgreSQL; `migrations/` has one folder for each.
//!
//! All writing goes through one connection ([`Tx`]); reading has a pool. What arrives one by one and must be durable
//! before it is answered shares its commit with whatever else is waiting ([`group`]).

mod cursors;
mod group;
mod messages;
mod parked;
mod people;
mod queue;
mod rooms;
mod sql;
mod tx;

pub use cursors::Cursor;
pub use messages::{Message, MessageState, ThreadState};
pub use parked::Parked;
pub use people::Ghost;
pub use queue::{Counts, Finished, Listed, NewRow, Outcome, Queue, Row};
pub use rooms::{Member, Membership, Portal};
use tx::Durability;
pub use tx::Tx;

use crate::{
    failure::{Failure, Reason},
    ids::SourceId,
    message::RawArrival,
};
use group::Group;
use queue::{FinishGroup, FinishItem};
use sqlx::{
    AnyPool,
    any::{AnyConnectOptions, AnyPoolOptions},
    migrate::MigrateError,
};
use std::{
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::sync::Notify;

/// Something that the database did not do. Always transient for whoever waits for it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    #[error("database: {0}")]
    Database(Arc<sqlx::Error>),
    #[error(
        "the database was written by a newer Fehmarn (migration {0}); run that version, or restore the backup made before it"
    )]
    Newer(i64),
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
    readers: AnyPool,
    writer: tx::Writer,
    accepting: Group<AcceptItem>,
    outbox: Group<FinishItem>,
    inbox: Group<FinishItem>,
    outbox_grew: Notify,
    inbox_grew: Notify,
}

/// Milliseconds since 1970.
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
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
        let readers = AnyPoolOptions::new()
            .max_connections(4)
            .acquire_timeout(Duration::from_secs(10))
            .connect_with(options.clone())
            .await?;
        migrate(&readers, sqlite.is_some()).await?;
        Ok(Self(Arc::new(Inner {
            readers,
            writer: tx::Writer::new(options, sqlite.is_some()),
            accepting: Group::default(),
            outbox: Group::default(),
            inbox: Group::default(),
            outbox_grew: Notify::new(),
            inbox_grew: Notify::new(),
        })))
    }

    fn readers(&self) -> &AnyPool {
        &self.0.readers
    }

    /// Starts a write transaction; waits for the one before it. Dropping it undoes it.
    pub async fn begin(&self) -> Result<Tx, Error> {
        Tx::begin(self, Durability::Full).await
    }

    /// Puts arrivals into the inbox and moves the cursor, in one durable commit that it shares with whoever else is
    /// waiting. What was accepted before is passed over.
    pub async fn accept_arrivals(
        &self,
        connector: &'static str,
        arrivals: Vec<RawArrival>,
        cursor: Option<Cursor>,
    ) -> Result<(), Error> {
        self.0.accepting.submit(self, AcceptItem { connector, arrivals, cursor }).await
    }

    /// Records how a row ended, in a durable commit that it shares with whoever else is waiting; and claims, in the
    /// same commit, another row for whoever did this one. `lease`: for how long; `None`: no more.
    pub async fn finish(
        &self,
        queue: Queue,
        finished: Finished,
        lease: Option<Duration>,
    ) -> Result<Option<Row>, Error> {
        let group = match queue {
            Queue::Outbox => &self.0.outbox,
            Queue::Inbox => &self.0.inbox,
        };
        group.submit(self, FinishItem { queue, finished, lease }).await
    }

    /// Completes when rows were added to this queue, or a lane of it went on.
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

/// One call of [`Store::accept_arrivals`].
struct AcceptItem {
    connector: &'static str,
    arrivals: Vec<RawArrival>,
    cursor: Option<Cursor>,
}

impl group::Item for AcceptItem {
    type Answer = ();

    async fn write(tx: &mut Tx, items: &[Self]) -> Result<Vec<()>, Error> {
        let arrivals = || items.iter().flat_map(|item| item.arrivals.iter().map(|arrival| (item.connector, arrival)));
        let sources: Vec<String> = arrivals().map(|(connector, a)| arrival_source(connector, &a.source)).collect();
        let new = tx.first_seen(&sources).await?;
        let rows: Vec<NewRow> = arrivals()
            .zip(&sources)
            .filter(|(_, source)| new.contains(*source))
            .map(|((connector, arrival), source)| NewRow {
                kind: "arrival",
                connector: connector.into(),
                lane: format!("{connector} {}", arrival.lane),
                source: SourceId::new(source.as_str()),
                target: arrival.to.as_str().into(),
                payload: arrival.raw.to_vec(),
                due_at: now(),
            })
            .collect();
        tx.enqueue(Queue::Inbox, rows).await?;
        for item in items {
            if let Some(cursor) = &item.cursor {
                tx.set_cursor(item.connector, cursor).await?;
            }
        }
        Ok(vec![(); items.len()])
    }
}

fn arrival_source(connector: &str, source: &SourceId) -> String {
    format!("{connector} {source}")
}

impl group::Item for FinishItem {
    type Answer = Option<Row>;

    async fn write(tx: &mut Tx, items: &[Self]) -> Result<Vec<Option<Row>>, Error> {
        FinishGroup::new(items).write(tx).await
    }
}

/// The mapping says who wrote to whom: nobody but its owner may read it.
fn create_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let path = path.to_str().and_then(|text| text.split('?').next()).map_or(path, Path::new);
    std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path).map(drop)
}

async fn migrate(pool: &AnyPool, sqlite: bool) -> Result<(), Error> {
    let migrated = if sqlite {
        sqlx::migrate!("migrations/sqlite").run(pool).await
    } else {
        sqlx::migrate!("migrations/postgres").run(pool).await
    };
    match migrated {
        Err(MigrateError::VersionMissing(version)) => Err(Error::Newer(version)),
        Err(error) => Err(Error::from(sqlx::Error::from(error))),
        Ok(()) => Ok(()),
    }
}
