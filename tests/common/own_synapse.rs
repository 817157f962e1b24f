//! A Synapse for one test alone, which may end it. Mail goes over the servers that all tests share.

use super::{
    process::run,
    servers::{self, Servers},
};
use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// How Synapse ends.
#[derive(Clone, Copy, Debug)]
pub enum End {
    /// SIGTERM, as an init system does.
    Orderly,
    /// SIGKILL, as a crash.
    Crash,
}

pub struct OwnSynapse {
    command: Vec<String>,
    folder: TempDir,
}

impl OwnSynapse {
    /// Started, and from now on *the* Synapse of this process: for a test that has done nothing yet.
    pub fn start() -> Self {
        let shared = servers::read(&servers::file());
        let synapse = Self { command: shared.command.clone(), folder: tempfile::tempdir().unwrap() };
        let installed = shared.dir.join("synapse-venv");
        if let Ok(installed) = fs::canonicalize(installed) {
            symlink(installed, synapse.folder.path().join("synapse-venv")).unwrap();
        }
        let program = env!("CARGO_BIN_EXE_fehmarn");
        synapse.manage(&["up", "--with", "synapse", "--slots", "1", "--fehmarn", program]);
        let own = servers::read(&synapse.folder.path().join("servers.json"));
        servers::use_these(Servers { synapse: own.synapse, slots: own.slots, server_name: own.server_name, ..shared });
        synapse
    }

    pub fn end(&self, how: End) {
        match how {
            End::Orderly => self.manage(&["stop", "synapse"]),
            End::Crash => self.manage(&["kill", "synapse"]),
        }
    }

    /// Starts it again, and waits until it answers.
    pub fn start_again(&self) {
        self.manage(&["start", "synapse"]);
    }

    fn manage(&self, arguments: &[&str]) {
        let mut command = self.command(arguments);
        tokio::task::block_in_place(|| run(&mut command));
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let (program, script) = self.command.split_first().unwrap();
        let mut command = Command::new(program);
        command.args(script).args(arguments).arg("--dir").arg(self.folder.path());
        command
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log/synapse.log")
    }
}

impl Drop for OwnSynapse {
    fn drop(&mut self) {
        let _ = self.command(&["down"]).output();
        if std::thread::panicking() {
            let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("synapse.log");
            if fs::copy(self.log(), &kept).is_ok() {
                eprintln!("the log of this test's Synapse: {}", kept.display());
            }
        }
    }
}
