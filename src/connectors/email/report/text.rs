//! Reports that are nothing but text: of qmail, Exim, old Exchange, and of some large providers.

use super::{Said, reason};
use crate::{
    connectors::email::{
        address::{self, Identity},
        automatic,
        fields::Fields,
    },
    ids::RemoteUserId,
    message::ReceiptState,
};

/// Who sends such reports: parts of addresses. The last is Exchange.
const DAEMONS: &[&str] = &["mailer-daemon", "mailerdaemon", "mail-daemon", "postmaster@", "microsoftexchange329e71ec"];
/// What they say, in the subject or in the first words; in lower case.
const FAILURES: &[&str] = &[
    "undelivered mail returned to sender",
    "delivery status notification (failure)",
    "mail delivery failed",
    "mail delivery failure",
    "delivery failure",
    "delivery has failed",
    "failure notice",
    "undeliverable",
    "undelivered mail",
    "returned mail",
    "unzustellbar",
    "nicht zustellbar",
    "konnte nicht zugestellt werden",
    "nicht zugestellt werden konnte",
    "could not be delivered",
    "couldn't be delivered",
    "unable to deliver",
    "this is the qmail-send program",
    "this message was created automatically by mail delivery software",
];
/// The same for a mail that still waits.
const DELAYS: &[&str] = &[
    "(delay)",
    "delayed",
    "verz\u{f6}gert",
    "could not send message for past",
    "this is a warning message only",
    "you do not need to resend",
    "no action is required on your part",
];
/// Lines behind which stands the mail that is returned.
const COPIES: &[&str] = &[
    "below this line is a copy",
    "this is a copy of",
    "header of the original message",
    "headers of the original message",
    "original message follows",
    "original message header",
    "-- original message",
    "-- original headers",
    "unsent message below",
    "message headers follow",
];
/// How much of the text before the copy is looked at, in lines.
const LINES: usize = 60;

/// Reads a text-only report. `None` for anything else that has an empty envelope sender: an absence notice, above all.
pub fn read(fields: &Fields, subject: &str, text: &str, identity: &Identity) -> Option<Said> {
    if automatic::is_absence(subject) {
        return None;
    }
    let subject = subject.to_lowercase();
    let lines: Vec<&str> = text.lines().take_while(|line| !is_copy(line)).take(LINES).collect();
    // What is no mail server has to say it in the subject: people write of such things as well.
    let words = if is_daemon(fields) { lines.join(" ").to_lowercase() } else { String::new() };
    let says = |text: &str, phrases: &[&str]| phrases.iter().any(|phrase| text.contains(phrase));
    let failed = says(&subject, FAILURES);
    let is_delay = !failed && (says(&subject, DELAYS) || says(&words, DELAYS));
    let named = fields.get("x-failed-recipients");
    if !failed && !is_delay && !says(&words, FAILURES) && named.is_none() {
        return None;
    }
    let of_others = |address: &RemoteUserId| identity.user_of(address.as_str()).is_none();
    let named = named.and_then(|list| list.split(',').filter_map(address::remote).find(of_others));
    let to = named.or_else(|| lines.iter().filter_map(|line| sole_address(line)).find(of_others));
    let detail = detail(&lines, to.as_ref());
    let state = if is_delay { ReceiptState::Delayed } else { ReceiptState::Failed(reason::of("", &detail)) };
    Some(Said { to, state, detail })
}

/// Whether a mail server may have written this.
pub fn is_machine(fields: &Fields) -> bool {
    fields.has_null_sender() || fields.get("x-failed-recipients").is_some() || is_daemon(fields)
}

fn is_daemon(fields: &Fields) -> bool {
    let from = fields.get("from").unwrap_or_default().to_lowercase();
    DAEMONS.iter().any(|daemon| from.contains(daemon))
}

fn is_copy(line: &str) -> bool {
    let line = line.to_lowercase();
    COPIES.iter().any(|words| line.contains(words))
}

/// The address of a line that begins with one and a colon, or has nothing else: so all of them name the recipient.
fn sole_address(line: &str) -> Option<RemoteUserId> {
    let line = line.trim();
    let (first, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let is_named = first.ends_with(':') || rest.is_empty() || rest.starts_with('(');
    is_named.then(|| address::remote(first.trim_matches([':', '"', '\'']))).flatten()
}

/// The server's words: what stands behind the recipient's address, else the first line with a code.
fn detail(lines: &[&str], to: Option<&RemoteUserId>) -> String {
    let is_to = |line: &&str| to.is_some() && sole_address(line).as_ref() == to;
    let start = lines.iter().position(is_to).unwrap_or(lines.len());
    let paragraphs = lines.get(start..).unwrap_or_default().split(|line| line.trim().is_empty());
    let behind = paragraphs.map(|lines| lines.iter().map(|line| words(line)).collect::<Vec<_>>().join(" "));
    behind.map(|said| said.trim().to_owned()).find(|said| !said.is_empty()).unwrap_or_else(|| {
        let with_code = lines.iter().find(|line| line.split([' ', '-', ':', '#']).any(is_code));
        with_code.map(|line| line.trim().to_owned()).unwrap_or_default()
    })
}

/// A line without the address that it begins with.
fn words(line: &str) -> &str {
    match sole_address(line) {
        Some(_) => line.trim().split_once(char::is_whitespace).map_or("", |(_, rest)| rest),
        None => line.trim(),
    }
}

/// Of SMTP, for a failure.
fn is_code(word: &str) -> bool {
    word.len() == 3 && word.starts_with(['4', '5']) && word.bytes().all(|byte| byte.is_ascii_digit())
}
