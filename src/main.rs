//! The command line.

use clap::{Parser, Subcommand};
use fehmarn::{
    Fehmarn,
    command::{check, init::Init, queue::Action},
    config::Config,
    connectors::KINDS,
    log::{self, Format},
    store::Store,
    yaml::environment,
};
use std::{path::PathBuf, process::ExitCode};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A bridge between Matrix and people who have e-mail.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// How the log is written: for people, or one JSON object on each line
    #[arg(long, global = true, value_enum, default_value_t)]
    log_format: Format,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write config.yaml and registration.yaml; never overwrites
    Init(Init),
    /// Try everything that `run` will need
    Check {
        #[arg(long)]
        config: PathBuf,
    },
    /// Carry messages until SIGTERM
    Run {
        #[arg(long)]
        config: PathBuf,
    },
    /// What waits and what is dead
    Queue {
        #[arg(long, global = true, default_value = "config.yaml")]
        config: PathBuf,
        #[command(subcommand)]
        action: Action,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // The only error of this call is that it was made before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    log::start(arguments.log_format);
    match execute(arguments.command).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("fehmarn: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn execute(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Init(init) => println!("{}", init.run(&rand::random::<[u8; 32]>)?),
        Command::Check { config } => {
            let findings = check::run(&config).await;
            for finding in &findings {
                match &finding.result {
                    Ok(found) => println!("ok      {}: {found}", finding.what),
                    Err(problem) => println!("FAILED  {}: {problem}", finding.what),
                }
            }
            if findings.iter().any(|finding| finding.result.is_err()) {
                return Ok(ExitCode::FAILURE);
            }
        }
        Command::Run { config } => {
            let stop = CancellationToken::new();
            tokio::spawn(stop_on_signal(stop.clone())?);
            Fehmarn::open(&config).await?.run(stop).await?;
            tracing::info!("stopped");
        }
        Command::Queue { config, action } => {
            let config = Config::open(&config, KINDS, &environment)?;
            let store = Store::open(config.database.expose()).await?;
            print!("{}", action.run(&store).await?);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn stop_on_signal(stop: CancellationToken) -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        stop.cancel();
    })
}
