//! Addresses: JIDs of people outside, and those under which staff are reached. Pure.

use crate::ids::{LocalUser, RemoteMessageId, RemoteUserId};
use std::fmt::Display;
use xmpp_parsers::jid::{BareJid, Jid};

/// What stands behind the address of a member of staff when a program asks which of somebody's devices it is.
const RESOURCE: &str = "fehmarn";
/// What XEP-0106 escapes, with its codes.
const ESCAPES: &[(char, &str)] = &[
    (' ', "\\20"),
    ('"', "\\22"),
    ('&', "\\26"),
    ('\'', "\\27"),
    ('/', "\\2f"),
    (':', "\\3a"),
    ('<', "\\3c"),
    ('>', "\\3e"),
    ('@', "\\40"),
    ('\\', "\\5c"),
];

/// The domain that is ours, and how staff are called there.
#[derive(Clone, Debug)]
pub struct Identity {
    /// In normal form.
    pub domain: BareJid,
}

impl Identity {
    /// Reads the domain of the configuration.
    pub fn new(domain: &str) -> Option<Self> {
        let domain = BareJid::new(domain.trim()).ok().filter(|jid| jid.node().is_none())?;
        Some(Self { domain })
    }

    /// A JID that a person typed; `None` for one of our own.
    pub fn person(&self, text: &str) -> Option<RemoteUserId> {
        let text = text.trim();
        let text = text.strip_prefix("xmpp:").unwrap_or(text);
        let text = text.split('?').next()?;
        let jid = Jid::new(text).ok().or_else(|| as_typed(text))?.into_bare();
        jid.node()?;
        (jid.domain() != self.domain.domain()).then(|| RemoteUserId::new(jid.as_str()))
    }

    /// Under which address a member of staff writes; `None` if XMPP cannot hold it.
    pub fn address_of(&self, user: &LocalUser) -> Option<BareJid> {
        BareJid::new(&format!("{}@{}", escape(user.as_str()), self.domain)).ok()
    }

    /// The same with the one device that all of them have.
    pub fn full_address_of(&self, user: &LocalUser) -> Option<String> {
        self.address_of(user).map(|jid| format!("{jid}/{RESOURCE}"))
    }

    /// Whom an address of ours reaches; `None` for the domain itself and for foreign addresses.
    pub fn user_of(&self, jid: &Jid) -> Option<LocalUser> {
        let node = jid.node().filter(|_| jid.domain() == self.domain.domain())?;
        Some(LocalUser::new(unescape(node.as_str())))
    }
}

/// An address with characters that people type and no JID has: they are escaped. Words with spaces are no address.
fn as_typed(text: &str) -> Option<Jid> {
    let (local, domain) = text.rsplit_once('@').filter(|(local, _)| !local.contains(char::is_whitespace))?;
    Jid::new(&format!("{}@{domain}", escape(local))).ok()
}

/// A backslash is escaped only where it would look like a code (XEP-0106 section 4.3).
fn escape(localpart: &str) -> String {
    let mut escaped = String::with_capacity(localpart.len());
    for (at, c) in localpart.char_indices() {
        let code = ESCAPES.iter().find(|(escaped, _)| *escaped == c);
        let is_code = |rest: &str| ESCAPES.iter().any(|(_, code)| rest.starts_with(code));
        match code {
            Some(_) if c == '\\' && !localpart.get(at..).is_some_and(is_code) => escaped.push(c),
            Some((_, code)) => escaped.push_str(code),
            None => escaped.push(c),
        }
    }
    escaped
}

fn unescape(node: &str) -> String {
    let mut text = String::with_capacity(node.len());
    let mut rest = node;
    while let Some(c) = rest.chars().next() {
        match ESCAPES.iter().find_map(|(c, code)| Some((*c, rest.strip_prefix(*code)?))) {
            Some((c, after)) => {
                text.push(c);
                rest = after;
            }
            None => {
                text.push(c);
                rest = rest.get(c.len_utf8()..).unwrap_or_default();
            }
        }
    }
    text
}

/// The id of a message of theirs: the ids of two people's programs may be the same.
pub fn message_of(from: impl Display, id: &str) -> RemoteMessageId {
    // Who is in a room may have a space in their name there.
    let from = from.to_string().replace(' ', "%20");
    RemoteMessageId::new(format!("{from} {id}"))
}

/// What stands before the id of the message to which somebody reacts, in the id of their reactions.
const REACTIONS: &str = "reactions ";

/// The same for all that somebody ever says of one message.
pub fn reactions_of(from: impl Display, message: &str) -> RemoteMessageId {
    message_of(from, &format!("{REACTIONS}{message}"))
}

pub fn is_of_reactions(message: &RemoteMessageId) -> bool {
    stanza_id(message).1.starts_with(REACTIONS)
}

/// The id of a message as it stands in a stanza, and who has written it; `None`: we.
pub fn stanza_id(message: &RemoteMessageId) -> (Option<&str>, &str) {
    // No JID has a space before its resource, and no id of ours has one at all.
    match message.as_str().split_once(' ') {
        Some((from, id)) => (Some(from), id),
        None => (None, message.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours() -> Identity {
        Identity::new("matrix.xmpp.test").unwrap()
    }

    #[test]
    fn an_address_has_one_normal_form_however_it_is_typed() {
        for typed in ["bob@xmpp.test", " Bob@XMPP.test ", "xmpp:bob@xmpp.test?message", "bob@xmpp.test/Handy"] {
            assert_eq!(ours().person(typed), Some(RemoteUserId::new("bob@xmpp.test")), "{typed}");
        }
        for typed in ["O'Neil@xmpp.test", "o\\27neil@xmpp.test"] {
            assert_eq!(ours().person(typed), Some(RemoteUserId::new("o\\27neil@xmpp.test")), "{typed}");
        }
        for none in [
            "",
            "xmpp.test",
            "das ist keine adresse",
            "Guten Tag bob@xmpp.test",
            "@xmpp.test",
            "bob@",
            "anna@matrix.xmpp.test",
        ] {
            assert_eq!(ours().person(none), None, "{none}");
        }
    }

    #[test]
    fn staff_and_their_addresses_lead_to_each_other() {
        for (user, address) in [
            ("anna", "anna@matrix.xmpp.test"),
            ("a/b=c+d", "a\\2fb=c+d@matrix.xmpp.test"),
            ("o'neil d", "o\\27neil\\20d@matrix.xmpp.test"),
        ] {
            let jid = ours().address_of(&LocalUser::new(user)).unwrap();
            assert_eq!(jid.as_str(), address);
            assert_eq!(ours().user_of(&Jid::from(jid)), Some(LocalUser::new(user)));
        }
    }

    #[test]
    fn escaping_follows_the_examples_of_the_specification() {
        for (plain, escaped) in [
            ("space cadet", "space\\20cadet"),
            ("call me \"ishmael\"", "call\\20me\\20\\22ishmael\\22"),
            ("d'artagnan", "d\\27artagnan"),
            ("/.fanboy", "\\2f.fanboy"),
            ("c:\\net", "c\\3a\\net"),
            ("c:\\cool stuff", "c\\3a\\cool\\20stuff"),
            ("c:\\5commas", "c\\3a\\5c5commas"),
        ] {
            assert_eq!((escape(plain).as_str(), unescape(escaped).as_str()), (escaped, plain));
        }
    }

    #[test]
    fn only_our_own_domain_reaches_staff() {
        let user = |text: &str| ours().user_of(&Jid::new(text).unwrap());
        assert_eq!(user("anna@matrix.xmpp.test/x"), Some(LocalUser::new("anna")));
        assert_eq!((user("anna@xmpp.test"), user("matrix.xmpp.test")), (None, None));
    }

    #[test]
    fn an_id_says_whose_it_is() {
        let theirs = message_of("bob@xmpp.test", "a b");
        assert_eq!(stanza_id(&theirs), (Some("bob@xmpp.test"), "a b"));
        assert_eq!(stanza_id(&RemoteMessageId::new("abc")), (None, "abc"));
    }
}
