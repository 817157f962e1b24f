//! The real servers that are struck, over `scripts/servers`.

use super::plan::{Blow, Strike};
use crate::common::servers::Servers;
use anyhow::{Context, ensure};
use std::process::Command;
use tokio::task::spawn_blocking;

/// Strikes one of the servers.
pub async fn strike(servers: &Servers, service: &str, strike: &Strike) -> anyhow::Result<()> {
    let action = match strike.blow {
        Blow::Kill => "kill",
        Blow::Terminate => "stop",
        Blow::Hang => "pause",
    };
    manage(servers, action, service).await
}

/// Returns when it answers again.
pub async fn mend(servers: &Servers, service: &str, strike: &Strike) -> anyhow::Result<()> {
    let action = match strike.blow {
        Blow::Kill | Blow::Terminate => "start",
        Blow::Hang => "resume",
    };
    manage(servers, action, service).await
}

async fn manage(servers: &Servers, action: &str, service: &str) -> anyhow::Result<()> {
    let (program, script) = servers.command.split_first().context("servers.json has no command")?;
    let mut command = Command::new(program);
    command.args(script).args([action, service, "--dir"]).arg(&servers.dir);
    let done = spawn_blocking(move || command.output()).await??;
    let said = String::from_utf8_lossy(&done.stdout);
    ensure!(done.status.success(), "{action} {service}: {said} {}", String::from_utf8_lossy(&done.stderr));
    Ok(())
}
