//! Which rows are meant, where there are too many to name them.

use crate::{
    failure::Reason,
    store::{Queue, Selection},
};

/// All that is given must be true of a row.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Filter {
    /// Only rows of this queue
    #[arg(long)]
    queue: Option<QueueName>,
    /// Only rows of this connector, as in email; matrix: what Fehmarn itself has to do
    #[arg(long)]
    connector: Option<String>,
    /// Only rows for addresses at this domain
    #[arg(long)]
    domain: Option<String>,
    /// Only rows that failed for this reason, as in unreachable
    #[arg(long, value_parser = reason)]
    reason: Option<Reason>,
    /// Only dead rows
    #[arg(long, conflicts_with = "waiting")]
    dead: bool,
    /// Only rows that are not dead
    #[arg(long)]
    waiting: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum QueueName {
    /// To people outside
    Outbox,
    /// To Matrix
    Inbox,
}

fn reason(text: &str) -> Result<Reason, String> {
    Reason::from_name(text).map_err(|known| format!("there is no such reason, known are {}", known.join(", ")))
}

impl Filter {
    /// Whether it means all rows there are.
    pub fn is_empty(&self) -> bool {
        self.queue.is_none() && self.selection().is_empty()
    }

    pub fn selection(&self) -> Selection {
        Selection {
            connector: self.connector.clone(),
            domain: self.domain.as_ref().map(|domain| domain.trim_start_matches('@').to_owned()),
            reason: self.reason.map(|reason| reason.key().to_owned()),
            dead: (self.dead || self.waiting).then_some(self.dead),
        }
    }

    pub fn queues(&self) -> Vec<Queue> {
        match self.queue {
            None => vec![Queue::Outbox, Queue::Inbox],
            Some(QueueName::Outbox) => vec![Queue::Outbox],
            Some(QueueName::Inbox) => vec![Queue::Inbox],
        }
    }
}
