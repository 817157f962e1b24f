//! What a provider says of a recipient's complaint (abuse reporting format, RFC 5965).

use super::{Said, address_in};
use crate::{connectors::email::fields::Fields, message::ReceiptState};

/// Of the registered types these are complaints; `not-spam` and the reports on authentication (RFC 6591) are not.
const COMPLAINTS: &[&str] = &["abuse", "fraud", "virus", "opt-out", "other"];

/// `group`: the fields of the `message/feedback-report`.
pub fn read(group: &Fields) -> Option<Said> {
    let kind = group.get("feedback-type")?;
    let to = ["original-rcpt-to", "removal-recipient"].into_iter().find_map(|name| address_in(group, name));
    let is_complaint = COMPLAINTS.contains(&kind.to_ascii_lowercase().as_str());
    is_complaint.then(|| Said { to, state: ReceiptState::Complaint, detail: kind.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_names_who_complains_and_other_feedback_is_none() {
        let said = read(&Fields::read("Feedback-Type: Abuse\nOriginal-Rcpt-To: <bob@example.org>")).unwrap();
        assert_eq!((said.state, said.to.unwrap().as_str()), (ReceiptState::Complaint, "bob@example.org"));
        assert!(read(&Fields::read("Feedback-Type: not-spam")).is_none());
        assert!(read(&Fields::read("Feedback-Type: auth-failure")).is_none());
    }
}
