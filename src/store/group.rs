//! Group commit: those who wait for the writer at the same time share one transaction and its fsync.

use super::{
    Error, Queue, Row, Store, Tx,
    accept::Accept,
    finish::{Ended, Finish},
    together::Together,
};
use std::slice;

/// What is written together with others.
pub(super) enum Item {
    Accept(Accept),
    Finish(Box<Finish>),
}

/// The row that was claimed for whoever finished one.
pub(super) type Answer = Option<Row>;

pub(super) type Group = Together<Item, Answer>;

/// Bounds a transaction, so that one commit does not hold up everybody else.
const LARGEST: usize = 256;

impl Store {
    /// `Ok` after the durable commit that contains the item. An item that the database refuses fails alone.
    pub(super) async fn write(&self, item: Item) -> Result<Answer, Error> {
        let serve = || drop(tokio::spawn(write_for_all(self.clone())));
        self.0.group.ask(item, serve).await
    }
}

/// Writes one group after the other, as long as there are any. Only one task waits for the writer on behalf of all: the
/// lock would else go round through everybody whose work is done already.
async fn write_for_all(store: Store) {
    let serving = store.0.group.serving();
    while !serving.is_done() {
        // Those who come while this waits for the writer are in the group as well.
        let begun = store.begin().await;
        let (items, replies) = serving.next(LARGEST);
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
    tx.commit_whole().await?;
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
