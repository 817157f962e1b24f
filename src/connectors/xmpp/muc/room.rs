//! One room, as the present stream has heard it: what follows from what it sends. No socket.

use super::{
    archive,
    compose::{self, History},
    early::Early,
    names,
    presence::Seen,
    raw, read,
    rooms::{Echo, SaidBack, Step, Taken},
};
use crate::{
    connector::Attendance,
    connectors::xmpp::{
        address::Identity,
        convert::{error, incoming},
        xml::{child_text, ns},
    },
    failure::{Failure, Reason},
    ids::{LocalUser, Password, RemoteRoomId},
    message::{Happening, Occupant, Parting},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tokio::time::Instant;
use xmpp_parsers::{
    jid::{BareJid, Jid},
    minidom::Element,
};

/// Other names that are tried where one is taken.
pub const NAMES: u32 = 9;
/// Whoever has heard nothing from a room for so long asks whether they are in it still.
const SILENCE: Duration = Duration::from_secs(60);
/// A room that does not answer is asked again.
const ENTERING: Duration = Duration::from_secs(30);
/// Whose own addresses are remembered, in one room.
const PERSONS: usize = 5000;
/// Who was not let in tries again.
const SHUT: Duration = Duration::from_secs(60);

#[derive(Default)]
pub struct Room {
    /// Who of ours is to be there.
    pub wanted: BTreeSet<LocalUser>,
    pub ours: BTreeMap<LocalUser, Ours>,
    /// The names of all others.
    pub people: BTreeSet<String>,
    /// Whether `people` are all.
    pub is_complete: bool,
    pub topic: Option<String>,
    pub password: Option<Password>,
    /// Who those are outside whose names are or were here, as far as the room says so to any of ours.
    pub persons: BTreeMap<String, String>,
    /// It has changed what it says of itself, or was not asked yet.
    pub is_renewed: bool,
    /// The name of the answer in which its archive is told at this moment.
    pub archive: Option<String>,
    /// How often its archive has not answered since it was last gone into without.
    pub archive_attempts: u32,
    /// What it has said to ours before any of them is in.
    pub early: Early,
    /// What it was called when it was asked last.
    pub name: Option<String>,
}

/// One of ours in a room.
pub struct Ours {
    /// What they are to be called.
    pub name: String,
    /// What they are called.
    pub nick: String,
    /// What they have asked to be called.
    pub next: Option<String>,
    pub attempt: u32,
    pub history: History,
    pub stage: Stage,
    pub heard: Instant,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    Entering,
    /// Seen by the others; what was said before is still told.
    Inside,
    Settled,
    Shut(Failure),
}

impl Room {
    pub fn is_ours(&self, nick: &str) -> bool {
        let is_called = |own: &Ours| own.nick == nick || own.next.as_deref() == Some(nick);
        self.ours.values().any(|own| is_called(own) && !matches!(own.stage, Stage::Shut(_)))
    }

    /// Whether a stage of somebody of ours is one of these.
    pub fn is_any(&self, stages: &[Stage]) -> bool {
        self.ours.values().any(|own| stages.contains(&own.stage))
    }

    pub fn steps(&self, wanted: Option<&Attendance>) -> Vec<Step> {
        let staff: BTreeMap<&LocalUser, &str> =
            wanted.iter().flat_map(|it| &it.staff).map(|it| (&it.user, it.name.as_str())).collect();
        let unwanted = self.ours.iter().filter(|(user, _)| !staff.contains_key(user));
        let mut steps: Vec<Step> =
            unwanted.map(|(user, own)| Step::Leave { user: user.clone(), nick: own.nick.clone() }).collect();
        for (user, name) in staff {
            let (user, name) = (user.clone(), name.to_owned());
            let Some(own) = self.ours.get(&user) else {
                steps.push(Step::Enter { user, name });
                continue;
            };
            let silence = own.heard.elapsed();
            steps.extend(match own.stage {
                Stage::Entering if silence > ENTERING => Some(Step::Enter { user, name }),
                Stage::Shut(_) if silence > SHUT => Some(Step::Enter { user, name }),
                Stage::Settled if own.name != name => Some(Step::Rename { user, name }),
                Stage::Settled if silence > SILENCE => Some(Step::Ask { user, nick: own.nick.clone() }),
                _ => None,
            });
        }
        if self.is_renewed
            && let Some((user, _)) = self.ours.iter().find(|(_, own)| own.stage == Stage::Settled)
        {
            steps.push(Step::AskName { user: user.clone() });
        }
        steps
    }
}

pub fn id(room: &BareJid) -> RemoteRoomId {
    RemoteRoomId::new(room.as_str())
}

/// A room, and who of ours has got a stanza from it.
pub struct Place<'a> {
    pub identity: &'a Identity,
    pub bare: &'a BareJid,
    pub room: &'a mut Room,
    pub user: &'a LocalUser,
}

impl Place<'_> {
    fn occupant(&self, nick: &str) -> Occupant {
        Occupant { who: names::occupant_of(self.bare, nick), name: nick.to_owned() }
    }

    fn news(&self, happening: Option<Happening>) -> Taken {
        let arrival = happening.and_then(|it| raw::news(self.bare, self.user, &it));
        Taken { arrival, ..Taken::default() }
    }

    pub fn presence(&mut self, presence: &Element, from: &Jid) -> Taken {
        let Some(nick) = from.resource().map(|nick| nick.to_string()) else { return Taken::default() };
        let seen = Seen::read(presence);
        if let Some(person) = seen.person().filter(|_| self.room.persons.len() < PERSONS) {
            self.room.persons.insert(nick.clone(), person.to_owned());
        }
        let is_self = seen.is_self() || self.room.ours.get(self.user).is_some_and(|own| own.nick == nick);
        let happening = match (is_self, seen.is_here()) {
            (true, true) => return self.self_here(&seen, nick),
            (true, false) => self.self_gone(&seen),
            (false, true) => self.here(nick),
            (false, false) => self.gone(&seen, &nick),
        };
        self.news(happening)
    }

    fn self_here(&mut self, seen: &Seen, nick: String) -> Taken {
        let Some(own) = self.room.ours.get_mut(self.user) else { return Taken::default() };
        if own.next.as_ref() == Some(&nick) {
            own.next = None;
        }
        own.heard = Instant::now();
        if own.stage == Stage::Entering {
            own.stage = Stage::Inside;
        }
        self.room.people.remove(&nick);
        own.nick = nick;
        let mut taken = Taken::default();
        if !self.room.is_complete {
            self.room.is_complete = true;
            let people = self.room.people.iter().filter(|nick| !self.room.is_ours(nick));
            let present = Happening::Present(people.map(|nick| self.occupant(nick)).collect());
            taken = self.news(Some(present));
        }
        if seen.is_new_room()
            && let Some(from) = self.identity.full_address_of(self.user)
        {
            taken.answers.push(compose::open(&from, self.bare.as_str(), &format!("open-{:x}", rand::random::<u64>())));
        }
        taken
    }

    fn self_gone(&mut self, seen: &Seen) -> Option<Happening> {
        let own = self.room.ours.get_mut(self.user)?;
        if let Some(name) = seen.renamed() {
            own.nick = name.to_owned();
            return None;
        }
        if let Some(words) = seen.closed() {
            return self.closed(words);
        }
        if !seen.is_sent_away() {
            self.room.ours.remove(self.user);
            return None;
        }
        (own.stage, own.heard) = (Stage::Shut(sent_away()), Instant::now());
        Some(Happening::Shut { user: self.user.clone(), parting: seen.parting() })
    }

    /// Each of ours is told; whoever came back would make the room anew, for themself alone.
    fn closed(&mut self, words: Option<&str>) -> Option<Happening> {
        let is_news = self.room.ours.values().any(|own| !matches!(own.stage, Stage::Shut(_)));
        for own in self.room.ours.values_mut() {
            (own.stage, own.heard) = (Stage::Shut(sent_away()), Instant::now());
        }
        is_news.then(|| Happening::Closed(words.map(str::to_owned)))
    }

    fn here(&mut self, nick: String) -> Option<Happening> {
        if self.room.is_ours(&nick) {
            return None;
        }
        let came = Happening::Came(self.occupant(&nick));
        (self.room.people.insert(nick) && self.room.is_complete).then_some(came)
    }

    fn gone(&mut self, seen: &Seen, nick: &str) -> Option<Happening> {
        let was_there = self.room.people.remove(nick) && self.room.is_complete;
        let who = names::occupant_of(self.bare, nick);
        was_there.then(|| Happening::Went { who, parting: seen.parting() })
    }

    /// One of ours did not get in, or did not get another name.
    pub fn refused(&mut self, presence: &Element) -> Taken {
        let failure = error::failure(presence);
        let condition = failure.detail.split(' ').next().unwrap_or_default();
        let Some(own) = self.room.ours.get_mut(self.user) else { return Taken::default() };
        own.heard = Instant::now();
        if condition == "conflict" && own.attempt < NAMES {
            return self.try_next_name();
        }
        if own.next.take().is_some() || own.stage != Stage::Entering {
            return Taken::default();
        }
        if condition == "gone" {
            let words = error::text(presence);
            let closed = self.closed(words.as_deref());
            return self.news(closed);
        }
        let parting = match condition {
            "not-authorized" => Parting::NeedsPassword,
            "forbidden" => Parting::Banned(None),
            _ => Parting::NotAdmitted,
        };
        // Full rooms and services that are away pass.
        let passes = !failure.is_permanent() || matches!(condition, "service-unavailable" | "remote-server-not-found");
        own.stage = Stage::Shut(if passes { Failure::transient(failure.reason, failure.detail) } else { sent_away() });
        self.news((!passes).then(|| Happening::Shut { user: self.user.clone(), parting }))
    }

    fn try_next_name(&mut self) -> Taken {
        let (Some(own), Some(from)) = (self.room.ours.get_mut(self.user), self.identity.full_address_of(self.user))
        else {
            return Taken::default();
        };
        own.attempt += 1;
        let nick = names::nick(&own.name, self.user, own.attempt);
        let (answer, taken) = if own.stage == Stage::Entering {
            let taken = std::mem::replace(&mut own.nick, nick.clone());
            (compose::enter(&from, &id(self.bare), &nick, &own.history, self.room.password.as_ref()), Some(taken))
        } else {
            let taken = own.next.replace(nick.clone());
            (compose::rename(&from, &id(self.bare), &nick), taken)
        };
        // Whoever has the name is there, and was taken for one of ours.
        let came = taken.filter(|nick| !self.room.is_ours(nick)).and_then(|nick| self.here(nick));
        Taken { answers: vec![answer], ..self.news(came) }
    }

    pub fn message(&mut self, message: &Element, from: &Jid, said_back: &mut SaidBack) -> Taken {
        if let Some(own) = self.room.ours.get_mut(self.user) {
            own.heard = Instant::now();
        }
        let body = message.has_child("body", ns::COMPONENT);
        let subject = child_text(message, "subject", ns::COMPONENT).filter(|_| !body);
        let nick = from.resource().map(|nick| nick.to_string());
        if nick.is_none() && is_renewal(message) {
            self.room.is_renewed = true;
            return Taken::default();
        }
        let is_ours = nick.as_deref().is_some_and(|nick| self.room.is_ours(nick));
        if let (Some(nick), Some(_)) = (&nick, incoming::own_id(message))
            && !self.room.people.contains(nick)
        {
            let id = raw::stanza_id(message, self.bare).map(str::to_owned);
            said_back.note(message.attr("id").unwrap_or_default(), Ok(Echo { nick: nick.clone(), id }));
            return subject.map(|subject| self.topic(subject.trim().to_owned())).unwrap_or_default();
        }
        if let Some(subject) = subject {
            return self.topic(subject.trim().to_owned());
        }
        let is_words = says_something(message, nick.is_some());
        let is_copy = incoming::id_of(message).is_none() && raw::stanza_id(message, self.bare).is_none();
        if is_ours || !is_words || (is_copy && !self.is_witness()) {
            return Taken::default();
        }
        self.said(message)
    }

    /// In order: what the room tells of the past to who comes in, then what it has told before, then what is said now.
    fn said(&mut self, message: &Element) -> Taken {
        let said = raw::said(message, self.bare, self.user);
        if !self.room.is_any(&[Stage::Inside, Stage::Settled]) {
            return Taken { earlier: self.room.early.keep(said), ..Taken::default() };
        }
        let is_of_past = message.has_child("delay", ns::DELAY);
        let earlier = if is_of_past { Vec::new() } else { self.room.early.take() };
        Taken { earlier, arrival: Some(said), ..Taken::default() }
    }

    /// A message of the archive. What ours have said was said, whatever they were called then.
    pub fn told(&mut self, stanza: &Element, said_back: &mut SaidBack) -> Taken {
        let Some((answer, message)) = archive::message(stanza, self.bare) else { return Taken::default() };
        let from =
            message.attr("from").and_then(|from| Jid::new(from).ok()).filter(|from| from.to_bare() == *self.bare);
        let (Some(from), true) = (from, self.room.archive.as_ref() == Some(&answer)) else { return Taken::default() };
        let nick = from.resource().map(|nick| nick.to_string());
        if let (Some(nick), Some(_)) = (&nick, incoming::own_id(&message)) {
            let id = raw::stanza_id(&message, self.bare).map(str::to_owned);
            said_back.note(message.attr("id").unwrap_or_default(), Ok(Echo { nick: nick.clone(), id }));
            return Taken::default();
        }
        let is_topic = message.has_child("subject", ns::COMPONENT) && !message.has_child("body", ns::COMPONENT);
        if is_topic || !says_something(&message, nick.is_some()) {
            return Taken::default();
        }
        Taken { arrival: Some(raw::said(&message, self.bare, self.user)), ..Taken::default() }
    }

    /// The topic ends what a room tells to who comes in.
    fn topic(&mut self, topic: String) -> Taken {
        if let Some(own) = self.room.ours.get_mut(self.user).filter(|own| own.stage == Stage::Inside) {
            own.stage = Stage::Settled;
        }
        let is_new = self.room.topic.as_ref() != Some(&topic);
        let is_news = is_new && !(self.room.topic.is_none() && topic.is_empty());
        self.room.topic = Some(topic.clone());
        let earlier = if self.room.is_any(&[Stage::Settled]) { self.room.early.take() } else { Vec::new() };
        Taken { earlier, ..self.news(is_news.then_some(Happening::Topic(topic))) }
    }

    /// Whether this copy stands for all, of what has nothing that tells copies.
    fn is_witness(&self) -> bool {
        let inside = self.room.ours.iter().filter(|(_, own)| matches!(own.stage, Stage::Inside | Stage::Settled));
        inside.map(|(user, _)| user).next() == Some(self.user)
    }
}

/// The room itself only takes away what somebody has said.
fn says_something(message: &Element, is_of_somebody: bool) -> bool {
    let takes_away = || message.children().any(|it| matches!(it.name(), "retract" | "apply-to"));
    (is_of_somebody || takes_away()) && matches!(read::sort(message), incoming::Sort::Words | incoming::Sort::Sealed)
}

/// Whether the room says that it has changed what it says of itself (XEP-0045 section 10.2.1).
fn is_renewal(message: &Element) -> bool {
    let statuses = message.get_child("x", ns::MUC_USER).into_iter().flat_map(Element::children);
    statuses.filter(|it| it.name() == "status").any(|it| it.attr("code") == Some("104"))
}

fn sent_away() -> Failure {
    Failure::permanent(Reason::NotInRoom, "the writer is not let into the room")
}

#[cfg(test)]
mod tests;
