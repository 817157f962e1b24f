//! E-mail addresses: our own, which stand for members of staff, and those of the people outside.

use crate::ids::{DeliveryId, LocalUser, RemoteUserId};

const PLACE: &str = "{localpart}";
/// RFC 5321 section 4.5.3.1.1.
const LOCAL_OCTETS: usize = 64;
/// RFC 5321 section 4.5.3.1.3, without the angle brackets of a path.
const ADDRESS_OCTETS: usize = 254;

/// Which addresses are ours, and whose they are.
///
/// A Matrix localpart stands in the address as it is, but for what would not be an unquoted dot-atom (RFC 5322 section
/// 3.2.3) or would mean something else there: `=`, `/`, `+`, capital letters, and dots at an end or in a row. Each such
/// byte becomes `=` and two lower-case hexadecimal digits (`anna/x` is `anna=2fx@...`), as in ghost ids. So `+` never
/// stands in a name, and what follows one in an address is a detail that does not change whom it reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    domain: String,
    prefix: String,
    suffix: String,
    host: String,
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
        if !is_dot_atom(&format!("{prefix}a{suffix}")) {
            return Err(format!("{local:?} has characters that an address cannot have, or dots at the wrong place"));
        }
        Ok(Self { domain, prefix, suffix, host })
    }

    /// The domain of our Message-IDs, lower-case.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The address that this member of staff writes from; `None` if it would be longer than an address may be.
    pub fn address_of(&self, user: &LocalUser) -> Option<String> {
        self.address(user, "")
    }

    /// The envelope sender of a delivery: the writer's address with the delivery as its detail (a variable envelope
    /// return path), so that even a report that returns no headers names its delivery.
    pub(super) fn return_path(&self, user: &LocalUser, delivery: &DeliveryId) -> Option<String> {
        self.address(user, &format!("+{delivery}")).or_else(|| self.address_of(user))
    }

    fn address(&self, user: &LocalUser, detail: &str) -> Option<String> {
        let name = escape(user.as_str());
        let local = format!("{}{name}{}{detail}", self.prefix, self.suffix);
        let fits = local.len() <= LOCAL_OCTETS && local.len() + 1 + self.host.len() <= ADDRESS_OCTETS;
        (!name.is_empty() && fits).then(|| format!("{local}@{}", self.host))
    }

    /// Whose address this is, in any case, with or without a detail (`anna+x@`); `None` if it is not one of ours.
    pub fn user_of(&self, address: &str) -> Option<LocalUser> {
        let (local, host) = address.trim().rsplit_once('@')?;
        if !host.eq_ignore_ascii_case(&self.host) && host_name(host)? != self.host {
            return None;
        }
        let local = local.to_ascii_lowercase();
        let rest = local.strip_prefix(&self.prefix)?;
        let ends = rest.match_indices('+').map(|(at, _)| at).chain([rest.len()]);
        ends.filter_map(|end| rest.get(..end)?.strip_suffix(self.suffix.as_str()))
            .find_map(unescape)
            .map(LocalUser::new)
    }
}

/// Reads the address of a person outside, as people type or paste it: `Bob@Example.org`, `<bob@example.org>`,
/// `mailto:bob@example.org`, `"Bob" <bob@example.org>`. The normal form is lower-case, the domain as A-label.
/// `None` for what cannot be written to: quoted or non-ASCII local parts, IP addresses, domains without a dot.
pub fn remote(text: &str) -> Option<RemoteUserId> {
    let address = bare(text)?;
    let (local, host) = address.rsplit_once('@')?;
    let (local, host) = (local.to_ascii_lowercase(), host_name(host)?);
    let sound = is_dot_atom(&local) && local.len() <= LOCAL_OCTETS && host.contains('.');
    let address = format!("{local}@{host}");
    (sound && address.len() <= ADDRESS_OCTETS).then(|| RemoteUserId::new(address))
}

/// What is left of a pasted address without its name, its brackets and what people put around it.
fn bare(text: &str) -> Option<String> {
    // The longest that is worth a look: a name of any reasonable length and an address.
    if text.len() > 2048 {
        return None;
    }
    let around = |c: char| c.is_whitespace() || super::text::clean::is_unseen(c);
    let text = text.trim_matches(around).trim_end_matches(['.', ',', ';']);
    let text = match text.strip_suffix('>') {
        Some(inner) => inner.rsplit_once('<')?.1,
        None => text,
    }
    .trim_matches(around);
    match text.split_at_checked(7) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("mailto:") => {
            let address = rest.split_once('?').map_or(rest, |(address, _)| address);
            String::from_utf8(unhex(address, b'%')?).ok()
        }
        _ => Some(text.to_owned()),
    }
}

/// RFC 5322 section 3.2.3, ASCII only.
fn is_dot_atom(text: &str) -> bool {
    text.split('.').all(|atom| {
        !atom.is_empty() && atom.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
    })
}

/// A domain name in its normal form: lower-case A-labels, no dot at the end.
pub(super) fn host_name(text: &str) -> Option<String> {
    let text = text.strip_suffix('.').unwrap_or(text);
    // `url` would decode percent signs and accept IP addresses in many spellings.
    if text.len() > 253 || text.contains(['%', '[', ':']) {
        return None;
    }
    let host = if text.is_ascii() {
        text.to_ascii_lowercase()
    } else {
        match url::Host::parse(text).ok()? {
            url::Host::Domain(host) => host,
            _ => return None,
        }
    };
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last_is_number = host.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    (host.len() <= 253 && host.split('.').all(label) && !last_is_number).then_some(host)
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

/// Replaces `mark` and two hexadecimal digits by the byte that they name; `None` if the digits are missing.
pub(super) fn unhex(text: &str, mark: u8) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != mark {
            out.push(byte);
            continue;
        }
        let digit = |b: Option<u8>| char::from(b?).to_digit(16);
        let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
        out.push(u8::try_from(high * 16 + low).ok()?);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity::new("chat.example.org", "{localpart}@chat.example.org").unwrap()
    }

    fn user(name: &str) -> LocalUser {
        LocalUser::new(name)
    }

    #[test]
    fn an_ordinary_name_stands_in_the_address_as_it_is() {
        for name in ["anna", "anna.muster", "a_b-c", "0815"] {
            assert_eq!(identity().address_of(&user(name)).unwrap(), format!("{name}@chat.example.org"));
        }
    }

    #[test]
    fn every_matrix_name_comes_back_from_its_address() {
        let names =
            ["anna", "a=b", "a/b", "a+b", ".a", "a.", "a..b", "..", "Anna", "=2f", "anna+x", "m\u{fc}ller", "a b"];
        for template in [
            "{localpart}@h.example",
            "amt-{localpart}@h.example",
            "x+{localpart}@h.example",
            "{localpart}+y@h.example",
            "{localpart}-z@h.example",
        ] {
            let identity = Identity::new("h.example", template).unwrap();
            for name in names {
                let address = identity.address_of(&user(name)).unwrap();
                assert!(remote(&address).is_some_and(|r| r.as_str() == address), "{address} is no plain address");
                assert_eq!(identity.user_of(&address), Some(user(name)), "{template} {address}");
                assert_eq!(identity.user_of(&address.to_ascii_uppercase()), Some(user(name)), "{template} {address}");
            }
        }
    }

    #[test]
    fn a_detail_after_a_plus_does_not_change_whom_an_address_reaches() {
        for template in
            ["{localpart}@h.example", "x+{localpart}@h.example", "{localpart}+y@h.example", "{localpart}-z@h.example"]
        {
            let identity = Identity::new("h.example", template).unwrap();
            let path = identity.return_path(&user("a+b"), &DeliveryId::new("mzxw6ytboi2dkmbrgq4tqmzxga")).unwrap();
            assert!(path.contains("+mzxw6ytboi2dkmbrgq4tqmzxga@"), "{path}");
            assert_eq!(identity.user_of(&path), Some(user("a+b")), "{path}");
        }
        assert_eq!(identity().user_of("Anna+Rechnung+2@CHAT.example.org."), Some(user("anna")));
    }

    #[test]
    fn a_name_too_long_for_a_detail_keeps_its_plain_return_path() {
        let name = user(&"a".repeat(60));
        let identity = identity();
        assert_eq!(identity.return_path(&name, &DeliveryId::random()), identity.address_of(&name));
        assert_eq!(identity.address_of(&user(&"a".repeat(65))), None);
        assert_eq!(identity.address_of(&user("")), None);
    }

    #[test]
    fn a_foreign_or_unclean_address_is_nobody_of_ours() {
        for address in [
            "anna@example.org",
            "anna",
            "@chat.example.org",
            "+x@chat.example.org",
            "a=2@chat.example.org",
            "a=zz@chat.example.org",
            "=61nna@chat.example.org",
            "a=ff@chat.example.org",
            "anna@chat.example.org.evil.example",
        ] {
            assert_eq!(identity().user_of(address), None, "{address}");
        }
    }

    #[test]
    fn a_bad_template_is_refused_with_the_reason() {
        for (template, word) in [
            ("anna@h.example", "exactly once"),
            ("{localpart}{localpart}@h.example", "exactly once"),
            ("{localpart}", "no @"),
            ("x@{localpart}.example", "left of the @"),
            (".{localpart}@h.example", "dots"),
            ("{localpart} x@h.example", "characters"),
            ("{localpart}@h_h.example", "domain name"),
        ] {
            let error = Identity::new("h.example", template).unwrap_err();
            assert!(error.contains(word), "{template}: {error}");
        }
        assert!(Identity::new("", "{localpart}@h.example").unwrap_err().contains("domain name"));
        assert_eq!(Identity::new("Chat.Example.", "{localpart}@h.example").unwrap().domain(), "chat.example");
    }

    #[test]
    fn an_address_is_read_as_people_paste_it() {
        for text in [
            "bob@example.org",
            "Bob@Example.ORG",
            "  <bob@example.org>\n",
            "mailto:bob@example.org",
            "MAILTO:bob@example.org?subject=x",
            "\"Bob\" <bob@example.org>",
            "Meier, Bob <BOB@example.org>",
            "bob@example.org.",
            "\u{200b}bob@example.org\u{202c}",
            "mailto:%62ob@example.org",
            "<mailto:bob@example.org>;",
        ] {
            assert_eq!(remote(text).unwrap().as_str(), "bob@example.org", "{text:?}");
        }
        assert_eq!(remote("bob+x.y@example.org").unwrap().as_str(), "bob+x.y@example.org");
        assert_eq!(remote("info@B\u{fc}rgeramt.example").unwrap().as_str(), "info@xn--brgeramt-65a.example");
    }

    #[test]
    fn what_cannot_be_written_to_is_no_address() {
        let long = format!("{}@example.org", "a".repeat(65));
        let longer = format!("a@{}example.org", "abcdefgh.".repeat(30));
        for text in [
            "",
            "bob",
            "@",
            "bob@",
            "@example.org",
            "bob@localhost",
            "bob@example..org",
            "bob@-x.org",
            "b ob@example.org",
            "bob@exa mple.org",
            "\"b b\"@example.org",
            "bob.@example.org",
            "b..b@example.org",
            "bob@[192.0.2.1]",
            "bob@192.0.2.1",
            "bob@ex%61mple.org",
            "bob\n@example.org",
            "bob@example.org\r\nBcc: x@example.org",
            "bob\u{0}@example.org",
            "m\u{fc}ller@example.org",
            "a@b@c d.org",
            "bob,eve@example.org",
            "bob@example.org> x <",
            "+49431988120",
            "#room:example.org",
            "@anna:example.org",
            "mailto:%zz@example.org",
            &long,
            &longer,
        ] {
            assert_eq!(remote(text), None, "{text:?}");
        }
    }
}
