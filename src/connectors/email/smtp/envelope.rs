//! Sender and recipient of a mail as one server wants to be told of them, with the extensions that it offers. What it
//! could not carry is refused here, before anything is said.

use crate::{
    connectors::email::compose::Mail,
    failure::{Failure, Reason},
};
use serde::Deserialize;
use smtp_proto::{EXT_8BIT_MIME, EXT_DSN, EXT_REQUIRE_TLS, EXT_SIZE, EXT_SMTP_UTF8, EhloResponse};
use std::fmt::{self, Write as _};

/// Which reports a server is asked for (RFC 3461 section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reports {
    /// Also of a mail that has arrived.
    All,
    /// Only of one that has not, or not yet.
    Failures,
}

/// A server, as far as it matters here.
pub struct Peer {
    /// For operators.
    pub name: String,
    pub hello: EhloResponse<String>,
    /// Whether the connection is encrypted, and the server the one that was meant.
    pub verified: bool,
}

impl Peer {
    fn offers(&self, extension: u32) -> bool {
        self.hello.has_capability(extension)
    }

    /// The largest mail that it takes, in bytes, if it says so.
    pub fn size_limit(&self) -> Option<usize> {
        // RFC 1870 section 4: 0 is "no fixed limit".
        Some(self.hello.size).filter(|limit| self.offers(EXT_SIZE) && *limit > 0)
    }

    /// Whether it can promise that a mail never goes in the clear (RFC 8689 section 4.2). The error says why not.
    pub fn can_require_tls(&self) -> Result<(), &'static str> {
        if !self.verified {
            return Err("no TLS with a good certificate");
        }
        if self.offers(EXT_REQUIRE_TLS) { Ok(()) } else { Err("it does not offer REQUIRETLS") }
    }
}

/// The commands that name the sender and the recipient of one mail.
#[derive(Debug)]
pub struct Envelope {
    pub sender: String,
    pub recipient: String,
}

impl Envelope {
    pub fn new(mail: &Mail, peer: &Peer, reports: Reports, require_tls: bool) -> Result<Self, Failure> {
        let name = &peer.name;
        if let Some(limit) = peer.size_limit()
            && mail.bytes.len() > limit
        {
            let detail = format!("{name} takes at most {limit} bytes, the mail has {}", mail.bytes.len());
            return Err(Failure::permanent(Reason::TooLarge, detail));
        }
        // RFC 6531 section 3.1: who offers SMTPUTF8 offers 8BITMIME too.
        if mail.needs_utf8 && !(peer.offers(EXT_SMTP_UTF8) && peer.offers(EXT_8BIT_MIME)) {
            let detail = format!("{name} does not take addresses with letters beyond ASCII (SMTPUTF8)");
            return Err(Failure::permanent(Reason::AddressLetters, detail));
        }
        if require_tls && let Err(why) = peer.can_require_tls() {
            // An admin must mend this, and then the mail goes out.
            let detail = format!("{name}: a route has require_tls, and {why}");
            return Err(Failure::transient(Reason::AccessDenied, detail));
        }
        check(&mail.envelope_from, mail.needs_utf8, Reason::Internal)?;
        check(&mail.to, mail.needs_utf8, Reason::UnknownRecipient)?;
        Ok(Self { sender: sender(mail, peer, require_tls), recipient: recipient(mail, peer, reports) })
    }
}

fn sender(mail: &Mail, peer: &Peer, require_tls: bool) -> String {
    let mut command = format!("MAIL FROM:<{}>", mail.envelope_from);
    if peer.offers(EXT_SIZE) {
        command += &format!(" SIZE={}", mail.bytes.len());
    }
    if mail.needs_utf8 {
        command += " SMTPUTF8 BODY=8BITMIME";
    }
    if require_tls {
        command += " REQUIRETLS";
    }
    if peer.offers(EXT_DSN) {
        command += &format!(" RET=HDRS ENVID={}", Xtext(mail.delivery.as_str()));
    }
    command + "\r\n"
}

fn recipient(mail: &Mail, peer: &Peer, reports: Reports) -> String {
    let to = &mail.to;
    let mut command = format!("RCPT TO:<{to}>");
    if peer.offers(EXT_DSN) {
        command += match reports {
            Reports::All => " NOTIFY=SUCCESS,FAILURE,DELAY",
            Reports::Failures => " NOTIFY=FAILURE,DELAY",
        };
        command += &if to.is_ascii() {
            format!(" ORCPT=rfc822;{}", Xtext(to))
        } else {
            format!(" ORCPT=utf-8;{}", Unitext(to))
        };
    }
    command + "\r\n"
}

/// Only what can stand between angle brackets without being read as something else.
fn check(address: &str, utf8: bool, reason: Reason) -> Result<(), Failure> {
    let sound = |c: char| match c {
        '<' | '>' => false,
        c if c.is_ascii() => c.is_ascii_graphic(),
        c => utf8 && !c.is_control() && !c.is_whitespace(),
    };
    if address.chars().all(sound) {
        return Ok(());
    }
    Err(Failure::permanent(reason, "an address that SMTP cannot carry"))
}

/// RFC 3461 section 4.
struct Xtext<'a>(&'a str);

impl fmt::Display for Xtext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.bytes().try_for_each(|byte| match byte {
            b'+' | b'=' => write!(f, "+{byte:02X}"),
            b'!'..=b'~' => f.write_char(char::from(byte)),
            _ => write!(f, "+{byte:02X}"),
        })
    }
}

/// RFC 6533 section 3: as it is, for who has offered SMTPUTF8.
struct Unitext<'a>(&'a str);

impl fmt::Display for Unitext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '+' | '=' | '\\' | '\0'..=' ' | '\x7f' => write!(f, "\\x{{{:02X}}}", u32::from(c)),
            c => f.write_char(c),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{DeliveryId, RemoteMessageId};

    const ID: &str = "mzxw6ytboi2dkmbrgq4tqmzxga";
    const ALL: &[&str] = &["DSN", "SIZE 100", "SMTPUTF8", "8BITMIME", "REQUIRETLS", "PIPELINING"];

    fn peer(offers: &[&str]) -> Peer {
        let lines = ["mail.example"].iter().chain(offers).map(|line| format!("250-{line}\r\n")).collect::<String>();
        let hello = EhloResponse::parse(&mut format!("{lines}250 HELP\r\n").as_bytes().iter()).unwrap();
        Peer { name: "mail.example:25".into(), hello, verified: true }
    }

    fn mail(to: &str) -> Mail {
        Mail {
            topic: "x".into(),
            envelope_from: "anna+1@chat.example".into(),
            to: to.into(),
            message: RemoteMessageId::new(format!("{ID}@chat.example")),
            delivery: DeliveryId::new(ID),
            needs_utf8: !to.is_ascii(),
            bytes: vec![b'x'; 25],
        }
    }

    fn told(mail: &Mail, offers: &[&str], reports: Reports, require_tls: bool) -> Result<String, Failure> {
        let envelope = Envelope::new(mail, &peer(offers), reports, require_tls)?;
        Ok(envelope.sender + &envelope.recipient)
    }

    #[test]
    fn what_a_server_does_not_offer_is_not_used() {
        let said = told(&mail("bob@example.org"), &[], Reports::All, false).unwrap();
        assert_eq!(said, "MAIL FROM:<anna+1@chat.example>\r\nRCPT TO:<bob@example.org>\r\n");
    }

    #[test]
    fn a_server_that_sends_reports_is_asked_for_them_by_the_delivery_and_the_address_that_we_know() {
        let said = |reports| told(&mail("bob+x=1@example.org"), ALL, reports, false).unwrap();
        assert_eq!(
            said(Reports::All),
            format!(
                "MAIL FROM:<anna+1@chat.example> SIZE=25 RET=HDRS ENVID={ID}\r\n\
                 RCPT TO:<bob+x=1@example.org> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;bob+2Bx+3D1@example.org\r\n"
            )
        );
        assert!(said(Reports::Failures).contains("> NOTIFY=FAILURE,DELAY ORCPT="), "{}", said(Reports::Failures));
    }

    #[test]
    fn an_address_beyond_ascii_goes_where_it_is_understood_and_nowhere_else() {
        let mail = mail("j\u{f6}rg+a=b@example.org");
        let said = told(&mail, ALL, Reports::All, false).unwrap();
        assert!(said.contains("@chat.example> SIZE=25 SMTPUTF8 BODY=8BITMIME RET="), "{said}");
        assert!(said.contains("RCPT TO:<j\u{f6}rg+a=b@example.org> NOTIFY"), "{said}");
        assert!(said.ends_with(" ORCPT=utf-8;j\u{f6}rg\\x{2B}a\\x{3D}b@example.org\r\n"), "{said}");
        for offers in [&["SMTPUTF8"][..], &["8BITMIME"], &[]] {
            let failure = told(&mail, offers, Reports::All, false).unwrap_err();
            assert_eq!((failure.reason, failure.is_permanent()), (Reason::AddressLetters, true));
            assert!(failure.detail.contains("beyond ASCII") && !failure.detail.contains("rg"), "{}", failure.detail);
        }
    }

    #[test]
    fn an_address_beyond_ascii_that_nobody_announced_is_refused() {
        let mail = Mail { needs_utf8: false, ..mail("j\u{f6}rg@example.org") };
        let failure = told(&mail, ALL, Reports::All, false).unwrap_err();
        assert_eq!((failure.reason, failure.is_permanent()), (Reason::UnknownRecipient, true));
    }

    #[test]
    fn no_address_can_say_more_than_an_address() {
        for to in [
            "bob@example.org>\r\nRCPT TO:<eve@example.org",
            "b ob@x",
            "b\u{85}\u{f6}@x",
            "\u{f6}\r\nDATA@x",
            "<\u{f6}@x",
        ] {
            let failure = told(&mail(to), ALL, Reports::All, false).unwrap_err();
            assert_eq!((failure.reason, failure.is_permanent()), (Reason::UnknownRecipient, true), "{to:?}");
        }
    }

    #[test]
    fn a_mail_beyond_the_limit_is_refused_with_both_sizes() {
        let mail = |size| Mail { bytes: vec![b'x'; size], ..mail("bob@example.org") };
        assert!(told(&mail(100), ALL, Reports::All, false).is_ok());
        let failure = told(&mail(101), ALL, Reports::All, false).unwrap_err();
        assert_eq!((failure.reason, failure.is_permanent()), (Reason::TooLarge, true));
        assert_eq!(failure.detail, "mail.example:25 takes at most 100 bytes, the mail has 101");
        for no_limit in ["SIZE 0", "SIZE", "HELP"] {
            assert!(told(&mail(101), &[no_limit], Reports::All, false).is_ok(), "{no_limit}");
        }
    }

    #[test]
    fn a_mail_that_must_never_go_in_the_clear_waits_for_a_server_that_can_promise_it() {
        let mail = mail("bob@example.org");
        let said = told(&mail, ALL, Reports::All, true).unwrap();
        assert!(said.contains(" REQUIRETLS RET="), "{said}");
        assert!(!told(&mail, ALL, Reports::All, false).unwrap().contains("REQUIRETLS"));
        let failure = told(&mail, &["DSN"], Reports::All, true).unwrap_err();
        assert_eq!((failure.reason, failure.is_permanent()), (Reason::AccessDenied, false));
        assert_eq!(failure.detail, "mail.example:25: a route has require_tls, and it does not offer REQUIRETLS");
        let unverified = Peer { verified: false, ..peer(ALL) };
        let failure = Envelope::new(&mail, &unverified, Reports::All, true).unwrap_err();
        assert!(failure.detail.ends_with("no TLS with a good certificate"), "{}", failure.detail);
    }
}
