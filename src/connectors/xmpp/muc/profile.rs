//! What a room says of itself (XEP-0045 section 6.4).

use crate::{
    connector::RoomProfile,
    connectors::xmpp::{
        address::Identity,
        component::Component,
        xml::{Build, element, ns, stanza},
    },
    failure::{Failure, Reason},
    ids::RemoteRoomId,
};
use xmpp_parsers::minidom::Element;

/// `None`: there is no such room, or it is something else.
pub async fn profile(
    component: &Component,
    identity: &Identity,
    room: &RemoteRoomId,
) -> Result<Option<RoomProfile>, Failure> {
    let question = stanza("iq", "get", identity.domain.as_str(), room.as_str());
    match component.ask(question.holding(element("query", ns::DISCO_INFO))).await {
        Ok(answer) => Ok(read(&answer)),
        // The server of the room says so, or there is no such server.
        Err(failure) if failure.is_permanent() => Ok(None),
        Err(failure) if failure.reason == Reason::Busy => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// What a room can do.
pub async fn features(component: &Component, from: &str, room: &RemoteRoomId) -> Result<Vec<String>, Failure> {
    let question = stanza("iq", "get", from, room.as_str()).holding(element("query", ns::DISCO_INFO));
    let answer = component.ask(question).await?;
    let info = answer.get_child("query", ns::DISCO_INFO);
    Ok(info.into_iter().flat_map(Element::children).filter_map(|it| it.attr("var")).map(str::to_owned).collect())
}

fn read(answer: &Element) -> Option<RoomProfile> {
    let info = answer.get_child("query", ns::DISCO_INFO)?;
    let is_room = info.children().any(|it| it.name() == "feature" && it.attr("var") == Some(ns::MUC));
    let mut identities = info.children().filter(|it| it.name() == "identity");
    let identity = identities.find(|it| it.attr("category") == Some("conference")).filter(|_| is_room)?;
    let name = identity.attr("name").map(str::trim).filter(|name| !name.is_empty());
    let mut features = info.children().filter(|it| it.name() == "feature").filter_map(|it| it.attr("var"));
    let needs_password = features.any(|it| matches!(it, "muc_passwordprotected" | "muc_password_protected"));
    Some(RoomProfile { name: name.map(str::to_owned), needs_password })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(identity: &str, feature: &str) -> Option<RoomProfile> {
        let xml = format!(
            "<iq xmlns='jabber:component:accept' type='result'><query xmlns='http://jabber.org/protocol/disco#info'>\
             <identity {identity}/><feature var='{feature}'/></query></iq>"
        );
        read(&xml.parse().unwrap())
    }

    #[test]
    fn only_a_room_is_one() {
        let room = answer("category='conference' type='text' name=' Bau '", ns::MUC);
        assert_eq!(room, Some(RoomProfile { name: Some("Bau".into()), needs_password: false }));
        assert_eq!(
            answer("category='conference' name=''", ns::MUC),
            Some(RoomProfile { name: None, needs_password: false })
        );
        assert_eq!(answer("category='account'", ns::PING), None);
        assert_eq!(answer("category='conference'", "jabber:iq:register"), None);
    }
}
