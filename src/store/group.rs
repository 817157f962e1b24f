//! Group commit: those who wait for the writer at the same time share one transaction and its fsync.

use super::{Error, Row, Store, Tx, accept::Accept, finish::Finish};
use std::{
    mem, slice,
    sync::{Mutex, PoisonError},
};
use tokio::sync::oneshot;

/// What is written together with others.
pub(super) enum Item {
    Accept(Accept),
    Finish(Finish),
}

/// The row that was claimed for whoever finished one.
pub(super) type Answer = Option<Row>;

type Reply = oneshot::Sender<Result<Answer, Error>>;

/// Those who wait. Whoever gets the writer first commits for all of them.
#[derive(Default)]
pub(super) struct Group(Mutex<Vec<(Item, Reply)>>);

/// Bounds a transaction, so that one commit does not hold up everybody else.
const LARGEST: usize = 256;

impl Group {
    /// `Ok` after the durable commit that contains the item. An item that the database refuses fails alone.
    pub(super) async fn submit(&self, store: &Store, item: Item) -> Result<Answer, Error> {
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
        let (items, replies): (Vec<Item>, Vec<_>) = waiting.into_iter().unzip();
        let results = match begun {
            Ok(tx) => write_group(store, tx, &items).await,
            Err(error) => items.iter().map(|_| Err(error.clone())).collect(),
        };
        for (reply, result) in replies.into_iter().zip(results) {
            let _ = reply.send(result);
        }
    }
}

async fn write_group(store: &Store, tx: Tx, items: &[Item]) -> Vec<Result<Answer, Error>> {
    match write_and_commit(tx, items).await {
        Ok(answers) => answers.into_iter().map(Ok).collect(),
        Err(error) if items.len() == 1 => vec![Err(error)],
        Err(_) => {
            let mut results = Vec::with_capacity(items.len());
            for item in items {
                let alone = match store.begin().await {
                    Ok(tx) => write_and_commit(tx, slice::from_ref(item)).await,
                    Err(error) => Err(error),
                };
                results.push(alone.map(|answers| answers.into_iter().next().flatten()));
            }
            results
        }
    }
}

async fn write_and_commit(mut tx: Tx, items: &[Item]) -> Result<Vec<Answer>, Error> {
    let accepts: Vec<&Accept> = items.iter().filter_map(Item::accept).collect();
    Accept::write(&mut tx, &accepts).await?;
    let finishes: Vec<&Finish> = items.iter().filter_map(Item::finish).collect();
    let mut claimed = Finish::write(&mut tx, &finishes).await?.into_iter();
    tx.commit().await?;
    Ok(items.iter().map(|item| item.finish().and_then(|_| claimed.next().flatten())).collect())
}

impl Item {
    fn accept(&self) -> Option<&Accept> {
        match self {
            Self::Accept(accept) => Some(accept),
            Self::Finish(_) => None,
        }
    }

    fn finish(&self) -> Option<&Finish> {
        match self {
            Self::Finish(finish) => Some(finish),
            Self::Accept(_) => None,
        }
    }
}
