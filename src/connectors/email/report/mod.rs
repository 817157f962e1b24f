//! Reports of mail servers on what became of a mail of ours (RFC 3464, RFC 6522).

use super::{
    address,
    mime::{
        Part,
        headers::{self, Headers},
    },
    text::clean,
};
use crate::{
    failure::Reason,
    ids::{RemoteMessageId, RemoteUserId},
    message::{Receipt, ReceiptState},
};
use mail_parser::HeaderName;

/// The longest diagnostic text that is kept, in characters.
const DETAIL: usize = 500;
/// How much of a part is read, in bytes: enough for hundreds of recipients, or for any header.
const PART: usize = 256 * 1024;

/// Reads a delivery report; `None` for any other mail, and for a report that names no message of ours.
///
/// A report may speak of several recipients, but each delivery of ours has one. If there are several all the same, the
/// first that failed counts, else the first that waits, else the first.
pub fn read(mail: &Part<'_>) -> Option<Receipt> {
    if mail.media_type() != "multipart/report" {
        return None;
    }
    let parts = mail.children();
    let kind = |part: &Part<'_>| part.media_type();
    let status =
        parts.iter().find(|part| kind(part).starts_with("message/") && kind(part).ends_with("delivery-status"))?;
    let returned = parts.iter().find(|part| {
        ["text/rfc822-headers", "message/rfc822", "message/global", "message/global-headers"]
            .contains(&kind(part).as_str())
    });
    let message = original(mail, returned)?;
    let bytes = status.bytes();
    let text = String::from_utf8_lossy(bytes.get(..PART).unwrap_or(&bytes)).into_owned();
    let recipients: Vec<Fields> = groups(&text).into_iter().filter(|group| group.get("action").is_some()).collect();
    let of_recipient = |action: &str| recipients.iter().find(|group| group.action() == action);
    let chosen = of_recipient("failed").or_else(|| of_recipient("delayed")).or_else(|| recipients.first())?;
    Some(Receipt { message, to: chosen.recipient(), state: chosen.state()?, detail: chosen.detail() })
}

/// The mail of ours that the report is about: named by the headers that it returns, or by what it answers, or by the
/// envelope sender that it was sent to.
fn original(mail: &Part<'_>, returned: Option<&Part<'_>>) -> Option<RemoteMessageId> {
    let in_returned = returned.and_then(|part| {
        // Headers alone may come without an empty line behind them, and without a line break in the last one.
        let bytes = part.bytes();
        let bytes = [bytes.get(..PART).unwrap_or(&bytes), b"\r\n\r\n"].concat();
        Headers::parse(headers::split(&bytes).0).0.message_id()
    });
    let answered = mail.headers.answers();
    in_returned.into_iter().chain(answered).find(is_ours).or_else(|| {
        let fields =
            ["Delivered-To", "X-Original-To", "Envelope-To"].into_iter().flat_map(|name| mail.headers.texts(name));
        let to = mail.headers.addresses(HeaderName::To);
        fields.chain(to.iter().map(String::as_str)).find_map(from_return_path)
    })
}

/// Ours are named by a delivery: 26 characters of lower-case base32.
fn is_ours(message: &RemoteMessageId) -> bool {
    message.as_str().split_once('@').is_some_and(|(id, _)| is_delivery_id(id))
}

fn is_delivery_id(text: &str) -> bool {
    text.len() == 26 && text.bytes().all(|b| b.is_ascii_lowercase() || (b'2'..=b'7').contains(&b))
}

/// The message whose delivery stands as the detail in an envelope sender of ours.
fn from_return_path(address: &str) -> Option<RemoteMessageId> {
    let address = address::remote(address)?;
    let (_, domain) = address.as_str().rsplit_once('@')?;
    address::delivery_in(address.as_str()).map(|id| RemoteMessageId::new(format!("{id}@{domain}")))
}

/// The fields of one group, names in lower case, values unfolded.
#[derive(Default)]
struct Fields(Vec<(String, String)>);

/// The groups of fields, which empty lines part: the first on the message, then one for each recipient (section 2.1).
fn groups(text: &str) -> Vec<Fields> {
    let mut groups = vec![Fields::default()];
    for line in text.lines() {
        let Some(group) = groups.last_mut() else { break };
        if line.trim().is_empty() {
            if !group.0.is_empty() {
                groups.push(Fields::default());
            }
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = group.0.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            group.0.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    groups
}

impl Fields {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    fn action(&self) -> String {
        self.get("action").and_then(|it| it.split_ascii_whitespace().next()).unwrap_or_default().to_ascii_lowercase()
    }

    /// The address that we sent to, where the report has it: another server may have rewritten the final one.
    fn recipient(&self) -> Option<RemoteUserId> {
        let address = |name: &str| {
            let value = self.get(name)?;
            let (kind, value) = value.split_once(';').unwrap_or(("rfc822", value));
            let value = value.trim();
            // An original recipient is in xtext (RFC 3461 section 4.2): "+2B" for "+".
            let plain = (name == "original-recipient" && kind.trim().eq_ignore_ascii_case("rfc822"))
                .then(|| address::unhex(value, b'+').and_then(|bytes| String::from_utf8(bytes).ok()))
                .flatten();
            plain.as_deref().and_then(address::remote).or_else(|| address::remote(value))
        };
        address("original-recipient").or_else(|| address("final-recipient"))
    }

    fn state(&self) -> Option<ReceiptState> {
        match self.action().as_str() {
            "failed" => Some(ReceiptState::Failed(reason(self.get("status").unwrap_or_default()))),
            "delayed" => Some(ReceiptState::Delayed),
            "delivered" | "relayed" | "expanded" => Some(ReceiptState::Delivered),
            _ => None,
        }
    }

    /// The other server's own words, without the type before them.
    fn detail(&self) -> String {
        let words = self.get("diagnostic-code").or_else(|| self.get("status")).unwrap_or_default();
        let words = words.split_once(';').map_or(words, |(_, words)| words);
        clean::line(words, DETAIL)
    }
}

/// What a person is told for an enhanced status code (RFC 3463): `5.1.1 (mailbox unknown)`.
fn reason(status: &str) -> Reason {
    let code = status.split(|c: char| c != '.' && !c.is_ascii_digit()).next().unwrap_or_default();
    let mut numbers = code.split('.').map(|number| number.parse::<u16>().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    match (next(), next(), next()) {
        // These two speak of the sender's address.
        (5, 1, 7 | 8) => Reason::Refused,
        (5, 1, _) => Reason::UnknownRecipient,
        (_, 2, 2) => Reason::MailboxFull,
        (_, 3, 4) | (_, 2, 3) => Reason::TooLarge,
        (_, 4, _) => Reason::Unreachable,
        _ => Reason::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connectors::email::fixture;

    const ID: &str = "mzxw6ytboi2dkmbrgq4tqmzxga";

    fn report(top: &str, status: &str, returned: &str) -> Option<Receipt> {
        let raw = format!(
            "From: x@y.example\r\n{top}Content-Type: multipart/report; report-type=\"delivery-status\"; boundary=b\r\n\r\n\
             --b\r\n\r\nSorry.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; y\r\n\r\n{status}\r\n{returned}--b--\r\n"
        );
        read(&Part::parse(raw.as_bytes()))
    }

    fn returned(id: &str) -> String {
        format!("--b\r\nContent-Type: text/rfc822-headers\r\n\r\nSubject: x\r\nMessage-ID: <{id}>\r\n")
    }

    fn ours() -> String {
        returned(&format!("{ID}@chat.example.org"))
    }

    #[test]
    fn a_failed_delivery_is_told_with_the_reason_and_the_servers_words() {
        let receipt = fixture::receipt("dsn-failed");
        assert_eq!(receipt.message.as_str(), format!("{ID}@chat.example.org"));
        assert_eq!(receipt.to.unwrap().as_str(), "bob+x@example.org");
        assert_eq!(receipt.state, ReceiptState::Failed(Reason::UnknownRecipient));
        assert_eq!(receipt.detail, "550 5.1.1 <bob+x@example.org>: Recipient address rejected: User unknown");
    }

    #[test]
    fn a_delay_is_no_failure() {
        let receipt = fixture::receipt("dsn-delayed");
        assert_eq!(receipt.message.as_str(), format!("{ID}@chat.example.org"));
        assert_eq!((receipt.state, receipt.to.unwrap().as_str()), (ReceiptState::Delayed, "bob@example.org"));
        assert!(receipt.detail.contains("Connection timed out"), "{}", receipt.detail);
    }

    #[test]
    fn every_action_has_its_state() {
        let state = |action: &str| report("", &format!("Action: {action}\r\n"), &ours()).map(|receipt| receipt.state);
        for action in ["delivered", "Relayed", "expanded (to a list)"] {
            assert_eq!(state(action), Some(ReceiptState::Delivered), "{action}");
        }
        assert_eq!(state("delayed"), Some(ReceiptState::Delayed));
        assert_eq!(state("failed"), Some(ReceiptState::Failed(Reason::Refused)));
        assert_eq!(state("eaten"), None);
    }

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
            ("", Reason::Refused),
            ("x", Reason::Refused),
            ("99999999999.1.1", Reason::Refused),
        ] {
            assert_eq!(reason(status), expected, "{status}");
        }
    }

    #[test]
    fn of_several_recipients_the_first_that_failed_counts() {
        let status = "Final-Recipient: rfc822; a@x.example\r\nAction: delayed\r\n\r\nFinal-Recipient: rfc822; b@x.example\r\nAction: failed\r\nStatus: 5.2.2\r\n\r\n\
            Final-Recipient: rfc822; c@x.example\r\nAction: failed\r\nStatus: 5.1.1\r\n";
        let receipt = report("", status, &ours()).unwrap();
        assert_eq!(
            (receipt.to.unwrap().as_str(), receipt.state),
            ("b@x.example", ReceiptState::Failed(Reason::MailboxFull))
        );
    }

    #[test]
    fn a_report_without_headers_is_known_by_what_it_answers_or_by_its_recipient() {
        let status = "Action: failed\r\n";
        for top in [
            format!("In-Reply-To: <{ID}@chat.example.org>\r\n"),
            format!("References: <root@x> <{ID}@chat.example.org>\r\n"),
            format!("To: <anna+{ID}@chat.example.org>\r\n"),
            format!("To: x@y.example\r\nDelivered-To: anna+{ID}@Chat.example.org\r\n"),
        ] {
            assert_eq!(report(&top, status, "").unwrap().message.as_str(), format!("{ID}@chat.example.org"), "{top}");
        }
    }

    #[test]
    fn a_report_on_somebody_elses_mail_is_a_message() {
        assert_eq!(report("To: anna@chat.example.org\r\n", "Action: failed\r\n", &returned("abc@example.org")), None);
        assert_eq!(report("", "Action: failed\r\n", ""), None);
        assert_eq!(report("", "nothing\r\n", &ours()), None);
        let plain = format!("From: x@y.example\r\nTo: anna+{ID}@chat.example.org\r\n\r\nAction: failed\r\n");
        assert_eq!(read(&Part::parse(plain.as_bytes())), None);
    }

    #[test]
    fn headers_that_end_without_a_line_break_are_read() {
        let returned = format!("--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <{ID}@x.example>\r\n");
        assert!(report("", "Action: failed\r\n", &returned).is_some());
    }

    #[test]
    fn the_servers_words_have_an_end_and_no_controls() {
        let status = format!("Action: failed\r\nDiagnostic-Code: smtp; 550 \u{1b}[31m{}\r\n", "x".repeat(2000));
        let detail = report("", &status, &ours()).unwrap().detail;
        assert!(detail.chars().count() == DETAIL && detail.starts_with("550 [31mx"), "{detail}");
    }
}
