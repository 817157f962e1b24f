//! `fehmarn queue retry` and `drop`: rows that are named, or all that match.

use super::{Filter, RowName};
use crate::store::{Queue, Store};
use anyhow::bail;
use std::fmt::Write;

/// Rows in one commit: a Fehmarn that runs waits meanwhile.
const AT_ONCE: i64 = 200;

#[derive(Clone, Copy, Debug)]
pub(super) enum Deed {
    Retry,
    Drop,
    /// Nothing, but say how many there are.
    Count,
}

/// `sure`: it may be done to all that match.
pub(super) async fn run(
    store: &Store,
    rows: &[RowName],
    filter: &Filter,
    deed: Deed,
    sure: bool,
) -> anyhow::Result<String> {
    match (rows.is_empty(), filter.is_empty()) {
        (false, true) => each(store, rows, deed).await,
        (true, false) => all(store, filter, if sure { deed } else { Deed::Count }).await,
        (false, false) => bail!("name rows, or say which ones with --dead and so on, but not both"),
        (true, true) => bail!(
            "name at least one row, as outbox:12 (`fehmarn queue list` shows them), or say which ones, as in --dead --domain example.org"
        ),
    }
}

async fn each(store: &Store, rows: &[RowName], deed: Deed) -> anyhow::Result<String> {
    let mut text = String::new();
    for name in rows {
        let found = apply(store, name.queue, &[name.id], deed).await? > 0;
        let what = match (found, deed) {
            (false, _) => "there is no such row; it may be done by now",
            (true, Deed::Retry) => "will be tried again now",
            (true, _) => "dropped",
        };
        writeln!(text, "{name}: {what}")?;
    }
    Ok(text)
}

async fn all(store: &Store, filter: &Filter, deed: Deed) -> anyhow::Result<String> {
    let mut text = String::new();
    for queue in filter.queues() {
        let count = each_page(store, queue, filter, deed).await?;
        let what = match deed {
            Deed::Retry => "will be tried again now",
            Deed::Drop => "dropped",
            Deed::Count => "would be dropped; say --yes to do it",
        };
        writeln!(text, "{}: {count} rows {what}", queue.table())?;
    }
    Ok(text)
}

/// Up to the row that is the last one now: what is tried again may die again.
async fn each_page(store: &Store, queue: Queue, filter: &Filter, deed: Deed) -> anyhow::Result<usize> {
    let (wanted, end) = (filter.selection(), store.last_number(queue).await?);
    let (mut after, mut count) = (0, 0);
    loop {
        let page = store.select(queue, &wanted, after, AT_ONCE).await?;
        let ids: Vec<i64> = page.iter().map(|row| row.id).take_while(|id| *id <= end).collect();
        let Some(last) = ids.last() else { return Ok(count) };
        after = *last;
        count += apply(store, queue, &ids, deed).await?;
    }
}

async fn apply(store: &Store, queue: Queue, ids: &[i64], deed: Deed) -> anyhow::Result<usize> {
    Ok(match deed {
        Deed::Retry => store.retry_all(queue, ids).await?,
        Deed::Count => ids.len(),
        Deed::Drop => store.discard_all(queue, ids).await?,
    })
}
