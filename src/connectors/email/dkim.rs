//! Our signature on our mails (RFC 6376, RFC 8463), for installations whose mail server does not sign.
//!
//! Pure but for [`Signer::open`] and [`Signers::check`]. mail-auth's own way of signing asks the clock, and its parts are
//! put together here: the same delivery gives the same mail, whenever it is tried again.

use crate::{
    connector::Finding,
    failure::{Failure, Reason},
};
use mail_auth::{
    common::{
        crypto::{DkimKey, Ed25519Key, RsaKey, SigningKey},
        headers::{HeaderStream, Writable, Writer},
    },
    dkim::{Signature, canonicalize::CanonicalHeaders},
};
use mail_parser::{HeaderName, MessageParser};
use rustls::pki_types::{PrivateKeyDer, pem::PemObject};
use std::path::{Path, PathBuf};

/// What is not in a mail is signed as not being there.
const HEADERS: [&str; 10] =
    ["From", "To", "Cc", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "MIME-Version", "Content-Type"];

/// A key, and where its public half stands in the DNS: `selector._domainkey.domain`.
pub struct Signer {
    key: DkimKey,
    domain: String,
    selector: String,
    file: PathBuf,
}

/// Several keys of one domain all sign: not every server knows Ed25519 (RFC 8463 section 3).
pub struct Signers(Vec<Signer>);

impl Signer {
    /// The error is a sentence for an admin, without the key.
    pub fn open(domain: &str, selector: &str, file: &Path) -> Result<Self, String> {
        let named = |problem: String| format!("{}: {problem}", file.display());
        let pem = std::fs::read(file).map_err(|e| named(e.to_string()))?;
        let key = key(&pem).map_err(|e| named(e.into()))?;
        Ok(Self { key, domain: domain.to_owned(), selector: selector.to_owned(), file: file.to_owned() })
    }

    /// The signature as a header, with its line end. `at`: seconds since 1970.
    fn sign(&self, mail: &[u8], at: u64) -> Result<Vec<u8>, Failure> {
        let mut signature = Signature {
            v: 1,
            a: self.key.algorithm(),
            d: self.domain.clone(),
            s: self.selector.clone(),
            h: HEADERS.map(str::to_owned).to_vec(),
            t: at,
            ..Signature::default()
        };
        let (_, headers, mut names, body) = signature.canonicalize(Unread(mail));
        // Once more than there is: nobody can put another author above ours (RFC 6376 section 8.15).
        names.push("From".to_owned());
        signature.h = names;
        signature.bh = self.key.hash(body).as_ref().to_vec();
        let signed = self.key.sign(Signed { headers, signature: &signature });
        signature.b =
            signed.map_err(|e| Failure::transient(Reason::Internal, format!("DKIM, {}: {e}", self.selector)))?;
        let mut header = Vec::new();
        signature.write(&mut header, true);
        Ok(header)
    }

    fn check(&self) -> Finding {
        let Self { domain, selector, file, .. } = self;
        let what = format!("DKIM {selector}._domainkey.{domain}");
        let kind = match self.key {
            DkimKey::Rsa(_) => "RSA",
            DkimKey::Ed25519(_) => "Ed25519",
        };
        let result = match is_open_to_all(file) {
            true => Err(format!("{} can be read by everybody on this machine; chmod 600", file.display())),
            false => Ok(format!("{kind} key read")),
        };
        Finding { what, result }
    }
}

impl Signers {
    pub fn new(signers: Vec<Signer>) -> Self {
        Self(signers)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether a mail from this address is signed.
    pub fn sign_for(&self, from: &str) -> bool {
        self.of(from).next().is_some()
    }

    /// The keys of the closest domain: the author's own, or one above it, which counts as much (RFC 7489 section 3.1.1).
    fn of(&self, from: &str) -> impl Iterator<Item = &Signer> {
        let domain = from.rsplit_once('@').map_or("", |(_, domain)| domain).to_ascii_lowercase();
        let is_at_or_above = move |signer: &&Signer| {
            domain.strip_suffix(&signer.domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        let closest = self.0.iter().filter(&is_at_or_above).map(|signer| signer.domain.len()).max();
        self.0.iter().filter(move |signer| is_at_or_above(signer) && Some(signer.domain.len()) == closest)
    }

    /// Puts the signatures above a mail that was written `at`, in milliseconds since 1970.
    pub fn sign(&self, mail: Vec<u8>, at: i64) -> Result<Vec<u8>, Failure> {
        if self.is_empty() {
            return Ok(mail);
        }
        let at = u64::try_from(at / 1000).unwrap_or(0);
        let mut signed = Vec::new();
        for signer in self.of(&author(&mail)) {
            signed.extend(signer.sign(&mail, at)?);
        }
        signed.extend(mail);
        Ok(signed)
    }

    pub fn check(&self) -> Vec<Finding> {
        self.0.iter().map(Signer::check).collect()
    }
}

/// The address in From.
fn author(mail: &[u8]) -> String {
    let parsed = MessageParser::new().header_address(HeaderName::From).parse_headers(mail);
    let address = parsed.as_ref().and_then(|mail| mail.from()?.first()?.address());
    address.unwrap_or_default().to_owned()
}

/// What is left of a mail: headers, then the body.
struct Unread<'x>(&'x [u8]);

impl<'x> HeaderStream<'x> for Unread<'x> {
    /// Name and value, folded as it is.
    fn next_header(&mut self) -> Option<(&'x [u8], &'x [u8])> {
        let mut end = 0;
        loop {
            end += self.0.get(end..)?.iter().position(|byte| *byte == b'\n')? + 1;
            if !matches!(self.0.get(end), Some(b' ' | b'\t')) {
                break;
            }
        }
        let (header, rest) = self.0.split_at_checked(end).filter(|(header, _)| *header != b"\r\n")?;
        self.0 = rest;
        let colon = header.iter().position(|byte| *byte == b':')?;
        Some((header.get(..colon)?, header.get(colon + 1..)?))
    }

    fn body(&mut self) -> &'x [u8] {
        self.0.strip_prefix(b"\r\n").unwrap_or(self.0)
    }
}

/// RFC 6376 section 3.7: the headers, and the signature without itself.
struct Signed<'a> {
    headers: CanonicalHeaders<'a>,
    signature: &'a Signature,
}

impl Writable for Signed<'_> {
    fn write(self, writer: &mut impl Writer) {
        self.headers.write(writer);
        self.signature.write(writer, false);
    }
}

fn key(pem: &[u8]) -> Result<DkimKey, &'static str> {
    const NEITHER: &str = "is neither an RSA key of 2048 bits or more nor an Ed25519 key";
    match PrivateKeyDer::from_pem_slice(pem).map_err(|_| "has no private key (PEM) in it")? {
        PrivateKeyDer::Pkcs8(der) => match RsaKey::from_key_der(PrivateKeyDer::Pkcs8(der.clone_key())) {
            Ok(key) => Ok(key.into()),
            // OpenSSL leaves the public half out.
            Err(_) => Ed25519Key::from_pkcs8_maybe_unchecked_der(der.secret_pkcs8_der())
                .map(DkimKey::from)
                .map_err(|_| NEITHER),
        },
        other => RsaKey::from_key_der(other).map(DkimKey::from).map_err(|_| NEITHER),
    }
}

#[cfg(unix)]
fn is_open_to_all(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file).is_ok_and(|metadata| metadata.permissions().mode() & 0o007 != 0)
}

#[cfg(not(unix))]
fn is_open_to_all(_file: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use mail_auth::{
        AuthenticatedMessage, DkimResult, MessageAuthenticator, Parameters, ResolverCache, Txt,
        common::{parse::TxtRecordParser, verify::DomainKey},
        hickory_resolver::TokioResolver,
    };
    use std::{borrow::Borrow, hash::Hash, time::Instant};

    const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/connectors/email/fixtures");
    const MAIL: &str = "From: Anna Muster <anna@chat.example>\r\nTo: <bob@example.org>\r\n\
        Subject: Guten\r\n  Tag\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@chat.example>\r\n\
        MIME-Version: 1.0\r\nContent-Type: text/plain;\r\n\tcharset=utf-8\r\nX-Other: x\r\n\r\nHallo  Bob, \r\n\r\n.\r\n\r\n";
    const AT: i64 = 1_795_428_000_999;

    fn signer(domain: &str, selector: &str, file: &str) -> Signer {
        Signer::open(domain, selector, &Path::new(FIXTURES).join(file)).unwrap()
    }

    /// What the DNS says of every key of the fixtures, by its selector.
    struct Dns;

    fn record(name: &str) -> String {
        let signer = |file| signer("", "", file).key;
        match (name.split('.').next().unwrap(), signer("dkim-rsa.pem"), signer("dkim-ed25519.pem")) {
            ("rsa", DkimKey::Rsa(key), _) => format!("v=DKIM1; k=rsa; p={}", base64(&key.public_key())),
            ("ed", _, DkimKey::Ed25519(key)) => format!("v=DKIM1; k=ed25519; p={}", base64(&key.public_key())),
            _ => panic!("{name}"),
        }
    }

    fn base64(bytes: &[u8]) -> String {
        data_encoding::BASE64.encode(bytes)
    }

    impl ResolverCache<Box<str>, Txt> for Dns {
        fn get<Q: Hash + Eq + ?Sized>(&self, name: &Q) -> Option<Txt>
        where
            Box<str>: Borrow<Q>,
        {
            let known = ["rsa._domainkey.chat.example.", "ed._domainkey.chat.example.", "rsa._domainkey.example."];
            let name = known.into_iter().find(|known| Box::<str>::from(*known).borrow() == name)?;
            Some(Txt::DomainKey(DomainKey::parse(record(name).as_bytes()).unwrap().into()))
        }

        fn remove<Q: Hash + Eq + ?Sized>(&self, _: &Q) -> Option<Txt>
        where
            Box<str>: Borrow<Q>,
        {
            None
        }

        fn insert(&self, _: Box<str>, _: Txt, _: Instant) {}
    }

    /// What mail-auth says of each signature, the first above.
    async fn verified(mail: &[u8]) -> Vec<bool> {
        let message = AuthenticatedMessage::parse(mail).unwrap();
        // Nobody is asked: the answers are all there.
        let nobody = TokioResolver::builder_with_config(Default::default(), Default::default()).build().unwrap();
        let parameters = Parameters::new(&message).with_txt_cache(&Dns);
        let results = MessageAuthenticator(nobody).verify_dkim(parameters).await;
        results.iter().map(|result| *result.result() == DkimResult::Pass).collect()
    }

    fn signed(signers: Vec<Signer>) -> String {
        String::from_utf8(Signers::new(signers).sign(MAIL.into(), AT).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn a_signature_is_good_until_something_is_changed() {
        for file in ["rsa", "ed25519"] {
            let selector = if file == "rsa" { "rsa" } else { "ed" };
            let mail = signed(vec![signer("chat.example", selector, &format!("dkim-{file}.pem"))]);
            assert!(mail.starts_with("DKIM-Signature: v=1; a=") && mail.ends_with(MAIL), "{mail}");
            assert_eq!(verified(mail.as_bytes()).await, [true], "{mail}");
            // What servers on the way may do to a mail (RFC 6376 section 3.4).
            let folded = mail.replace("Guten\r\n  Tag", "Guten Tag").replace("Hallo  Bob, \r", "Hallo Bob,\r");
            assert_ne!(folded, mail);
            assert_eq!(verified(folded.as_bytes()).await, [true], "{folded}");
            for (old, new) in [
                ("Subject: Guten", "Subject: Gute"),
                ("Hallo", "Hello"),
                ("charset=utf-8", "charset=us-ascii"),
                ("From: Anna Muster", "From: Eve"),
                ("From: Anna", "From: <eve@chat.example>\r\nFrom: Anna"),
                ("To: <bob@example.org>\r\n", ""),
                ("X-Other: x", "Cc: <eve@example.org>\r\nX-Other: x"),
                ("X-Other: x", "In-Reply-To: <2@example.org>"),
            ] {
                assert!(mail.contains(old), "{old}");
                let changed = mail.replacen(old, new, 1);
                assert_eq!(verified(changed.as_bytes()).await, [false], "{old} {new}");
            }
        }
    }

    #[tokio::test]
    async fn a_mail_is_signed_with_all_keys_of_the_closest_domain() {
        let all = || {
            vec![
                signer("example", "rsa", "dkim-rsa.pem"),
                signer("chat.example", "rsa", "dkim-rsa.pem"),
                signer("chat.example", "ed", "dkim-ed25519.pem"),
                signer("at.example", "rsa", "dkim-rsa.pem"),
            ]
        };
        let mail = signed(all());
        assert_eq!(mail.matches("d=chat.example;").count(), 2, "{mail}");
        assert_eq!(verified(mail.as_bytes()).await, [true, true], "{mail}");
        let mail = signed(all().into_iter().take(1).collect());
        assert!(mail.contains("d=example;"), "{mail}");
        assert_eq!(verified(mail.as_bytes()).await, [true], "{mail}");
        assert_eq!(signed(all().into_iter().skip(3).collect()), MAIL);
        assert_eq!(signed(vec![]), MAIL);
    }

    #[test]
    fn the_same_mail_has_the_same_signature_whenever_it_is_made() {
        let sign = || signed(vec![signer("chat.example", "rsa", "dkim-rsa.pem")]);
        let mail = sign();
        assert!(mail.contains("t=1795428000;") && mail == sign(), "{mail}");
        let header = mail.split("\r\nFrom: ").next().unwrap();
        assert!(header.split("\r\n").all(|line| line.len() <= 78), "{header}");
    }

    #[test]
    fn only_a_good_key_is_taken_and_check_names_one_that_all_can_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key.pem");
        for (text, problem) in
            [("", "no private key"), ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "neither")]
        {
            std::fs::write(&file, text).unwrap();
            let error = Signer::open("chat.example", "s", &file).err().unwrap();
            assert!(error.contains("key.pem") && error.contains(problem) && !error.contains("AAAA"), "{error}");
        }
        std::fs::copy(Path::new(FIXTURES).join("dkim-rsa.pem"), &file).unwrap();
        let result = |mode: &str| {
            assert!(std::process::Command::new("chmod").arg(mode).arg(&file).status().unwrap().success());
            Signer::open("chat.example", "s", &file).unwrap().check()
        };
        assert_eq!(result("640").what, "DKIM s._domainkey.chat.example");
        assert_eq!(result("640").result, Ok("RSA key read".into()));
        assert!(result("644").result.unwrap_err().contains("chmod 600"));
    }
}
