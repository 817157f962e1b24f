//! Which words of a message somebody was last sent, on SQLite and on PostgreSQL.

use crate::common::databases::suite;
use fehmarn::{
    ids::{RemoteUserId, SourceId},
    store::{Finished, NewRow, Outcome, Queue, Store, Version},
};
use ruma::{EventId, event_id};
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;

suite! {
    what_was_sent_last_is_known_for_each_person_and_network
}

fn version(event: &EventId, user: &str, version: &EventId) -> Version {
    Version {
        event_id: event.to_owned(),
        connector: "email".into(),
        remote_user: RemoteUserId::new(user),
        version: version.to_owned(),
    }
}

/// A row that ends with these.
async fn finish(store: &Store, source: &str, versions: Vec<Version>) {
    let row = NewRow {
        kind: "delivery",
        connector: "email".into(),
        lane: source.into(),
        source: SourceId::new(source),
        target: "bob".into(),
        room: None,
        payload: Vec::new(),
        due_at: 0,
    };
    let mut tx = store.begin().await.unwrap();
    tx.enqueue(Queue::Outbox, vec![row]);
    tx.commit().await.unwrap();
    let mut rows = store.offer(Queue::Outbox, Arc::new(Semaphore::new(1)), Duration::from_secs(60));
    store.fill_slots(Queue::Outbox).await.unwrap();
    let (row, _) = rows.try_recv().unwrap();
    let outcome = Outcome::Done { messages: Vec::new(), thread: None, originals: Vec::new(), versions };
    let finished = Finished { id: row.id, lane: row.lane, outcome, follow_up: Vec::new() };
    store.finish(Queue::Outbox, finished, None).await.unwrap();
}

mod cases {
    use super::*;

    pub async fn what_was_sent_last_is_known_for_each_person_and_network(store: Store) {
        let (one, two) = (event_id!("$1"), event_id!("$2"));
        let (first, second) = (event_id!("$e1"), event_id!("$e2"));
        let known = async |event: &EventId, connector: &str, user: &str| {
            store.version(event, connector, &RemoteUserId::new(user)).await.unwrap()
        };
        assert_eq!(known(one, "email", "bob").await, None);
        finish(&store, "a", vec![version(one, "bob", first), version(two, "bob", second)]).await;
        finish(&store, "b", vec![version(one, "eve", first)]).await;
        finish(&store, "c", vec![version(one, "bob", second)]).await;
        finish(&store, "d", Vec::new()).await;
        for (event, user, edit) in [(one, "bob", second), (two, "bob", second), (one, "eve", first)] {
            assert_eq!(known(event, "email", user).await.as_deref(), Some(edit), "{event} {user}");
        }
        assert_eq!((known(two, "email", "eve").await, known(one, "xmpp", "bob").await), (None, None));
    }
}
