//! Whether a machine wrote a mail: an absence notice, a newsletter, a report. Such mail is shown and marked. Fehmarn answers
//! no mail by itself, so this is for people.
//!
//! `X-Auto-Response-Suppress` says nothing here: people's own mail programs set it too.

use super::{fields::Fields, report};

/// Fields that only machines write, unless they say `no`.
const MARKS: &[&str] = &[
    // RFC 3834 section 5
    "auto-submitted",
    "x-autoreply",
    "x-autorespond",
    "x-autoresponder",
    // Exchange counts by it how often a rule of a mailbox has answered or forwarded.
    "x-ms-exchange-inbox-rules-loop",
    // RFC 2919
    "list-id",
    // RFC 2369: newsletters that are no list.
    "list-unsubscribe",
];
/// Values of `Precedence`.
const PRECEDENCE: &[&str] = &["auto_reply", "bulk", "list", "junk"];
/// How programs begin the subject of an absence notice; what follows is the subject of the mail that they answer.
const ABSENCES: &[&str] = &[
    "automatische antwort",
    "automatische abwesenheitsnotiz",
    "abwesenheitsnotiz",
    "abwesenheitsnachricht",
    "abwesenheitsbenachrichtigung",
    "abwesend",
    "automatic reply",
    "auto reply",
    "auto-reply",
    "autoreply",
    "out of office",
    "out of office autoreply",
    "vacation",
];

/// What stands left of the `@` where nobody reads, without what separates words.
const NO_ANSWERS: &[&str] = &["noreply", "donotreply", "nichtantworten", "keineantwort"];

/// Whether the header says so; what the subject says, see [`is_absence`].
pub fn is_marked(fields: &Fields) -> bool {
    let marked = |name: &&str| fields.all(name).any(|value| !first_word(value).eq_ignore_ascii_case("no"));
    MARKS.iter().any(marked)
        || fields.all("precedence").any(|value| PRECEDENCE.contains(&first_word(value).to_ascii_lowercase().as_str()))
        || fields.has_null_sender()
        || report::is_report(fields)
}

/// Whether a subject is that of an absence notice. A colon or the end has to follow: people write about absence too.
pub fn is_absence(subject: &str) -> bool {
    let subject = subject.trim().to_lowercase();
    ABSENCES.iter().any(|words| {
        subject.strip_prefix(words).is_some_and(|rest| rest.is_empty() || rest.trim_start().starts_with(':'))
    })
}

/// Whether nobody would read an answer: the addresses where answers go say so.
pub fn wants_no_answer(addresses: &[String]) -> bool {
    let says_so = |address: &String| {
        let local = address.rsplit_once('@').map_or("", |(local, _)| local);
        let letters: String = local.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
        NO_ANSWERS.iter().any(|word| letters.contains(word))
    };
    !addresses.is_empty() && addresses.iter().all(says_so)
}

/// Without parameters and comments.
fn first_word(value: &str) -> &str {
    value.split([';', '(', ' ', '\t']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn automatic(header: &str) -> bool {
        let mail = format!("Subject: Termin\r\n{header}\r\n\r\n");
        is_marked(&Fields::of_mail(mail.as_bytes()))
    }

    #[test]
    fn machines_are_known_by_their_fields() {
        for header in [
            "Auto-Submitted: auto-replied",
            "Auto-Submitted: auto-generated; owner-email=x",
            "X-Autoreply: yes",
            "X-Autorespond: x",
            "X-Autoresponder: yes",
            "Precedence: Bulk",
            "Precedence: junk",
            "Precedence: auto_reply",
            "Precedence: list (of people)",
            "List-Id: <x.example.org>",
            "List-Unsubscribe: <https://example.org>",
            "Return-Path: <>",
            "X-MS-Exchange-Inbox-Rules-Loop: bob@example.org",
            "Content-Type: multipart/report; report-type=x",
        ] {
            assert!(automatic(header), "{header}");
        }
    }

    #[test]
    fn people_are_not_machines() {
        for header in [
            "Auto-Submitted: no",
            "Auto-Submitted: NO (really)",
            "X-Autoreply: no",
            "Precedence: first-class",
            "X-Auto-Response-Suppress: All",
            "Return-Path: <bob@example.org>",
            "Content-Type: multipart/mixed",
            "",
        ] {
            assert!(!automatic(header), "{header}");
        }
    }

    #[test]
    fn who_reads_no_answers_says_so_in_the_address() {
        for (addresses, expected) in [
            (&["no-reply@shop.example"][..], true),
            (&["Info-NoReply@shop.example"], true),
            (&["bitte_nicht_antworten@amt.example"], true),
            (&["donotreply+17@shop.example"], true),
            (&["no-reply@shop.example", "service@shop.example"], false),
            (&["noreen.ply@shop.example"], false),
            (&["bob@noreply.example"], false),
            (&[], false),
        ] {
            let addresses: Vec<String> = addresses.iter().map(|it| (*it).to_owned()).collect();
            assert_eq!(wants_no_answer(&addresses), expected, "{addresses:?}");
        }
    }

    #[test]
    fn an_absence_notice_is_known_by_its_subject_and_talk_of_absence_is_not_one() {
        for subject in [
            "Automatische Antwort: Termin",
            "Abwesenheitsnotiz",
            " abwesenheitsnotiz : x",
            "Automatic reply: x",
            "Out of Office: x",
        ] {
            assert!(is_absence(subject), "{subject}");
        }
        for subject in [
            "Abwesenheitsnotiz einrichten?",
            "Re: Automatische Antwort: x",
            "Abwesende Kinder",
            "Out of office supplies",
            "",
        ] {
            assert!(!is_absence(subject), "{subject}");
        }
    }
}
