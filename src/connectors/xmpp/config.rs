//! The section `connectors.xmpp` of the configuration.

use super::address::Identity;
use crate::{
    language::Language,
    tls::{self, Tls},
    yaml::{self, Document, Secret, SecretSource},
};
use serde::Deserialize;
use std::path::PathBuf;

const SECTION: &str = "connectors.xmpp";
const PORT: u16 = 5347;

/// The section as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    /// The XMPP server that knows us as a component.
    host: String,
    port: Option<u16>,
    #[serde(default = "opportunistic")]
    tls: Tls,
    /// Certificates to trust besides those of the system.
    ca_file: Option<PathBuf>,
    /// The domain that is ours there: staff write as `LOCALPART@DOMAIN`.
    domain: String,
    secret: Option<Secret>,
    secret_file: Option<PathBuf>,
    /// The upload service of the server (XEP-0363).
    upload: Option<String>,
    /// From which hosts besides public ones files are fetched.
    #[serde(default)]
    files_from: Vec<String>,
    /// The largest file in megabytes, in and out.
    #[serde(default = "max_file")]
    max_file_megabytes: u32,
}

fn opportunistic() -> Tls {
    Tls::Opportunistic
}

fn max_file() -> u32 {
    25
}

/// What is read above the section.
#[derive(Deserialize)]
struct Core {
    #[serde(default)]
    language: Language,
}

/// The section, understood.
pub struct Config {
    pub language: Language,
    pub identity: Identity,
    pub server: Server,
    pub upload: Option<String>,
    pub files_from: Vec<String>,
    /// In bytes.
    pub max_file: u64,
}

/// The XMPP server, and what it knows us by.
#[derive(Clone)]
pub struct Server {
    pub place: tls::Server,
    pub secret: Secret,
}

impl Config {
    pub fn read(document: &Document, env: yaml::Env<'_>) -> Result<Self, yaml::Error> {
        let Core { language } = document.read()?;
        let section: Section = document.section(&["connectors", "xmpp"])?;
        let source = SecretSource { inline: section.secret, file: section.secret_file };
        let secret = document.secret(env, &format!("{SECTION}.secret"), &source)?.ok_or_else(|| {
            let problem = "is missing; it is what the XMPP server knows this component by";
            document.error(&format!("{SECTION}.secret"), problem)
        })?;
        let identity = Identity::new(&section.domain).ok_or_else(|| {
            document.error(&format!("{SECTION}.domain"), format!("{:?} is not a domain", section.domain))
        })?;
        let port = section.port.unwrap_or(PORT);
        let ca_file = section.ca_file.as_deref().map(|file| document.resolve(file));
        let place = tls::Server::new(&section.host, port, section.tls, ca_file.as_deref())
            .map_err(|problem| document.error(SECTION, problem))?;
        Ok(Self {
            language,
            identity,
            server: Server { place, secret },
            upload: section.upload,
            files_from: section.files_from,
            max_file: u64::from(section.max_file_megabytes) * 1_000_000,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn read(section: &str) -> Result<Config, String> {
        let text = format!("language: en\nconnectors:\n  xmpp:\n    host: localhost\n{section}");
        Config::read(&Document::new(Path::new("config.yaml"), text), &|_| None).map_err(|e| e.to_string())
    }

    #[test]
    fn a_domain_and_a_secret_are_enough() {
        let config = read("    domain: Matrix.xmpp.test\n    secret: s\n").unwrap();
        assert_eq!((config.server.place.port, config.identity.domain.as_str()), (5347, "matrix.xmpp.test"));
        assert_eq!(config.server.place.tls, Tls::Opportunistic);
        assert_eq!(config.max_file, 25_000_000);
    }

    #[test]
    fn mistakes_are_named() {
        for (section, problem) in [
            ("    domain: matrix.xmpp.test\n", "connectors.xmpp.secret: is missing"),
            ("    domain: x.test\n    secret: s\n    tls: maybe\n", "unknown variant `maybe`"),
            (
                "    domain: x.test\n    secret: s\n    tls: tls\n    ca_file: /nowhere/ca.pem\n",
                "ca_file: /nowhere/ca.pem",
            ),
            ("    domain: a@b\n    secret: s\n", "connectors.xmpp.domain: \"a@b\" is not a domain"),
            ("    domain: x.test\n    secret: s\n    fax: 1\n", "unknown field `fax`"),
        ] {
            let error = read(section).err().unwrap();
            assert!(error.contains(problem), "{error}");
        }
    }
}
