//! `fehmarn queue`: what waits, what is dead, and why.

use crate::store::{Listed, Queue, Store, now};
use anyhow::{Context, bail};
use std::{fmt::Write, str::FromStr};

/// Names a row on the command line: `outbox:12`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowName {
    queue: Queue,
    id: i64,
}

impl FromStr for RowName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let problem = || format!("{text:?} names no row; it looks like outbox:12 or inbox:7");
        let (queue, id) = text.split_once(':').ok_or_else(problem)?;
        let queue = [Queue::Outbox, Queue::Inbox].into_iter().find(|q| q.table() == queue).ok_or_else(problem)?;
        Ok(Self { queue, id: id.parse().map_err(|_| problem())? })
    }
}

#[derive(Clone, Debug, clap::Subcommand)]
pub enum Action {
    /// Show what waits and what is dead
    List {
        /// Show at most this many rows of each queue
        #[arg(long, default_value_t = 50)]
        limit: i64,
    },
    /// Show all that is known of a row
    Show {
        row: RowName,
        /// Also print the message itself
        #[arg(long)]
        payload: bool,
    },
    /// Try a row again now, a dead one too
    Retry { rows: Vec<RowName> },
    /// Delete a row for good; the message is lost
    Drop { rows: Vec<RowName> },
}

impl Action {
    /// Does it, and returns the text for the admin.
    pub async fn run(&self, store: &Store) -> anyhow::Result<String> {
        match self {
            Self::List { limit } => list(store, *limit).await,
            Self::Show { row, payload } => show(store, *row, *payload).await,
            Self::Retry { rows } => each(store, rows, true).await,
            Self::Drop { rows } => each(store, rows, false).await,
        }
    }
}

async fn list(store: &Store, limit: i64) -> anyhow::Result<String> {
    let mut text = String::new();
    for (queue, direction) in [(Queue::Outbox, "to people outside"), (Queue::Inbox, "to Matrix")] {
        let counts = store.counts(queue).await?;
        writeln!(text, "{} ({direction}): {} waiting, {} dead", queue.table(), counts.live, counts.dead)?;
        for row in store.list(queue, limit).await? {
            let state = if row.dead { "dead".to_owned() } else { due(&row) };
            let error = row.last_error.as_deref().unwrap_or("-");
            let name = format!("{}:{}", queue.table(), row.id);
            let age = span(now() - row.created_at);
            writeln!(
                text,
                "  {name:<12} {:<8} {:<6} {:<30} {age:>4} old, {} attempts, {state}: {error}",
                row.kind, row.connector, row.target, row.attempts
            )?;
        }
    }
    Ok(text)
}

async fn show(store: &Store, name: RowName, payload: bool) -> anyhow::Result<String> {
    let (row, bytes) = store.show(name.queue, name.id).await?.context("there is no such row; it may be done by now")?;
    let mut text = format!(
        "row        {}:{}\nkind       {}\nconnector  {}\nfor        {}\nlane       {}\nage        {}\nattempts   {}\nstate      {}\nlast error {}\nsize       {} bytes\n",
        name.queue.table(),
        row.id,
        row.kind,
        row.connector,
        row.target,
        row.lane,
        span(now() - row.created_at),
        row.attempts,
        if row.dead { "dead".into() } else { due(&row) },
        row.last_error.as_deref().unwrap_or("-"),
        bytes.len(),
    );
    if payload {
        write!(text, "\n{}\n", String::from_utf8_lossy(&bytes))?;
    }
    Ok(text)
}

async fn each(store: &Store, rows: &[RowName], retry: bool) -> anyhow::Result<String> {
    if rows.is_empty() {
        bail!("name at least one row, as outbox:12; `fehmarn queue list` shows them");
    }
    let mut text = String::new();
    for RowName { queue, id } in rows {
        let found = if retry { store.retry(*queue, *id).await? } else { store.discard(*queue, *id).await? };
        let what = match (found, retry) {
            (false, _) => "there is no such row; it may be done by now",
            (true, true) => "will be tried again now",
            (true, false) => "dropped",
        };
        writeln!(text, "{}:{id}: {what}", queue.table())?;
    }
    Ok(text)
}

fn due(row: &Listed) -> String {
    match row.due_at - now() {
        ..=0 => "due".into(),
        wait => format!("next try in {}", span(wait)),
    }
}

/// `45s`, `12m`, `3h`, `2d`.
fn span(milliseconds: i64) -> String {
    match milliseconds / 1000 {
        s @ ..=119 => format!("{}s", s.max(0)),
        s @ 120..=7199 => format!("{}m", s / 60),
        s @ 7200..=172_799 => format!("{}h", s / 3600),
        s => format!("{}d", s / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_named_by_queue_and_number() {
        assert_eq!("outbox:12".parse(), Ok(RowName { queue: Queue::Outbox, id: 12 }));
        for wrong in ["12", "box:1", "inbox:", "inbox:x"] {
            assert!(wrong.parse::<RowName>().unwrap_err().contains("outbox:12"), "{wrong}");
        }
    }

    #[test]
    fn times_are_short() {
        assert_eq!([0, 90_000, 600_000, 10_000_000, 900_000_000].map(span), ["0s", "90s", "10m", "2h", "10d"]);
    }
}
