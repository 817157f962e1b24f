//! Which addresses are ours, and whose they are.

use super::{ADDRESS_OCTETS, LOCAL_OCTETS, People, host_name, is_dot_atom, unhex};
use crate::{
    connectors::email::text::clean,
    ids::{DeliveryId, LocalUser, RemoteMessageId},
    language::Language,
    message::Writer,
};

const PLACE: &str = "{localpart}";
/// What may stand between a name and a delivery. None of them means anything else to a mail server.
pub const DELIMITERS: &[char] = &['+', '-', '='];
/// The length of a [`DeliveryId`].
const ID: usize = 26;

/// Which addresses are ours, and whose they are: those of the table of people, and for everybody else one made from
/// the Matrix localpart.
///
/// A localpart stands in the address as it is, but for what would not be an unquoted dot-atom (RFC 5322 section 3.2.3)
/// or would mean something else there: `=`, `/`, `+`, capital letters, and dots at an end or in a row. Each such byte
/// becomes `=` and two lower-case hexadecimal digits (`anna/x` is `anna=2fx@...`), as in ghost ids. So `+` never stands
/// in a name, and what follows one in an address is a detail that does not change whom it reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    domain: String,
    prefix: String,
    suffix: String,
    host: String,
    delimiter: char,
    people: People,
    language: Language,
}

/// Who writes, as a mail says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// One clean line; may be empty.
    pub name: String,
    pub address: String,
    /// An address of ours with the delivery as its detail (a variable envelope return path), so that even a report
    /// that returns no headers names its delivery.
    pub return_path: String,
    /// Where answers shall go, should `address` not lead to us.
    pub reply_to: Option<String>,
    /// Plain text of a few lines.
    pub signature: Option<String>,
}

impl Identity {
    /// `domain` stands in the Message-IDs that we mint. `from_template` is the address of a member of staff with
    /// `{localpart}` exactly once, left of the `@`: `{localpart}@chat.example.org`. The error says what is wrong.
    pub fn new(domain: &str, from_template: &str) -> Result<Self, String> {
        let domain = host_name(domain).ok_or_else(|| format!("{domain:?} is not a domain name"))?;
        if from_template.matches(PLACE).count() != 1 {
            return Err(format!("{from_template:?} must contain {PLACE} exactly once"));
        }
        let (local, host) = from_template
            .rsplit_once('@')
            .ok_or_else(|| format!("{from_template:?} is not an address: there is no @ in it"))?;
        let (prefix, suffix) =
            local.split_once(PLACE).ok_or_else(|| format!("{from_template:?}: {PLACE} must stand left of the @"))?;
        let host = host_name(host).ok_or_else(|| format!("{host:?} is not a domain name"))?;
        let (prefix, suffix) = (prefix.to_ascii_lowercase(), suffix.to_ascii_lowercase());
        let example = format!("{prefix}a{suffix}");
        if !is_dot_atom(&example) || !example.is_ascii() {
            return Err(format!("{local:?} has characters that an address cannot have, or dots at the wrong place"));
        }
        Ok(Self {
            domain,
            prefix,
            suffix,
            host,
            delimiter: '+',
            people: People::default(),
            language: Language::default(),
        })
    }

    /// With another one of [`DELIMITERS`] than `+`, which Exchange would take for a part of the name.
    pub fn with_delimiter(self, delimiter: char) -> Self {
        Self { delimiter, ..self }
    }

    /// With the language of what stands around names.
    pub fn with_language(self, language: Language) -> Self {
        Self { language, ..self }
    }

    /// With a table of people. The error names two of them who would be reached under one address.
    pub fn with_people(self, mut people: People) -> Result<Self, String> {
        people.own(|user, written| {
            let by_rule = self.by_rule(user, "").filter(|_| written.is_none_or(|written| !self.is_ours(written)));
            written.map(str::to_owned).into_iter().chain(by_rule).collect()
        })?;
        Ok(Self { people, ..self })
    }

    /// The domain of our Message-IDs, lower-case.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Under which name and addresses somebody writes; `None` if their address would be longer than an address may be,
    /// or is another person's in the table.
    pub fn sender(&self, writer: &Writer, delivery: &DeliveryId) -> Option<Sender> {
        let user = &writer.user;
        let address = self.address_of(user)?;
        let tagged = self.home(user, &format!("{}{delivery}", self.delimiter));
        let return_path = tagged.or_else(|| self.home(user, "")).unwrap_or_else(|| address.clone());
        let reply_to = (!self.is_ours(&address) && self.is_ours(&return_path)).then(|| return_path.clone());
        let (name, signature) = (self.people.name_of(writer), self.people.signature_of(writer));
        Some(Sender { name, address, return_path, reply_to, signature })
    }

    /// The same for the words of somebody outside: both names, the address of who passes them on, and no signature.
    pub fn passing_on(&self, sender: Sender, author: &str) -> Sender {
        let office = if sender.name.is_empty() { &sender.address } else { &sender.name };
        let name = self.language.look_up("mail-passed-on", &[("author", author), ("office", office)]);
        Sender { name: clean::line(&name, clean::NAME), signature: None, ..sender }
    }

    /// The address that this member of staff writes from.
    fn address_of(&self, user: &LocalUser) -> Option<String> {
        let address = self.people.address_of(user).map(str::to_owned).or_else(|| self.by_rule(user, ""))?;
        (self.user_of(&address).as_ref() == Some(user)).then_some(address)
    }

    /// An address that leads to us and to this member of staff.
    fn home(&self, user: &LocalUser, detail: &str) -> Option<String> {
        let address = match self.people.address_of(user).filter(|address| self.is_ours(address)) {
            Some(address) => {
                let (local, host) = address.rsplit_once('@')?;
                fitting(&format!("{local}{detail}"), host)
            }
            None => self.by_rule(user, detail),
        }?;
        (self.user_of(&address).as_ref() == Some(user)).then_some(address)
    }

    fn by_rule(&self, user: &LocalUser, detail: &str) -> Option<String> {
        let name = Some(escape(user.as_str())).filter(|name| !name.is_empty())?;
        fitting(&format!("{}{name}{}{detail}", self.prefix, self.suffix), &self.host)
    }

    fn is_ours(&self, address: &str) -> bool {
        address.rsplit_once('@').is_some_and(|(_, host)| [&self.host, &self.domain].iter().any(|ours| *ours == host))
    }

    /// Whose address this is, in any case, with or without a detail (`anna+x@`) or a delivery; `None` if it is not one
    /// of ours.
    pub fn user_of(&self, address: &str) -> Option<LocalUser> {
        let (local, host) = self.split(address)?;
        let name = self.tagged(&local).map_or(local.as_str(), |(name, _)| name);
        let details = || name.match_indices('+').filter_map(|(at, _)| name.get(..at));
        let mut names = [local.as_str(), name].into_iter().chain(details());
        names
            .find_map(|name| self.people.owner(&format!("{name}@{host}")))
            .or_else(|| if host == self.host { self.by_rule_inverse(name) } else { None })
    }

    fn by_rule_inverse(&self, local: &str) -> Option<LocalUser> {
        let rest = local.strip_prefix(&self.prefix)?;
        let ends = rest.match_indices('+').map(|(at, _)| at).chain([rest.len()]);
        ends.filter_map(|end| rest.get(..end)?.strip_suffix(self.suffix.as_str()))
            .find_map(unescape)
            .map(LocalUser::new)
    }

    /// The delivery that an address of ours names: what comes there answers it, or reports on it.
    pub fn delivery_of(&self, address: &str) -> Option<DeliveryId> {
        let (local, _) = self.split(address)?;
        let (_, delivery) = self.tagged(&local)?;
        self.user_of(address).map(|_| delivery)
    }

    /// The message of that delivery.
    pub fn answered(&self, address: &str) -> Option<RemoteMessageId> {
        self.delivery_of(address).map(|delivery| self.message_id(&delivery))
    }

    /// The Message-ID of a delivery, without its brackets.
    pub fn message_id(&self, delivery: &DeliveryId) -> RemoteMessageId {
        RemoteMessageId::new(format!("{delivery}@{}", self.domain))
    }

    /// Local part and domain in lower case.
    fn split(&self, address: &str) -> Option<(String, String)> {
        let (local, host) = address.trim().rsplit_once('@')?;
        Some((local.to_ascii_lowercase(), host_name(host)?))
    }

    /// Mail with a plus may still be on its way when somebody has configured another delimiter.
    fn tagged<'x>(&self, local: &'x str) -> Option<(&'x str, DeliveryId)> {
        split_delivery(local, &['+', self.delimiter])
    }
}

fn split_delivery<'x>(local: &'x str, delimiters: &[char]) -> Option<(&'x str, DeliveryId)> {
    let (name, id) = local.split_at_checked(local.len().checked_sub(ID)?)?;
    let name = name.strip_suffix(delimiters).filter(|name| !name.is_empty())?;
    DeliveryId::read(id).map(|id| (name, id))
}

fn fitting(local: &str, host: &str) -> Option<String> {
    let address = format!("{local}@{host}");
    (local.len() <= LOCAL_OCTETS && address.len() <= ADDRESS_OCTETS).then_some(address)
}

fn escape(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let last = name.len().saturating_sub(1);
    let mut before = b'.';
    for (at, byte) in name.bytes().enumerate() {
        let plain = match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => true,
            b'.' => before != b'.' && at != last,
            _ => false,
        };
        if plain {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("={byte:02x}"));
        }
        before = byte;
    }
    out
}

/// The inverse of [`escape`]; `None` for what it would not have written, so that each user has one address.
fn unescape(text: &str) -> Option<String> {
    let name = String::from_utf8(unhex(text, b'=')?).ok()?;
    (!name.is_empty() && escape(&name) == text).then_some(name)
}
