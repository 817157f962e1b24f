//! Many rows that wait for another side, on SQLite and on PostgreSQL.

use crate::common::databases::suite;
use fehmarn::{
    ids::SourceId,
    store::{Finished, NewRow, Outcome, Queue, Store, now},
};
use futures_util::future::join_all;
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::sync::Semaphore;

const LEASE: Duration = Duration::from_secs(600);
/// More than are looked at together.
const ROWS: usize = 2300;

suite! {
    of_many_that_wait_those_of_the_side_that_is_there_again_are_due
}

mod cases {
    use super::*;

    pub async fn of_many_that_wait_those_of_the_side_that_is_there_again_are_due(store: Store) {
        let row = |n: usize| NewRow {
            kind: "delivery",
            connector: "email".into(),
            lane: format!("lane {n}"),
            source: SourceId::new(format!("row {n}")),
            target: if n.is_multiple_of(2) { "bob@here.example" } else { "eve@gone.example" }.into(),
            room: None,
            payload: Vec::new(),
            due_at: now(),
        };
        let mut rows = store.offer(Queue::Outbox, Arc::new(Semaphore::new(ROWS)), LEASE);
        let mut tx = store.begin().await.unwrap();
        tx.enqueue(Queue::Outbox, (0..ROWS).map(row).collect());
        tx.commit().await.unwrap();
        let mut claimed = Vec::new();
        for _ in 0..ROWS {
            claimed.push(rows.recv().await.unwrap().0);
        }
        // Most fall due in the same moment; some wait for something else.
        let later = now() + 3_600_000;
        let failed = claimed.iter().enumerate().map(|(n, row)| {
            let error = if n < 10 { "busy: 451" } else { "unreachable: no answer" };
            let outcome = Outcome::Retry { at: later + (n / 2000) as i64, error: error.into() };
            let finished = Finished { id: row.id, lane: row.lane.clone(), outcome, follow_up: Vec::new() };
            store.finish(Queue::Outbox, finished, None)
        });
        join_all(failed).await.into_iter().for_each(|finished| assert!(finished.unwrap().is_none()));

        let is_there = |target: &str| target.ends_with("@here.example");
        let wanted: BTreeSet<i64> =
            claimed.iter().skip(10).filter(|row| is_there(&row.target)).map(|row| row.id).collect();
        assert_eq!(store.hurry(Queue::Outbox, "xmpp", is_there).await.unwrap(), 0, "of another network");
        assert_eq!(store.hurry(Queue::Outbox, "email", is_there).await.unwrap(), wanted.len() as u64);
        let listed = store.list(Queue::Outbox, ROWS as i64).await.unwrap();
        let due: BTreeSet<i64> = listed.iter().filter(|row| row.due_at < later).map(|row| row.id).collect();
        assert_eq!(due, wanted);
        assert_eq!(store.hurry(Queue::Outbox, "email", is_there).await.unwrap(), 0, "all of them are due");
    }
}
