//! Whether Fehmarn loses, doubles or misplaces anything while everything around it is struck down: `scripts/ledger --help`.
//!
//! Every message carries a number. What was written is compared with mailboxes and rooms at the end, as a ledger is
//! closed: each number must stand on both sides, in the same order, and what people were told must be true.
//!
//! | file | subject |
//! |---|---|
//! | `plan` | what happens in a run, all of it from one seed |
//! | `run` | carries a plan out, waits for quiet |
//! | `books`, `judge` | what was written, seen and told, and what is wrong with that |
//! | `world` | what a run needs of its surroundings; `stub`: in memory, for volume; `real`: real servers |
//! | `program` | Fehmarn as an init system keeps it; `services`: the servers that are struck |
//! | `mail`, `people`, `queue_id` | parts of these worlds |
//! | `selftest` | whether the judge sees what is wrong |

#![allow(clippy::disallowed_methods)]

// Shared with the benchmark and with the tests, which use more of it.
#[allow(dead_code, unused_imports)]
#[path = "bridge"]
mod bridge {
    pub mod component;
    pub mod domains;
    pub mod fehmarn;
    pub mod homeserver;
    pub mod mailer;
    pub mod process;
    pub mod sink;
    pub mod tally;
}
#[allow(dead_code, unused_imports, unused_macros)]
#[path = "../tests/common/mod.rs"]
mod common;
#[path = "ledger"]
mod ledger {
    pub mod books;
    pub mod judge;
    pub mod mail;
    pub mod options;
    pub mod people;
    pub mod plan;
    pub mod program;
    pub mod queue_id;
    pub mod real;
    pub mod report;
    pub mod run;
    pub mod selftest;
    pub mod services;
    pub mod stub;
    pub mod world;
}

use clap::Parser;
use ledger::{options::Options, plan::Plan, real::Real, report, run, selftest, stub::Stub, world::World};
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    if options.list {
        return ExitCode::SUCCESS;
    }
    // reqwest is built without a provider of its own.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match execute(&options).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("ledger: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the goal is reached.
async fn execute(options: &Options) -> anyhow::Result<bool> {
    selftest::run()?;
    if options.selftest {
        return Ok(true);
    }
    let size = options.size();
    let plan = Plan::of(&size);
    report::opening(options, &plan);
    if options.plan {
        report::plan(&plan);
        return Ok(true);
    }
    if options.stub {
        play(Stub::start(&size).await?, &plan, options).await
    } else {
        play(Real::start(&size).await?, &plan, options).await
    }
}

async fn play<W: World>(world: W, plan: &Plan, options: &Options) -> anyhow::Result<bool> {
    let outcome = run::run(&world, plan, options.patience()).await?;
    let good = report::closing(&outcome, plan);
    if options.keep || !good {
        println!("kept: {}", world.keep(plan.seed)?.display());
    }
    Ok(good)
}
