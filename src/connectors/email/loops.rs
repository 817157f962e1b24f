//! Mail that goes round in circles. It ends here, with words to whoever handed it over.

use super::{address::Identity, fields::Fields};
use crate::ids::DeliveryId;

/// RFC 5321 section 6.3 wants at least 100.
const MOST_HOPS: usize = 100;

/// Why this mail is one that goes round; `None` for any other.
///
/// What we send carries no mark of a machine, so our own mail is known by its Message-ID alone. Nobody can guess one, so
/// nobody can make us refuse another's mail.
pub fn find(identity: &Identity, raw: &[u8]) -> Option<&'static str> {
    let fields = Fields::of_mail(raw);
    let is_ours = |id: &str| {
        let id = id.trim_matches(['<', '>', ' ']).split_once('@');
        id.is_some_and(|(id, domain)| DeliveryId::read(id).is_some() && domain == identity.domain())
    };
    if fields.all("message-id").any(is_ours) {
        return Some("this mail was sent from here");
    }
    (fields.all("received").count() > MOST_HOPS).then_some("too many hops")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(raw: &str) -> Option<&'static str> {
        find(&Identity::new("chat.example", "{localpart}@chat.example").unwrap(), raw.as_bytes())
    }

    #[test]
    fn our_own_mail_that_comes_back_is_known() {
        let id = "mzxw6ytboi2dkmbrgq4tqmzxga";
        assert!(found(&format!("Message-ID: <{id}@chat.example>\r\n\r\n")).is_some());
        for other in [
            format!("Message-ID: <{id}@example.org>\r\n\r\n"),
            "Message-ID: <short@chat.example>\r\n\r\n".to_owned(),
            format!("Message-ID: <x@example.org>\r\nIn-Reply-To: <{id}@chat.example>\r\n\r\n"),
            format!("From: x\r\n\r\nMessage-ID: <{id}@chat.example>\r\n"),
        ] {
            assert_eq!(found(&other), None, "{other}");
        }
    }

    #[test]
    fn a_mail_that_passed_too_many_servers_is_one() {
        let hops = |count: usize| "Received: by x; today\r\n".repeat(count) + "\r\nReceived: x";
        assert_eq!(found(&hops(MOST_HOPS)), None);
        assert!(found(&hops(MOST_HOPS + 1)).is_some());
    }
}
