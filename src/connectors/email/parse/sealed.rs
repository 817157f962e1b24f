//! Mails that were signed or encrypted as a whole: S/MIME (RFC 8551) and OpenPGP (RFC 9580). Signatures are not checked,
//! since nobody here knows whose keys to trust; what was signed is shown.

/// How deep elements may be nested.
const DEPTH: usize = 30;

/// What a form that may hide something turned out to be.
#[derive(Debug, PartialEq)]
pub enum Sealed<T> {
    /// Signed: this is what was signed.
    Open(T),
    /// Encrypted for somebody else's program.
    Closed,
    Neither,
}

/// Clear-signed text loses its armour (RFC 9580 section 7); an encrypted text cannot be read.
pub fn armour(text: &str) -> Sealed<String> {
    const SIGNED: &str = "-----BEGIN PGP SIGNED MESSAGE-----";
    const SIGNATURE: &str = "-----BEGIN PGP SIGNATURE-----";
    const END: &str = "-----END PGP SIGNATURE-----";
    if text.trim_start().starts_with("-----BEGIN PGP MESSAGE-----") {
        return Sealed::Closed;
    }
    let Some((before, rest)) = text.split_once(SIGNED) else { return Sealed::Neither };
    let Some((content, rest)) = rest.split_once(SIGNATURE) else { return Sealed::Neither };
    let Some((_, content)) = content.split_once("\n\n") else { return Sealed::Neither };
    let after = rest.split_once(END).map_or("", |(_, after)| after);
    // Section 7.1: a line that begins with a dash has "- " before it.
    let lines: Vec<&str> = content.trim_end().lines().map(|line| line.strip_prefix("- ").unwrap_or(line)).collect();
    Sealed::Open(format!("{before}{}{after}", lines.join("\n")).trim().to_owned())
}

// The object identifiers of RFC 5652, as they are encoded.
const SIGNED_DATA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02";
const ENVELOPED_DATA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03";
/// RFC 5083.
const AUTH_ENVELOPED_DATA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x17";
const SEQUENCE: u8 = 0x30;
const IDENTIFIER: u8 = 0x06;
const EXPLICIT: u8 = 0xa0;
const OCTETS: u8 = 0x04;
/// An octet string in pieces.
const OCTETS_IN_PIECES: u8 = 0x24;

/// Reads a CMS message (RFC 5652 section 3) as far as it holds something readable.
pub fn cms(bytes: &[u8]) -> Sealed<Vec<u8>> {
    match message(bytes) {
        Some((kind, content)) if kind == SIGNED_DATA => signed(content).map_or(Sealed::Neither, Sealed::Open),
        Some((kind, _)) if kind == ENVELOPED_DATA || kind == AUTH_ENVELOPED_DATA => Sealed::Closed,
        _ => Sealed::Neither,
    }
}

/// The kind of a CMS message and its content.
fn message(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (content, _) = expect(SEQUENCE, bytes)?;
    let (kind, rest) = expect(IDENTIFIER, content)?;
    Some((kind, expect(EXPLICIT, rest)?.0))
}

/// The content of SignedData: version, digest algorithms, and then the content with its type (section 5.1).
fn signed(bytes: &[u8]) -> Option<Vec<u8>> {
    let (content, _) = expect(SEQUENCE, bytes)?;
    let rest = element(element(content, 0)?.rest, 0)?.rest;
    let (inner, _) = expect(SEQUENCE, rest)?;
    let (_, rest) = expect(IDENTIFIER, inner)?;
    let (octets, _) = expect(EXPLICIT, rest)?;
    let mut out = Vec::new();
    collect(octets, &mut out, 0)?;
    (!out.is_empty()).then_some(out)
}

/// Puts the pieces of an octet string together.
fn collect(mut bytes: &[u8], out: &mut Vec<u8>, depth: usize) -> Option<()> {
    while !bytes.is_empty() {
        let found = element(bytes, depth)?;
        match found.tag {
            OCTETS => out.extend_from_slice(found.content),
            OCTETS_IN_PIECES if depth < DEPTH => collect(found.content, out, depth + 1)?,
            _ => return None,
        }
        bytes = found.rest;
    }
    Some(())
}

fn expect(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let found = element(bytes, 0)?;
    (found.tag == tag).then_some((found.content, found.rest))
}

struct Element<'x> {
    tag: u8,
    content: &'x [u8],
    rest: &'x [u8],
}

/// The first element (BER, X.690 section 8.1). Programs that write while they sign do not know lengths beforehand.
fn element(bytes: &[u8], depth: usize) -> Option<Element<'_>> {
    let (tag, length, rest) = match bytes {
        [tag, length, rest @ ..] if tag & 0x1f != 0x1f && depth <= DEPTH => (*tag, *length, rest),
        _ => return None,
    };
    match length {
        0x80 => {
            let length = unknown_length(rest, depth)?;
            let content = rest.get(..length)?;
            Some(Element { tag, content, rest: rest.get(length + 2..)? })
        }
        0..0x80 => split(tag, rest, usize::from(length)),
        _ => {
            let (digits, rest) =
                rest.split_at_checked(usize::from(length & 0x7f)).filter(|(digits, _)| digits.len() <= 4)?;
            let length = digits.iter().fold(0u64, |sum, digit| sum << 8 | u64::from(*digit));
            split(tag, rest, usize::try_from(length).ok()?)
        }
    }
}

fn split(tag: u8, bytes: &[u8], length: usize) -> Option<Element<'_>> {
    // The end of a file that was cut off is missed less than all of it.
    let (content, rest) = bytes.split_at_checked(length).unwrap_or((bytes, &[]));
    Some(Element { tag, content, rest })
}

/// The length of the elements up to the mark of their end, two zeros.
fn unknown_length(bytes: &[u8], depth: usize) -> Option<usize> {
    let mut rest = bytes;
    while !rest.starts_with(&[0, 0]) {
        rest = element(rest, depth + 1)?.rest;
    }
    bytes.len().checked_sub(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One element with its length in two bytes.
    fn element_of(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        [&[tag, 0x82, length[0], length[1]], content].concat()
    }

    fn signed_data(octets: &[u8]) -> Vec<u8> {
        let data =
            [element_of(IDENTIFIER, b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"), element_of(EXPLICIT, octets)].concat();
        let content = [element_of(2, &[1]), element_of(0x31, &[]), element_of(SEQUENCE, &data)].concat();
        of_kind(SIGNED_DATA, &element_of(SEQUENCE, &content))
    }

    fn of_kind(kind: &[u8], content: &[u8]) -> Vec<u8> {
        element_of(SEQUENCE, &[element_of(IDENTIFIER, kind), element_of(EXPLICIT, content)].concat())
    }

    #[test]
    fn what_was_signed_is_read_in_one_piece_or_in_several() {
        assert_eq!(cms(&signed_data(&element_of(OCTETS, b"Hallo"))), Sealed::Open(b"Hallo".to_vec()));
        let pieces = [element_of(OCTETS, b"Hal"), element_of(OCTETS, b"lo")].concat();
        assert_eq!(cms(&signed_data(&element_of(OCTETS_IN_PIECES, &pieces))), Sealed::Open(b"Hallo".to_vec()));
        let open = [&[OCTETS_IN_PIECES, 0x80][..], &pieces, &[0, 0]].concat();
        assert_eq!(cms(&signed_data(&open)), Sealed::Open(b"Hallo".to_vec()));
    }

    #[test]
    fn what_is_encrypted_and_what_is_neither_are_told_apart() {
        assert_eq!(cms(&of_kind(ENVELOPED_DATA, b"x")), Sealed::Closed);
        assert_eq!(cms(&of_kind(AUTH_ENVELOPED_DATA, b"x")), Sealed::Closed);
        for bytes in
            [&b""[..], b"Hallo", b"\x30\x80", &of_kind(b"\x2a", b"x"), &signed_data(b""), &signed_data(b"\x30\x00")]
        {
            assert_eq!(cms(bytes), Sealed::Neither);
        }
    }

    #[test]
    fn elements_without_an_end_are_no_trap() {
        for unit in [&b"\x30\x80"[..], b"\x24\x80\x04\x01a", b"\x30\x84\xff\xff\xff\xff"] {
            assert_eq!(cms(&unit.repeat(100_000)), Sealed::Neither);
        }
    }

    #[test]
    fn armour_is_taken_off_and_encrypted_armour_says_so() {
        let text = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nHallo\n- -- \nAnna\n-----BEGIN PGP SIGNATURE-----\n\niQ\n-----END PGP SIGNATURE-----\n";
        assert_eq!(armour(text), Sealed::Open("Hallo\n-- \nAnna".to_owned()));
        assert_eq!(armour("-----BEGIN PGP MESSAGE-----\n\nhQ"), Sealed::Closed);
        for text in ["Hallo", "-----BEGIN PGP SIGNED MESSAGE-----\nHallo"] {
            assert_eq!(armour(text), Sealed::Neither);
        }
    }
}
