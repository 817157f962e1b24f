//! Taking arrivals in.

use super::{Cursor, Error, NewRow, Queue, Tx, now};
use crate::{ids::SourceId, message::RawArrival};

/// What one connector wants to have committed before it acknowledges.
pub(super) struct Accept {
    pub connector: &'static str,
    pub arrivals: Vec<RawArrival>,
    pub cursor: Option<Cursor>,
}

impl Accept {
    /// Puts the arrivals of all into the inbox, and moves their cursors.
    pub(super) async fn write(tx: &mut Tx, items: &[&Self]) -> Result<(), Error> {
        let arrivals = || items.iter().flat_map(|item| item.arrivals.iter().map(|arrival| (item.connector, arrival)));
        let named = |connector: &str, source: &SourceId| format!("{connector} {source}");
        let names = |(connector, arrival): (&'static str, &RawArrival)| -> Vec<String> {
            [Some(&arrival.source), arrival.also.as_ref()]
                .into_iter()
                .flatten()
                .map(|it| named(connector, it))
                .collect()
        };
        let all: Vec<String> = arrivals().flat_map(names).collect();
        let mut new = tx.first_seen(&all).await?;
        // Under whatever name it comes again: in what was taken in before, or beside it.
        let is_new = |arrival: &(&'static str, &RawArrival)| {
            let names = names(*arrival);
            let is_new = names.iter().all(|name| new.contains(name));
            new.retain(|name| !names.contains(name));
            is_new
        };
        let rows = arrivals().filter(is_new).map(|(connector, arrival)| NewRow {
            kind: "arrival",
            connector: connector.into(),
            lane: format!("{connector} {}", arrival.lane),
            source: SourceId::new(named(connector, &arrival.source)),
            target: arrival.to.as_str().into(),
            room: None,
            payload: arrival.raw.to_vec(),
            due_at: now(),
        });
        tx.enqueue(Queue::Inbox, rows.collect());
        for item in items {
            if let Some(cursor) = &item.cursor {
                tx.set_cursor(item.connector, cursor).await?;
            }
        }
        Ok(())
    }
}
