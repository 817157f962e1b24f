//! Whether a mail is from whom it says.
//!
//! | file | what |
//! |---|---|
//! | `trust`, `results` | what our own mail server has found out (RFC 8601) |
//! | `check`, `received` | what we find out ourselves: DKIM, SPF, DMARC |
//! | `alike` | domains that look like ours |
//! | `name` | what a sender may call themself |
//!
//! The sender is the one mailbox in the one From field: `Sender` and `Resent-*` prove nothing, and of several authors none
//! can be proved. A proof is one for the domain of that address, or for a domain above it, as its owner owns both. What
//! DMARC calls relaxed goes further (a sister domain may prove) and is asked only of a domain that has a DMARC record.
//!
//! Where neither a server is trusted nor anything checked, every sender is taken for whom they say, as in any mail program.
//! To mark everybody would teach people to overlook the mark, and would part the answers from the conversations.

mod alike;
mod check;
mod name;
mod received;
mod results;
mod trust;

pub use alike::Own;
pub use check::Check;

use super::{address, fields::Fields, mime::headers::Headers};
use crate::{
    connector::Finding,
    failure::{Failure, Reason},
    ids::RemoteUserId,
    message::Arrival,
};
use mail_parser::HeaderName;

/// When the DNS does not answer, a mail waits for so many attempts (about half a minute); then its sender is unverified.
const ATTEMPTS: u32 = 4;

/// Who has to be believed, and how.
pub struct Senders {
    pub own: Own,
    /// Mail servers whose results count: authserv-ids in lower case.
    pub trust: Vec<String>,
    pub check: Option<Check>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Verified,
    Unverified,
    /// There is nothing to tell by.
    Unknown,
    /// There may be something to tell by later: why not now.
    Later(String),
}

impl Senders {
    /// Sets what is known of the sender. `headers`, `fields`: those of the mail `raw`. Asks the DNS, should that be
    /// configured.
    ///
    /// # Errors
    /// Transient: the DNS does not answer.
    pub async fn judge(
        &self,
        headers: &Headers<'_>,
        raw: &[u8],
        fields: &Fields,
        arrival: &mut Arrival,
        attempt: u32,
    ) -> Result<(), Failure> {
        let verified = match self.verdict(headers, raw, fields, &arrival.from).await {
            Verdict::Verified => true,
            Verdict::Later(why) if attempt < ATTEMPTS => {
                return Err(Failure::transient(Reason::Busy, format!("the sender cannot be checked now: {why}")));
            }
            _ => false,
        };
        arrival.verified = verified;
        arrival.from_name = arrival.from_name.take().and_then(|name| name::honest(&name, &arrival.from, &self.own));
        if !verified {
            arrival.from = arrival.from.unverified();
        }
        Ok(())
    }

    async fn verdict(&self, headers: &Headers<'_>, raw: &[u8], fields: &Fields, from: &RemoteUserId) -> Verdict {
        let domain = from.address().rsplit('@').next().unwrap_or_default();
        // A mail without any sender is from nobody.
        if from.is_unverified() || self.own.is_alike(domain) {
            return Verdict::Unverified;
        }
        if self.trust.is_empty() && self.check.is_none() {
            return Verdict::Verified;
        }
        if !is_author(headers, fields, from) {
            return Verdict::Unverified;
        }
        match (trust::verdict(fields, &self.trust, domain), &self.check) {
            (Verdict::Unknown, Some(check)) => check.verdict(raw, fields, domain).await,
            (verdict, _) => verdict,
        }
    }

    /// For `fehmarn check`.
    pub async fn finding(&self) -> Finding {
        let result = match &self.check {
            Some(check) => check.try_out(&self.own.domain).await,
            None if self.trust.is_empty() => {
                Ok("not checked: anybody can write here in another's name; to mark those whom nothing \
                proves, set connectors.email.senders (docs/email.md)"
                    .to_owned())
            }
            None => Ok(format!("checked by {}", self.trust.join(", "))),
        };
        Finding { what: "senders".to_owned(), result }
    }
}

/// Whether the mail has one author, who is this one.
fn is_author(headers: &Headers<'_>, fields: &Fields, from: &RemoteUserId) -> bool {
    let authors = headers.addresses(HeaderName::From);
    let is_from = |author: &String| address::remote(author).is_some_and(|author| author == *from);
    fields.all("from").count() == 1 && authors.len() == 1 && authors.iter().all(is_from)
}

/// Whether who owns `owner` owns `domain`. Nobody but a registry owns a domain without a dot.
fn is_of(domain: &str, owner: &str) -> bool {
    let (domain, owner) = (domain.to_ascii_lowercase(), owner.trim_end_matches('.').to_ascii_lowercase());
    owner.contains('.') && domain.strip_suffix(&owner).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}
