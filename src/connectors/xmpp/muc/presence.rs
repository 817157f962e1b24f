//! What a presence from a room says (XEP-0045 section 15.6 has its numbers). Pure.

use crate::{
    connectors::xmpp::xml::{child_text, ns},
    message::Parting,
};
use xmpp_parsers::{jid::Jid, minidom::Element};

/// A reason is at most so long, in characters.
const LONGEST: usize = 300;

/// A presence of an occupant.
pub struct Seen {
    codes: Vec<u16>,
    new_nick: Option<String>,
    reason: Option<String>,
    person: Option<String>,
    is_here: bool,
    is_closed: bool,
}

impl Seen {
    pub fn read(presence: &Element) -> Self {
        let x = presence.get_child("x", ns::MUC_USER);
        let children =
            |name: &'static str| x.into_iter().flat_map(Element::children).filter(move |it| it.name() == name);
        let codes = children("status").filter_map(|status| status.attr("code")?.parse().ok()).collect();
        let item = children("item").next();
        let closed = children("destroy").next();
        let reason = closed.or(item).and_then(|it| child_text(it, "reason", ns::MUC_USER));
        let reason = reason.map(|text| text.trim().chars().take(LONGEST).collect::<String>());
        Self {
            codes,
            new_nick: item.and_then(|item| item.attr("nick")).map(str::to_owned),
            reason: reason.filter(|text| !text.is_empty()),
            person: item.and_then(|item| Some(Jid::new(item.attr("jid")?).ok()?.into_bare().to_string())),
            is_here: presence.attr("type").is_none(),
            is_closed: closed.is_some(),
        }
    }

    fn has(&self, code: u16) -> bool {
        self.codes.contains(&code)
    }

    /// Who they are outside the room, where it tells us so.
    pub fn person(&self) -> Option<&str> {
        self.person.as_deref()
    }

    /// `false`: gone.
    pub fn is_here(&self) -> bool {
        self.is_here
    }

    /// It is about the one to whom it goes.
    pub fn is_self(&self) -> bool {
        self.has(110)
    }

    /// The room was made by this very coming, and nobody else gets in before it is opened.
    pub fn is_new_room(&self) -> bool {
        self.has(201)
    }

    /// The room is no more, should that be why they are gone: with the words of whoever has closed it.
    pub fn closed(&self) -> Option<Option<&str>> {
        self.is_closed.then_some(self.reason.as_deref())
    }

    /// Under which name they go on.
    pub fn renamed(&self) -> Option<&str> {
        self.new_nick.as_deref().filter(|_| self.has(303))
    }

    /// Whether they were sent away by people, and not by a fault (333) or the end of the service (332).
    pub fn is_sent_away(&self) -> bool {
        self.has(301) || self.has(321) || self.has(322) || (self.has(307) && !self.has(333))
    }

    pub fn parting(&self) -> Parting {
        match self.renamed() {
            Some(name) => Parting::Renamed(name.to_owned()),
            None if self.has(301) => Parting::Banned(self.reason.clone()),
            None if self.has(321) || self.has(322) => Parting::NotAdmitted,
            None if self.has(307) && !self.has(333) => Parting::Kicked(self.reason.clone()),
            None => Parting::Left,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(kind: &str, item: &str, codes: &[u16]) -> Seen {
        let codes: String = codes.iter().map(|code| format!("<status code='{code}'/>")).collect();
        let xml = format!(
            "<presence xmlns='jabber:component:accept' {kind}>\
             <x xmlns='http://jabber.org/protocol/muc#user'>{item}{codes}</x></presence>"
        );
        Seen::read(&xml.parse().unwrap())
    }

    #[test]
    fn how_somebody_parts_follows_from_the_numbers() {
        let gone = "type='unavailable'";
        let reason = "<item role='none'><reason> Ruhe </reason></item>";
        for (item, codes, parting, is_sent_away) in [
            ("", &[][..], Parting::Left, false),
            (reason, &[307], Parting::Kicked(Some("Ruhe".into())), true),
            (reason, &[301], Parting::Banned(Some("Ruhe".into())), true),
            ("", &[322], Parting::NotAdmitted, true),
            ("", &[321], Parting::NotAdmitted, true),
            ("", &[307, 333], Parting::Left, false),
            ("", &[110, 332], Parting::Left, false),
            ("<item nick='Bobby'/>", &[303], Parting::Renamed("Bobby".into()), false),
        ] {
            let seen = seen(gone, item, codes);
            assert_eq!(
                (seen.parting(), seen.is_sent_away(), seen.is_here()),
                (parting, is_sent_away, false),
                "{codes:?}"
            );
        }
    }

    #[test]
    fn a_room_that_is_closed_is_told_from_one_that_was_left() {
        let gone = "type='unavailable'";
        let closed = seen(gone, "<item role='none'/><destroy><reason>Fertig</reason></destroy>", &[110]);
        assert_eq!(closed.closed(), Some(Some("Fertig")));
        assert_eq!(seen(gone, "<destroy/>", &[]).closed(), Some(None));
        assert_eq!(seen(gone, "<item role='none'><reason>Ruhe</reason></item>", &[307]).closed(), None);
    }

    #[test]
    fn one_knows_oneself_and_a_new_room() {
        let self_here = seen("", "<item nick='x'/>", &[110, 201]);
        assert!(self_here.is_here() && self_here.is_self() && self_here.is_new_room());
        assert_eq!(self_here.renamed(), None, "a nick without 303 is no new one");
        assert!(!seen("", "", &[]).is_self());
    }
}
