//! What waits when the clock is set; on SQLite and on PostgreSQL.

use crate::common::databases::suite;
use fehmarn::{
    ids::SourceId,
    store::{FARTHEST, Finished, Listed, Move, NewRow, Outcome, Queue, Row, Store, now},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;

suite! {
    a_million_would_move_in_portions_each_row_once_and_what_is_added_meanwhile_too
    what_is_being_worked_on_is_held_anew_and_grows_no_older
    all_that_waits_moves_with_the_clock_and_keeps_its_age_and_its_wait
    what_would_wait_for_longer_than_anything_may_is_due_and_nothing_else
}

const HOUR: i64 = 3_600_000;
const LEASE: Duration = Duration::from_secs(600);

/// As when the clock is followed, but for the clock itself; with what happens between the portions.
async fn follow(store: &Store, milliseconds: i64, mut meanwhile: impl AsyncFnMut(usize)) -> usize {
    let mut portions = 0;
    let mut on_its_way = store.begin_move(milliseconds).await.unwrap();
    let change =
        async |on_its_way: &mut Move| store.change_clock(on_its_way, LEASE).await.unwrap().commit().await.unwrap();
    if milliseconds < 0 {
        change(&mut on_its_way).await;
    }
    while store.move_portion(&mut on_its_way).await.unwrap() {
        portions += 1;
        meanwhile(portions).await;
    }
    if milliseconds > 0 {
        change(&mut on_its_way).await;
    }
    portions
}

/// Many rows, each in a lane of its own.
async fn add_many(store: &Store, count: usize, due_at: i64, name: &str) {
    let mut tx = store.begin().await.unwrap();
    let rows = (0..count).map(|n| NewRow {
        kind: "x",
        connector: "email".into(),
        lane: format!("{name} {n}"),
        source: SourceId::new(format!("{name} {n}")),
        target: String::new(),
        room: None,
        payload: Vec::new(),
        due_at,
    });
    tx.enqueue(Queue::Outbox, rows.collect());
    tx.commit().await.unwrap();
}

async fn claim(store: &Store, slots: usize) -> Vec<Row> {
    let mut rows = store.offer(Queue::Outbox, Arc::new(Semaphore::new(slots)), LEASE);
    store.fill_slots(Queue::Outbox).await.unwrap();
    std::iter::from_fn(|| rows.try_recv().ok()).map(|(row, _)| row).collect()
}

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

    pub async fn a_million_would_move_in_portions_each_row_once_and_what_is_added_meanwhile_too(store: Store) {
        const MANY: usize = 4500;
        let due = now() + HOUR;
        add_many(&store, MANY, due, "before").await;
        let dues = async || -> Vec<i64> {
            store.list(Queue::Outbox, 10_000).await.unwrap().iter().map(|row| row.due_at).collect()
        };
        // The writer is free between the portions. What comes meanwhile still has the old clock when it goes forward.
        let meanwhile = async |portion: usize| {
            if portion == 1 {
                let claimed = claim(&store, 9).await;
                assert!(claimed.is_empty(), "{} rows look due that are not", claimed.len());
                add_many(&store, 1, due, "meanwhile").await;
            }
        };
        assert_eq!(follow(&store, 24 * HOUR, meanwhile).await, 3);
        assert_eq!(dues().await, vec![due + 24 * HOUR; MANY + 1]);
        // Back: what comes after the change has the new one, and stays.
        let meanwhile = async |portion: usize| {
            if portion == 1 {
                add_many(&store, 1, due, "afterwards").await;
            }
        };
        assert_eq!(follow(&store, -24 * HOUR, meanwhile).await, 3);
        assert_eq!(dues().await, vec![due; MANY + 2]);
    }

    pub async fn what_is_being_worked_on_is_held_anew_and_grows_no_older(store: Store) {
        for moved in [24 * HOUR, -24 * HOUR, 60_000, -60_000] {
            add(&store, Queue::Outbox, [0, HOUR]).await;
            let claimed = claim(&store, 9).await.remove(0);
            let before = rows(&store, Queue::Outbox).await;
            follow(&store, moved, async |_| {}).await;
            let after = rows(&store, Queue::Outbox).await;
            let find = |rows: &[Listed]| rows.iter().find(|row| row.id == claimed.id).unwrap().clone();
            let (before, after) = (find(&before), find(&after));
            assert_eq!(after.created_at, before.created_at + moved);
            let held_for = after.due_at - (now() + moved);
            assert!((0..=LEASE.as_millis() as i64).contains(&held_for) && held_for > 500_000, "{moved}: {held_for}");
            let outcome = Outcome::Dead { error: "x".into() };
            let finished = Finished { id: claimed.id, lane: claimed.lane.clone(), outcome, follow_up: Vec::new() };
            store.finish(Queue::Outbox, finished, None).await.unwrap();
            for row in rows(&store, Queue::Outbox).await {
                store.discard(Queue::Outbox, row.id).await.unwrap();
            }
        }
    }

    pub async fn all_that_waits_moves_with_the_clock_and_keeps_its_age_and_its_wait(store: Store) {
        for queue in [Queue::Outbox, Queue::Inbox] {
            add(&store, queue, [0, HOUR]).await;
            for moved in [24 * HOUR, -48 * HOUR] {
                let before = rows(&store, queue).await;
                follow(&store, moved, async |_| {}).await;
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
