//! What a recipient's program did with a mail (RFC 8098).

use super::{Said, address_in};
use crate::{connectors::email::fields::Fields, message::ReceiptState};

/// `group`: the fields of the `message/disposition-notification`.
pub fn read(group: &Fields) -> Option<Said> {
    let disposition = group.get("disposition")?;
    let kind = disposition.rsplit(';').next()?.split(['/', ',']).next()?.trim().to_ascii_lowercase();
    let state = match kind.as_str() {
        // Exchange calls it automatic even when somebody has opened the mail: the action modes say nothing.
        "displayed" => ReceiptState::Read,
        // It has reached their program. Whether anybody looked at it, these do not say.
        "deleted" | "dispatched" | "processed" | "denied" | "failed" => ReceiptState::Delivered,
        _ => return None,
    };
    let to = address_in(group, "original-recipient").or_else(|| address_in(group, "final-recipient"));
    Some(Said { to, state, detail: disposition.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_displayed_is_read() {
        for (disposition, state) in [
            ("manual-action/MDN-sent-manually; displayed", Some(ReceiptState::Read)),
            ("automatic-action/MDN-sent-automatically; Displayed/error", Some(ReceiptState::Read)),
            ("automatic-action/MDN-sent-automatically; deleted", Some(ReceiptState::Delivered)),
            ("manual-action/MDN-sent-manually; denied", Some(ReceiptState::Delivered)),
            ("manual-action/MDN-sent-manually; eaten", None),
        ] {
            let group = Fields::read(&format!("Final-Recipient: rfc822;Bob@example.org\nDisposition: {disposition}"));
            let said = read(&group);
            assert_eq!(said.as_ref().map(|said| said.state), state, "{disposition}");
            assert!(said.is_none_or(|said| said.to.is_some_and(|to| to.as_str() == "bob@example.org")));
        }
    }
}
