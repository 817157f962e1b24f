//! Building XML, and the namespaces.

use rxml::{Namespace, NcName};
use xmpp_parsers::minidom::Element;

/// Namespaces, by the number of their XEP where they have no better name.
pub mod ns {
    pub const COMPONENT: &str = "jabber:component:accept";
    pub const STREAMS: &str = "http://etherx.jabber.org/streams";
    pub const TLS: &str = "urn:ietf:params:xml:ns:xmpp-tls";
    pub const STANZA_ERRORS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";
    pub const DISCO_INFO: &str = "http://jabber.org/protocol/disco#info";
    pub const DISCO_ITEMS: &str = "http://jabber.org/protocol/disco#items";
    pub const VCARD: &str = "vcard-temp";
    pub const VCARD_UPDATE: &str = "vcard-temp:x:update";
    pub const OOB: &str = "jabber:x:oob";
    pub const XHTML_IM: &str = "http://jabber.org/protocol/xhtml-im";
    pub const XHTML: &str = "http://www.w3.org/1999/xhtml";
    pub const REGISTER: &str = "jabber:iq:register";
    pub const CHAT_STATES: &str = "http://jabber.org/protocol/chatstates";
    pub const GATEWAY: &str = "jabber:iq:gateway";
    pub const ESCAPING: &str = "jid\\20escaping";
    pub const DELAY: &str = "urn:xmpp:delay";
    pub const PUBSUB: &str = "http://jabber.org/protocol/pubsub";
    pub const AVATAR_METADATA: &str = "urn:xmpp:avatar:metadata";
    pub const AVATAR_DATA: &str = "urn:xmpp:avatar:data";
    pub const NICK: &str = "http://jabber.org/protocol/nick";
    pub const RECEIPTS: &str = "urn:xmpp:receipts";
    pub const PING: &str = "urn:xmpp:ping";
    pub const CORRECT: &str = "urn:xmpp:message-correct:0";
    pub const MARKERS: &str = "urn:xmpp:chat-markers:0";
    pub const SID: &str = "urn:xmpp:sid:0";
    pub const UPLOAD: &str = "urn:xmpp:http:upload:0";
    pub const STYLING: &str = "urn:xmpp:styling:0";
    pub const RETRACT_0: &str = "urn:xmpp:message-retract:0";
    pub const RETRACT_1: &str = "urn:xmpp:message-retract:1";
    pub const FASTEN: &str = "urn:xmpp:fasten:0";
    pub const FALLBACK: &str = "urn:xmpp:fallback:0";
    pub const REACTIONS: &str = "urn:xmpp:reactions:0";
    pub const REPLY: &str = "urn:xmpp:reply:0";
    pub const MUC: &str = "http://jabber.org/protocol/muc";
    pub const CLIENT: &str = "jabber:client";
    pub const ARCHIVE: &str = "urn:xmpp:mam:2";
    pub const FORWARD: &str = "urn:xmpp:forward:0";
    pub const PAGES: &str = "http://jabber.org/protocol/rsm";
    pub const MUC_USER: &str = "http://jabber.org/protocol/muc#user";
    pub const MUC_ADMIN: &str = "http://jabber.org/protocol/muc#admin";
    pub const MUC_OWNER: &str = "http://jabber.org/protocol/muc#owner";
    pub const DATA: &str = "jabber:x:data";
    pub const MODERATE_0: &str = "urn:xmpp:message-moderate:0";
    pub const MODERATE_1: &str = "urn:xmpp:message-moderate:1";
    /// What we write down ourselves of what happens in a room.
    pub const OWN_ROOM: &str = "https://fehmarn.org/room";
    pub const HINTS: &str = "urn:xmpp:hints";
    pub const ENCRYPTION: &str = "urn:xmpp:eme:0";
    /// OMEMO in both of its versions, and OpenPGP (XEP-0373).
    pub const SEALED: &[&str] =
        &["eu.siacs.conversations.axolotl", "urn:xmpp:omemo:2", "urn:xmpp:openpgp:0", "jabber:x:encrypted"];
}

pub fn element(name: &str, namespace: &str) -> Element {
    Element::bare(name, namespace)
}

/// A stanza: `message`, `presence` or `iq`.
pub fn stanza(name: &str, kind: &str, from: &str, to: &str) -> Element {
    let stanza = element(name, ns::COMPONENT).with("from", from).with("to", to);
    if kind.is_empty() { stanza } else { stanza.with("type", kind) }
}

/// The same element with something more.
pub trait Build {
    fn with(self, attribute: &str, value: &str) -> Self;
    fn holding(self, child: Element) -> Self;
    fn saying(self, text: &str) -> Self;
}

impl Build for Element {
    fn with(mut self, attribute: &str, value: &str) -> Self {
        if let Ok(name) = NcName::try_from(attribute) {
            self.set_attr(Namespace::NONE, name, printable(value));
        }
        self
    }

    fn holding(mut self, child: Element) -> Self {
        self.append_child(child);
        self
    }

    fn saying(mut self, text: &str) -> Self {
        self.append_text(printable(text));
        self
    }
}

/// Without the characters that XML 1.0 cannot hold (section 2.2): with one of them the stream would end.
fn printable(text: &str) -> String {
    let holds = |c: &char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}');
    text.chars().filter(holds).collect()
}

/// The text of a child element; `None` if there is no such child.
pub fn child_text(element: &Element, name: &str, namespace: &str) -> Option<String> {
    element.get_child(name, namespace).map(Element::text)
}

/// The bytes of an element.
pub fn write(element: &Element) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing into memory fails only for names that are none, and a stanza has come through a parser.
    match element.write_to(&mut bytes) {
        Ok(()) => bytes,
        Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_cannot_hold_is_left_out() {
        let built = element("body", ns::COMPONENT).with("id", "a\u{0}b").saying("1\u{b}2\u{ffff}3\n😀");
        assert_eq!((built.attr("id"), built.text().as_str()), (Some("ab"), "123\n😀"));
    }
}
