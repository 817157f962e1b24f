//! Under which names, addresses and signatures people write: the keys `from_name`, `delimiter`, `offices` and `people`.

use super::units::Scalar;
use crate::{
    connectors::email::address::{self, DELIMITERS, Identity, People, Person, Template},
    ids::LocalUser,
    yaml::{self, Document},
};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use std::{collections::BTreeMap, fmt, marker::PhantomData, str::FromStr};

/// The key of what holds for everybody who has nothing of their own, as in `permissions`.
const EVERYBODY: &str = "*";

/// The keys, as they are written.
pub struct Written {
    pub from_name: Template,
    pub delimiter: Delimiter,
    pub offices: Entries<OfficeSection>,
    pub people: Entries<PersonSection>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfficeSection {
    /// What people outside call it; its key if not set.
    name: Option<String>,
    signature: Option<Template>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonSection {
    address: Option<Own>,
    /// The name in the Matrix profile if not set.
    name: Option<String>,
    /// A key of `offices`; any name if there are no `offices`.
    office: Option<String>,
    /// That of the office if not set.
    signature: Option<Template>,
}

impl Written {
    /// `identity` with the table of people.
    pub fn complete(self, section: &str, document: &Document, identity: Identity) -> Result<Identity, yaml::Error> {
        let server: Option<String> = document.section(&["homeserver", "server_name"]).ok();
        let (offices, key) =
            (self.offices.unique(document, &format!("{section}.offices"))?, format!("{section}.people"));
        let (mut table, mut everybody) = (BTreeMap::new(), Person::default());
        let mut keys: BTreeMap<LocalUser, String> = BTreeMap::new();
        for (name, person) in self.people.0 {
            let error = |problem: String| document.error(&format!("{key}.{name:?}"), problem);
            let person = person.resolved(&offices).map_err(error)?;
            if name == EVERYBODY {
                if person.address.is_some() || person.name.is_some() {
                    return Err(error("is everybody, who cannot have one name or address".into()));
                }
                everybody = person;
                continue;
            }
            let user = localpart(&name, server.as_deref()).map_err(error)?;
            if let Some(other) = keys.insert(user.clone(), name.clone()) {
                return Err(error(format!("is the same person as {other:?}")));
            }
            table.insert(user, person);
        }
        let people = People::new(self.from_name, table, everybody);
        identity.with_delimiter(self.delimiter.0).with_people(people).map_err(|problem| document.error(&key, problem))
    }
}

impl PersonSection {
    fn resolved(self, offices: &BTreeMap<String, OfficeSection>) -> Result<Person, String> {
        let office = match &self.office {
            Some(key) if !offices.is_empty() => Some(offices.get(key).ok_or_else(|| {
                let known: Vec<&String> = offices.keys().collect();
                format!("there is no office {key:?}, known are {known:?}")
            })?),
            _ => None,
        };
        let signature = self.signature.or_else(|| office.and_then(|office| office.signature.clone()));
        let office = office.and_then(|office| office.name.clone()).or(self.office);
        Ok(Person { address: self.address.map(|own| own.0), name: self.name, office, signature })
    }
}

/// `anna`, or `@anna:example.org` of our own server.
fn localpart(key: &str, server: Option<&str>) -> Result<LocalUser, String> {
    let Some(id) = key.strip_prefix('@') else { return Ok(LocalUser::new(key)) };
    match id.split_once(':') {
        Some((name, host)) if !name.is_empty() && server.is_none_or(|server| server == host) => {
            Ok(LocalUser::new(name))
        }
        Some((name, _)) if !name.is_empty() => {
            Err(format!("is not on {}; people of other servers do not write mail here", server.unwrap_or_default()))
        }
        _ => Err("is not a user id; write @anna:example.org or anna".into()),
    }
}

/// What stands between a name and a delivery in an address.
pub struct Delimiter(char);

impl Default for Delimiter {
    fn default() -> Self {
        Self('+')
    }
}

impl FromStr for Delimiter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = DELIMITERS.iter().find(|known| text == known.to_string());
        known.map(|known| Self(*known)).ok_or_else(|| format!("{text:?} is not one of {DELIMITERS:?}"))
    }
}

/// An address that a member of staff writes from.
pub struct Own(String);

impl FromStr for Own {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Every server on the way would need SMTPUTF8 for it.
        let address = address::remote(text).filter(|address| address.as_str().is_ascii());
        address
            .map(|it| Self(it.to_string()))
            .ok_or_else(|| format!("{text:?} is not an address that anybody can answer"))
    }
}

/// A mapping in the order in which it is written. `serde` would keep the last of two entries with one key.
pub struct Entries<T>(Vec<(String, T)>);

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Entries<T> {
    fn unique(self, document: &Document, key: &str) -> Result<BTreeMap<String, T>, yaml::Error> {
        let mut unique = BTreeMap::new();
        for (name, entry) in self.0 {
            if unique.insert(name.clone(), entry).is_some() {
                return Err(document.error(&format!("{key}.{name:?}"), "is there twice"));
            }
        }
        Ok(unique)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Mapping<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Mapping<T> {
            type Value = Entries<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Mapping(PhantomData))
    }
}

macro_rules! scalar {
    ($name:ty) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(Scalar(PhantomData))
            }
        }
    };
}
scalar!(Delimiter);
scalar!(Own);
scalar!(Template);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{connectors::email::config::Config, ids::DeliveryId, message::Writer};
    use std::path::Path;

    fn read(keys: &str) -> Result<Identity, String> {
        let keys = keys.replace('\n', "\n    ");
        let text = format!(
            "homeserver:\n  server_name: example.org\nconnectors:\n  email:\n    domain: chat.example\n    \
             smtp: {{ host: mx.example, tls: none }}\n    lmtp: {{ listen: '127.0.0.1:2525' }}\n    {keys}\n"
        );
        let document = Document::new(Path::new("/etc/fehmarn/config.yaml"), text);
        Config::read(&document, &|_| None).map(|config| config.identity).map_err(|e| e.to_string())
    }

    const TABLE: &str = "from_name: '{name} ({office})'\ndelimiter: '-'\n\
        offices:\n  bau: { name: Bauamt, signature: \"{name}\\nStadt Kiel\" }\n  Ordnungsamt: {}\n\
        people:\n  '*': { signature: Stadt Kiel }\n  '@anna:example.org': { address: Bauamt@Kiel.example, name: Anna Muster, office: bau }\n  \
        tom: { office: Ordnungsamt }\n  eva: { office: bau, signature: Eva }\n";

    #[test]
    fn the_table_says_who_writes_how() {
        let identity = read(TABLE).unwrap();
        for (user, name, address, signature) in [
            ("anna", "Anna Muster (Bauamt)", "bauamt@kiel.example", "Anna Muster\nStadt Kiel"),
            ("tom", "T (Ordnungsamt)", "tom@chat.example", "Stadt Kiel"),
            ("eva", "T (Bauamt)", "eva@chat.example", "Eva"),
            ("ida", "T", "ida@chat.example", "Stadt Kiel"),
        ] {
            let writer = Writer { user: LocalUser::new(user), name: "T".into() };
            let sender = identity.sender(&writer, &DeliveryId::new("mzxw6ytboi2dkmbrgq4tqmzxga")).unwrap();
            assert_eq!((sender.name.as_str(), sender.address.as_str()), (name, address));
            assert_eq!(sender.signature.as_deref(), Some(signature));
            assert!(sender.return_path.contains("-mzxw6"), "{}", sender.return_path);
        }
    }

    #[test]
    fn each_mistake_is_named_with_its_key_and_how_to_mend_it() {
        for (old, new, words) in [
            ("from_name: '{name}", "from_name: '{nam}", vec!["line 8", "from_name", "known are {name} and {office}"]),
            ("delimiter: '-'", "delimiter: '#'", vec!["line 9", "delimiter", "'+', '-', '='"]),
            ("Bauamt@Kiel.example", "Bauamt", vec!["line 15", "address", "\"Bauamt\" is not an address"]),
            ("Bauamt@Kiel.example", "m\u{fc}ller@kiel.example", vec!["address", "is not an address"]),
            ("tom: { office", "tom: { ofice", vec!["line 16", "people.tom", "`ofice`", "known are", "`office`"]),
            (
                "  Ordnungsamt: {}",
                "  Ordnungsamt: { sign: x }",
                vec!["line 12", "offices.Ordnungsamt", "`sign`", "known are `name`"],
            ),
            ("office: Ordnungsamt", "office: Amt", vec!["people.\"tom\"", "no office \"Amt\"", "\"Ordnungsamt\""]),
            ("tom:", "anna:", vec!["people.\"anna\"", "same person as \"@anna:example.org\""]),
            ("tom:", "eva:", vec!["people.\"eva\"", "same person as \"eva\""]),
            (
                "tom: { office: Ordnungsamt",
                "tom: { address: bauamt@kiel.example",
                vec!["people: anna and tom", "bauamt@"],
            ),
            ("Ordnungsamt: {}", "bau: {}", vec!["offices.\"bau\"", "twice"]),
            ("@anna:example.org", "@anna:example.com", vec!["@anna:example.com", "is not on example.org"]),
            ("@anna:example.org", "@anna", vec!["people.\"@anna\"", "is not a user id"]),
            ("'*': { signature", "'*': { name", vec!["people.\"*\"", "everybody"]),
        ] {
            assert!(TABLE.contains(old), "{old}");
            let error = read(&TABLE.replacen(old, new, 1)).expect_err(new);
            assert!(words.iter().all(|word| error.contains(word)), "{new}\n{error}");
        }
    }

    #[test]
    fn who_has_no_office_is_of_the_office_of_everybody() {
        let people = "people: { '*': { office: Stadt Kiel }, anna: { office: Bauamt } }";
        let identity = read(&format!("from_name: '{{name}} ({{office}})'\n{people}")).unwrap();
        for (user, name) in [("anna", "T (Bauamt)"), ("ida", "T (Stadt Kiel)")] {
            let writer = Writer { user: LocalUser::new(user), name: "T".into() };
            let sender = identity.sender(&writer, &DeliveryId::new("mzxw6ytboi2dkmbrgq4tqmzxga")).unwrap();
            assert_eq!(sender.name, name);
        }
    }

    #[test]
    fn without_offices_an_office_is_a_name() {
        let identity = read("from_name: '{office}: {name}'\npeople: { anna: { office: Bauamt } }").unwrap();
        let writer = Writer { user: LocalUser::new("anna"), name: "Anna".into() };
        let sender = identity.sender(&writer, &DeliveryId::new("mzxw6ytboi2dkmbrgq4tqmzxga")).unwrap();
        assert_eq!(sender.name, "Bauamt: Anna");
    }
}
