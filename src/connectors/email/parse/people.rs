//! Who else a mail is for, and what it answers.

use crate::connectors::email::{
    address::{self, Identity},
    mime::headers::{ANSWERS, Headers},
    text::clean,
};
use crate::ids::{LocalUser, RemoteMessageId, RemoteUserId};
use mail_parser::HeaderName;

/// How many people of each kind are remembered. A mail to more of them is a circular, not a conversation.
const PEOPLE: usize = 100;

/// Those to whom a mail is openly addressed, each once.
#[derive(Debug, PartialEq)]
pub struct People {
    pub staff: Vec<LocalUser>,
    /// All others, without the sender.
    pub others: Vec<RemoteUserId>,
    /// Who stands in Reply-To and nowhere else, and is somebody else than the sender: whom a contact form writes for, a
    /// colleague who takes over.
    pub answers_to: Vec<RemoteUserId>,
}

pub fn of(headers: &Headers<'_>, identity: &Identity, from: &RemoteUserId) -> People {
    let mut people = People { staff: Vec::new(), others: Vec::new(), answers_to: Vec::new() };
    let remote = |address: &str| address::remote(address).filter(|it| it != from);
    for address in [HeaderName::To, HeaderName::Cc].into_iter().flat_map(|name| headers.addresses(name)) {
        match identity.user_of(&address) {
            Some(user) => add(&mut people.staff, user),
            None => remote(&address).into_iter().for_each(|it| add(&mut people.others, it)),
        }
    }
    let name = headers.sender().and_then(|(_, name)| name);
    for (address, other) in headers.mailboxes(HeaderName::ReplyTo) {
        let is_else = |it: &RemoteUserId| {
            identity.user_of(&address).is_none()
                && !people.others.contains(it)
                && !is_same_person((from, name.as_deref()), (it, other.as_deref()))
        };
        remote(&address).filter(is_else).into_iter().for_each(|it| add(&mut people.answers_to, it));
    }
    people
}

/// Whether two addresses with names look like those of one person: what they call themself at another provider, or under
/// the same name at the same organisation. `noreply@` of a contact form has a visitor's name, but not their address.
fn is_same_person(one: (&RemoteUserId, Option<&str>), other: (&RemoteUserId, Option<&str>)) -> bool {
    let split = |address: &RemoteUserId| {
        let (local, domain) = address.address().rsplit_once('@').unwrap_or_default();
        (local.split('+').next().unwrap_or_default().to_owned(), domain.to_owned())
    };
    let ((one_local, one_domain), (other_local, other_domain)) = (split(one.0), split(other.0));
    let folded = |name: &str| clean::line(name, clean::NAME).to_lowercase();
    let is_same_name = one.1.zip(other.1).map(|(one, other)| folded(one) == folded(other));
    let is_below = |domain: &str, owner: &str| {
        domain.strip_suffix(owner).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let is_same_place = is_below(&one_domain, &other_domain) || is_below(&other_domain, &one_domain);
    match is_same_name {
        Some(true) => is_same_place || one_local == other_local,
        None => one_local == other_local,
        Some(false) => false,
    }
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
        let People { staff, others, .. } =
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
        assert_eq!(others, ["ida@example.com"]);
    }

    #[test]
    fn whose_address_stands_only_where_answers_go_was_not_addressed() {
        assert_eq!(people("To: ida@example.com\r\nReply-To: anna@chat.example.org\r\n\r\n").0, Vec::<String>::new());
    }

    #[test]
    fn where_answers_shall_go_is_nobody_whom_the_mail_is_for() {
        let answers_to = |raw: &str| {
            let from = RemoteUserId::new("bob@example.org");
            let people = of(&Headers::parse(raw.as_bytes()).0, &identity(), &from);
            people.answers_to.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let to = "To: anna@chat.example.org\r\nCc: ida@example.com\r\nReply-To:";
        assert_eq!(
            answers_to(&format!("{to} Amt <office@example.net>, OFFICE@example.net\r\n\r\n")),
            ["office@example.net"]
        );
        for other in ["bob@example.org", "ida@example.com", "anna@chat.example.org", "nobody", "", "bob+x@example.com"]
        {
            assert_eq!(answers_to(&format!("{to} {other}\r\n\r\n")), Vec::<String>::new(), "{other}");
        }
    }

    #[test]
    fn another_address_of_the_sender_is_no_other_person() {
        let answers_to = |from: &str, reply_to: &str| {
            let raw = format!("From: {from}\r\nTo: anna@chat.example.org\r\nReply-To: {reply_to}\r\n\r\n");
            let headers = Headers::parse(raw.as_bytes()).0;
            of(&headers, &identity(), &headers.sender().unwrap().0).answers_to.len()
        };
        for (from, reply_to) in [
            ("Bob Beispiel <bob@example.org>", "Bob Beispiel <bob@example.com>"),
            ("bob@example.org", "bob@example.com"),
            ("Bob Beispiel <bob@example.org>", "BOB BEISPIEL <beispiel@mail.example.org>"),
            ("Bob Beispiel <bob@mail.example.org>", "\"Bob  Beispiel\" <b.beispiel@example.org>"),
        ] {
            assert_eq!(answers_to(from, reply_to), 0, "{from} {reply_to}");
        }
        for (from, reply_to) in [
            ("Bob Beispiel <noreply@forms.example>", "Bob Beispiel <bob@example.com>"),
            ("Bob <bob@example.org>", "Office <office@example.org>"),
            ("Info <info@forms.example>", "Club <info@example.com>"),
            ("bob@example.org", "office@example.org"),
            ("Bob <bob@example.org>", "Bob <bob2@notexample.org>"),
        ] {
            assert_eq!(answers_to(from, reply_to), 1, "{from} {reply_to}");
        }
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
