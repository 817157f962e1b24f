//! What a room has kept of what was said there (XEP-0313), in pages. To whoever comes in a room tells only the last few
//! messages by itself. Pure.

use crate::{
    connectors::xmpp::xml::{Build, element, ns, stanza},
    ids::RemoteRoomId,
};
use xmpp_parsers::{jid::BareJid, minidom::Element};

/// Messages of one answer.
const PAGE: &str = "100";

/// Asks for a page, the oldest messages first. `name`: what the messages of the answer are marked with. `since`: XEP-0082.
/// `after`: the last message of the page before.
pub fn question(from: &str, room: &RemoteRoomId, name: &str, since: &str, after: Option<&str>) -> Element {
    let field = |var: &str, value: &str| {
        element("field", ns::DATA).with("var", var).holding(element("value", ns::DATA).saying(value))
    };
    let form = element("x", ns::DATA)
        .with("type", "submit")
        .holding(field("FORM_TYPE", ns::ARCHIVE).with("type", "hidden"))
        .holding(field("start", since));
    let mut page = element("set", ns::PAGES).holding(element("max", ns::PAGES).saying(PAGE));
    if let Some(after) = after {
        page.append_child(element("after", ns::PAGES).saying(after));
    }
    let query = element("query", ns::ARCHIVE).with("queryid", name).holding(form).holding(page);
    stanza("iq", "set", from, room.as_str()).holding(query)
}

/// After which message the next page begins; `None`: there is no more.
pub fn next(answer: &Element) -> Option<String> {
    let end = answer.get_child("fin", ns::ARCHIVE)?;
    if matches!(end.attr("complete"), Some("true" | "1")) {
        return None;
    }
    let last = end.get_child("set", ns::PAGES)?.get_child("last", ns::PAGES)?.text();
    (!last.is_empty()).then_some(last)
}

/// A message of an answer, as it was said, with what the room calls it; and the name of the answer.
pub fn message(stanza: &Element, room: &BareJid) -> Option<(String, Element)> {
    let result = stanza.get_child("result", ns::ARCHIVE)?;
    let forwarded = result.get_child("forwarded", ns::FORWARD)?;
    let said = forwarded.children().find(|it| it.name() == "message")?;
    let mut message = as_ours(said);
    let is_its = |it: &Element| it.is("stanza-id", ns::SID) && it.attr("by") == Some(room.as_str());
    if !message.children().any(is_its) {
        let id = element("stanza-id", ns::SID).with("by", room.as_str()).with("id", result.attr("id")?);
        message.append_child(id);
    }
    if let Some(delay) = forwarded.get_child("delay", ns::DELAY).filter(|_| !message.has_child("delay", ns::DELAY)) {
        message.append_child(delay.clone());
    }
    Some((result.attr("queryid")?.to_owned(), message))
}

/// In an archive messages are those of a client.
fn as_ours(element: &Element) -> Element {
    let namespace = element.ns();
    let namespace = if namespace == ns::CLIENT { ns::COMPONENT } else { &namespace };
    let mut copy = Element::bare(element.name(), namespace);
    copy.attrs_mut().clone_from(element.attrs());
    for node in element.nodes() {
        match (node.as_element(), node.as_text()) {
            (Some(child), _) => {
                copy.append_child(as_ours(child));
            }
            (None, Some(text)) => copy.append_text(text),
            (None, None) => {}
        }
    }
    copy
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connectors::xmpp::xml::child_text;

    #[test]
    fn a_message_of_the_archive_is_as_it_was_said() {
        let room = BareJid::new("bau@rooms.test").unwrap();
        let stanza: Element = "<message xmlns='jabber:component:accept' from='bau@rooms.test' to='a@m.test/f'>\
            <result xmlns='urn:xmpp:mam:2' id='s7' queryid='q1'><forwarded xmlns='urn:xmpp:forward:0'>\
            <delay xmlns='urn:xmpp:delay' stamp='2026-01-01T00:00:00Z'/>\
            <message xmlns='jabber:client' type='groupchat' from='bau@rooms.test/Bob' id='1'><body>Ja <b>und</b></body>\
            <stanza-id xmlns='urn:xmpp:sid:0' by='eve@rooms.test' id='x'/></message></forwarded></result></message>"
            .parse()
            .unwrap();
        let (name, message) = message(&stanza, &room).unwrap();
        assert_eq!(
            (name.as_str(), message.attr("from"), message.attr("id")),
            ("q1", Some("bau@rooms.test/Bob"), Some("1"))
        );
        assert_eq!(child_text(&message, "body", ns::COMPONENT).as_deref(), Some("Ja "));
        assert_eq!(super::super::raw::stanza_id(&message, &room), Some("s7"), "what others claim is not believed");
        assert!(message.has_child("delay", ns::DELAY));
    }

    #[test]
    fn pages_follow_one_another_until_there_are_no_more() {
        let answer = |complete: &str| -> Element {
            format!(
                "<iq xmlns='jabber:component:accept' type='result'><fin xmlns='urn:xmpp:mam:2' {complete}>\
                 <set xmlns='http://jabber.org/protocol/rsm'><first>a</first><last>z</last></set></fin></iq>"
            )
            .parse()
            .unwrap()
        };
        assert_eq!(next(&answer("")).as_deref(), Some("z"));
        assert_eq!(next(&answer("complete='true'")), None);
        let room = RemoteRoomId::new("bau@rooms.test");
        let asked = question("a@m.test/f", &room, "q1", "t", Some("z"));
        let query = asked.get_child("query", ns::ARCHIVE).unwrap();
        assert_eq!(query.get_child("set", ns::PAGES).unwrap().get_child("after", ns::PAGES).unwrap().text(), "z");
        assert_eq!(query.attr("queryid"), Some("q1"));
    }
}
