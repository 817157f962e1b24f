//! What was written down of a room, understood. Pure.

use super::{names, raw as written};
use crate::{
    connectors::xmpp::{
        address::{Identity, message_of},
        convert::incoming::{self, Read, Reader, Sort},
        xml::ns,
    },
    failure::{Failure, Reason},
    ids::{LocalUser, RemoteMessageId, RemoteRoomId, RemoteUserId},
    language::Language,
    message::{Arrival, Body, Happening, InRoom, Inbound, Occupant, RawArrival},
};
use xmpp_parsers::{
    jid::{BareJid, Jid},
    minidom::Element,
};

pub fn read(identity: &Identity, language: Language, raw: &RawArrival) -> Result<Read, Failure> {
    let unreadable = || Failure::permanent(Reason::Unreadable, "not what was written down of a room");
    let text = std::str::from_utf8(&raw.raw).map_err(|_| unreadable())?;
    let element: Element = text.parse().map_err(|_| unreadable())?;
    let room = element.attr("room").and_then(|room| BareJid::new(room).ok()).ok_or_else(unreadable)?;
    let message = element.children().next();
    let from = message.and_then(|message| Jid::new(message.attr("from")?).ok());
    let (what, file) = match (element.attr("what").unwrap_or_default(), message.zip(from)) {
        ("private", Some((message, from))) => return Reader { identity, raw, message, from }.read(),
        ("said", Some((message, from))) => {
            let reader = Reader { identity, raw, message, from };
            Said { room: &room, reader }.read(language).ok_or_else(unreadable)?
        }
        _ => (news(&element).ok_or_else(unreadable)?, None),
    };
    let room = RemoteRoomId::new(room.as_str());
    Ok(Read { inbound: Inbound::InRoom(Box::new(InRoom { room, what })), file })
}

fn news(element: &Element) -> Option<Happening> {
    let who = |element: &Element| element.attr("who").map(RemoteUserId::new);
    let occupant = |element: &Element| {
        Some(Occupant { who: who(element)?, name: element.attr("name").unwrap_or_default().to_owned() })
    };
    let parting = || written::parting(element);
    Some(match element.attr("what")? {
        "came" => Happening::Came(occupant(element)?),
        "went" => Happening::Went { who: who(element)?, parting: parting() },
        "present" => Happening::Present(element.children().filter_map(occupant).collect()),
        "topic" => Happening::Topic(element.text()),
        "named" => Happening::Named(element.text()),
        "closed" => Happening::Closed(Some(element.text()).filter(|words| !words.is_empty())),
        "shut" => Happening::Shut { user: LocalUser::new(element.attr("user")?), parting: parting() },
        _ => return None,
    })
}

struct Said<'a> {
    room: &'a BareJid,
    reader: Reader<'a>,
}

impl Said<'_> {
    /// With where its file is.
    fn read(&self, language: Language) -> Option<(Happening, Option<String>)> {
        if let Some(target) = self.moderated() {
            return Some((Happening::TakenBack { from: None, messages: self.candidates(target, None) }, None));
        }
        // The room itself has nothing else to say.
        let nick = self.reader.from.resource()?.to_string();
        let from = names::occupant_of(self.room, &nick);
        if let Some(target) = self.reader.taken_back() {
            let messages = self.candidates(target, Some(from.as_str()));
            return Some((Happening::TakenBack { from: Some(from), messages }, None));
        }
        let (inbound, file) = self.reader.words();
        let what = match inbound {
            Inbound::Reactions(mut reactions) => {
                let target = self.reader.message.get_child("reactions", ns::REACTIONS).and_then(|it| it.attr("id"));
                reactions.messages = self.candidates(target.unwrap_or_default(), None);
                Happening::Reactions(reactions)
            }
            Inbound::Message(arrival) => {
                let id = written::stanza_id(self.reader.message, self.room).map(|id| message_of(self.room, id));
                Happening::Said { arrival: Box::new(self.arrival(*arrival, nick, language)), id }
            }
            _ => return None,
        };
        Some((what, file))
    }

    fn arrival(&self, mut arrival: Arrival, nick: String, language: Language) -> Arrival {
        arrival.from_name = Some(nick);
        if let Some(reply) = self.reader.message.get_child("reply", ns::REPLY)
            && let Some(id) = reply.attr("id")
        {
            arrival.answers = self.candidates(id, reply.attr("to"));
        }
        if sort(self.reader.message) == Sort::Sealed {
            arrival.body = Body { text: language.look_up("xmpp-sealed-in-room", &[]), html: None };
        }
        arrival
    }

    /// What somebody who may do so has taken out of the room (XEP-0425, in both of its forms). Only the room can say so.
    fn moderated(&self) -> Option<&str> {
        if self.reader.from.resource().is_some() {
            return None;
        }
        let message = self.reader.message;
        if let Some(retract) = message.get_child("retract", ns::RETRACT_1) {
            return retract.has_child("moderated", ns::MODERATE_1).then(|| retract.attr("id")).flatten();
        }
        let fastened = message.get_child("apply-to", ns::FASTEN)?;
        fastened.has_child("moderated", ns::MODERATE_0).then(|| fastened.attr("id")).flatten()
    }

    /// The messages that an id may mean, the surest first: what the room calls it, what we do, what its author does.
    fn candidates(&self, id: &str, author: Option<&str>) -> Vec<RemoteMessageId> {
        let mut candidates = vec![message_of(self.room, id), RemoteMessageId::new(id.split('-').next().unwrap_or(id))];
        candidates.extend(author.map(|author| message_of(author, id)));
        candidates
    }
}

/// As [`incoming::sort`], of what was said in a room.
pub fn sort(message: &Element) -> Sort {
    use crate::connectors::xmpp::xml::Build;
    incoming::sort(&message.clone().with("type", "chat"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_it(from: &str, content: &str) -> Result<Happening, Failure> {
        let xml = format!(
            "<message xmlns='jabber:component:accept' type='groupchat' from='{from}' to='anna@m.test' id='1'>{content}\
             <stanza-id xmlns='urn:xmpp:sid:0' by='bau@rooms.test' id='s9'/></message>"
        );
        let room = BareJid::new("bau@rooms.test").unwrap();
        let raw = written::said(&xml.parse().unwrap(), &room, &LocalUser::new("anna"));
        match read(&Identity::new("m.test").unwrap(), Language::De, &raw)?.inbound {
            Inbound::InRoom(in_room) => Ok(in_room.what),
            other => panic!("{other:?}"),
        }
    }

    fn said(content: &str) -> (Arrival, Option<RemoteMessageId>) {
        match read_it("bau@rooms.test/Bob Meier", content).unwrap() {
            Happening::Said { arrival, id } => (*arrival, id),
            other => panic!("{other:?}"),
        }
    }

    fn ids(messages: &[RemoteMessageId]) -> Vec<&str> {
        messages.iter().map(RemoteMessageId::as_str).collect()
    }

    #[test]
    fn a_message_has_the_name_that_its_sender_gave_it_and_that_of_the_room() {
        let (arrival, id) = said("<body>Guten Tag</body>");
        assert_eq!(arrival.from.as_str(), "bau@rooms.test/Bob Meier");
        assert_eq!(arrival.from_name.as_deref(), Some("Bob Meier"));
        assert_eq!(arrival.message.as_str(), "bau@rooms.test/Bob%20Meier 1");
        assert_eq!(id.unwrap().as_str(), "bau@rooms.test s9");
    }

    #[test]
    fn what_a_message_is_about_may_be_called_by_either_name() {
        let (arrival, _) = said("<body>Ja</body><reply xmlns='urn:xmpp:reply:0' id='s1' to='bau@rooms.test/Eve B'/>");
        assert_eq!(ids(&arrival.answers), ["bau@rooms.test s1", "s1", "bau@rooms.test/Eve%20B s1"]);
        let (arrival, _) = said("<body>Nein</body><replace xmlns='urn:xmpp:message-correct:0' id='0'/>");
        assert_eq!(arrival.replaces.unwrap().as_str(), "bau@rooms.test/Bob%20Meier 0");
        let gone = read_it("bau@rooms.test/Bob", "<retract xmlns='urn:xmpp:message-retract:1' id='s1'/>").unwrap();
        let Happening::TakenBack { from, messages } = gone else { panic!("{gone:?}") };
        assert_eq!((from.unwrap().as_str(), ids(&messages)[0]), ("bau@rooms.test/Bob", "bau@rooms.test s1"));
        let set = "<reactions xmlns='urn:xmpp:reactions:0' id='s1'><reaction>👍</reaction></reactions>";
        let Happening::Reactions(reactions) = read_it("bau@rooms.test/Bob", set).unwrap() else { panic!() };
        assert_eq!(ids(&reactions.messages)[0], "bau@rooms.test s1");
    }

    #[test]
    fn only_the_room_can_moderate() {
        let new = "<retract xmlns='urn:xmpp:message-retract:1' id='s1'>\
                   <moderated xmlns='urn:xmpp:message-moderate:1' by='bau@rooms.test/Mod'/></retract>";
        let old = "<apply-to xmlns='urn:xmpp:fasten:0' id='s1'><moderated xmlns='urn:xmpp:message-moderate:0'>\
                   <retract xmlns='urn:xmpp:message-retract:0'/></moderated></apply-to>";
        for form in [new, old] {
            let gone = read_it("bau@rooms.test", form).unwrap();
            let Happening::TakenBack { from: None, messages } = gone else { panic!("{gone:?}") };
            assert_eq!(ids(&messages)[0], "bau@rooms.test s1");
        }
        let claimed = read_it("bau@rooms.test/Eve", new).unwrap();
        assert!(matches!(claimed, Happening::TakenBack { from: Some(_), .. }), "Eve can take back only her own words");
        assert!(read_it("bau@rooms.test", "<body>Willkommen</body>").is_err());
    }

    #[test]
    fn what_is_encrypted_is_said_to_be_so() {
        let (arrival, _) = said("<encrypted xmlns='eu.siacs.conversations.axolotl'/><body>OMEMO</body>");
        assert!(arrival.body.text.contains("verschlüsselt"), "{}", arrival.body.text);
    }

    #[test]
    fn news_are_read_as_they_were_written() {
        let (room, anna) = (BareJid::new("bau@rooms.test").unwrap(), LocalUser::new("anna"));
        let bob = Occupant { who: RemoteUserId::new("bau@rooms.test/Bob"), name: "Bob".into() };
        for happening in [
            Happening::Came(bob.clone()),
            Happening::Went { who: bob.who.clone(), parting: crate::message::Parting::Left },
            Happening::Present(vec![bob]),
            Happening::Present(Vec::new()),
            Happening::Topic("Bauantrag <17>".into()),
            Happening::Named("Bauantrag <17>".into()),
            Happening::Closed(Some("Fertig".into())),
            Happening::Closed(None),
            Happening::Shut { user: anna.clone(), parting: crate::message::Parting::Banned(None) },
        ] {
            let raw = written::news(&room, &anna, &happening).unwrap();
            assert!(written::is_written_down(&raw.raw));
            let read = read(&Identity::new("m.test").unwrap(), Language::De, &raw).ok().unwrap().inbound;
            let Inbound::InRoom(in_room) = read else { panic!() };
            assert_eq!(in_room.what, happening);
        }
    }
}
