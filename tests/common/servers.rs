//! Where the real servers are.

use super::{slot::Slot, wait::unique};
use serde::Deserialize;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

/// What `scripts/servers` writes down about the servers that it started.
#[derive(Deserialize)]
pub struct Servers {
    /// Their folder.
    pub dir: PathBuf,
    /// What starts and stops servers.
    pub command: Vec<String>,
    pub host: String,
    pub server_name: String,
    /// Of every mailbox.
    pub password: String,
    pub outside_domain: String,
    /// Who has signed the certificates.
    pub ca_file: PathBuf,
    /// The name in the certificates.
    pub tls_name: String,
    pub synapse: Synapse,
    pub mail_ports: MailPorts,
    pub postgres: Postgres,
    pub xmpp: Xmpp,
    /// Not started unless it was asked for.
    pub ejabberd: Xmpp,
    pub clients: Clients,
    pub slots: Vec<Slot>,
}

#[derive(Deserialize)]
pub struct Synapse {
    pub url: String,
    pub port: u16,
    /// Its SQLite file.
    pub database: PathBuf,
}

#[derive(Deserialize)]
pub struct MailPorts {
    pub smtp: u16,
    /// With STARTTLS, and only for who has signed in.
    pub submission: u16,
    pub imap: u16,
    /// With TLS from the first byte.
    pub imaps: u16,
}

#[derive(Deserialize)]
pub struct Xmpp {
    /// What `scripts/servers` calls it.
    pub service: String,
    /// Where the people outside have their accounts.
    pub domain: String,
    pub port: u16,
    pub component_port: u16,
    pub http_port: u16,
    /// Where components come with TLS.
    pub tls_port: u16,
    /// Of every slot's component.
    pub secret: String,
    /// A Python that has slixmpp.
    pub python: PathBuf,
}

/// Matrix clients that are not ours.
#[derive(Deserialize)]
pub struct Clients {
    pub node: PathBuf,
    /// Where their libraries are.
    pub modules: PathBuf,
    pub browser: PathBuf,
}

#[derive(Deserialize)]
pub struct Postgres {
    pub url: String,
}

static SERVERS: OnceLock<Servers> = OnceLock::new();

pub fn servers() -> &'static Servers {
    SERVERS.get_or_init(|| read(&file()))
}

/// From now on these are the servers of this process, which must be that of one test alone: nextest makes it so.
pub fn use_these(servers: Servers) {
    assert!(SERVERS.set(servers).is_ok(), "the servers of this process were asked for before");
}

/// What the test command has written down.
pub fn file() -> PathBuf {
    std::env::var_os("FEHMARN_TEST_SERVERS").map(PathBuf::from).unwrap_or_else(|| {
        panic!(
            "These tests need real servers. Run scripts/test, or start the servers with scripts/servers/servers.py up \
             and set FEHMARN_TEST_SERVERS to the servers.json that it writes."
        )
    })
}

pub fn read(file: &Path) -> Servers {
    let text = std::fs::read_to_string(file)
        .unwrap_or_else(|e| panic!("FEHMARN_TEST_SERVERS names {}: {e}; are the servers up?", file.display()));
    let mut servers: Servers =
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{} is not as expected: {e}", file.display()));
    if std::env::var("FEHMARN_TEST_XMPP").is_ok_and(|name| name == servers.ejabberd.service) {
        std::mem::swap(&mut servers.xmpp, &mut servers.ejabberd);
    }
    servers
}

/// A new database in PostgreSQL; its URL.
pub async fn new_database() -> String {
    let url = &servers().postgres.url;
    let name = unique("fehmarn").replace('-', "_");
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await.unwrap();
    format!("{}/{name}", url.rsplit_once('/').unwrap().0)
}

pub fn postgres_url() -> String {
    servers().postgres.url.clone()
}
