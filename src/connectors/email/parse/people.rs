//! Who else a mail is for, and what it answers.

use crate::connectors::email::{
    address::{self, Identity},
    mime::headers::{ANSWERS, Headers},
};
use crate::ids::{LocalUser, RemoteMessageId, RemoteUserId};
use mail_parser::HeaderName;

/// How many people of each kind are remembered. A mail to more of them is a circular, not a conversation.
const PEOPLE: usize = 100;

/// Those to whom a mail is openly addressed, each once.
#[derive(Debug, PartialEq)]
pub struct People {
    pub staff: Vec<LocalUser>,
    /// All others, without the sender. Who answers here to "all" writes to them: so do those in Reply-To count.
    pub others: Vec<RemoteUserId>,
}

pub fn of(headers: &Headers<'_>, identity: &Identity, from: &RemoteUserId) -> People {
    let mut people = People { staff: Vec::new(), others: Vec::new() };
    for name in [HeaderName::To, HeaderName::Cc, HeaderName::ReplyTo] {
        let replies = name == HeaderName::ReplyTo;
        for address in headers.addresses(name) {
            match identity.user_of(&address) {
                Some(_) if replies => {}
                Some(user) => add(&mut people.staff, user),
                None => address::remote(&address)
                    .filter(|it| it != from)
                    .into_iter()
                    .for_each(|it| add(&mut people.others, it)),
            }
        }
    }
    people
}

fn add<T: PartialEq>(list: &mut Vec<T>, one: T) {
    if list.len() < PEOPLE && !list.contains(&one) {
        list.push(one);
    }
}

/// The messages that a mail answers, the surest first, each once: what the address names to which it was sent, then
/// In-Reply-To, then References from the newest. The address comes first, since a program may lose the headers, but
/// nobody types such an address.
pub fn answers(headers: &Headers<'_>, identity: &Identity) -> Vec<RemoteMessageId> {
    let envelope = ["Delivered-To", "X-Original-To", "Envelope-To"].into_iter().flat_map(|name| headers.texts(name));
    let mut addresses: Vec<String> = envelope.map(|text| text.trim_matches(['<', '>', ' ']).to_owned()).collect();
    addresses.extend([HeaderName::To, HeaderName::Cc].into_iter().flat_map(|name| headers.addresses(name)));
    let mut answers = Vec::new();
    for id in addresses.iter().filter_map(|address| identity.answered(address)).chain(headers.answers()) {
        if answers.len() < ANSWERS && !answers.contains(&id) {
            answers.push(id);
        }
    }
    answers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity::new("chat.example.org", "{localpart}@chat.example.org").unwrap()
    }

    fn people(raw: &str) -> (Vec<String>, Vec<String>) {
        let People { staff, others } =
            of(&Headers::parse(raw.as_bytes()).0, &identity(), &RemoteUserId::new("bob@example.org"));
        (staff.iter().map(ToString::to_string).collect(), others.iter().map(ToString::to_string).collect())
    }

    fn answered_by(raw: &str) -> Vec<String> {
        answers(&Headers::parse(raw.as_bytes()).0, &identity()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn everybody_in_to_and_cc_is_one_of_ours_or_of_the_others() {
        let (staff, others) = people(
            "To: \"Muster, Anna\" <Anna+x@chat.example.org>, Ida <IDA@Example.com>, bob@example.org\r\n\
             Cc: Amt: tom@chat.example.org, anna@chat.example.org;, ida@example.com, nobody\r\n\
             Reply-To: office@example.net, anna@chat.example.org\r\nBcc: eve@example.net\r\n\r\n",
        );
        assert_eq!(staff, ["anna", "tom"]);
        assert_eq!(others, ["ida@example.com", "office@example.net"]);
    }

    #[test]
    fn whose_address_stands_only_where_answers_go_was_not_addressed() {
        assert_eq!(people("To: ida@example.com\r\nReply-To: anna@chat.example.org\r\n\r\n").0, Vec::<String>::new());
    }

    #[test]
    fn there_is_an_end_to_the_people_that_are_remembered() {
        let many: String = (0..5000).map(|n| format!(" p{n}@example.org,\r\n")).collect();
        assert_eq!(people(&format!("To:{many} x@example.org\r\n\r\n")).1.len(), PEOPLE);
    }

    #[test]
    fn the_address_that_was_answered_to_counts_before_the_headers() {
        assert_eq!(
            answered_by(
                "Delivered-To: <anna+MZXW6ytboi2dkmbrgq4tqmzxga@chat.example.org>\r\n\
                 To: tom@chat.example.org, anna+aaaaaaaaaaaaaaaaaaaaaaaaaa@chat.example.org\r\n\
                 In-Reply-To: <b@x>\r\nReferences: <a@x> <mzxw6ytboi2dkmbrgq4tqmzxga@chat.example.org> <b@x>\r\n\r\n"
            ),
            [
                "mzxw6ytboi2dkmbrgq4tqmzxga@chat.example.org",
                "aaaaaaaaaaaaaaaaaaaaaaaaaa@chat.example.org",
                "b@x",
                "a@x"
            ]
        );
    }

    #[test]
    fn a_detail_that_names_no_delivery_or_stands_in_a_foreign_address_answers_nothing() {
        for to in
            ["anna+rechnung@chat.example.org", "anna@chat.example.org", "anna+mzxw6ytboi2dkmbrgq4tqmzxga@example.org"]
        {
            assert_eq!(answered_by(&format!("To: {to}\r\n\r\n")), Vec::<String>::new(), "{to}");
        }
    }
}
