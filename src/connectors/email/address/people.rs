//! What is configured of single members of staff: names, offices, addresses and signatures.

use crate::{connectors::email::text::clean, ids::LocalUser, message::Writer};
use std::{
    collections::{BTreeMap, HashMap},
    str::FromStr,
};

/// The table of people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People {
    /// What From calls somebody who has an office.
    pub from_name: Template,
    pub table: BTreeMap<LocalUser, Person>,
    /// Office and signature of those who have none of their own.
    pub everybody: Person,
    /// Whom an address reaches.
    owners: HashMap<String, LocalUser>,
}

/// A member of staff, as far as they are not what their Matrix profile and the rule for addresses say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// In normal form.
    pub address: Option<String>,
    pub name: Option<String>,
    /// As people outside call it.
    pub office: Option<String>,
    pub signature: Option<Template>,
}

impl People {
    pub fn new(from_name: Template, table: BTreeMap<LocalUser, Person>, everybody: Person) -> Self {
        Self { from_name, table, everybody, owners: HashMap::new() }
    }

    /// Writes down whom each address reaches; `addresses` lists those of a person, given what the table says.
    pub(super) fn own(&mut self, addresses: impl Fn(&LocalUser, Option<&str>) -> Vec<String>) -> Result<(), String> {
        for (user, person) in &self.table {
            for address in addresses(user, person.address.as_deref()) {
                if let Some(other) = self.owners.insert(address.clone(), user.clone()) {
                    return Err(format!("{other} and {user} would both be reached under {address}"));
                }
            }
        }
        Ok(())
    }

    pub(super) fn owner(&self, address: &str) -> Option<LocalUser> {
        self.owners.get(address).cloned()
    }

    pub(super) fn address_of(&self, user: &LocalUser) -> Option<&str> {
        self.table.get(user)?.address.as_deref()
    }

    /// What From calls the writer: a name alone for who has no office, whatever the template puts around one.
    pub(super) fn name_of(&self, writer: &Writer) -> String {
        let (name, office) = (self.plain_name(writer), self.office_of(&writer.user));
        let from_name = if office.is_empty() && self.from_name.names(OFFICE) { None } else { Some(&self.from_name) };
        clean::line(&from_name.map_or_else(|| name.to_owned(), |it| it.fill(name, office)), clean::NAME)
    }

    pub(super) fn signature_of(&self, writer: &Writer) -> Option<String> {
        let own = self.table.get(&writer.user).and_then(|person| person.signature.as_ref());
        let signature = own.or(self.everybody.signature.as_ref())?;
        Some(signature.fill(self.plain_name(writer), self.office_of(&writer.user)))
    }

    fn plain_name<'x>(&'x self, writer: &'x Writer) -> &'x str {
        self.table.get(&writer.user).and_then(|person| person.name.as_deref()).unwrap_or(&writer.name)
    }

    fn office_of(&self, user: &LocalUser) -> &str {
        let own = self.table.get(user).and_then(|person| person.office.as_deref());
        own.or(self.everybody.office.as_deref()).unwrap_or_default()
    }
}

const NAME: &str = "name";
const OFFICE: &str = "office";

/// A text with `{name}` and `{office}` in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Place(&'static str),
}

impl Default for Template {
    fn default() -> Self {
        Self(vec![Piece::Place(NAME)])
    }
}

impl FromStr for Template {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (place, after) = after.split_once('}').ok_or_else(|| format!("{text:?} has a {{ without its }}"))?;
            let known = [NAME, OFFICE].into_iter().find(|known| *known == place);
            let place = known.ok_or_else(|| format!("{{{place}}} is not known, known are {{name}} and {{office}}"))?;
            pieces.extend([Piece::Text(before.to_owned()), Piece::Place(place)]);
            rest = after;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Ok(Self(pieces))
    }
}

impl Template {
    fn names(&self, place: &str) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Place(found) if *found == place))
    }

    fn fill(&self, name: &str, office: &str) -> String {
        let text = |piece: &'_ Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Place(NAME) => name.to_owned(),
            Piece::Place(_) => office.to_owned(),
        };
        self.0.iter().map(text).collect()
    }
}
