//! E-mail addresses: our own, which stand for members of staff, and those of the people outside.

mod identity;
mod people;

pub use identity::{DELIMITERS, Identity, Sender};
pub use people::{People, Person, Template};

use crate::ids::RemoteUserId;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// RFC 5321 section 4.5.3.1.1.
const LOCAL_OCTETS: usize = 64;
/// RFC 5321 section 4.5.3.1.3, without the angle brackets of a path.
const ADDRESS_OCTETS: usize = 254;

/// Who is meant by a text that names a person outside: as [`remote`], but who only claims an address stays another one.
pub fn person(text: &str) -> Option<RemoteUserId> {
    let id = RemoteUserId::new(text);
    if id.is_unverified() { plain(id.address()).map(|address| address.unverified()) } else { plain(text) }
}

/// Reads the address of a person outside, as people type or paste it: `Bob@Example.org`, `<bob@example.org>`,
/// `mailto:bob@example.org`, `"Bob" <bob@example.org>`. The normal form is lower-case, a local part beyond ASCII
/// (RFC 6531) in NFC, the domain as A-label. `None` for what cannot be written to: quoted local parts, IP addresses,
/// domains without a dot.
///
/// Mail to somebody who only claims an address goes to that address.
pub fn remote(text: &str) -> Option<RemoteUserId> {
    plain(RemoteUserId::new(text).address())
}

fn plain(text: &str) -> Option<RemoteUserId> {
    let address = bare(text)?;
    let (local, host) = address.rsplit_once('@')?;
    let (local, host) = (local_part(local)?, host_name(host)?);
    let address = format!("{local}@{host}");
    (host.contains('.') && address.len() <= ADDRESS_OCTETS).then(|| RemoteUserId::new(address))
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

/// A local part in its normal form.
fn local_part(text: &str) -> Option<String> {
    let local = if text.is_ascii() {
        text.to_ascii_lowercase()
    } else {
        // Lower case can undo the composition: "\u{130}" becomes two characters.
        text.nfc().collect::<String>().to_lowercase().nfc().collect()
    };
    (is_dot_atom(&local) && local.len() <= LOCAL_OCTETS).then_some(local)
}

/// RFC 5322 section 3.2.3, and with RFC 6531 section 3.3 the letters of all scripts. That one would allow everything
/// beyond ASCII, what nobody sees included.
fn is_dot_atom(text: &str) -> bool {
    let is_atext = |c: char| match c {
        c if c.is_ascii() => c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c),
        c => c.is_alphanumeric() || is_combining_mark(c),
    };
    text.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
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
mod tests;
