//! Group commit: those who wait for the writer at the same time share one transaction and its fsync.

use super::{
    Error, Queue, Row, Store, Tx,
    accept::Accept,
    finish::{Ended, Finish},
};
use std::{
    mem, slice,
    sync::{Mutex, MutexGuard, PoisonError},
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

/// Those who wait, and whether somebody is writing for them.
#[derive(Default)]
pub(super) struct Group(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    items: Vec<(Item, Reply)>,
    has_writer: bool,
}

/// Bounds a transaction, so that one commit does not hold up everybody else.
const LARGEST: usize = 256;

impl Group {
    /// `Ok` after the durable commit that contains the item. An item that the database refuses fails alone.
    pub(super) async fn submit(&self, store: &Store, item: Item) -> Result<Answer, Error> {
        let (reply, done) = oneshot::channel();
        let needs_writer = {
            let mut waiting = self.waiting();
            waiting.items.push((item, reply));
            !mem::replace(&mut waiting.has_writer, true)
        };
        if needs_writer {
            // A task of its own: whoever waits may stop waiting, and the others must not notice.
            tokio::spawn(write_for_all(store.clone()));
        }
        done.await.unwrap_or(Err(Error::Stopped))
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nobody waits; then nobody writes any more either.
    fn is_done(&self) -> bool {
        let mut waiting = self.waiting();
        waiting.has_writer = !waiting.items.is_empty();
        !waiting.has_writer
    }

    fn next(&self) -> (Vec<Item>, Vec<Reply>) {
        let mut waiting = self.waiting();
        let count = waiting.items.len().min(LARGEST);
        waiting.items.drain(..count).unzip()
    }
}

/// However the writing task ends, the next who comes starts another.
struct Writing<'a>(&'a Group);

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.waiting().has_writer = false;
        }
    }
}

/// Writes one group after the other, as long as there are any. Only one task waits for the writer on behalf of all: the
/// lock would else go round through everybody whose work is done already.
async fn write_for_all(store: Store) {
    let _writing = Writing(store.group());
    while !store.group().is_done() {
        // Those who come while this waits for the writer are in the group as well.
        let begun = store.begin().await;
        let (items, replies) = store.group().next();
        let results = match begun {
            Ok(tx) => write_group(&store, tx, &items).await,
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
    let finishes: Vec<&Finish> = items.iter().filter_map(Item::finish).collect();
    let [outbox, inbox] = [Queue::Outbox, Queue::Inbox].map(|queue| Ended::of(queue, &finishes));
    outbox.write(&mut tx, Queue::Outbox).await?;
    inbox.write(&mut tx, Queue::Inbox).await?;
    let accepts: Vec<&Accept> = items.iter().filter_map(Item::accept).collect();
    Accept::write(&mut tx, &accepts).await?;
    let mut outbox = outbox.claim_more(&mut tx, Queue::Outbox).await?.into_iter();
    let mut inbox = inbox.claim_more(&mut tx, Queue::Inbox).await?.into_iter();
    tx.commit().await?;
    let answer = |item: &Item| match item.finish()?.queue {
        Queue::Outbox => outbox.next().flatten(),
        Queue::Inbox => inbox.next().flatten(),
    };
    Ok(items.iter().map(answer).collect())
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
