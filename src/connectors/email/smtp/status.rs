//! What the refusal of a mail means for the people who wait for it: by its enhanced code (RFC 3463 and its registry),
//! where that is vague by its words, else by its code.

use super::reply::Stage;
use crate::failure::Reason::{self, *};

/// Subject and detail of an enhanced code: `(1, 1)` in `5.1.1`.
type Status = (u16, u16);

/// Codes that mean the same to people whoever says them, of permanent refusals. A detail that is not here is judged by
/// [`SUBJECTS`].
const PERMANENT: &[(Status, Reason)] = &[
    // These two speak of the sender's address, and 1.90 of how much it has sent today (Exchange Online).
    ((1, 7), Refused),
    ((1, 8), Refused),
    ((1, 90), Refused),
    ((2, 1), UnknownRecipient),
    ((2, 2), MailboxFull),
    ((2, 3), TooLarge),
    ((3, 4), TooLarge),
    // Exchange Online knows by its directory who is there: "5.4.1 Recipient address rejected: Access denied".
    ((4, 1), UnknownRecipient),
    // No such domain, or none that takes mail: most often a slip of the pen.
    ((4, 4), UnknownRecipient),
    ((4, 310), UnknownRecipient),
    // RFC 6531 section 3.3 and 3.4: addresses beyond ASCII, or mails with such.
    ((6, 7), AddressLetters),
    ((6, 8), AddressLetters),
    ((6, 9), AddressLetters),
];

/// By subject, for details with no line of their own. System and protocol (3 and 5) say nothing about the reason, nor
/// does 0.
const SUBJECTS: &[(u16, Reason)] = &[(1, UnknownRecipient), (2, Refused), (4, Unreachable), (6, Refused), (7, Refused)];

/// What servers write where their code says little. Lower case; the first line with a hit counts.
const WORDS: &[(&[&str], Reason)] = &[
    (&["sender address", "sender rejected", "sender denied", "sender domain", "sender verify"], Refused),
    (&["quota", "mailbox full", "mailbox is full", "mailbox has exceeded", "insufficient mailbox"], MailboxFull),
    (&["message size", "size limit", "too large", "too big", "maximum size", "oversize"], TooLarge),
    (
        &[
            "user unknown",
            "unknown user",
            "no such user",
            "user not found",
            "user does not exist",
            "user doesn't have",
            "unknown recipient",
            "recipient unknown",
            "no such recipient",
            "recipient not found",
            "invalid recipient",
            "unknown address",
            "no such address",
            "unrouteable address",
            "unknown mailbox",
            "no mailbox",
            "no such mailbox",
            "mailbox not found",
            "mailbox is disabled",
            "account is disabled",
            "no such domain",
        ],
        UnknownRecipient,
    ),
    (
        &[
            "policy",
            "policies",
            "prohibit",
            "spam",
            "blocked",
            "blacklist",
            "blocklist",
            "block list",
            "reputation",
            "spf",
            "dkim",
            "dmarc",
            "spoof",
            "denied",
            "virus",
            "content",
            "helo",
        ],
        Refused,
    ),
];

/// A server that takes mails for others does not know us as one whom it should serve.
const NO_RELAYING: &[&str] = &[
    "relay access denied",
    "relaying denied",
    "unable to relay",
    "relay not permitted",
    "relaying not permitted",
    "relaying not allowed",
    "not permitted to relay",
    "relaying is not",
    "authentication required",
    "authentication is required",
];

/// What a refusal with this code and these words means.
pub fn reason(stage: Stage, code: u16, text: &str) -> Reason {
    let words = text.to_ascii_lowercase();
    let status = status(code, &words);
    let by_words = || WORDS.iter().find(|(list, _)| has_one_of(&words, list)).map(|(_, reason)| *reason);
    if code >= 500 {
        let by_status = status.and_then(|status| permanent(stage, status, &words));
        by_status.or_else(by_words).unwrap_or_else(|| by_code(stage, code))
    } else {
        // Never `Unreachable`: that is for who does not answer, and this server did.
        let is_full = match (status, stage, code) {
            (Some((2, 2)), ..) => true,
            // RFC 5321 section 4.2.2 has 452 for the whole system, section 4.5.3.1.10 for too many recipients.
            (None, Stage::Recipient, 452) => !has_one_of(&words, &["system", "too many"]),
            _ => by_words() == Some(MailboxFull),
        };
        if is_full { MailboxFull } else { Busy }
    }
}

/// Whether an admin must tell the mail server, or us, who we are to it.
pub fn denies_relaying(stage: Stage, text: &str) -> bool {
    matches!(stage, Stage::Sender | Stage::Recipient) && has_one_of(&text.to_ascii_lowercase(), NO_RELAYING)
}

fn permanent(stage: Stage, status: Status, words: &str) -> Option<Reason> {
    let speaks_of_sender = stage == Stage::Sender || WORDS.first().is_some_and(|(list, _)| has_one_of(words, list));
    match status {
        (1, _) if speaks_of_sender => Some(Refused),
        // "Other or undefined mailbox status".
        (2, 0) => None,
        status => find(PERMANENT, status).or_else(|| find(SUBJECTS, status.0)),
    }
}

/// Without an enhanced code, and in words that nobody knows.
fn by_code(stage: Stage, code: u16) -> Reason {
    match (stage, code) {
        // 556: RFC 7504.
        (Stage::Recipient, 550 | 551 | 553 | 556) => UnknownRecipient,
        (Stage::Recipient, 552) => MailboxFull,
        (_, 552) => TooLarge,
        _ => Refused,
    }
}

/// The enhanced code behind a code, if its class is that of the code (RFC 2034 section 4). Cisco writes `#5.1.0`.
fn status(code: u16, text: &str) -> Option<Status> {
    let text = text.trim_start_matches(['#', '[', '(']);
    let end = text.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(text.len());
    let mut numbers = text.get(..end)?.split('.').map(str::parse::<u16>);
    let mut next = || numbers.next()?.ok();
    let (class, subject, detail) = (next()?, next()?, next()?);
    (class == code / 100).then_some((subject, detail))
}

fn find<K: PartialEq + Copy>(table: &[(K, Reason)], key: K) -> Option<Reason> {
    table.iter().find(|(known, _)| *known == key).map(|(_, reason)| *reason)
}

fn has_one_of(words: &str, list: &[&str]) -> bool {
    list.iter().any(|wanted| words.contains(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Stage::{Content, Recipient, Sender};

    /// As servers write them; the registry of RFC 3463's codes is at IANA.
    const REFUSALS: &[(Stage, &str, Reason)] = &[
        // Nobody there.
        (
            Recipient,
            "550 5.1.1 <bob@example.org>: Recipient address rejected: User unknown in virtual mailbox table",
            UnknownRecipient,
        ),
        (
            Recipient,
            "550 5.1.1 The email account that you tried to reach does not exist. Please try double-checking",
            UnknownRecipient,
        ),
        (
            Recipient,
            "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient bob@example.org not found by SMTP address lookup",
            UnknownRecipient,
        ),
        (
            Recipient,
            "550 5.4.1 Recipient address rejected: Access denied. [AM0EUR02FT032.eop-EUR02.prod.protection.outlook.com]",
            UnknownRecipient,
        ),
        (Recipient, "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302).", UnknownRecipient),
        (
            Recipient,
            "550 Requested action not taken: mailbox unavailable For explanation visit https://postmaster.gmx.net",
            UnknownRecipient,
        ),
        (Recipient, "550 5.2.1 The email account that you tried to reach is disabled.", UnknownRecipient),
        (Recipient, "550 #5.1.0 Address rejected.", UnknownRecipient),
        (Recipient, "550 unknown user", UnknownRecipient),
        (Recipient, "550 Invalid Recipient - https://community.example/docs/DOC-1369#550", UnknownRecipient),
        (Recipient, "550 Unrouteable address", UnknownRecipient),
        (Recipient, "553 5.3.0 <bob@example.org>... User unknown", UnknownRecipient),
        (Recipient, "556 5.1.10 Recipient address has null MX", UnknownRecipient),
        (Recipient, "550 5.2.0 mailbox unavailable", UnknownRecipient),
        (Recipient, "551 moved", UnknownRecipient),
        (Recipient, "550 no", UnknownRecipient),
        (Recipient, "550 4.2.2 confused", UnknownRecipient),
        (
            Content,
            "554 delivery error: dd This user doesn't have a yahoo.com account (bob@yahoo.com) [0]",
            UnknownRecipient,
        ),
        (
            Content,
            "554 30 Sorry, your message to bob@aol.com cannot be delivered. This mailbox is disabled (554.30).",
            UnknownRecipient,
        ),
        (Content, "554 5.1.1 unknown after all", UnknownRecipient),
        (Recipient, "550 5.4.4 Invalid domain", UnknownRecipient),
        (Recipient, "550 5.4.310 DNS domain example.invalid does not exist", UnknownRecipient),
        // Full.
        (Recipient, "552 5.2.2 The email account that you tried to reach is over quota.", MailboxFull),
        (Recipient, "552 5.2.2 <bob@icloud.com>: user is over quota", MailboxFull),
        (Recipient, "452 4.2.2 The recipient's inbox is out of storage space.", MailboxFull),
        (Recipient, "452 4.2.2 mailbox full", MailboxFull),
        (Recipient, "552 Requested mail action aborted: exceeded storage allocation", MailboxFull),
        (Content, "554 5.2.2 mailbox full; STOREDRV.Deliver.Exception:QuotaExceededException", MailboxFull),
        (Content, "552 mailbox is full", MailboxFull),
        (Recipient, "452 mailbox full", MailboxFull),
        (Recipient, "450 user is over quota", MailboxFull),
        // Too large.
        (Sender, "552 5.3.4 Message size exceeds fixed limit", TooLarge),
        (Content, "552 5.3.4 Your message exceeded Google's message size limits.", TooLarge),
        (Content, "552 5.2.3 Message exceeds maximum fixed size", TooLarge),
        (Content, "552 #5.3.4 message size exceeds limit", TooLarge),
        (Content, "554 message too big for this server", TooLarge),
        (Content, "552 no", TooLarge),
        // Not wanted.
        (Content, "550 5.7.26 This mail has been blocked because the sender is unauthenticated.", Refused),
        (
            Content,
            "550 5.7.509 Access denied, sending domain CHAT.EXAMPLE does not pass DMARC verification and has a policy of reject.",
            Refused,
        ),
        (Recipient, "550 5.7.606 Access denied, banned sending IP [192.0.2.1].", Refused),
        (Recipient, "550 5.7.708 Service unavailable. Access denied, traffic not accepted from this IP.", Refused),
        (Recipient, "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication for group", Refused),
        (Content, "550 5.7.1 Our system has detected that this message is likely unsolicited mail.", Refused),
        (Content, "554 5.7.1 [CS01] Message rejected due to local policy.", Refused),
        (Content, "554 5.7.9 Message not accepted for policy reasons.", Refused),
        (
            Content,
            "552 5.7.0 This message was blocked because its content presents a potential security issue.",
            Refused,
        ),
        (Content, "554 Transaction failed Reject due to policy restrictions.", Refused),
        (Content, "550 5.6.0 Lone CR or LF in body", Refused),
        (Recipient, "553 5.6.7 non-ASCII addresses not permitted for that recipient", AddressLetters),
        (Recipient, "550 Administrative prohibition", Refused),
        (
            Recipient,
            "550 5.1.0 <anna@chat.example>: Sender address rejected: User unknown in virtual mailbox table",
            Refused,
        ),
        (Recipient, "550 Sender verify failed", Refused),
        (Recipient, "553 5.1.8 <anna@chat.example>... Domain of sender address does not exist", Refused),
        (Sender, "550 5.1.7 Invalid address", Refused),
        (Sender, "550 5.1.0 rejected", Refused),
        (Recipient, "550 5.1.90 Your message can't be sent because you've reached your daily limit", Refused),
        (Recipient, "550 5.2.122 The recipient has exceeded their limit for the number of messages", Refused),
        (Sender, "550 no", Refused),
        (Content, "554 no", Refused),
        (Recipient, "504 5.5.2 <chat>: Helo command rejected: need fully-qualified hostname", Refused),
        (Sender, "550 5.7.30 REQUIRETLS support required", Refused),
        // Nobody answers there.
        (Recipient, "554 5.4.14 Hop count exceeded - possible mail loop", Unreachable),
        (Content, "554 5.4.6 Too many hops", Unreachable),
        (Recipient, "550 5.4.316 Message expired, connection refused", Unreachable),
        (Recipient, "450 4.4.312 DNS query failed", Busy),
        (Recipient, "450 4.4.1 unverified address: connect to mx.example.org: Connection refused", Busy),
        // Later.
        (Recipient, "450 4.7.1 Greylisted, please try again in 300 seconds", Busy),
        (Recipient, "451 4.7.1 Greylisting in action, please come back later", Busy),
        (Recipient, "450 4.2.0 <bob@example.org>: Recipient address rejected: Greylisted", Busy),
        (Recipient, "450 Requested mail action not taken: mailbox unavailable Grey listing for 192.0.2.1", Busy),
        (Recipient, "450 4.2.1 The user you are trying to contact is receiving mail too quickly.", Busy),
        (Recipient, "451 4.7.500 Server busy. Please try again later from [192.0.2.1].", Busy),
        (Recipient, "450 4.1.1 unverified address", Busy),
        (Recipient, "450 4.1.8 Sender address rejected: Domain not found", Busy),
        (Recipient, "452 4.5.3 Too many recipients", Busy),
        (Recipient, "452 Too many recipients received this hour", Busy),
        (Recipient, "452 #4.3.1 queue full", Busy),
        (Sender, "452 4.3.1 Insufficient system storage", Busy),
        (Sender, "452 Insufficient system storage", Busy),
        (Recipient, "421 4.7.0 Our system has detected an unusual rate of unsolicited mail", Busy),
        (Content, "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to user complaints", Busy),
        (Content, "451 4.3.0 Mail server temporarily rejected message.", Busy),
    ];

    #[test]
    fn what_mail_servers_say_is_what_people_are_told() {
        let mut wrong = Vec::new();
        for (stage, answer, expected) in REFUSALS {
            let (code, text) = answer.split_once(' ').unwrap();
            let said = reason(*stage, code.parse().unwrap(), text);
            if said != *expected {
                wrong.push(format!("{answer}: {said} instead of {expected}"));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn an_enhanced_code_is_read_in_all_its_forms() {
        for (text, expected) in [
            ("5.1.1 no", Some((1, 1))),
            ("5.1.1", Some((1, 1))),
            ("5.7.509 no", Some((7, 509))),
            ("#5.1.0 no", Some((1, 0))),
            ("[5.2.2] full", Some((2, 2))),
            ("5.1.1: no", Some((1, 1))),
            ("4.1.1 another class", None),
            ("5.1 short", None),
            ("5.1.99999999 long", None),
            ("5..1 x", None),
            ("192.0.2.1 is blocked", None),
            ("", None),
            ("\u{f6}", None),
        ] {
            assert_eq!(status(550, text), expected, "{text}");
        }
    }

    #[test]
    fn who_does_not_know_us_is_an_admins_matter() {
        for text in [
            "5.7.1 <bob@example.org>: Relay access denied",
            "4.7.1 <bob@example.org>: Relay access denied",
            "5.7.1 <bob@example.org>... Relaying denied",
            "5.7.54 SMTP; Unable to relay recipient in non-accepted domain",
            "relay not permitted",
            "5.7.1 Authentication required",
        ] {
            assert!(denies_relaying(Recipient, text), "{text}");
        }
        assert!(!denies_relaying(Content, "5.7.1 Relay access denied"));
        assert!(!denies_relaying(Recipient, "5.7.1 Access denied"));
    }
}
