//! The section `connectors.email` of the configuration.

mod dkim;
mod original;
mod people;
mod senders;
mod smtp;
mod units;

use super::{
    address::{Identity, Template},
    authentication::Senders,
    dkim::Signers,
    imap,
    smtp::Routes,
    tls::{Server, Tls},
};
use crate::{
    connector::Connection,
    language::Language,
    yaml::{self, Document, Secret, SecretSource},
};
pub use original::FullMessage;
use serde::Deserialize;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};
use units::{Size, Span};

const SECTION: &str = "connectors.email";

/// The section as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    /// The domain of our own addresses: mail to it comes in by `lmtp` or `imap`.
    domain: String,
    /// How a member of staff's address is made.
    #[serde(default = "from_template")]
    from: String,
    #[serde(default)]
    from_name: Template,
    #[serde(default)]
    delimiter: people::Delimiter,
    #[serde(default)]
    offices: people::Entries<people::OfficeSection>,
    #[serde(default)]
    people: people::Entries<people::PersonSection>,
    smtp: smtp::SmtpSection,
    /// Keys to sign with, should the mail server not do it.
    #[serde(default)]
    dkim: dkim::DkimSection,
    lmtp: Option<LmtpSection>,
    imap: Option<ImapSection>,
    /// How it is found out whether a mail is from whom it says; without it nothing is checked.
    senders: Option<senders::SendersSection>,
    /// The largest mail, in and out.
    #[serde(default)]
    max_size: Size,
    /// How long a mail waits for further lines, edits and deletions before it is sent.
    #[serde(default = "hold")]
    hold: Span<0, 600>,
    /// How people get at the part of a mail that is not shown.
    #[serde(default)]
    full_message: FullMessage,
}

/// Where our own mail server hands mail over. No sign-in: only that server may reach it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LmtpSection {
    listen: SocketAddr,
}

/// The mailbox to which mail for `domain` is delivered.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ImapSection {
    host: String,
    port: Option<u16>,
    #[serde(default = "tls")]
    tls: Tls,
    username: String,
    password: Option<Secret>,
    password_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    #[serde(default = "inbox")]
    mailbox: String,
    #[serde(default = "poll")]
    poll: Poll,
}

/// A connection that says nothing for 10 minutes is forgotten by many a router on the way.
type Poll = Span<5, 540>;

fn poll() -> Poll {
    Span(Duration::from_secs(60))
}

fn hold() -> Span<0, 600> {
    Span(Duration::from_secs(10))
}

fn from_template() -> String {
    "{localpart}@{domain}".into()
}

fn tls() -> Tls {
    Tls::Implicit
}

fn inbox() -> String {
    "INBOX".into()
}

/// What is read above the section.
#[derive(Deserialize)]
struct Core {
    #[serde(default)]
    language: Language,
}

/// The section, understood.
pub struct Config {
    /// What staff read.
    pub language: Language,
    pub identity: Identity,
    pub smtp: Routes,
    pub connections: usize,
    pub dkim: Signers,
    pub lmtp: Option<SocketAddr>,
    pub imap: Option<imap::Account>,
    pub senders: Senders,
    pub hold: Duration,
    /// In bytes.
    pub max_size: u64,
    pub full_message: FullMessage,
}

impl Config {
    /// Reads `connectors.email`, the files that it names, and the secrets.
    pub fn read(document: &Document, env: yaml::Env<'_>) -> Result<Self, yaml::Error> {
        let section: Section = document.section(&["connectors", "email"])?;
        let Section { domain, from, from_name, delimiter, offices, people, .. } = section;
        let from = from.replace("{domain}", &domain);
        let identity = Identity::new(&domain, &from).map_err(|e| document.error(SECTION, e))?;
        let identity = identity.with_language(document.read::<Core>()?.language);
        let identity =
            people::Written { from_name, delimiter, offices, people }.complete(SECTION, document, identity)?;
        let Section {
            smtp, dkim, lmtp, imap, senders, max_size: Size(max_size), hold: Span(hold), full_message, ..
        } = section;
        if lmtp.is_none() && imap.is_none() {
            return Err(document.error(SECTION, "has neither lmtp nor imap: no answer would ever come in"));
        }
        let source = Source { document, env };
        let smtp::Smtp { routes, connections } = smtp::read(&source, smtp, identity.domain(), lmtp.is_some())?;
        Ok(Self {
            language: document.read::<Core>()?.language,
            smtp: routes,
            senders: senders::read(senders, &identity, document)?,
            connections,
            dkim: dkim::read(&source, dkim, &from)?,
            identity,
            lmtp: lmtp.map(|lmtp| lmtp.listen),
            imap: imap.map(|imap| source.imap(imap, max_size)).transpose()?,
            hold,
            max_size,
            full_message,
        })
    }
}

/// Where the values of the section come from.
struct Source<'a> {
    document: &'a Document,
    env: yaml::Env<'a>,
}

impl Source<'_> {
    fn imap(&self, section: ImapSection, max_size: u64) -> Result<imap::Account, yaml::Error> {
        const KEY: &str = "connectors.email.imap";
        let ImapSection { host, port, tls, username, password, password_file, ca_file, mailbox, poll } = section;
        if tls == Tls::Opportunistic {
            return Err(self.document.error("connectors.email.imap.tls", "is for smtp only: write starttls or tls"));
        }
        let port = port.unwrap_or(if tls == Tls::Implicit { 993 } else { 143 });
        let password = self.password(KEY, SecretSource { inline: password, file: password_file })?;
        let password = password.ok_or_else(|| self.no_password(KEY))?;
        let (server, mailbox) = (self.server(KEY, &host, port, tls, ca_file.as_deref())?, imap::encode(&mailbox));
        let connection = Connection::new("imap", &server);
        Ok(imap::Account { server, username, password, mailbox, poll: poll.0, max_size, connection })
    }

    fn password(&self, key: &str, source: SecretSource) -> Result<Option<Secret>, yaml::Error> {
        self.document.secret(self.env, &format!("{key}.password"), &source)
    }

    fn no_password(&self, key: &str) -> yaml::Error {
        let variable = format!("FEHMARN_{}_PASSWORD", key.replace(['.', '-'], "_").to_uppercase());
        self.document.error(key, format!("has a username and no password: set password_file, password or {variable}"))
    }

    fn server(
        &self,
        key: &str,
        host: &str,
        port: u16,
        tls: Tls,
        ca_file: Option<&Path>,
    ) -> Result<Server, yaml::Error> {
        let ca_file = ca_file.map(|file| self.document.resolve(file));
        Server::new(host, port, tls, ca_file.as_deref()).map_err(|e| self.document.error(key, e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn read(section: &str) -> Result<Config, String> {
        let text = format!("connectors:\n  email:\n{}", section.replace('\n', "\n    ").replacen("", "    ", 1));
        let document = Document::new(Path::new("/etc/fehmarn/config.yaml"), text);
        let env = |name: &str| (name == "FEHMARN_CONNECTORS_EMAIL_IMAP_PASSWORD").then(|| "from env".to_owned());
        Config::read(&document, &env).map_err(|e| e.to_string())
    }

    #[test]
    fn a_short_section_is_enough() {
        let config =
            read("domain: chat.example\nsmtp: { host: mx.example, tls: none }\nlmtp: { listen: '127.0.0.1:2525' }");
        let config = config.unwrap();
        let account = config.smtp.way("bob@example.org").0.account();
        assert_eq!((account.server.to_string().as_str(), config.connections), ("mx.example:25", 32));
        assert_eq!((account.hello.as_str(), config.max_size), ("chat.example", 25_000_000));
        assert!(account.login.is_none() && config.imap.is_none() && config.dkim.is_empty());
        assert_eq!(config.full_message, FullMessage::OnDemand);
        assert_eq!(config.hold, Duration::from_secs(10));
        assert_eq!(config.lmtp.unwrap().port(), 2525);
    }

    #[test]
    fn all_keys_are_read() {
        let config = read(
            "domain: chat.example\nfrom: '{localpart}@{domain}'\nmax_size: 1MiB\nfull_message: attach\n\
             smtp: { host: mx.example, port: 26, tls: none, username: u, password: p, connections: 3, hello: me.example }\n\
             imap: { host: mx.example, tls: none, username: bridge, mailbox: Büro, poll: 2m }",
        );
        let config = config.unwrap();
        let account = config.smtp.way("bob@example.org").0.account();
        assert_eq!((account.server.port, config.connections, config.max_size), (26, 3, 1 << 20));
        let (user, password) = account.login.as_ref().unwrap();
        assert_eq!((user.as_str(), password.expose(), account.hello.as_str()), ("u", "p", "me.example"));
        assert_eq!(config.full_message, FullMessage::Attach);
        let imap = config.imap.unwrap();
        assert_eq!((imap.server.port, imap.password.expose()), (143, "from env"));
        assert_eq!((imap.mailbox.as_str(), imap.poll.as_secs(), imap.max_size), ("B&APw-ro", 120, 1 << 20));
    }

    #[test]
    fn each_mistake_is_named_with_its_key_and_how_to_mend_it() {
        let smtp = "domain: chat.example\nsmtp: { host: mx.example, tls: none";
        let good = "}\nlmtp: { listen: '127.0.0.1:2525' }";
        for (section, words) in [
            (format!("{smtp} }}"), vec!["connectors.email", "neither lmtp nor imap"]),
            (format!("{smtp}, username: u {good}"), vec!["email.smtp:", "FEHMARN_CONNECTORS_EMAIL_SMTP_PASSWORD"]),
            (format!("{smtp}, password: p {good}"), vec!["email.smtp:", "no username"]),
            (format!("{smtp}, connections: 0 {good}"), vec!["smtp.connections", "between 1 and 1000"]),
            (format!("{smtp}, hello: 'a b' {good}"), vec!["smtp.hello", "not a host name"]),
            (format!("{smtp}, prot: 25 {good}"), vec!["line 4", "`prot`", "known are", "`port`"]),
            (format!("{smtp} {good}\nmax_size: large"), vec!["max_size", "write 25MB"]),
            (format!("{smtp} {good}\nmax_size: 5"), vec!["max_size", "between 100kB and 1GB"]),
            (format!("{smtp} {good}\nfull_message: never"), vec!["full_message", "`never`", "`attach`", "`on_demand`"]),
            (format!("{smtp} {good}\nholt: 10s"), vec!["`holt`", "known are", "`hold`"]),
            (format!("{smtp} }}\nlmtp: {{ listen: 'localhost' }}"), vec!["lmtp.listen", "address"]),
            (
                format!("{smtp} }}\nimap: {{ host: h, username: u, poll: 1s }}"),
                vec!["imap.poll", "between 5s and 540s"],
            ),
            (
                format!("{smtp} }}\nimap: {{ host: h, tls: opportunistic, username: u }}"),
                vec!["imap.tls", "for smtp only", "starttls"],
            ),
            (format!("{smtp}, tls: ssl {good}"), vec!["tls"]),
            (smtp.replace("none", "ssl") + good, vec!["smtp.tls", "`ssl`", "`starttls`"]),
            ("smtp: { host: h }".into(), vec!["domain"]),
            (format!("{smtp} {good}\nsenders: {{}}"), vec!["email.senders", "neither trust nor check"]),
            (
                format!("{smtp} {good}\nsenders: {{ trust: ['a b'] }}"),
                vec!["email.senders", "not the name of a server"],
            ),
            (format!("{smtp} {good}\nsenders: {{ trust: [mx.example], mx: mx.example }}"), vec!["need check: true"]),
            (format!("{smtp} {good}\nsenders: {{ chek: true }}"), vec!["`chek`", "`check`"]),
        ] {
            let error = read(&section).err().expect(&section);
            assert!(words.iter().all(|word| error.contains(word)), "{section}\n{error}");
            assert!(!error.contains(": p"), "{error}");
        }
    }
}
