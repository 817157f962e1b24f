//! `connectors.email.smtp`: the mail servers that take what we send.

use super::Source;
use crate::{
    connectors::email::{
        smtp::{Account, Pattern, Pool, Reports, Route, Routes},
        tls::Tls,
    },
    yaml::{self, Secret, SecretSource},
};
use serde::Deserialize;
use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

const KEY: &str = "connectors.email.smtp";

/// The section as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmtpSection {
    host: String,
    port: Option<u16>,
    #[serde(default = "starttls")]
    tls: Tls,
    username: Option<String>,
    password: Option<Secret>,
    password_file: Option<PathBuf>,
    /// Certificates (PEM) to trust besides those of the system.
    ca_file: Option<PathBuf>,
    /// The most at a time.
    #[serde(default = "connections")]
    connections: usize,
    /// Our name in EHLO; the domain of the connector if not set.
    hello: Option<String>,
    /// Which reports to ask for. If not set: all that LMTP takes in. Where a mailbox is read they would pile up in it, one
    /// for each mail.
    reports: Option<Reports>,
    /// By recipient domain.
    #[serde(default)]
    routes: BTreeMap<String, RouteSection>,
}

/// What is different for some recipients; what is not set is as above.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteSection {
    /// A server of its own: it gets the sign-in only if that is set here as well.
    host: Option<String>,
    port: Option<u16>,
    tls: Option<Tls>,
    username: Option<String>,
    password: Option<Secret>,
    password_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    /// Only to servers that promise never to let the mail go in the clear (RFC 8689).
    #[serde(default)]
    require_tls: bool,
}

fn starttls() -> Tls {
    Tls::Starttls
}

fn connections() -> usize {
    32
}

/// What makes a server another one: these need connections of their own.
#[derive(Clone, PartialEq)]
struct Way {
    host: String,
    port: Option<u16>,
    tls: Tls,
    login: Option<(String, Secret)>,
    ca_file: Option<PathBuf>,
}

/// What all servers have in common.
struct Common {
    hello: String,
    reports: Reports,
    connections: usize,
}

/// Who takes the mails, and how many connections each server gets.
pub struct Smtp {
    pub routes: Routes,
    pub connections: usize,
}

/// Reads the section and the files that it names. `domain` is our own, `lmtp` whether reports come in that way.
pub fn read(source: &Source<'_>, section: SmtpSection, domain: &str, lmtp: bool) -> Result<Smtp, yaml::Error> {
    let document = source.document;
    let SmtpSection { host, port, tls, username, password, password_file, ca_file, connections, .. } = section;
    if !(1..=1000).contains(&connections) {
        return Err(document.error("connectors.email.smtp.connections", "is not between 1 and 1000"));
    }
    let hello = section.hello.unwrap_or_else(|| domain.to_owned());
    if hello.is_empty() || !hello.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(document.error("connectors.email.smtp.hello", "is not a host name"));
    }
    let reports = section.reports.unwrap_or(if lmtp { Reports::All } else { Reports::Failures });
    let common = Common { hello, reports, connections };
    let login = login(source, KEY, username, SecretSource { inline: password, file: password_file })?;
    let main = Way { host, port, tls, login, ca_file };
    let mut pools = vec![(main.clone(), pool(source, KEY, &main, &common)?)];
    let mut routes: Vec<Route> = Vec::new();
    for (text, section) in section.routes {
        let key = format!("{KEY}.routes.{text}");
        let to = Pattern::new(&text).map_err(|e| document.error(&format!("{KEY}.routes"), e))?;
        if routes.iter().any(|route| route.to == to) {
            return Err(document.error(&key, "is there twice, in two spellings"));
        }
        let require_tls = section.require_tls;
        let way = section.way(source, &key, &main)?;
        if require_tls && !matches!(way.tls, Tls::Starttls | Tls::Implicit) {
            return Err(document.error(&key, "has require_tls, which needs tls: starttls or tls"));
        }
        let known = pools.iter().find(|(known, _)| *known == way).map(|(_, pool)| pool.clone());
        let pool = match known {
            Some(pool) => pool,
            None => {
                let pool = pool(source, &key, &way, &common)?;
                pools.push((way, pool.clone()));
                pool
            }
        };
        routes.push(Route { to, pool, require_tls });
    }
    let (_, otherwise) = pools.swap_remove(0);
    Ok(Smtp { routes: Routes::new(otherwise, routes), connections })
}

impl RouteSection {
    fn way(self, source: &Source<'_>, key: &str, main: &Way) -> Result<Way, yaml::Error> {
        let same_host = self.host.as_ref().is_none_or(|host| *host == main.host);
        let own = login(source, key, self.username, SecretSource { inline: self.password, file: self.password_file })?;
        Ok(Way {
            host: self.host.unwrap_or_else(|| main.host.clone()),
            port: self.port.or(main.port),
            tls: self.tls.unwrap_or(main.tls),
            // A password is for one server: nobody expects it to be told to another.
            login: own.or_else(|| main.login.clone().filter(|_| same_host)),
            ca_file: self.ca_file.or_else(|| main.ca_file.clone()),
        })
    }
}

fn login(
    source: &Source<'_>,
    key: &str,
    username: Option<String>,
    password: SecretSource,
) -> Result<Option<(String, Secret)>, yaml::Error> {
    // No environment variable has a star in its name.
    let key_of_variable = key.replace("*.", "below.");
    let password = source.password(&key_of_variable, password)?;
    match (username, password) {
        (Some(user), Some(password)) => Ok(Some((user, password))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(source.no_password(&key_of_variable)),
        (None, Some(_)) => Err(source.document.error(key, "has a password and no username")),
    }
}

fn pool(source: &Source<'_>, key: &str, way: &Way, common: &Common) -> Result<Arc<Pool>, yaml::Error> {
    let port = way.port.unwrap_or(match way.tls {
        Tls::None | Tls::Opportunistic => 25,
        Tls::Starttls => 587,
        Tls::Implicit => 465,
    });
    let server = source.server(key, &way.host, port, way.tls, way.ca_file.as_deref())?;
    let Common { hello, reports, connections } = common;
    let account = Account { server, login: way.login.clone(), hello: hello.clone(), reports: *reports };
    Ok(Arc::new(Pool::new(account, *connections)))
}

#[cfg(test)]
mod tests {
    use crate::{
        connectors::email::{
            config::Config,
            smtp::{Account, Reports},
            tls::Tls,
        },
        yaml::Document,
    };
    use std::path::Path;

    fn read(smtp: &str) -> Result<Config, String> {
        read_with(smtp, "lmtp: { listen: '127.0.0.1:2525' }")
    }

    fn read_with(smtp: &str, more: &str) -> Result<Config, String> {
        let text = format!("connectors:\n  email:\n    domain: chat.example\n    {more}\n    smtp:\n{smtp}");
        let document = Document::new(Path::new("/etc/fehmarn/config.yaml"), text);
        let env = |name: &str| match name {
            "FEHMARN_CONNECTORS_EMAIL_IMAP_PASSWORD" => Some("p".to_owned()),
            "FEHMARN_CONNECTORS_EMAIL_SMTP_ROUTES_BELOW_BONN_EXAMPLE_PASSWORD" => Some("from env".to_owned()),
            _ => None,
        };
        Config::read(&document, &env).map_err(|e| e.to_string())
    }

    const ROUTES: &str = "      host: mx.example
      port: 2525
      tls: none
      username: u
      password: p
      routes:
        kiel.example: { tls: starttls, require_tls: true }
        '*.Kiel.example': { port: 2525 }
        amt.kiel.example: { tls: opportunistic }
        bonn.example: { host: relay.bonn.example, tls: tls }
        '*.bonn.example': { host: relay.bonn.example, tls: tls, username: v }
        bund.example: { host: relay.bonn.example, tls: tls, port: 2525 }
";

    fn account<'a>(config: &'a Config, to: &str) -> (&'a Account, bool) {
        let (pool, require_tls) = config.smtp.way(&format!("bob@{to}"));
        (pool.account(), require_tls)
    }

    #[test]
    fn the_closest_route_is_taken_and_says_only_what_is_different() {
        let config = read(ROUTES).unwrap();
        for (to, server, tls, user, must) in [
            ("example.org", "mx.example:2525", Tls::None, Some("u"), false),
            ("kiel.example", "mx.example:2525", Tls::Starttls, Some("u"), true),
            ("bauamt.kiel.example", "mx.example:2525", Tls::None, Some("u"), false),
            ("amt.kiel.example", "mx.example:2525", Tls::Opportunistic, Some("u"), false),
            ("bonn.example", "relay.bonn.example:2525", Tls::Implicit, None, false),
            ("amt.bonn.example", "relay.bonn.example:2525", Tls::Implicit, Some("v"), false),
        ] {
            let (account, require_tls) = account(&config, to);
            let login = account.login.as_ref().map(|(user, _)| user.as_str());
            let found = (account.server.to_string(), account.server.tls, login, require_tls);
            assert_eq!(found, (server.to_owned(), tls, user, must), "{to}");
        }
        assert_eq!(account(&config, "amt.bonn.example").0.login.as_ref().unwrap().1.expose(), "from env");
    }

    #[test]
    fn routes_over_one_server_share_its_connections() {
        let config = read(ROUTES).unwrap();
        let same = |one: &str, other: &str| std::ptr::eq(account(&config, one).0, account(&config, other).0);
        assert!(same("example.org", "bauamt.kiel.example") && same("bonn.example", "bund.example"));
        assert!(!same("example.org", "kiel.example") && !same("bonn.example", "amt.bonn.example"));
    }

    #[test]
    fn all_reports_are_asked_for_where_they_come_in_by_lmtp() {
        let smtp = "      { host: mx.example, tls: none }\n";
        let imap = "imap: { host: h, tls: none, username: u }";
        assert_eq!(account(&read(smtp).unwrap(), "x").0.reports, Reports::All);
        assert_eq!(account(&read_with(smtp, imap).unwrap(), "x").0.reports, Reports::Failures);
        let smtp = |reports: &str| format!("      {{ host: mx.example, tls: none, reports: {reports} }}\n");
        assert_eq!(account(&read(&smtp("failures")).unwrap(), "x").0.reports, Reports::Failures);
        assert_eq!(account(&read_with(&smtp("all"), imap).unwrap(), "x").0.reports, Reports::All);
    }

    #[test]
    fn each_mistake_in_a_route_is_named_with_its_key_and_how_to_mend_it() {
        let route = |route: &str| format!("      host: mx.example\n      tls: none\n      routes:\n        {route}\n");
        for (text, words) in [
            ("kiel.example: { tsl: none }", vec!["line 9", "smtp.routes", "kiel.example", "`tsl`", "`require_tls`"]),
            ("kiel.example: { tls: ssl }", vec!["line 9", "`ssl`", "`opportunistic`"]),
            ("kiel: { require_tls: true }", vec!["smtp.routes.kiel", "starttls or tls"]),
            ("kiel: { tls: opportunistic, require_tls: true }", vec!["smtp.routes.kiel", "starttls or tls"]),
            ("'*': { tls: tls }", vec!["smtp.routes", "\"*\"", "*.kiel.example"]),
            ("kiel.example: { username: u }", vec!["routes.kiel.example", "SMTP_ROUTES_KIEL_EXAMPLE_PASSWORD"]),
            ("'*.kiel-x.example': { username: u }", vec!["SMTP_ROUTES_BELOW_KIEL_X_EXAMPLE_PASSWORD"]),
            ("kiel.example: { password: geheim }", vec!["routes.kiel.example", "no username"]),
            ("kiel.example: { tls: tls, ca_file: /no/ca.pem }", vec!["routes.kiel.example", "/no/ca.pem"]),
            ("Kiel.example: { port: 26 }\n        kiel.example: { port: 25 }", vec!["kiel.example", "twice"]),
        ] {
            let error = read(&route(text)).err().expect(text);
            assert!(words.iter().all(|word| error.contains(word)), "{text}\n{error}");
            assert!(!error.contains("geheim"), "{error}");
        }
    }
}
