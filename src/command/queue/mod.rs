//! `fehmarn queue`: what waits, what is dead, and why.

mod filter;
mod list;
mod many;

use crate::store::{Listed, Queue, Store, now};
use anyhow::Context;
use filter::Filter;
use std::{fmt, fmt::Write, str::FromStr};

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

impl fmt::Display for RowName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.queue.table(), self.id)
    }
}

#[derive(Clone, Debug, clap::Subcommand)]
pub enum Action {
    /// Show what waits and what is dead
    List {
        #[command(flatten)]
        filter: Filter,
        /// Show at most this many rows of each queue
        #[arg(long, default_value_t = 50)]
        limit: i64,
        /// Go on after this row, in the order of the numbers, whether it still is there or not
        #[arg(long)]
        after: Option<RowName>,
    },
    /// Show all that is known of a row
    Show {
        row: RowName,
        /// Also print the message itself
        #[arg(long)]
        payload: bool,
    },
    /// Try rows again now, dead ones too: those that are named, or all that match
    Retry {
        rows: Vec<RowName>,
        #[command(flatten)]
        filter: Filter,
    },
    /// Delete rows for good, those that are named, or all that match; the messages are lost
    Drop {
        rows: Vec<RowName>,
        #[command(flatten)]
        filter: Filter,
        /// Really drop all that match
        #[arg(long)]
        yes: bool,
    },
}

impl Action {
    /// Does it, and returns the text for the admin.
    pub async fn run(&self, store: &Store) -> anyhow::Result<String> {
        match self {
            Self::List { filter, limit, after } => list::list(store, filter, *limit, *after).await,
            Self::Show { row, payload } => show(store, *row, *payload).await,
            Self::Retry { rows, filter } => many::run(store, rows, filter, many::Deed::Retry, true).await,
            Self::Drop { rows, filter, yes } => many::run(store, rows, filter, many::Deed::Drop, *yes).await,
        }
    }
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
