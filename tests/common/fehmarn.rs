//! The program under test, configured and started as an admin would.

use super::{
    process::{self, Process},
    servers::{self, servers},
    slot::{self, Slot, Taken},
    wait::{PATIENCE, until},
};
use reqwest::StatusCode;
use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};
use std::{
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Output},
    time::{Duration, Instant},
};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_fehmarn");

/// What a Fehmarn is started with; the fields may be changed until then.
pub struct Setup {
    pub slot: Slot,
    pub homeserver: String,
    /// Where it listens; the homeserver looks for it on the slot's `listen_port`.
    pub listen_port: u16,
    pub smtp_port: u16,
    /// More keys of `smtp`, and more lines of `email`.
    pub smtp: Vec<String>,
    pub email: Vec<String>,
    /// More keys that stand at the top.
    pub top: Vec<String>,
    pub database: String,
    /// The domain of the addresses under which staff write.
    pub domain: String,
    /// How long a message waits for more.
    pub hold: &'static str,
    pub max_size: &'static str,
    pub lmtp: bool,
    pub imap: bool,
    /// What stands behind `senders:`.
    pub senders: Option<String>,
    /// Lines of the section `xmpp`, should there be one.
    pub xmpp: Option<Vec<String>>,
    /// Lines below `permissions:`.
    pub permissions: Vec<String>,
    /// More lines outside of any section.
    pub core: Vec<String>,
    /// What stands behind `identity:`.
    pub identity: Option<String>,
    /// A write beyond a limit of file size is an error, not a signal.
    pub survives_file_limit: bool,
    /// More of its environment.
    pub environment: Vec<(&'static str, PathBuf)>,
    /// More arguments of `run`, and what `FEHMARN_LOG` says.
    pub arguments: Vec<String>,
    pub log: &'static str,
    taken: Taken,
    folder: TempDir,
}

pub struct Fehmarn {
    setup: Setup,
    process: Option<Process>,
}

impl Setup {
    /// On a free slot, with mail over Postfix both ways, on SQLite.
    pub fn new() -> Self {
        // The only error of this call is that it was made before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let taken = slot::take();
        let slot = taken.slot.clone();
        Self {
            homeserver: servers().synapse.url.clone(),
            listen_port: slot.listen_port,
            smtp_port: servers().mail_ports.smtp,
            smtp: Vec::new(),
            top: Vec::new(),
            database: "sqlite:fehmarn.db".into(),
            domain: slot.domain.clone(),
            hold: "0s",
            max_size: "25MB",
            lmtp: true,
            imap: false,
            senders: None,
            permissions: vec!["'*': none".into(), format!("{:?}: write", servers().server_name)],
            email: Vec::new(),
            core: Vec::new(),
            identity: None,
            xmpp: None,
            survives_file_limit: false,
            environment: Vec::new(),
            arguments: Vec::new(),
            log: "info,fehmarn=debug",
            slot,
            taken,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// With mail out over Postfix, and in by reading the slot's mailbox.
    pub fn with_imap() -> Self {
        let mut setup = Self::new();
        setup.domain = setup.slot.imap_domain.clone();
        setup.lmtp = false;
        setup.imap = true;
        setup
    }

    /// With XMPP over Prosody as well.
    pub fn with_xmpp() -> Self {
        let mut setup = Self::new();
        let (domain, xmpp) = (&setup.slot.xmpp_domain, &servers().xmpp);
        setup.xmpp = Some(vec![
            "host: 127.0.0.1".into(),
            format!("port: {}", xmpp.component_port),
            format!("domain: {domain}"),
            format!("secret: {:?}", xmpp.secret),
            format!("upload: upload.{}", xmpp.domain),
            format!("files_from: [\"127.0.0.1:{}\"]", xmpp.http_port),
        ]);
        setup
    }

    /// On a PostgreSQL database of its own.
    pub async fn with_postgres() -> Self {
        let mut setup = Self::new();
        setup.database = servers::new_database().await;
        setup
    }

    /// The folder of its configuration and its database.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn config_path(&self) -> PathBuf {
        self.folder().join("config.yaml")
    }

    pub fn database_path(&self) -> PathBuf {
        self.folder().join("fehmarn.db")
    }

    pub fn config(&self) -> String {
        let servers = servers();
        let Slot { lmtp_port, prefix, imap_login, .. } = &self.slot;
        let mut text = format!(
            "homeserver: {{ url: {:?}, server_name: {:?} }}\n\
             appservice:\n  listen: 127.0.0.1:{}\n  url: {:?}\n  registration: {:?}\n  bot: {}\n  prefix: {prefix:?}\n\
             database: {:?}\n\
             permissions:\n  {}\n\
             connectors:\n  email:\n    domain: {domain}\n    from: \"{{localpart}}@{domain}\"\n    max_size: {}\n    \
             hold: {}\n    smtp:\n      host: 127.0.0.1\n      port: {}\n      tls: none\n",
            self.homeserver,
            servers.server_name,
            self.listen_port,
            self.slot.listen_url(),
            self.slot.registration,
            self.slot.bot(),
            self.database,
            self.permissions.join("\n  "),
            self.max_size,
            self.hold,
            self.smtp_port,
            domain = self.domain,
        );
        text.insert_str(0, &self.top.iter().map(|line| format!("{line}\n")).collect::<String>());
        text.extend(self.smtp.iter().map(|line| format!("      {line}\n")));
        text.extend(self.email.iter().map(|line| format!("    {line}\n")));
        if self.lmtp {
            text += &format!("    lmtp: {{ listen: \"127.0.0.1:{lmtp_port}\" }}\n");
        }
        if self.imap {
            text += &format!(
                "    imap: {{ host: 127.0.0.1, port: {}, tls: none, username: {imap_login:?}, password: {:?} }}\n",
                servers.mail_ports.imap, servers.password,
            );
        }
        if let Some(identity) = &self.identity {
            text = format!("identity: {identity}\n{text}");
        }
        if let Some(senders) = &self.senders {
            text += &format!("    senders: {senders}\n");
        }
        if let Some(lines) = &self.xmpp {
            text += "  xmpp:\n";
            text.extend(lines.iter().map(|line| format!("    {line}\n")));
        }
        text.extend(self.core.iter().map(|line| format!("{line}\n")));
        text
    }

    pub fn write_config(&self) {
        std::fs::write(self.config_path(), self.config()).unwrap();
    }

    /// Runs a command with its configuration, and waits for its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        program(&[arguments, &["--config", self.config_path().to_str().unwrap()]].concat())
    }

    /// The line of `fehmarn check` that contains this.
    pub fn check_line(&self, containing: &str) -> String {
        self.write_config();
        let lines = String::from_utf8(self.run(&["check"]).stdout).unwrap();
        lines.lines().find(|line| line.contains(containing)).unwrap_or_else(|| panic!("{lines}")).to_owned()
    }

    /// Starts it, and waits until messages can cross.
    pub async fn start(self) -> Fehmarn {
        let mut fehmarn = self.start_without_waiting();
        fehmarn.wait_until_ready().await;
        fehmarn
    }

    pub fn start_without_waiting(self) -> Fehmarn {
        self.write_config();
        let mut fehmarn = Fehmarn { setup: self, process: None };
        fehmarn.start_again_without_waiting();
        fehmarn
    }

    fn command(&self) -> Command {
        let mut command = if self.survives_file_limit {
            let mut command = Command::new("sh");
            command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", PROGRAM]);
            command
        } else {
            Command::new(PROGRAM)
        };
        command.args(["run", "--config"]).arg(self.config_path()).args(&self.arguments).env("FEHMARN_LOG", self.log);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// Runs the program, and waits for its end.
pub fn program(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).env_remove("FEHMARN_LOG").output().unwrap()
}

impl Fehmarn {
    pub async fn new() -> Self {
        Setup::new().start().await
    }

    pub fn slot(&self) -> &Slot {
        &self.setup.taken.slot
    }

    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("Fehmarn is not running")
    }

    fn log_path(&self) -> PathBuf {
        self.setup.folder().join("fehmarn.log")
    }

    pub fn log(&self) -> String {
        process::log(&self.log_path())
    }

    pub async fn wait_for_log(&self, text: &str) {
        until(&format!("{text:?} in the log"), async || self.log().contains(text).then_some(())).await;
    }

    /// `/health` or `/ready`; `None` if nobody listens.
    pub async fn status_of(&self, path: &str) -> Option<StatusCode> {
        let answer = reqwest::get(format!("{}{path}", self.slot().listen_url())).await;
        answer.ok().map(|answer| answer.status())
    }

    /// Waits until messages can cross, and until Synapse has pushed what it had kept back: an invitation that is written
    /// in the very moment in which it ends a recovery can be forgotten.
    pub async fn wait_until_ready(&mut self) {
        let since = Instant::now();
        while self.status_of("/ready").await != Some(StatusCode::OK) {
            if let Some(status) = self.process().has_ended() {
                panic!("Fehmarn ended at its start: {status}");
            }
            assert!(since.elapsed() < PATIENCE, "Fehmarn does not become ready");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let id = self.slot().registered("id");
        until("the end of Synapse's recovery", async || (!is_recovering(&id).await).then_some(())).await;
    }

    /// `kill -9`: what a crash is.
    pub fn kill(&mut self) {
        self.process().kill();
        self.process = None;
    }

    /// It does nothing until it goes on; its connections stay.
    pub fn hang(&mut self) {
        self.process().hang();
    }

    pub fn go_on(&mut self) {
        self.process().go_on();
    }

    /// SIGTERM, and its end.
    pub async fn stop(&mut self) -> ExitStatus {
        self.process().terminate();
        let status = until("the end of Fehmarn", async || self.process().has_ended()).await;
        self.process = None;
        status
    }

    pub async fn start_again(&mut self) {
        self.start_again_without_waiting();
        self.wait_until_ready().await;
    }

    pub fn start_again_without_waiting(&mut self) {
        assert!(self.process.is_none(), "Fehmarn is running");
        self.process = Some(Process::start(&mut self.setup.command(), self.log_path()));
    }

    pub fn limit_files(&mut self, count: Option<u64>) {
        self.process().limit_files(count);
    }

    pub fn limit_file_size(&mut self, bytes: Option<u64>) {
        self.process().limit_file_size(bytes);
    }

    /// `fehmarn queue ...`: what it prints.
    pub fn queue(&self, arguments: &[&str]) -> String {
        let done = self.setup.run(&[&["queue"], arguments].concat());
        assert!(done.status.success(), "fehmarn queue {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    }

    /// The lines of `fehmarn queue list` that name a row.
    pub fn rows(&self, containing: &str) -> Vec<String> {
        let list = self.queue(&["list", "--limit", "10000"]);
        list.lines().filter(|line| line.starts_with("  ") && line.contains(containing)).map(str::to_owned).collect()
    }
}

/// Whether Synapse keeps back what it has for this application service. Only its database tells.
async fn is_recovering(id: &str) -> bool {
    let options = SqliteConnectOptions::new().filename(&servers().synapse.database).read_only(true);
    let mut database = options.connect().await.unwrap();
    let query = sqlx::query_scalar("SELECT state FROM application_services_state WHERE as_id = $1").bind(id);
    let state: Option<String> = query.fetch_optional(&mut database).await.unwrap();
    state.is_some_and(|state| state == "down")
}

impl Drop for Fehmarn {
    fn drop(&mut self) {
        self.process = None;
        if std::thread::panicking() {
            eprintln!("--- the log of Fehmarn on slot {} ---\n{}---", self.slot().name, self.log());
        }
    }
}
