//! What waits when the clock is set; on SQLite and on PostgreSQL.

use crate::common::databases::suite;
use fehmarn::{
    ids::SourceId,
    store::{FARTHEST, Listed, NewRow, Queue, Store, now},
};

suite! {
    all_that_waits_moves_with_the_clock_and_keeps_its_age_and_its_wait
    what_would_wait_for_longer_than_anything_may_is_due_and_nothing_else
}

const HOUR: i64 = 3_600_000;

/// Two rows, due after so many milliseconds.
async fn add(store: &Store, queue: Queue, waits: [i64; 2]) {
    let mut tx = store.begin().await.unwrap();
    let rows = waits.iter().map(|wait| NewRow {
        kind: "x",
        connector: "email".into(),
        lane: wait.to_string(),
        source: SourceId::new(format!("{} {wait}", queue.table())),
        target: String::new(),
        room: None,
        payload: Vec::new(),
        due_at: now() + wait,
    });
    tx.enqueue(queue, rows.collect());
    tx.commit().await.unwrap();
}

async fn rows(store: &Store, queue: Queue) -> Vec<Listed> {
    store.list(queue, 10).await.unwrap()
}

mod cases {
    use super::*;

    pub async fn all_that_waits_moves_with_the_clock_and_keeps_its_age_and_its_wait(store: Store) {
        for queue in [Queue::Outbox, Queue::Inbox] {
            add(&store, queue, [0, HOUR]).await;
            for moved in [24 * HOUR, -48 * HOUR] {
                let before = rows(&store, queue).await;
                store.move_rows(moved).await.unwrap().commit().await.unwrap();
                let after = rows(&store, queue).await;
                for (before, after) in before.iter().zip(&after) {
                    assert_eq!(after.due_at, before.due_at + moved);
                    assert_eq!(after.created_at, before.created_at + moved);
                }
            }
        }
    }

    pub async fn what_would_wait_for_longer_than_anything_may_is_due_and_nothing_else(store: Store) {
        let far = FARTHEST.as_millis() as i64;
        for queue in [Queue::Outbox, Queue::Inbox] {
            add(&store, queue, [far - HOUR, far + HOUR]).await;
        }
        assert_eq!(store.bring_near().await.unwrap(), 2);
        for queue in [Queue::Outbox, Queue::Inbox] {
            let due: Vec<bool> = rows(&store, queue).await.iter().map(|row| row.due_at <= now()).collect();
            assert_eq!(due, [false, true], "{queue:?}");
        }
        assert_eq!(store.bring_near().await.unwrap(), 0);
    }
}
