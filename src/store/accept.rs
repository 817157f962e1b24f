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
        let sources: Vec<String> = arrivals().map(|(connector, a)| format!("{connector} {}", a.source)).collect();
        let new = tx.first_seen(&sources).await?;
        let rows = arrivals().zip(&sources).filter(|(_, source)| new.contains(*source));
        let rows = rows.map(|((connector, arrival), source)| NewRow {
            kind: "arrival",
            connector: connector.into(),
            lane: format!("{connector} {}", arrival.lane),
            source: SourceId::new(source.as_str()),
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
