//! How fast Fehmarn is, and how near to what this machine can do at all: `cargo bench --bench bridge -- --help`.
//!
//! The release binary runs as a child process between a homeserver and a mail server that live in this process. Every
//! message carries a marker, so that loss, repeats and times are taken in one place with one clock.

#![allow(clippy::disallowed_methods)]

mod bridge {
    pub mod component;
    pub mod domains;
    pub mod fehmarn;
    pub mod filling;
    // The ledger asks more of it.
    #[allow(dead_code)]
    pub mod homeserver;
    pub mod limits;
    pub mod mailer;
    pub mod neighbours;
    pub mod process;
    pub mod report;
    pub mod scenarios;
    pub mod selftest;
    pub mod sink;
    pub mod stage;
    pub mod stand_in;
    pub mod tally;
    pub mod xmpp;
}

use bridge::{limits, report::Report, scenarios, selftest, stage::Size, xmpp};
use clap::Parser;
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "cargo bench --bench bridge --")]
struct Options {
    /// A smoke run of less than 20 seconds; its figures mean little
    #[arg(long)]
    quick: bool,
    /// Only whether this program itself counts right: no Fehmarn is started
    #[arg(long)]
    selftest: bool,
    /// Only one direction, for a profiler
    #[arg(long, value_name = "to-mail|to-matrix|neighbours")]
    only: Option<scenarios::Direction>,
    /// Over XMPP instead of mail: its burst and calm phases, both ways
    #[arg(long, conflicts_with = "only")]
    xmpp: bool,
    /// Messages in a burst, instead of the size's own number
    #[arg(long, value_name = "N")]
    burst: Option<usize>,
    /// LMTP connections at once, instead of Postfix's own number
    #[arg(long, value_name = "N")]
    connections: Option<usize>,
    /// Begin with so many ghosts, and as many messages that wait for tomorrow
    #[arg(long, value_name = "N")]
    filled: Option<i64>,
    /// A command that Fehmarn is started under, such as "valgrind --tool=callgrind"
    #[arg(long, value_name = "COMMAND")]
    under: Option<String>,
    /// Keep the folder with configuration, database and log
    #[arg(long)]
    keep: bool,
    /// What cargo says when it runs benchmarks. Without it, this is `cargo test`, which wants no figures
    #[arg(long, hide = true)]
    bench: bool,
    /// What cargo-nextest asks of every test program: here is no test to list
    #[arg(long, hide = true)]
    list: bool,
    #[arg(long, hide = true)]
    format: Option<String>,
    #[arg(long, hide = true)]
    ignored: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    if options.list {
        return ExitCode::SUCCESS;
    }
    // reqwest is built without a provider of its own.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match run(&options).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether nothing was lost, repeated or put in the wrong place.
async fn run(options: &Options) -> anyhow::Result<bool> {
    if options.selftest || !options.bench {
        return selftest::run().await;
    }
    let mut size = if options.quick { Size::QUICK } else { Size::FULL };
    size.burst = options.burst.unwrap_or(size.burst);
    size.connections = options.connections.unwrap_or(size.connections);
    let mut report = Report::start(options.quick);
    let limits = limits::measure(&size).await?;
    report.limits(&limits);
    let way = scenarios::Way {
        only: options.only,
        under: options.under.as_deref(),
        filled: options.filled,
        keep: options.keep,
    };
    if options.xmpp {
        xmpp::run(&size, &way, &limits, &mut report).await?;
    } else {
        scenarios::run(&size, &way, &limits, &mut report).await?;
    }
    Ok(report.finish())
}
