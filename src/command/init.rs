//! `fehmarn init`: the two files that an admin needs, with fresh tokens.

use crate::matrix::registration::{Random, Spec};
use anyhow::{Context, bail};
use ruma::OwnedServerName;
use std::{
    fs::{self, OpenOptions},
    io::Write,
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// What an admin says of their installation.
#[derive(Clone, Debug, clap::Args)]
pub struct Init {
    /// Where to write config.yaml and registration.yaml
    #[arg(long)]
    pub dir: PathBuf,
    /// URL of the homeserver's client API
    #[arg(long)]
    pub homeserver: String,
    /// The homeserver's name: what stands behind the colon in user ids
    #[arg(long)]
    pub server_name: OwnedServerName,
    /// Where Fehmarn listens for the homeserver
    #[arg(long, default_value = "127.0.0.1:29320")]
    pub listen: SocketAddr,
    /// The domain of the addresses under which staff write mail [default: chat.SERVER_NAME]
    #[arg(long)]
    pub domain: Option<String>,
    /// What the names of Fehmarn's users begin with; a second Fehmarn on one homeserver needs another
    #[arg(long, default_value = "_")]
    pub prefix: String,
}

impl Init {
    /// Writes both files, readable by their owner only. Never overwrites: a lost token would lock all ghosts out.
    pub fn run(&self, random: Random<'_>) -> anyhow::Result<String> {
        let config = self.dir.join("config.yaml");
        let registration = self.dir.join("registration.yaml");
        for path in [&config, &registration] {
            if path.exists() {
                bail!("{} is there already and stays as it is; remove it or choose another --dir", path.display());
            }
        }
        fs::create_dir_all(&self.dir).with_context(|| format!("cannot make the folder {}", self.dir.display()))?;
        write_private(&registration, &self.registration(random))?;
        write_private(&config, &self.config())?;
        Ok(format!(
            "Written: {config} and {registration}\n\
             Next:\n\
             1. In {config}: the mail server, and who may write.\n\
             2. In homeserver.yaml: app_service_config_files: [{registration}], then restart the homeserver.\n\
             3. fehmarn check --config {config}\n\
             4. fehmarn run --config {config}",
            config = config.display(),
            registration = fs::canonicalize(&registration).unwrap_or(registration).display(),
        ))
    }

    fn registration(&self, random: Random<'_>) -> String {
        let connectors: Vec<&str> = crate::connectors::KINDS.iter().map(|kind| kind.name).collect();
        Spec {
            url: &format!("http://{}", self.listen),
            server_name: self.server_name.as_str(),
            bot: &self.bot(),
            prefix: &self.prefix,
            connectors: &connectors,
        }
        .render(random)
    }

    /// `fehmarn`, or `fehmarn_x` for the prefix `_x_`.
    fn bot(&self) -> String {
        format!("fehmarn{}", self.prefix).trim_end_matches('_').to_owned()
    }

    fn config(&self) -> String {
        let chat = format!("chat.{}", self.server_name.host());
        let values = [
            ("https://matrix.example.org", self.homeserver.as_str()),
            ("127.0.0.1:29320", &self.listen.to_string()),
            ("chat.example.org", self.domain.as_deref().unwrap_or(&chat)),
            ("bot: fehmarn", &format!("bot: {}", self.bot())),
            ("prefix: _", &format!("prefix: {:?}", self.prefix)),
            ("server_name: example.org", &format!("server_name: {}", self.server_name)),
            ("\"example.org\": write", &format!("{:?}: write", self.server_name.as_str())),
        ];
        values
            .iter()
            .fold(include_str!("../../config.yaml.example").to_owned(), |text, (old, new)| text.replace(old, new))
    }
}

fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Config, connectors::KINDS, matrix::Registration};
    use std::os::unix::fs::PermissionsExt;

    fn init(dir: &Path) -> Init {
        Init {
            dir: dir.into(),
            homeserver: "http://127.0.0.1:8008".into(),
            server_name: "staat.test".try_into().unwrap(),
            listen: "127.0.0.1:29999".parse().unwrap(),
            domain: None,
            prefix: "_x_".into(),
        }
    }

    #[test]
    fn what_init_writes_can_be_read_by_its_owner_and_by_fehmarn() {
        let folder = tempfile::tempdir().unwrap();
        init(folder.path()).run(&rand::random::<[u8; 32]>).unwrap();
        for name in ["config.yaml", "registration.yaml"] {
            let mode = fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        let config = Config::open(&folder.path().join("config.yaml"), KINDS, &|_| None).unwrap();
        assert_eq!(config.bot, "@fehmarn_x:staat.test");
        assert_eq!(config.homeserver.url, "http://127.0.0.1:8008");
        assert_eq!(config.appservice.url, "http://127.0.0.1:29999");
        assert_eq!(config.appservice.prefix, "_x_");
        let registration = fs::read_to_string(&config.registration).unwrap();
        assert!(registration.contains(r"regex: '@_x_email_.*:staat\.test'"), "{registration}");
        assert!(registration.contains("url: http://127.0.0.1:29999"));
        assert!(!fs::read_to_string(folder.path().join("config.yaml")).unwrap().contains("example.org:"));
        Registration::open(&config.registration).unwrap();
    }

    #[test]
    fn nothing_is_ever_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("registration.yaml"), "mine").unwrap();
        let error = init(folder.path()).run(&rand::random::<[u8; 32]>).unwrap_err().to_string();
        assert!(error.contains("registration.yaml is there already"), "{error}");
        assert_eq!(fs::read_to_string(folder.path().join("registration.yaml")).unwrap(), "mine");
        assert!(!folder.path().join("config.yaml").exists());
    }
}
