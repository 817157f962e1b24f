//! Where the real servers are.

use super::slot::Slot;
use serde::Deserialize;
use std::{path::PathBuf, sync::OnceLock};

/// What `scripts/servers` writes down about the servers that it started.
#[derive(Deserialize)]
pub struct Servers {
    pub host: String,
    pub server_name: String,
    /// Of every mailbox.
    pub password: String,
    pub outside_domain: String,
    /// Who has signed the certificates.
    pub ca_file: PathBuf,
    pub synapse: Synapse,
    pub mail_ports: MailPorts,
    pub postgres: Postgres,
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
}

#[derive(Deserialize)]
pub struct Postgres {
    pub url: String,
}

pub fn servers() -> &'static Servers {
    static SERVERS: OnceLock<Servers> = OnceLock::new();
    SERVERS.get_or_init(read)
}

fn read() -> Servers {
    let file = std::env::var_os("FEHMARN_TEST_SERVERS").map(PathBuf::from).unwrap_or_else(|| {
        panic!(
            "These tests need real servers. Run scripts/test, or start the servers with scripts/servers/servers.py up \
             and set FEHMARN_TEST_SERVERS to the servers.json that it writes."
        )
    });
    let text = std::fs::read_to_string(&file)
        .unwrap_or_else(|e| panic!("FEHMARN_TEST_SERVERS names {}: {e}; are the servers up?", file.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{} is not as expected: {e}", file.display()))
}

pub fn postgres_url() -> String {
    servers().postgres.url.clone()
}
