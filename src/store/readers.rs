//! Connections for reading.

use super::Error;
use sqlx::{AnyConnection, ConnectOptions, Connection, any::AnyConnectOptions};
use std::time::Duration;
use tokio::{
    sync::{MappedMutexGuard, Mutex, MutexGuard},
    time::timeout,
};

const AT_ONCE: usize = 4;
const PATIENCE: Duration = Duration::from_secs(10);

/// A few connections, made when they are needed. Not sqlx's pool: that pings each connection which comes back, and with
/// SQLite this is as much work as the reading itself.
pub(super) struct Readers {
    options: AnyConnectOptions,
    sqlite: bool,
    places: [Mutex<Option<AnyConnection>>; AT_ONCE],
}

impl Readers {
    pub(super) fn new(options: AnyConnectOptions, sqlite: bool) -> Self {
        Self { options, sqlite, places: Default::default() }
    }

    /// A connection that nobody else uses at present.
    pub(super) async fn get(&self) -> Result<MappedMutexGuard<'_, AnyConnection>, Error> {
        let mut place = self.free_place().await;
        let connection = match self.well(place.take()).await {
            Some(used) => used,
            None => timeout(PATIENCE, self.options.connect()).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))?,
        };
        Ok(MutexGuard::map(place, |place| place.insert(connection)))
    }

    async fn free_place(&self) -> MutexGuard<'_, Option<AnyConnection>> {
        match self.places.iter().find_map(|place| place.try_lock().ok()) {
            Some(place) => place,
            None => {
                let places = self.places.iter().map(|place| Box::pin(place.lock()));
                futures_util::future::select_all(places).await.0
            }
        }
    }

    /// A server may have gone away meanwhile; a file does not.
    async fn well(&self, used: Option<AnyConnection>) -> Option<AnyConnection> {
        let mut used = used?;
        (self.sqlite || used.ping().await.is_ok()).then_some(used)
    }
}
