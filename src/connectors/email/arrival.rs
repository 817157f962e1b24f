//! What must be known of a mail before it is accepted: for whom it is, and whether it came before.

use super::{address::Identity, mime::headers::Headers};
use crate::{
    ids::{LocalUser, SourceId},
    message::RawArrival,
};
use bytes::Bytes;
use mail_parser::HeaderName;
use sha2::{Digest, Sha256};

/// Where the last server wrote down for whom it took the mail.
const ENVELOPE: &[&str] = &["Delivered-To", "X-Original-To", "Envelope-To"];

/// Makes the queue row of a mail for one member of staff. Only the header is looked at.
///
/// The source is a hash over the recipient, the Message-ID and the body: the same for the same mail by LMTP and by
/// IMAP, where the header fields of the way differ; another for another mail that took over a Message-ID.
pub fn arrival(identity: &Identity, to: LocalUser, raw: Bytes) -> RawArrival {
    let (headers, body) = Headers::parse(&raw);
    let from = headers.sender().map(|(address, _)| address.to_string()).unwrap_or_default();
    let lane = lane(addressed(identity, &headers), &to, &from);
    let mut hash = Sha256::new();
    let mut field = |text: &str| {
        hash.update(text.as_bytes());
        hash.update([0]);
    };
    field(to.as_str());
    match headers.message_id() {
        Some(id) => field(id.as_str()),
        // Two people may both write "Danke".
        None => [from.as_str(), headers.date(), headers.subject()].into_iter().for_each(&mut field),
    }
    hash_body(&mut hash, body);
    let mut source = data_encoding::BASE32_NOPAD.encode(&hash.finalize());
    source.make_ascii_lowercase();
    RawArrival { source: SourceId::new(source), also: None, lane, to, raw: raw.clone() }
}

/// The copies of one mail for several of ours go one after the other, so that each finds the room that the first has
/// made; and so does what the same person writes to the same people later.
fn lane(mut addressed: Vec<LocalUser>, to: &LocalUser, from: &str) -> String {
    if addressed.len() < 2 || !addressed.contains(to) {
        return format!("{to} {from}");
    }
    addressed.sort();
    let mut hash = Sha256::new();
    for user in &addressed {
        hash.update(user.as_str());
        hash.update([0]);
    }
    format!("{} {from}", data_encoding::BASE32_NOPAD.encode(&hash.finalize()).to_ascii_lowercase())
}

/// Line breaks, and how many of them end the mail, are not the same on every way.
fn hash_body(hash: &mut Sha256, body: &[u8]) {
    for piece in body.trim_ascii_end().split(|byte| *byte == b'\r') {
        hash.update(piece);
    }
}

/// Those of ours for whom a mail from a mailbox is, each once: named by the server that delivered it, else by To and Cc.
/// What the server named counts alone only if one of ours is among it: a shared mailbox may have just its own name there.
pub fn recipients(identity: &Identity, raw: &[u8]) -> Vec<LocalUser> {
    let (headers, _) = Headers::parse(raw);
    let envelope = ENVELOPE.iter().flat_map(|name| headers.texts(name)).map(|text| text.trim_matches(['<', '>', ' ']));
    let named = ours(identity, envelope);
    if !named.is_empty() {
        return named;
    }
    addressed(identity, &headers)
}

fn addressed(identity: &Identity, headers: &Headers<'_>) -> Vec<LocalUser> {
    let addresses = [headers.addresses(HeaderName::To), headers.addresses(HeaderName::Cc)].concat();
    ours(identity, addresses.iter().map(String::as_str))
}

fn ours<'x>(identity: &Identity, addresses: impl Iterator<Item = &'x str>) -> Vec<LocalUser> {
    let mut users = Vec::new();
    for user in addresses.filter_map(|address| identity.user_of(address)) {
        if !users.contains(&user) {
            users.push(user);
        }
    }
    users
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connectors::email::fixture;

    fn source(to: &str, raw: &str) -> String {
        arrival(&fixture::identity(), LocalUser::new(to), Bytes::from(raw.to_owned())).source.to_string()
    }

    fn lane_of(to: &str, raw: &str) -> String {
        arrival(&fixture::identity(), LocalUser::new(to), Bytes::from(raw.to_owned())).lane
    }

    const MAIL: &str = "Message-ID: <a@x>\r\nFrom: Bob@Example.org\r\n\r\nHallo\r\nWelt\r\n";

    #[test]
    fn the_same_mail_is_known_again_on_another_way() {
        let other_way = "Return-Path: <bob@example.org>\nReceived: by y\nMessage-ID: <a@x>\nFrom: Bob@Example.org\n\nHallo\nWelt\n\n";
        assert_eq!(source("anna", MAIL), source("anna", other_way));
        assert_eq!(source("anna", MAIL).len(), 52);
    }

    #[test]
    fn another_recipient_body_or_id_is_another_arrival() {
        let first = source("anna", MAIL);
        assert_ne!(first, source("carla", MAIL));
        assert_ne!(first, source("anna", &MAIL.replace("Welt", "Leute")));
        assert_ne!(first, source("anna", &MAIL.replace("a@x", "b@x")));
    }

    #[test]
    fn two_mails_without_ids_that_say_the_same_are_two() {
        let mail = "From: bob@example.org\r\nDate: Thu, 12 Nov 2026 10:00:00 +0100\r\n\r\nDanke";
        assert_ne!(source("anna", mail), source("anna", &mail.replace("bob", "carla")));
        assert_ne!(source("anna", mail), source("anna", &mail.replace("10:00:00", "10:00:01")));
        assert_eq!(source("anna", mail), source("anna", &format!("Received: by x\r\n{mail}")));
    }

    #[test]
    fn the_lane_is_the_pair_of_people() {
        assert_eq!(lane_of("anna", MAIL), "anna bob@example.org");
        assert_eq!(lane_of("anna", "x"), "anna ");
    }

    #[test]
    fn the_copies_of_one_mail_go_one_after_the_other() {
        let mail = format!("To: anna@chat.example.org, Tom <tom@chat.example.org>\r\n{MAIL}");
        assert_eq!(lane_of("anna", &mail), lane_of("tom", &mail));
        assert_ne!(lane_of("anna", &mail), lane_of("anna", MAIL));
        assert_eq!(lane_of("carla", &mail), "carla bob@example.org", "a blind copy is for itself");
    }

    fn named(raw: &[u8]) -> Vec<String> {
        recipients(&fixture::identity(), raw).iter().map(|user| user.to_string()).collect()
    }

    #[test]
    fn the_servers_word_counts_before_to_and_cc() {
        let raw = "Delivered-To: <anna+x@chat.example.org>\r\nX-Original-To: Anna@chat.example.org\r\nEnvelope-To: dora@chat.example.org, other@example.org\r\n\
            To: carla@chat.example.org\r\n\r\nDelivered-To: emil@chat.example.org";
        assert_eq!(named(raw.as_bytes()), ["anna"]);
    }

    #[test]
    fn without_it_to_and_cc_name_ours_once() {
        assert_eq!(named(&fixture::bytes("attachments")), ["anna", "carla"]);
        assert_eq!(named(b"Delivered-To: bridge@mail.example.org\r\nTo: Staff: anna@chat.example.org, ANNA@chat.example.org;\r\n\r\n"), ["anna"]);
        assert!(named(b"To: undisclosed-recipients:;\r\n\r\n").is_empty());
    }
}
