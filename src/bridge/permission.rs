//! Who may write to people outside.

use ruma::{ServerName, UserId};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What somebody may do; each includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    None,
    /// See what arrives.
    Read,
    /// Write to people outside, and be written to.
    Write,
    Admin,
}

/// Levels by `@user:server`, by server, and `*` for everybody else; the most exact one counts.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct Permissions(BTreeMap<String, Level>);

impl Permissions {
    pub fn level(&self, user: &UserId) -> Level {
        let by = |key: &str| self.0.get(key).copied();
        by(user.as_str()).or_else(|| by(user.server_name().as_str())).or_else(|| by("*")).unwrap_or(Level::None)
    }

    /// Only members of our own homeserver can write: the address that people see is made from the localpart, and a
    /// localpart of another server would be somebody else's.
    pub fn may_write(&self, user: &UserId, server: &ServerName) -> bool {
        user.server_name() == server && self.level(user) >= Level::Write
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ruma::{server_name, user_id};

    #[test]
    fn the_most_exact_rule_counts_and_strangers_never_write() {
        let rules = "{'*': write, 'example.org': read, '@anna:example.org': write}";
        let permissions: Permissions = serde_yaml::from_str(rules).unwrap();
        let server = server_name!("example.org");
        assert!(permissions.may_write(user_id!("@anna:example.org"), server));
        assert!(!permissions.may_write(user_id!("@otto:example.org"), server));
        assert_eq!(permissions.level(user_id!("@eve:evil.org")), Level::Write);
        assert!(!permissions.may_write(user_id!("@eve:evil.org"), server));
        assert_eq!(Permissions::default().level(user_id!("@anna:example.org")), Level::None);
    }
}
