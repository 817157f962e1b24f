//! `fehmarn queue list`.

use super::{Filter, RowName, due, span};
use crate::store::{Listed, Queue, Store, now};
use std::fmt::Write;

/// Without anything else the dead ones first, then the oldest; behind a row, by number.
pub(super) async fn list(store: &Store, filter: &Filter, limit: i64, after: Option<RowName>) -> anyhow::Result<String> {
    let mut text = String::new();
    let queues = match after {
        Some(name) => vec![name.queue],
        None => filter.queues(),
    };
    for queue in queues {
        let direction = if queue == Queue::Outbox { "to people outside" } else { "to Matrix" };
        let counts = store.counts(queue).await?;
        writeln!(text, "{} ({direction}): {} waiting, {} dead", queue.table(), counts.live, counts.dead)?;
        let wanted = filter.selection();
        let by_number = after.is_some() || !wanted.is_empty();
        let rows = match after {
            _ if !by_number => store.list(queue, limit).await?,
            name => store.select(queue, &wanted, name.map_or(0, |name| name.id), limit).await?,
        };
        for row in &rows {
            line(&mut text, queue, row)?;
        }
        if let Some(last) = rows.last().filter(|_| rows.len() as i64 == limit) {
            let last = RowName { queue, id: last.id };
            let how = if by_number { format!("--after {last}") } else { "--limit, or --dead and --after".into() };
            writeln!(text, "  ... there may be more: {how}")?;
        }
    }
    Ok(text)
}

fn line(text: &mut String, queue: Queue, row: &Listed) -> std::fmt::Result {
    let state = if row.dead { "dead".to_owned() } else { due(row) };
    let error = row.last_error.as_deref().unwrap_or("-");
    let name = RowName { queue, id: row.id }.to_string();
    let age = span(now() - row.created_at);
    writeln!(
        text,
        "  {name:<12} {:<8} {:<6} {:<30} {age:>4} old, {} attempts, {state}: {error}",
        row.kind, row.connector, row.target, row.attempts
    )
}
