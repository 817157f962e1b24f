//! Group commit: those who wait for the writer at the same time share one fsync.

use super::{Error, Store, Tx};
use std::{
    mem,
    sync::{Mutex, PoisonError},
};
use tokio::sync::oneshot;

/// Something that is written together with others of its kind.
pub(super) trait Item: Send + Sync + Sized {
    fn write(tx: &mut Tx, items: &[Self]) -> impl Future<Output = Result<(), Error>> + Send;
}

type Waiting<T> = (T, oneshot::Sender<Result<(), Error>>);

/// Those who wait. Whoever gets the writer first commits for all of them.
pub(super) struct Group<T>(Mutex<Vec<Waiting<T>>>);

/// Bounds a transaction, so that one commit does not hold up everybody else.
const LARGEST: usize = 256;

impl<T> Default for Group<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Item> Group<T> {
    /// `Ok` after the durable commit that contains the item. An item that the database refuses fails alone.
    pub(super) async fn submit(&self, store: &Store, item: T) -> Result<(), Error> {
        let (reply, mut done) = oneshot::channel();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((item, reply));
        loop {
            tokio::select! {
                biased;
                result = &mut done => return result.unwrap_or(Err(Error::Stopped)),
                begun = store.begin() => self.commit_waiting(store, begun).await,
            }
        }
    }

    async fn commit_waiting(&self, store: &Store, begun: Result<Tx, Error>) {
        let waiting = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let count = all.len().min(LARGEST);
            let rest = all.split_off(count);
            mem::replace(&mut *all, rest)
        };
        let (items, replies): (Vec<T>, Vec<_>) = waiting.into_iter().unzip();
        let results = match begun {
            Ok(tx) => write_group(store, tx, &items).await,
            Err(error) => vec![Err(error); items.len()],
        };
        for (reply, result) in replies.into_iter().zip(results) {
            let _ = reply.send(result);
        }
    }
}

async fn write_group<T: Item>(store: &Store, tx: Tx, items: &[T]) -> Vec<Result<(), Error>> {
    match write_and_commit(tx, items).await {
        Ok(()) => vec![Ok(()); items.len()],
        Err(error) if items.len() == 1 => vec![Err(error)],
        Err(_) => {
            let mut results = Vec::with_capacity(items.len());
            for item in items {
                results.push(match store.begin().await {
                    Ok(tx) => write_and_commit(tx, std::slice::from_ref(item)).await,
                    Err(error) => Err(error),
                });
            }
            results
        }
    }
}

async fn write_and_commit<T: Item>(mut tx: Tx, items: &[T]) -> Result<(), Error> {
    T::write(&mut tx, items).await?;
    tx.commit().await
}
