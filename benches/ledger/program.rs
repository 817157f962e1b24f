//! Fehmarn, kept running as an init system does.

use super::plan::{Blow, Strike};
use crate::common::process::Process;
use anyhow::{Context, bail};
use serde_json::Value;
use std::{
    net::SocketAddr,
    path::PathBuf,
    process::Command,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};
use tokio::time::sleep;

const BINARY: &str = env!("CARGO_BIN_EXE_fehmarn");
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// It promises ten seconds; the machine may be busy.
const STOP_LIMIT: Duration = Duration::from_secs(20);
const START_LIMIT: Duration = Duration::from_secs(120);
/// After an end of its own.
const PAUSE: Duration = Duration::from_millis(500);

pub struct Program {
    listen: SocketAddr,
    inner: Arc<Mutex<Inner>>,
    http: reqwest::Client,
}

struct Inner {
    config: PathBuf,
    /// Instead of the one in the configuration.
    database: Option<String>,
    log: PathBuf,
    process: Option<Process>,
    /// Not while it is struck.
    wanted: bool,
    /// What it said when it ended unasked.
    ends: Vec<String>,
    late: usize,
}

impl Inner {
    fn start(&mut self) {
        let mut command = Command::new(BINARY);
        command.arg("run").arg("--config").arg(&self.config);
        if let Some(database) = &self.database {
            command.env("FEHMARN_DATABASE", database);
        }
        self.process = Some(Process::start(&mut command, self.log.clone()));
    }

    /// Notes an end that nobody asked for.
    fn look(&mut self) -> bool {
        let ended = self.process.as_mut().and_then(Process::has_ended);
        if let Some(status) = ended {
            self.process = None;
            self.ends.push(status.to_string());
        }
        ended.is_some()
    }
}

impl Program {
    /// Started. `folder` takes its log.
    pub fn start(config: PathBuf, database: Option<String>, listen: SocketAddr) -> Self {
        let log = config.with_file_name("fehmarn.log");
        let mut inner = Inner { config, database, log, process: None, wanted: true, ends: Vec::new(), late: 0 };
        inner.start();
        let inner = Arc::new(Mutex::new(inner));
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().expect("a client");
        tokio::spawn(keep_running(inner.clone()));
        Self { listen, inner, http }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("lock")
    }

    pub async fn strike(&self, strike: &Strike) {
        self.inner().look();
        match strike.blow {
            Blow::Kill => {
                let mut inner = self.inner();
                inner.wanted = false;
                if let Some(mut process) = inner.process.take() {
                    process.kill();
                }
            }
            Blow::Terminate => self.terminate().await,
            Blow::Hang => {
                if let Some(process) = &self.inner().process {
                    process.hang();
                }
            }
        }
    }

    async fn terminate(&self) {
        let taken = {
            let mut inner = self.inner();
            inner.wanted = false;
            inner.process.take()
        };
        let Some(mut process) = taken else { return };
        process.terminate();
        let since = Instant::now();
        while process.has_ended().is_none() {
            if since.elapsed() > STOP_LIMIT {
                self.inner().late += 1;
                return process.kill();
            }
            sleep(Duration::from_millis(10)).await;
        }
        process.join_log();
    }

    /// Does not wait until it is there.
    pub fn mend(&self, strike: &Strike) {
        let mut inner = self.inner();
        match (&inner.process, strike.blow) {
            (Some(process), Blow::Hang) => process.go_on(),
            (None, Blow::Kill | Blow::Terminate) => {
                inner.wanted = true;
                inner.start();
            }
            _ => {}
        }
    }

    /// How often it ended unasked, and what it said; how often it did not stop in time.
    pub fn ends(&self) -> (Vec<String>, usize) {
        let inner = self.inner();
        (inner.ends.clone(), inner.late)
    }

    /// How many rows wait in its queues; `None` while messages cannot cross.
    pub async fn waiting(&self) -> Option<u64> {
        let answer = self.http.get(format!("http://{}/ready", self.listen)).send().await.ok()?;
        if !answer.status().is_success() {
            return None;
        }
        let answer: Value = serde_json::from_slice(&answer.bytes().await.ok()?).ok()?;
        let of = |queue: &str| answer["queues"][queue]["waiting"].as_u64();
        Some(of("outbox")? + of("inbox")?)
    }

    pub async fn wait_until_ready(&self) -> anyhow::Result<()> {
        let since = Instant::now();
        while self.waiting().await.is_none() {
            if since.elapsed() > START_LIMIT {
                bail!("Fehmarn is not ready; its log: {}", self.log().display());
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    pub fn log(&self) -> PathBuf {
        self.inner().log.clone()
    }

    /// Lines of its log that are warnings or errors, by what they say.
    pub fn complaints(&self) -> anyhow::Result<std::collections::BTreeMap<String, usize>> {
        let log = std::fs::read_to_string(self.log()).context("the log")?;
        let mut complaints = std::collections::BTreeMap::new();
        for line in log.lines().filter(|line| line.contains(" WARN ") || line.contains("ERROR ")) {
            let words = line.split_once("fehmarn::").map_or(line, |(_, rest)| rest);
            let words = words.split_once(": ").map_or(words, |(_, rest)| rest);
            let words = words.split('=').next().unwrap_or(words);
            let words = words.rsplit_once(' ').map_or(words, |(words, _)| words);
            *complaints.entry(words.to_owned()).or_default() += 1;
        }
        Ok(complaints)
    }
}

async fn keep_running(inner: Arc<Mutex<Inner>>) {
    loop {
        sleep(LOOK_EVERY).await;
        let ended = {
            let mut inner = inner.lock().expect("lock");
            inner.look()
        };
        if ended {
            sleep(PAUSE).await;
        }
        let mut inner = inner.lock().expect("lock");
        if inner.wanted && inner.process.is_none() {
            inner.start();
        }
    }
}
