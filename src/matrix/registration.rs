//! The file by which the homeserver knows Fehmarn (Application Service API 1.11, "Registration").

use crate::yaml::{Document, Error, Secret};
use data_encoding::HEXLOWER;
use serde::Deserialize;
use std::path::Path;

/// What Fehmarn itself needs of the registration.
#[derive(Clone, Debug, Deserialize)]
pub struct Registration {
    pub id: String,
    pub as_token: Secret,
    pub hs_token: Secret,
    pub sender_localpart: String,
}

/// What a registration is made from.
#[derive(Clone, Debug)]
pub struct Spec<'a> {
    /// Where the homeserver reaches us.
    pub url: &'a str,
    pub server_name: &'a str,
    /// Localpart of the bot.
    pub bot: &'a str,
    /// What every ghost's localpart begins with.
    pub prefix: &'a str,
    /// The names of the connectors.
    pub connectors: &'a [&'a str],
}

/// Where the random parts of a registration come from.
pub type Random<'a> = &'a dyn Fn() -> [u8; 32];

impl Registration {
    pub fn open(path: &Path) -> Result<Self, Error> {
        Document::open(path)?.read()
    }
}

impl Spec<'_> {
    /// The file's text, with fresh tokens.
    pub fn render(&self, random: Random<'_>) -> String {
        let token = || HEXLOWER.encode(&random());
        let Self { url, server_name, bot, prefix, connectors } = self;
        let server = server_name.replace('.', "\\.");
        let users: String = connectors
            .iter()
            .map(|name| format!("    - {{ exclusive: true, regex: '@{prefix}{name}_.*:{server}' }}\n"))
            .collect();
        let aliases: String = connectors
            .iter()
            .map(|name| format!("    - {{ exclusive: true, regex: '#{prefix}{name}_.*:{server}' }}\n"))
            .collect();
        let id: String = format!("fehmarn{prefix}").trim_end_matches('_').to_owned();
        format!(
            "# How the homeserver knows Fehmarn. Name this file under app_service_config_files in homeserver.yaml and\n\
             # restart the homeserver. Keep it secret: who has these tokens can act as any of the users below.\n\
             id: {id}\n\
             url: {url}\n\
             as_token: {as_token}\n\
             hs_token: {hs_token}\n\
             # Nobody uses this one; the bot is a user of its own, because the homeserver lets only such users sync.\n\
             sender_localpart: {id}_{sender}\n\
             rate_limited: false\n\
             receive_ephemeral: true\n\
             # Lets ghosts have devices: the homeserver then recognises a repeated message after a restart.\n\
             io.element.msc4190: true\n\
             protocols: [{protocols}]\n\
             namespaces:\n\
             \x20 users:\n\
             {users}\
             \x20   - {{ exclusive: true, regex: '@{bot}:{server}' }}\n\
             \x20 aliases:\n\
             {aliases}\
             \x20 rooms: []\n",
            as_token = token(),
            hs_token = token(),
            sender = token().chars().take(8).collect::<String>(),
            protocols = connectors.join(", "),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: Spec<'_> = Spec {
        url: "http://127.0.0.1:29320",
        server_name: "example.org",
        bot: "fehmarn",
        prefix: "_",
        connectors: &["email"],
    };

    #[test]
    fn ruma_reads_what_we_write() {
        let text = SPEC.render(&|| [7; 32]);
        let read: ruma::api::appservice::Registration = serde_yaml::from_str(&text).unwrap();
        assert_eq!(read.id, "fehmarn");
        assert_eq!(read.rate_limited, Some(false));
        let users: Vec<_> = read.namespaces.users.iter().map(|n| (n.exclusive, n.regex.as_str())).collect();
        assert_eq!(users, [(true, r"@_email_.*:example\.org"), (true, r"@fehmarn:example\.org")]);
        let aliases: Vec<_> = read.namespaces.aliases.iter().map(|n| (n.exclusive, n.regex.as_str())).collect();
        assert_eq!(aliases, [(true, r"#_email_.*:example\.org")]);
        assert!(read.sender_localpart != "fehmarn", "the homeserver refuses /sync to the sender_localpart user");
    }

    #[test]
    fn two_registrations_share_no_token() {
        let text = SPEC.render(&rand::random::<[u8; 32]>);
        let read: ruma::api::appservice::Registration = serde_yaml::from_str(&text).unwrap();
        assert_eq!(read.as_token.len(), 64);
        assert_ne!(read.as_token, read.hs_token);
        assert_ne!(text, SPEC.render(&rand::random::<[u8; 32]>));
    }

    #[test]
    fn the_example_in_the_repository_is_what_init_writes() {
        let example = include_str!("../../registration.yaml.example");
        let tokens = std::cell::Cell::new(0u8);
        let counting = || {
            tokens.set(tokens.get() + 1);
            [tokens.get() * 0x11; 32]
        };
        assert_eq!(example, SPEC.render(&counting));
    }
}
