//! The real binary: its folder, its start and its end.

use super::{component::DOMAIN, homeserver::Registration, process::Process};
use anyhow::{Context, bail, ensure};
use serde_yaml::Value;
use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const BINARY: &str = env!("CARGO_BIN_EXE_fehmarn");
/// Under valgrind everything takes fifty times as long.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long `/ready` may stay unwell when `/health` is well.
const READY_LIMIT: Duration = Duration::from_secs(10);
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// A folder as `fehmarn init` makes it, with the mail servers of the benchmark.
pub struct Installation {
    pub folder: PathBuf,
    pub registration: Registration,
    pub listen: SocketAddr,
    pub lmtp: SocketAddr,
}

impl Installation {
    pub fn create(folder: &Path, homeserver: &str, smtp: SocketAddr) -> anyhow::Result<Self> {
        let (listen, lmtp) = (free_address()?, free_address()?);
        let init = Command::new(BINARY)
            .args(["init", "--homeserver", homeserver, "--server-name", "bench.local", "--prefix", "_"])
            .args(["--domain", "chat.bench.local", "--listen", &listen.to_string(), "--dir"])
            .arg(folder)
            .output()
            .context(BINARY)?;
        ensure!(init.status.success(), "fehmarn init: {}", String::from_utf8_lossy(&init.stderr).trim());
        configure(&folder.join("config.yaml"), smtp, lmtp)?;
        let registration = registration(&folder.join("registration.yaml"))?;
        Ok(Self { folder: folder.into(), registration, listen, lmtp })
    }

    pub fn database(&self) -> PathBuf {
        self.folder.join("fehmarn.db")
    }

    /// Makes XMPP the only network, over this server.
    pub fn speak_xmpp(&self, server: SocketAddr) -> anyhow::Result<()> {
        let path = self.folder.join("config.yaml");
        let mut config: Value = serde_yaml::from_str(&read(&path)?)?;
        let (host, port) = (server.ip(), server.port());
        let section = format!("xmpp: {{ host: \"{host}\", port: {port}, domain: {DOMAIN}, secret: bench }}");
        let connectors = config.as_mapping_mut().context("config.yaml is no mapping")?;
        connectors.insert("connectors".into(), serde_yaml::from_str(&section)?);
        Ok(fs::write(path, serde_yaml::to_string(&config)?)?)
    }

    /// The last lines that Fehmarn logged.
    pub fn log(&self) -> String {
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }

    /// How many lines of the log are warnings or errors.
    pub fn complaints(&self) -> usize {
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        log.lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).count()
    }
}

/// Puts the benchmark's own mail servers into the configuration, and leaves the rest as it is.
fn configure(path: &Path, smtp: SocketAddr, lmtp: SocketAddr) -> anyhow::Result<()> {
    let mut config: Value = serde_yaml::from_str(&read(path)?)?;
    // Nobody writes as much in a minute as a benchmark does.
    config.as_mapping_mut().context("config.yaml is no mapping")?.remove("limits");
    let email = config.get_mut("connectors").and_then(|connectors| connectors.get_mut("email"));
    let email = email.and_then(Value::as_mapping_mut).context("config.yaml has no connectors.email")?;
    let parse = |text: String| serde_yaml::from_str::<Value>(&text);
    email.insert("smtp".into(), parse(format!("{{ host: \"{}\", port: {}, tls: none }}", smtp.ip(), smtp.port()))?);
    email.insert("lmtp".into(), parse(format!("{{ listen: \"{lmtp}\" }}"))?);
    email.remove("imap");
    // What is measured is how fast a mail can leave, not how long it is told to wait.
    email.insert("hold".into(), "0s".into());
    // A member of staff who writes ten times in a second is nobody's case but this one.
    config.as_mapping_mut().context("config.yaml is no mapping")?.remove("limits");
    Ok(fs::write(path, serde_yaml::to_string(&config)?)?)
}

fn registration(path: &Path) -> anyhow::Result<Registration> {
    let file: Value = serde_yaml::from_str(&read(path)?)?;
    let text = |key: &str| {
        let value = file.get(key).and_then(Value::as_str).map(str::to_owned);
        value.with_context(|| format!("registration.yaml has no {key}"))
    };
    Ok(Registration {
        url: text("url")?,
        as_token: text("as_token")?,
        hs_token: text("hs_token")?,
        sender_localpart: text("sender_localpart")?,
    })
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| path.display().to_string())
}

/// An address that was free a moment ago.
pub fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// A running Fehmarn. It is killed when this is dropped.
pub struct Fehmarn {
    child: Child,
}

impl Fehmarn {
    /// Starts it, and returns how long it took until it said that it is ready. `under` is a command that starts it.
    pub async fn start(installation: &Installation, under: Option<&str>) -> anyhow::Result<(Self, Duration)> {
        let mut words = under.into_iter().flat_map(str::split_whitespace).chain([BINARY]);
        let mut command = Command::new(words.next().unwrap_or(BINARY));
        let log = File::options().create(true).append(true).open(installation.folder.join("log"))?;
        let config = installation.folder.join("config.yaml");
        command.args(words).arg("run").arg("--config").arg(config);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let start = Instant::now();
        let mut fehmarn = Self { child: command.spawn()? };
        let ready = fehmarn.wait_until_ready(installation).await?;
        Ok((fehmarn, ready - start))
    }

    /// Returns when `/ready` was well first; or `/health`, where `/ready` stays unwell for some reason of its own.
    async fn wait_until_ready(&mut self, installation: &Installation) -> anyhow::Result<Instant> {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build()?;
        let well = async |path: &str| {
            let asked = http.get(format!("http://{}{path}", installation.listen)).send().await;
            asked.is_ok_and(|answer| answer.status().is_success())
        };
        let (start, mut healthy) = (Instant::now(), None);
        while start.elapsed() < START_LIMIT {
            if let Some(status) = self.child.try_wait()? {
                bail!("fehmarn run ended ({status}):\n{}", installation.log());
            }
            if well("/ready").await {
                return Ok(Instant::now());
            }
            if healthy.is_none() && well("/health").await {
                healthy = Some(Instant::now());
            }
            match healthy {
                Some(since) if since.elapsed() > READY_LIMIT => {
                    eprintln!("bench: /ready stays unwell; the time until /health is taken");
                    return Ok(since);
                }
                _ => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
        bail!("Fehmarn was not ready within {} s:\n{}", START_LIMIT.as_secs(), installation.log())
    }

    pub fn process(&self) -> Process {
        Process(self.child.id())
    }

    /// Asks it to end, and returns how long that took.
    pub async fn stop(mut self) -> anyhow::Result<Duration> {
        let start = Instant::now();
        // The standard library can only kill.
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().context("kill")?;
        while start.elapsed() < STOP_LIMIT {
            if self.child.try_wait()?.is_some() {
                return Ok(start.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        bail!("Fehmarn did not end within {} s of SIGTERM", STOP_LIMIT.as_secs())
    }
}

impl Drop for Fehmarn {
    fn drop(&mut self) {
        // It has ended already, or it has to now.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
