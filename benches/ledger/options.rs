//! The command line, and how much is done.

use super::plan::{Size, Tempo};
use clap::Parser;
use std::time::Duration;

#[derive(Parser)]
#[command(name = "scripts/ledger")]
pub struct Options {
    /// Through a homeserver and a mail server in this program, for volume; without it through real ones
    #[arg(long)]
    pub stub: bool,
    /// Fehmarn's database is PostgreSQL, and is struck too; without it SQLite
    #[arg(long)]
    pub postgres: bool,
    /// How many messages are written, both directions together
    #[arg(long, value_name = "N")]
    messages: Option<usize>,
    /// How many rooms they are written in
    #[arg(long, value_name = "R")]
    rooms: Option<usize>,
    /// How many blows are dealt
    #[arg(long, value_name = "K")]
    kills: Option<usize>,
    /// Repeats the plan of another run
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,
    /// The longest time between a blow and the burst before the next one
    #[arg(long, value_name = "MILLISECONDS")]
    calm: Option<u64>,
    /// How long nothing may change before what is missing is called lost
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    patience: u64,
    /// Only prints the plan
    #[arg(long)]
    pub plan: bool,
    /// Keeps Fehmarn's folder also when all is well
    #[arg(long)]
    pub keep: bool,
    /// Only whether the judge sees what is wrong
    #[arg(long)]
    pub selftest: bool,
    /// What cargo says when it runs benchmarks
    #[arg(long, hide = true)]
    bench: bool,
    /// What cargo-nextest asks of every test program: here is no test to list
    #[arg(long, hide = true)]
    pub list: bool,
    #[arg(long, hide = true)]
    format: Option<String>,
    #[arg(long, hide = true)]
    ignored: bool,
}

impl Options {
    /// What is not said is as in the short form, which is part of the test command.
    pub fn size(&self) -> Size {
        let (messages, rooms, kills, mut tempo) =
            if self.stub { (2000, 40, 20, Tempo::STUB) } else { (240, 6, 8, Tempo::REAL) };
        tempo.calm.end = self.calm.unwrap_or(tempo.calm.end).max(tempo.calm.start + 1);
        Size {
            messages: self.messages.unwrap_or(messages),
            rooms: self.rooms.unwrap_or(rooms).max(1),
            kills: self.kills.unwrap_or(kills),
            seed: self.seed.unwrap_or_else(rand::random),
            postgres: self.postgres,
            tempo,
        }
    }

    pub fn patience(&self) -> Duration {
        Duration::from_secs(self.patience)
    }
}
