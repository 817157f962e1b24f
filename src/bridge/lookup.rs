//! Whom an address means, in whatever way somebody asks.

use super::Bridge;
use crate::{connector::Connector, failure::Failure, ids::RemoteUserId};
use ruma::{OwnedUserId, UserId};

/// A person outside whom a text means, whether or not anybody has written to them yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub connector: &'static str,
    pub address: RemoteUserId,
    pub ghost: OwnedUserId,
}

impl Bridge {
    /// One person for each network that takes the text for an address of its own.
    pub fn people_meant_by(&self, text: &str) -> Vec<Person> {
        self.connectors.keys().filter_map(|connector| self.person(connector, text)).collect()
    }

    /// The person whom one network knows by this address.
    pub fn person(&self, connector: &str, text: &str) -> Option<Person> {
        let (connector, port) = self.connectors.get_key_value(connector)?;
        let address = known_by(&**port, text)?;
        Some(Person { connector, ghost: self.ghosts.ghost(connector, &address)?, address })
    }

    /// The person with this third-party identifier, in Matrix's form.
    pub fn person_by_identifier(&self, medium: &str, text: &str) -> Option<Person> {
        let mut media = self.networks.iter().filter_map(|(connector, network)| Some((connector, network.medium?)));
        media.find_map(|(connector, known)| {
            (known.name == medium).then(|| self.person(connector, &known.read(text))).flatten()
        })
    }

    /// Kind and text of a person's third-party identifier, in Matrix's form.
    pub(super) fn identifier(&self, connector: &str, address: &RemoteUserId) -> Option<(&'static str, String)> {
        let medium = self.networks.get(connector)?.medium.filter(|_| !address.is_unverified())?;
        Some((medium.name, medium.write(address).to_owned()))
    }

    /// The ghost of whom a user id means that is spelled as no ghost's is.
    pub(super) fn spelled_otherwise(&self, user: &UserId) -> Option<OwnedUserId> {
        let (connector, address) = self.ghosts.parse(user)?;
        self.person(connector, &address).map(|person| person.ghost)
    }

    /// Whom a ghost stands for.
    pub fn person_behind(&self, ghost: &UserId) -> Option<Person> {
        let (connector, address) = self.remote_of(ghost)?;
        Some(Person { connector, address, ghost: ghost.to_owned() })
    }

    /// What a person is called: by their own name where it is known.
    pub async fn called(&self, person: &Person) -> Result<String, Failure> {
        let known = self.store.ghost(&person.ghost).await?;
        Ok(known.map_or_else(|| person.address.to_string(), |ghost| ghost.name))
    }
}

/// Nobody is looked for by an address that somebody only claims.
fn known_by(connector: &dyn Connector, text: &str) -> Option<RemoteUserId> {
    connector.parse_address(text).filter(|address| !address.is_unverified())
}
