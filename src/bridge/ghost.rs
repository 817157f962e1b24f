//! The ids of ghosts, and making them exist.

use super::{Bridge, looks::Answer};
use crate::{
    failure::{Failure, Reason},
    ids::RemoteUserId,
    store::Ghost,
};
use ruma::{OwnedServerName, OwnedUserId, UserId};

/// Client-Server API, "Size limits".
const USER_ID_LIMIT: usize = 255;
/// Clients show names in one line; Synapse refuses more than 256 characters.
const NAME_LIMIT: usize = 100;

/// The rule by which ghosts are named: `@_email_bob=40example.org:server` for `bob@example.org`.
#[derive(Clone, Debug)]
pub struct GhostIds {
    /// What every ghost's localpart begins with, and nobody else's.
    pub prefix: String,
    pub server: OwnedServerName,
    pub connectors: Vec<&'static str>,
}

impl GhostIds {
    /// The ghost of a remote user; `None` if its id would be too long for Matrix.
    pub fn ghost(&self, connector: &str, user: &RemoteUserId) -> Option<OwnedUserId> {
        let id = format!("@{}{connector}_{}:{}", self.prefix, escape(user.as_str()), self.server);
        (id.len() <= USER_ID_LIMIT).then(|| UserId::parse(id).ok()).flatten()
    }

    pub fn is_ghost(&self, user: &UserId) -> bool {
        self.split(user).is_some()
    }

    /// The connector and the address of a ghost; `None` if the user is not one. An address that no connector could
    /// have made is empty.
    pub fn parse(&self, user: &UserId) -> Option<(&'static str, String)> {
        let (connector, escaped) = self.split(user)?;
        Some((connector, unescape(escaped).unwrap_or_default()))
    }

    fn split<'u>(&self, user: &'u UserId) -> Option<(&'static str, &'u str)> {
        let rest = user.localpart().strip_prefix(&self.prefix).filter(|_| user.server_name() == self.server)?;
        let split = |name: &&'static str| Some((*name, rest.strip_prefix(*name)?.strip_prefix('_')?));
        self.connectors.iter().find_map(split)
    }
}

/// Who has written.
pub(super) struct Met {
    pub ghost: OwnedUserId,
    /// Whether the ghost had another name just now.
    pub is_renamed: bool,
}

/// As the specification's appendix "Mapping from other character sets" recommends for names whose case does not matter.
fn escape(address: &str) -> String {
    let mut escaped = String::with_capacity(address.len() + 8);
    for byte in address.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'/' => escaped.push(byte.into()),
            _ => escaped.push_str(&format!("={byte:02x}")),
        }
    }
    escaped
}

impl GhostIds {
    /// How the ids of all ghosts begin whose addresses begin so.
    pub(super) fn beginning(&self, connector: &str, address: &str) -> String {
        format!("@{}{connector}_{}", self.prefix, escape(address))
    }
}

fn unescape(escaped: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(escaped.len());
    let mut rest = escaped.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'=' => {
                let digits = [rest.next()?, rest.next()?];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
            }
            _ => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok()
}

impl Bridge {
    /// The ghost of a remote user, registered with the homeserver.
    pub(super) async fn ensure_ghost(&self, connector: &str, user: &RemoteUserId) -> Result<OwnedUserId, Failure> {
        Ok(self.meet(connector, user, None).await?.ghost)
    }

    /// As [`ensure_ghost`](Self::ensure_ghost). A name that the remote side gives is taken over when the ghost is new, or
    /// has none but its address so far.
    pub(super) async fn meet(&self, connector: &str, user: &RemoteUserId, name: Option<&str>) -> Result<Met, Failure> {
        let too_long = || Failure::permanent(Reason::UnknownRecipient, "the address is too long for a Matrix id");
        let mxid = self.ghosts.ghost(connector, user).ok_or_else(too_long)?;
        let known = match self.known_ghosts.recall(&mxid) {
            Some(name) => Some(name),
            None => {
                let ghost = self.store.ghost(&mxid).await?;
                ghost.inspect(|ghost| self.known_ghosts.remember(mxid.clone(), ghost.name.clone())).map(|it| it.name)
            }
        };
        let given = name.map(|name| name.chars().take(NAME_LIMIT).collect::<String>()).filter(|name| !name.is_empty());
        let intent = self.homeserver.intent(&mxid);
        let mut looks = None;
        // A room without a name is called by its address.
        let unnamed = if user.room().is_some() { user.address() } else { user.as_str() };
        let name = match (&known, given) {
            (Some(name), Some(given)) if name == unnamed && given != *name => {
                intent.set_name(&given).await?;
                given
            }
            (Some(_), _) => {
                self.look_again(connector, &mxid).await?;
                return Ok(Met { ghost: mxid, is_renamed: false });
            }
            (None, given) => {
                looks = self.ask_looks(connector, user).await;
                let known = looks.as_ref().and_then(Answer::name);
                let name = given.or(known).unwrap_or_else(|| unnamed.to_owned());
                intent.register(&name).await?;
                name
            }
        };
        let ghost = Ghost { mxid: mxid.clone(), connector: connector.into(), remote_user: user.clone(), name };
        self.store.save_ghost(&ghost).await?;
        if let Some(looks) = &looks {
            self.dress(&mxid, looks).await?;
        }
        self.known_ghosts.remember(mxid.clone(), ghost.name);
        Ok(Met { ghost: mxid, is_renamed: known.is_some() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ruma::{server_name, user_id};

    fn ids() -> GhostIds {
        GhostIds { prefix: "_".into(), server: server_name!("server.org").to_owned(), connectors: vec!["email", "sms"] }
    }

    #[test]
    fn an_address_and_its_ghost_lead_to_each_other() {
        for (address, mxid) in [
            ("bob@example.org", "@_email_bob=40example.org:server.org"),
            ("o'neil+x@ex.org", "@_email_o=27neil=2bx=40ex.org:server.org"),
            ("a=b_c@ex.org", "@_email_a=3db_c=40ex.org:server.org"),
            ("jürgen@ex.org", "@_email_j=c3=bcrgen=40ex.org:server.org"),
        ] {
            let ghost = ids().ghost("email", &RemoteUserId::new(address)).unwrap();
            assert_eq!(ghost, mxid);
            assert_eq!(ids().parse(&ghost), Some(("email", address.to_owned())));
        }
    }

    #[test]
    fn nobody_else_is_a_ghost() {
        for user in [
            user_id!("@anna:server.org"),
            user_id!("@_email_bob=40example.org:other.org"),
            user_id!("@_irc_x:server.org"),
        ] {
            assert_eq!(ids().parse(user), None, "{user}");
        }
    }

    #[test]
    fn what_nobody_could_have_escaped_is_no_address() {
        for user in [
            user_id!("@_email_bob=4:server.org"),
            user_id!("@_email_bob=zz:server.org"),
            user_id!("@_email_=ff:server.org"),
        ] {
            assert_eq!(ids().parse(user), Some(("email", String::new())), "{user}");
        }
    }

    #[test]
    fn an_address_that_matrix_cannot_hold_has_no_ghost() {
        assert_eq!(ids().ghost("email", &RemoteUserId::new("x".repeat(255))), None);
    }
}
