//! A row that was claimed and not tried; on SQLite and on PostgreSQL.

use crate::common::databases::suite;
use fehmarn::{
    ids::SourceId,
    store::{Finished, NewRow, Outcome, Queue, Row, Store, now},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;

const LEASE: Duration = Duration::from_secs(60);

suite! {
    a_row_that_was_not_tried_waits_and_is_as_it_was_before
}

async fn claim(store: &Store, slots: usize) -> Vec<Row> {
    let mut rows = store.offer(Queue::Outbox, Arc::new(Semaphore::new(slots)), LEASE);
    store.fill_slots(Queue::Outbox).await.unwrap();
    std::iter::from_fn(|| rows.try_recv().ok()).map(|(row, _)| row).collect()
}

mod cases {
    use super::*;

    pub async fn a_row_that_was_not_tried_waits_and_is_as_it_was_before(store: Store) {
        let row = |lane: &str, source: &str| NewRow {
            kind: "delivery",
            connector: "email".into(),
            lane: lane.into(),
            source: SourceId::new(source),
            target: "bob@example.org".into(),
            room: None,
            payload: Vec::new(),
            due_at: now(),
        };
        let mut tx = store.begin().await.unwrap();
        tx.enqueue(Queue::Outbox, vec![row("a", "a1"), row("a", "a2"), row("b", "b1")]);
        tx.commit().await.unwrap();
        let claimed = claim(&store, 1).await.remove(0);
        assert_eq!((claimed.source.as_str(), claimed.attempts), ("a1", 1));
        let at = now() + 3_600_000;
        let outcome = Outcome::NotNow { at };
        let finished = Finished { id: claimed.id, lane: claimed.lane.clone(), outcome, follow_up: Vec::new() };
        let next = store.finish(Queue::Outbox, finished, Some(LEASE)).await.unwrap();
        assert_eq!(next.unwrap().source.as_str(), "b1", "another lane goes on at once");
        assert!(claim(&store, 9).await.is_empty(), "its own lane waits with it");
        let listed = store.list(Queue::Outbox, 9).await.unwrap();
        let waiting = listed.iter().find(|row| row.id == claimed.id).unwrap();
        assert_eq!((waiting.attempts, waiting.due_at, waiting.last_error.as_deref()), (0, at, None));
        assert!(store.retry(Queue::Outbox, claimed.id).await.unwrap());
        let again = claim(&store, 9).await;
        assert_eq!(again.iter().map(|row| row.source.as_str()).collect::<Vec<_>>(), ["a1"]);
    }
}
