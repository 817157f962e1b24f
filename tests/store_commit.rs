//! A commit for which nobody waits any more, on SQLite and on PostgreSQL.

use crate::common::{databases::suite, until};
use fehmarn::{
    ids::SourceId,
    store::{NewRow, Queue, Store, now},
};
use futures_util::poll;
use std::{pin::pin, sync::Arc, time::Duration};
use tokio::{sync::Semaphore, time::sleep};

const LEASE: Duration = Duration::from_secs(600);
/// More steps than a commit has.
const STEPS: usize = 12;

suite! {
    a_row_is_handed_on_whenever_its_writer_stops_waiting
}

mod cases {
    use super::*;

    pub async fn a_row_is_handed_on_whenever_its_writer_stops_waiting(store: Store) {
        let mut rows = store.offer(Queue::Outbox, Arc::new(Semaphore::new(STEPS)), LEASE);
        let mut handed_on = 0;
        for steps in 1..=STEPS {
            let row = NewRow {
                kind: "delivery",
                connector: "email".into(),
                lane: format!("lane {steps}"),
                source: SourceId::new(format!("row {steps}")),
                target: "bob".into(),
                room: None,
                payload: Vec::new(),
                due_at: now(),
            };
            let mut tx = store.begin().await.unwrap();
            tx.enqueue(Queue::Outbox, vec![row]);
            {
                let mut commit = pin!(tx.commit());
                for _ in 0..steps {
                    if poll!(&mut commit).is_ready() {
                        break;
                    }
                    sleep(Duration::from_millis(2)).await;
                }
            }
            // The next writer comes when this one is through.
            store.begin().await.unwrap().commit().await.unwrap();
            let written = store.list(Queue::Outbox, 99).await.unwrap().len();
            until(&format!("{written} rows, left after {steps} steps"), async || {
                handed_on += usize::from(rows.try_recv().is_ok());
                (handed_on == written).then_some(())
            })
            .await;
        }
    }
}
