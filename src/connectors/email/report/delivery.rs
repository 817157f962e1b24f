//! What a mail server did with a mail (RFC 3464).

use super::{Said, address_in, reason};
use crate::{connectors::email::fields::Fields, message::ReceiptState};

/// `groups`: the fields of the `message/delivery-status`, on the mail and then on each recipient.
///
/// A report may speak of several recipients, but each delivery of ours has one. If there are several all the same, the
/// first that failed counts, else the first that waits, else the first.
pub fn read(groups: &[Fields]) -> Option<Said> {
    let recipients: Vec<&Fields> = groups.iter().filter(|group| group.get("action").is_some()).collect();
    let of_action = |wanted: &str| recipients.iter().find(|group| action(group) == wanted);
    let chosen = of_action("failed").or_else(|| of_action("delayed")).or_else(|| recipients.first())?;
    // The address that we sent to, where the report has it: another server may have rewritten the final one.
    let to = address_in(chosen, "original-recipient").or_else(|| address_in(chosen, "final-recipient"));
    Some(Said { to, state: state(chosen)?, detail: words(chosen).to_owned() })
}

fn action(group: &Fields) -> String {
    let words = group.get("action").unwrap_or_default();
    words.split_ascii_whitespace().next().unwrap_or_default().to_ascii_lowercase()
}

fn state(group: &Fields) -> Option<ReceiptState> {
    match action(group).as_str() {
        "failed" => Some(ReceiptState::Failed(reason::of(group.get("status").unwrap_or_default(), words(group)))),
        "delayed" => Some(ReceiptState::Delayed),
        "relayed" => Some(ReceiptState::Relayed),
        // A list has it; what becomes of each copy nobody says.
        "delivered" | "expanded" => Some(ReceiptState::Delivered),
        _ => None,
    }
}

/// The other server's own words, without the type before them.
fn words(group: &Fields) -> &str {
    let words = group.get("diagnostic-code").or_else(|| group.get("status")).unwrap_or_default();
    words.split_once(';').map_or(words, |(_, words)| words.trim())
}
