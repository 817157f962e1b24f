//! The configuration file: what is not a connector's own.

use crate::{
    bridge::{Language, Limits, Permissions},
    connector::{Connector, Kind},
    http::{MetricsSettings, Settings},
    yaml::{Document, Env, Error, Secret},
};
use ruma::{OwnedServerName, OwnedUserId, UserId};
use serde::{Deserialize, de::IgnoredAny};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// Everything that is configured, checked.
pub struct Config {
    pub homeserver: Homeserver,
    pub appservice: Appservice,
    /// Where the registration is.
    pub registration: PathBuf,
    pub bot: OwnedUserId,
    /// `sqlite:` with an absolute path, or `postgres://`.
    pub database: Secret,
    pub language: Language,
    pub permissions: Permissions,
    pub limits: Limits,
    pub give_up: Duration,
    pub status_events: bool,
    /// What clients may ask of us; `None`: nothing.
    pub identity: Option<Settings>,
    /// Where Prometheus asks; `None`: nowhere.
    pub metrics: Option<MetricsSettings>,
    pub connectors: BTreeMap<&'static str, Arc<dyn Connector>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Homeserver {
    /// Base URL of the client-server API.
    pub url: String,
    pub server_name: OwnedServerName,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Appservice {
    /// Where we listen for the homeserver.
    pub listen: SocketAddr,
    /// How the homeserver reaches that place.
    pub url: String,
    #[serde(default = "default_registration")]
    registration: PathBuf,
    #[serde(default = "default_bot")]
    bot: String,
    /// What every ghost's localpart begins with. Two Fehmarns on one homeserver need two.
    #[serde(default = "default_prefix")]
    pub prefix: String,
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    homeserver: Homeserver,
    appservice: Appservice,
    #[serde(default = "default_database")]
    database: Secret,
    #[serde(default)]
    language: Language,
    permissions: Permissions,
    #[serde(default)]
    limits: Limits,
    #[serde(default = "default_give_up")]
    give_up: String,
    #[serde(default = "yes")]
    status_events: bool,
    identity: Option<Settings>,
    metrics: Option<MetricsSettings>,
    connectors: BTreeMap<String, IgnoredAny>,
}

fn default_registration() -> PathBuf {
    "registration.yaml".into()
}

fn default_bot() -> String {
    "fehmarn".into()
}

fn default_prefix() -> String {
    "_".into()
}

fn default_database() -> Secret {
    Secret::new("sqlite:fehmarn.db")
}

fn yes() -> bool {
    true
}

fn default_give_up() -> String {
    "5d".into()
}

impl Config {
    /// Reads and checks the file; each connector reads its own section.
    pub fn open(path: &Path, kinds: &[Kind], env: Env<'_>) -> Result<Self, Error> {
        let document = Document::open(path)?;
        let file: File = document.read()?;
        let server = &file.homeserver.server_name;
        let bot = UserId::parse(format!("@{}:{server}", file.appservice.bot))
            .map_err(|e| document.error("appservice.bot", format!("{e}; it is the localpart of a user id")))?;
        let prefix = &file.appservice.prefix;
        if prefix.is_empty()
            || !prefix.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-.".contains(&b))
        {
            let problem = format!("{prefix:?} is not a prefix; it has at least one of a-z, 0-9, _, - and .");
            return Err(document.error("appservice.prefix", problem));
        }
        for (key, url) in [("homeserver.url", &file.homeserver.url), ("appservice.url", &file.appservice.url)] {
            http_url(url).map_err(|problem| document.error(key, problem))?;
        }
        if let Some(identity) = &file.identity {
            // The homeserver asks identity servers in no other way.
            if !identity.url.starts_with("https://") {
                return Err(document.error("identity.url", format!("{:?} must begin with https://", identity.url)));
            }
            let federation = identity.federation_url.as_deref().map(|url| ("identity.federation_url", url));
            for (key, url) in [("identity.url", identity.url.as_str())].into_iter().chain(federation) {
                http_url(url).map_err(|problem| document.error(key, problem))?;
            }
        }
        Ok(Self {
            registration: document.resolve(&file.appservice.registration),
            database: database(&document, env, &file.database),
            give_up: duration(&file.give_up).map_err(|problem| document.error("give_up", problem))?,
            connectors: connectors(&document, kinds, env, file.connectors.keys())?,
            identity: file.identity,
            metrics: file.metrics,
            homeserver: file.homeserver,
            appservice: file.appservice,
            bot,
            language: file.language,
            permissions: file.permissions,
            status_events: file.status_events,
            limits: file.limits,
        })
    }
}

fn connectors<'a>(
    document: &Document,
    kinds: &[Kind],
    env: Env<'_>,
    names: impl Iterator<Item = &'a String>,
) -> Result<BTreeMap<&'static str, Arc<dyn Connector>>, Error> {
    let mut connectors = BTreeMap::new();
    for name in names {
        let Some(kind) = kinds.iter().find(|kind| kind.name == name) else {
            let known: Vec<&str> = kinds.iter().map(|kind| kind.name).collect();
            return Err(document.error("connectors", format!("there is no connector `{name}`, known are {known:?}")));
        };
        connectors.insert(kind.name, (kind.build)(document, env)?);
    }
    if connectors.is_empty() {
        return Err(document.error("connectors", "is empty; at least one network is needed"));
    }
    Ok(connectors)
}

/// `FEHMARN_DATABASE`, else as written; a relative path is relative to the file.
fn database(document: &Document, env: Env<'_>, written: &Secret) -> Secret {
    if let Some(url) = env("FEHMARN_DATABASE") {
        return Secret::new(url);
    }
    match written.expose().strip_prefix("sqlite:") {
        Some(path) => Secret::new(format!("sqlite:{}", document.resolve(Path::new(path)).display())),
        None => written.clone(),
    }
}

fn http_url(text: &str) -> Result<(), String> {
    let url = url::Url::parse(text).map_err(|e| format!("{text:?} is not a URL: {e}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("{text:?} must begin with http:// or https://"));
    }
    Ok(())
}

/// `10s`, `30m`, `12h`, `5d`.
fn duration(text: &str) -> Result<Duration, String> {
    let problem = || format!("{text:?} is not a time; write a number and s, m, h or d, as in 5d");
    let unit = text.char_indices().last().map_or(0, |(at, _)| at);
    let (number, unit) = text.split_at_checked(unit).ok_or_else(problem)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(problem()),
    };
    let number: u64 = number.trim().parse().map_err(|_| problem())?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(problem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connectors::KINDS;

    fn open(text: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yaml");
        std::fs::write(&path, text).unwrap();
        Config::open(&path, KINDS, &|_| None).map_err(|e| e.to_string())
    }

    const EXAMPLE: &str = include_str!("../config.yaml.example");

    #[test]
    fn the_example_in_the_repository_can_be_used_as_it_is() {
        let config = open(EXAMPLE).unwrap();
        assert_eq!(config.bot, "@fehmarn:example.org");
        assert_eq!(config.connectors.keys().collect::<Vec<_>>(), [&"email"]);
        assert!(config.database.expose().starts_with("sqlite:/"), "relative to the file");
    }

    #[test]
    fn the_database_of_the_environment_goes_before_that_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yaml");
        std::fs::write(&path, EXAMPLE).unwrap();
        let env = |name: &str| (name == "FEHMARN_DATABASE").then(|| "postgres://h/fehmarn".to_owned());
        let config = Config::open(&path, KINDS, &env).map_err(|e| e.to_string()).unwrap();
        assert_eq!(config.database.expose(), "postgres://h/fehmarn");
    }

    #[test]
    fn what_the_example_only_mentions_can_be_used_as_well() {
        let (start, senders) = EXAMPLE.split_once("    # senders:").unwrap();
        let lines = senders.lines().skip(1).map(|line| line.replacen("# ", "", 1));
        let senders: String = lines.map(|line| format!("\n{line}")).collect();
        open(&format!("{start}    senders:{senders}")).unwrap();
    }

    #[test]
    fn the_rules_and_limits_of_the_example_mean_what_it_says() {
        use crate::bridge::Level;
        use ruma::{room_id, user_id};
        let config = open(&EXAMPLE.replace("  # \"", "  \"")).unwrap();
        let server = &config.homeserver.server_name;
        let level = |user: &UserId| config.permissions.level(user);
        assert_eq!(level(user_id!("@anna:example.org")), Level::Write);
        assert_eq!(level(user_id!("@it:example.org")), Level::Admin);
        assert_eq!(level(user_id!("@azubi:example.org")), Level::Answer);
        assert_eq!(level(user_id!("@eve:evil.example")), Level::None);
        let closed = room_id!("!abcdefgh:example.org");
        assert!(!config.permissions.may_answer_in(closed, user_id!("@anna:example.org"), server));
        assert!(config.limits != Limits::default());
        let without: String =
            EXAMPLE.lines().filter(|line| !line.contains("minute:")).map(|l| format!("{l}\n")).collect();
        assert!(open(&without.replace("limits:\n", "")).unwrap().limits == Limits::default(), "they may be left out");
    }

    #[test]
    fn the_identity_service_of_the_example_can_be_used_once_it_is_no_comment() {
        assert!(open(EXAMPLE).unwrap().identity.is_none());
        let (start, rest) = EXAMPLE.split_once("# identity:").unwrap();
        let (identity, rest) = rest.split_once("\n\n").unwrap();
        let identity = identity.replace("\n# ", "\n");
        let config = open(&format!("{start}identity:{identity}\n\n{rest}")).unwrap();
        assert_eq!(config.identity.unwrap().url, "https://id.example.org");
    }

    #[test]
    fn the_metrics_of_the_example_can_be_used_once_they_are_no_comment() {
        assert!(open(EXAMPLE).unwrap().metrics.is_none());
        let text = EXAMPLE.replace("# metrics:\n#  ", "metrics:\n ");
        assert!(open(&text).unwrap().metrics.unwrap().listen.ip().is_loopback());
        let error = open(
            &text.replace("{ listen", "{ lisen").replace("  listen: \"127.0.0.1:29322", "  lisen: \"127.0.0.1:29322"),
        );
        assert!(error.err().unwrap().contains("metrics: unknown field `lisen`, known are `listen`"));
    }

    #[test]
    fn mistakes_are_named_with_line_key_and_what_is_known() {
        for (old, new, expected) in [
            ("server_name:", "servername:", "unknown field `servername`, known are `url` or `server_name`"),
            ("url: \"https://matrix.", "url: \"ftp://matrix.", "must begin with http:// or https://"),
            ("prefix: _ ", "prefix: Amt ", "\"Amt\" is not a prefix"),
            ("database:", "databse:", "unknown field `databse`, known are `homeserver`, `appservice`, `database`"),
            ("  email:", "  fax:", "there is no connector `fax`, known are [\"email\", \"xmpp\"]"),
            (
                "#   url: \"https://id.",
                "identity:\n  listen: \"127.0.0.1:1\"\n  url: \"http://id.",
                "identity.url: \"http://id.example.org\" must begin with https://",
            ),
            ("language: de", "language: fr", "unknown variant `fr`, known are `de` or `en`"),
            ("\"example.org\": write", "\"example.org\": wirte", "unknown variant `wirte`"),
            ("\"example.org\": write", "\"anna muster\": write", "\"anna muster\" is neither @user:server nor"),
            ("day: 2000", "hour: 2000", "limits.messages: unknown field `hour`, known are `minute` or `day`"),
        ] {
            assert!(EXAMPLE.contains(old), "{old}");
            let error = open(&EXAMPLE.replacen(old, new, 1)).err().unwrap();
            assert!(error.contains("config.yaml") && error.contains(expected), "{error}");
        }
        let (without, _) = EXAMPLE.split_once("\nconnectors:").unwrap();
        let error = open(&format!("{without}\nconnectors: {{}}\n")).err().unwrap();
        assert!(error.contains("connectors: is empty; at least one network is needed"), "{error}");
    }

    #[test]
    fn times_are_numbers_with_a_unit() {
        assert_eq!(duration("5d"), Ok(Duration::from_secs(432_000)));
        for wrong in ["", "5", "d", "5 days", "-1s", "99999999999999999999d", "5ä"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
