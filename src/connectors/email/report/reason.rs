//! What a person is told of a failure: by the enhanced status code (RFC 3463), else by the server's words.

use crate::failure::Reason;

/// Words of mail servers, in lower case. The first line that fits counts: what is special stands before what is general.
const WORDS: &[(Reason, &[&str])] = &[
    (
        Reason::MailboxFull,
        &[
            "mailbox full",
            "mailbox is full",
            "quota",
            "overquota",
            "storage limit",
            "out of storage",
            "inbox is full",
            "insufficient storage",
            "exceeded storage",
            "postfach ist voll",
            "postfach voll",
            "postfach des empf\u{e4}ngers ist voll",
        ],
    ),
    (
        Reason::TooLarge,
        &[
            "too large",
            "too big",
            "size limit",
            "message size exceeds",
            "exceeds the maximum",
            "maximum message size",
            "zu gro\u{df}",
            "gr\u{f6}\u{df}enbeschr\u{e4}nkung",
        ],
    ),
    (
        Reason::UnknownRecipient,
        &[
            "user unknown",
            "unknown user",
            "no such user",
            "does not exist",
            "doesn't exist",
            "no mailbox",
            "mailbox not found",
            "recipientnotfound",
            "recipient not found",
            "unknown recipient",
            "no such recipient",
            "no such mailbox",
            "invalid recipient",
            "unknown address",
            "unrouteable address",
            "unroutable address",
            "mailbox unavailable",
            "no such address",
            "wasn't found at",
            "not found by smtp address lookup",
            "unbekannter empf\u{e4}nger",
            "empf\u{e4}nger unbekannt",
            "adresse nicht gefunden",
            "existiert nicht",
            "wurde nicht gefunden",
            "sorry, no mailbox here by that name",
            "account disabled",
            "account that you tried to reach",
            "domain not found",
            "host or domain name not found",
        ],
    ),
    (
        Reason::Unreachable,
        &[
            "timed out",
            "timeout",
            "connection refused",
            "couldn't find any host",
            "no route to host",
            "not been able to deliver",
            "retry time",
            "could not connect",
            "connection lost",
            "network unreachable",
            "unreachable",
            "nicht erreichbar",
        ],
    ),
    (Reason::Busy, &["try again later", "temporarily", "too many connections", "greylist"]),
];

/// `status` is a code such as `5.1.1 (mailbox unknown)`, or nothing; `words` are the server's.
pub fn of(status: &str, words: &str) -> Reason {
    let code = code(status).or_else(|| words.split([' ', ';', '-', '#', ':', '(', ')', '<']).find_map(code));
    code.and_then(by_code).unwrap_or_else(|| by_words(words))
}

/// Class, subject and detail, at the beginning of the text.
fn code(text: &str) -> Option<(u16, u16, u16)> {
    let end = text.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(text.len());
    let numbers = text.get(..end)?.trim_end_matches('.');
    let mut numbers = numbers.split('.').map(|number| number.parse::<u16>().ok());
    let found = (numbers.next()??, numbers.next()??, numbers.next()??);
    // Four numbers are an IP address.
    (matches!(found.0, 4 | 5) && numbers.next().is_none() && (found.1, found.2) != (0, 0)).then_some(found)
}

fn by_code(code: (u16, u16, u16)) -> Option<Reason> {
    Some(match code {
        // These two speak of the sender's address.
        (_, 1, 7 | 8) => Reason::Refused,
        (_, 1, 0) => return None,
        (_, 1, _) => Reason::UnknownRecipient,
        (_, 2, 2) => Reason::MailboxFull,
        (_, 3, 4) | (_, 2, 3) => Reason::TooLarge,
        (_, 3, 1 | 2) => Reason::Busy,
        (_, 4, 5) => Reason::Busy,
        (_, 4, _) => Reason::Unreachable,
        (_, 6, 7..=9) => Reason::AddressLetters,
        (_, 7, _) => Reason::Refused,
        _ => return None,
    })
}

fn by_words(words: &str) -> Reason {
    let words = words.to_lowercase();
    let said = WORDS.iter().find(|(_, phrases)| phrases.iter().any(|phrase| words.contains(phrase)));
    said.map_or(Reason::Refused, |(reason, _)| *reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_what_a_person_is_told() {
        for (status, expected) in [
            ("5.1.1", Reason::UnknownRecipient),
            ("5.1.10 (no such)", Reason::UnknownRecipient),
            ("5.1.8", Reason::Refused),
            ("5.2.2", Reason::MailboxFull),
            ("4.2.2", Reason::MailboxFull),
            ("5.3.4", Reason::TooLarge),
            ("5.2.3", Reason::TooLarge),
            ("4.4.7", Reason::Unreachable),
            ("5.7.1", Reason::Refused),
            ("5.6.7", Reason::AddressLetters),
            ("5.6.1", Reason::Refused),
            ("", Reason::Refused),
            ("x", Reason::Refused),
            ("99999999999.1.1", Reason::Refused),
        ] {
            assert_eq!(of(status, ""), expected, "{status}");
        }
    }

    #[test]
    fn a_code_in_the_words_counts_where_the_status_says_nothing() {
        assert_eq!(of("5.0.0", "550-5.1.1 The account is gone"), Reason::UnknownRecipient);
        assert_eq!(of("", "552 5.2.2 <bob@example.org>: over quota"), Reason::MailboxFull);
        assert_eq!(of("5.7.1", "550 5.1.1 no such user"), Reason::Refused);
    }

    #[test]
    fn words_are_read_where_no_code_helps() {
        for (words, expected) in [
            ("550 Requested action not taken: mailbox unavailable", Reason::UnknownRecipient),
            ("Sorry, no mailbox here by that name. (#5.1.1)", Reason::UnknownRecipient),
            ("552 Requested mail action aborted: exceeded storage allocation", Reason::MailboxFull),
            ("Das Postfach ist voll.", Reason::MailboxFull),
            ("552 message size exceeds limit", Reason::TooLarge),
            ("retry time not reached for any host", Reason::Unreachable),
            ("Connected to 5.1.1.9 but my message was rejected", Reason::Refused),
            ("554 rejected as spam", Reason::Refused),
        ] {
            assert_eq!(of("", words), expected, "{words}");
        }
    }
}
