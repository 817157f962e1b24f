//! Rows on their way into a queue: which of them are ready, and which find a free slot at once.

use super::{Error, NewRow, Queue, Row, Tx, now, offer::Slot, sql};
use sqlx::Row as _;
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    mem,
};

/// What a transaction has still to write into one queue, and what it has to say after its commit.
#[derive(Default)]
pub(super) struct Pending {
    new: Vec<NewRow>,
    /// Lanes whose oldest live row may be another one now.
    touched: BTreeSet<String>,
    /// Rows that were claimed for a free slot.
    pub claimed: Vec<(Row, Slot)>,
    /// Whether there is something to claim, and nobody to whom it was given.
    pub grew: bool,
    /// Whether a row was added that falls due later.
    pub waits: bool,
    /// Whether the last claim may have left something that is due; `None` if nothing was claimed.
    pub left: Option<bool>,
}

/// A row, and what is known of it before it is written.
struct Placed {
    row: NewRow,
    is_ready: bool,
    slot: Option<Slot>,
}

impl Tx {
    /// Adds rows in this order. A source that is in the queue already is passed over.
    pub fn enqueue(&mut self, queue: Queue, rows: Vec<NewRow>) {
        self.pending(queue).new.extend(rows);
    }

    /// Notes that a row of a lane went or came back.
    pub(super) fn touch(&mut self, queue: Queue, lane: String) {
        self.pending(queue).touched.insert(lane);
    }

    /// Writes the rows that were added, and marks the oldest live row of each lane as ready. Before claiming and
    /// committing; one look at all lanes together.
    pub(super) async fn settle(&mut self, queue: Queue) -> Result<(), Error> {
        loop {
            let (new, touched) = {
                let pending = self.pending(queue);
                (mem::take(&mut pending.new), mem::take(&mut pending.touched))
            };
            if new.is_empty() && touched.is_empty() {
                return Ok(());
            }
            let lanes: BTreeSet<&str> = new.iter().map(|row| &*row.lane).chain(touched.iter().map(|l| &**l)).collect();
            let oldest = self.oldest(queue, &lanes.into_iter().collect::<Vec<_>>()).await?;
            let next: Vec<i64> = touched.iter().filter_map(|lane| oldest.get(lane)).copied().collect();
            self.make_ready(queue, &next).await?;
            self.insert(queue, new, oldest.into_keys().collect()).await?;
        }
    }

    /// The oldest live row of each of these lanes, where there is one.
    async fn oldest(&mut self, queue: Queue, lanes: &[&str]) -> Result<HashMap<String, i64>, Error> {
        let table = queue.table();
        let mut oldest = HashMap::new();
        for chunk in lanes.chunks(sql::ROWS_AT_ONCE) {
            let (list, bound) = sql::any_of(1, chunk);
            let mut query = sql::query(format!(
                "SELECT lane, MIN(id) FROM {table} WHERE dead = 0 AND lane IN ({list}) GROUP BY lane"
            ));
            for lane in bound {
                query = query.bind(*lane);
            }
            for row in query.fetch_all(&mut self.connection).await? {
                oldest.insert(row.try_get(0)?, row.try_get(1)?);
            }
        }
        Ok(oldest)
    }

    async fn make_ready(&mut self, queue: Queue, ids: &[i64]) -> Result<(), Error> {
        let table = queue.table();
        for chunk in ids.chunks(sql::ROWS_AT_ONCE) {
            let (list, bound) = sql::any_of(1, chunk);
            let mut update = sql::query(format!("UPDATE {table} SET ready = 1 WHERE ready = 0 AND id IN ({list})"));
            for id in bound {
                update = update.bind(*id);
            }
            self.pending(queue).grew |= update.execute(&mut self.connection).await?.rows_affected() > 0;
        }
        Ok(())
    }

    /// `lanes`: those that have a live row already.
    async fn insert(&mut self, queue: Queue, new: Vec<NewRow>, mut lanes: HashSet<String>) -> Result<(), Error> {
        let mut new = new.into_iter().map(|row| {
            let is_ready = lanes.insert(row.lane.clone());
            Placed { row, is_ready, slot: None }
        });
        loop {
            let mut chunk: Vec<Placed> = new.by_ref().take(sql::ROWS_AT_ONCE).collect();
            if chunk.is_empty() {
                return Ok(());
            }
            let now = now();
            for placed in chunk.iter_mut().filter(|placed| placed.is_ready && placed.row.due_at <= now) {
                placed.slot = self.store.free_slot(queue);
            }
            self.insert_chunk(queue, chunk).await?;
        }
    }

    async fn insert_chunk(&mut self, queue: Queue, chunk: Vec<Placed>) -> Result<(), Error> {
        let (table, created_at) = (queue.table(), now());
        let rows = sql::with_padding(&chunk);
        let values = self.marks().values(rows.len(), 13);
        let mut insert = sql::query(format!(
            "INSERT INTO {table} (kind, connector, lane, source_id, target, room_id, payload, attempts, due_at, created_at,
             dead, ready, leased) VALUES {values} ON CONFLICT (source_id) DO NOTHING RETURNING source_id, id"
        ));
        for Placed { row, is_ready, slot } in rows {
            let lease = slot.as_ref().map(|slot| slot.lease.as_millis() as i64);
            insert = insert
                .bind(row.kind)
                .bind(&row.connector)
                .bind(&row.lane)
                .bind(row.source.as_str())
                .bind(&row.target)
                .bind(row.room.as_ref().map(|room| room.as_str()))
                .bind(&row.payload)
                .bind(i64::from(slot.is_some()))
                .bind(lease.map_or(row.due_at, |lease| created_at + lease))
                .bind(created_at)
                .bind(0i64)
                .bind(i64::from(*is_ready))
                .bind(i64::from(slot.is_some()));
        }
        let mut ids: HashMap<String, i64> = HashMap::with_capacity(chunk.len());
        for row in insert.fetch_all(&mut self.connection).await? {
            ids.insert(row.try_get(0)?, row.try_get(1)?);
        }
        let mut claimed = Vec::new();
        for Placed { row, is_ready, slot } in chunk {
            match (ids.get(row.source.as_str()), slot) {
                // It was passed over: what stands behind it in its lane may be the oldest.
                (None, _) => self.touch(queue, row.lane),
                (Some(id), Some(slot)) => claimed.push((row.claimed(*id, created_at), slot)),
                (Some(_), None) if row.due_at > created_at => self.pending(queue).waits = true,
                (Some(_), None) => self.pending(queue).grew |= is_ready,
            }
        }
        if queue == Queue::Outbox {
            self.add_threads(claimed.iter_mut().map(|(row, _)| row)).await?;
        }
        self.pending(queue).claimed.extend(claimed);
        Ok(())
    }
}

impl NewRow {
    fn claimed(self, id: i64, created_at: i64) -> Row {
        Row {
            id,
            kind: self.kind.to_owned(),
            connector: self.connector,
            lane: self.lane,
            source: self.source,
            target: self.target,
            payload: self.payload,
            attempts: 1,
            created_at,
            room: self.room,
            thread: None,
        }
    }
}
