//! What must be known of a mail before it is accepted: for whom it is, and whether it came before.

use super::{address::Identity, headers::Headers};
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
pub fn arrival(to: LocalUser, raw: Bytes) -> RawArrival {
    let (headers, body) = Headers::parse(&raw);
    let from = headers.sender().map(|(address, _)| address.to_string()).unwrap_or_default();
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
    RawArrival { source: SourceId::new(source), lane: format!("{to} {from}"), to, raw: raw.clone() }
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
