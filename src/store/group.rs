//! Group commit: those who wait for the writer at the same time share one fsync.

use super::{Error, Store, Tx};
use std::{
    mem,
    sync::{Mutex, PoisonError},
};
use tokio::sync::oneshot;

/// Something that is written together with others of its kind.
pub(super) trait Item: Send + Sync + Sized {
    /// What the writing gives back to each.
    type Answer: Send;

    /// One answer for each item, in their order.
    fn write(tx: &mut Tx, items: &[Self]) -> impl Future<Output = Result<Vec<Self::Answer>, Error>> + Send;
}

type Reply<T> = oneshot::Sender<Result<<T as Item>::Answer, Error>>;

/// Those who wait. Whoever gets the writer first commits for all of them.
pub(super) struct Group<T: Item>(Mutex<Vec<(T, Reply<T>)>>);

/// Bounds a transaction, so that one commit does not hold up everybody else.
const LARGEST: usize = 256;

impl<T: Item> Default for Group<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Item> Group<T> {
    /// `Ok` after the durable commit that contains the item. An item that the database refuses fails alone.
    pub(super) async fn submit(&self, store: &Store, item: T) -> Result<T::Answer, Error> {
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
            Err(error) => items.iter().map(|_| Err(error.clone())).collect(),
        };
        for (reply, result) in replies.into_iter().zip(results) {
            let _ = reply.send(result);
        }
    }
}

async fn write_group<T: Item>(store: &Store, tx: Tx, items: &[T]) -> Vec<Result<T::Answer, Error>> {
    match write_and_commit(tx, items).await {
        Ok(answers) => answers.into_iter().map(Ok).collect(),
        Err(error) if items.len() == 1 => vec![Err(error)],
        Err(_) => {
            let mut results = Vec::with_capacity(items.len());
            for item in items {
                let alone = match store.begin().await {
                    Ok(tx) => write_and_commit(tx, std::slice::from_ref(item)).await,
                    Err(error) => Err(error),
                };
                results.push(alone.and_then(|answers| answers.into_iter().next().ok_or(Error::Stopped)));
            }
            results
        }
    }
}

async fn write_and_commit<T: Item>(mut tx: Tx, items: &[T]) -> Result<Vec<T::Answer>, Error> {
    let answers = T::write(&mut tx, items).await?;
    tx.commit().await?;
    Ok(answers)
}
