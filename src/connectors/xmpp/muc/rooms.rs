//! Who is in which room, as the present stream has heard it. In memory only: with every new stream ours come in anew, and
//! each room tells who is there.

use super::{
    compose::{self, History},
    names,
    presence::Seen,
    raw, read,
};
use crate::{
    connector::Attendance,
    connectors::xmpp::{
        address::Identity,
        convert::{error, incoming},
        xml::{child_text, ns},
    },
    failure::Failure,
    ids::{LocalUser, RemoteRoomId},
    message::{Happening, Occupant, Parting, RawArrival},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use xmpp_parsers::{
    jid::{BareJid, Jid},
    minidom::Element,
};

/// Other names that are tried where one is taken.
const NAMES: u32 = 9;
/// Whoever has heard nothing from a room for so long asks whether they are in it still.
const SILENCE: Duration = Duration::from_secs(60);
/// A room that does not answer is asked again.
const ENTERING: Duration = Duration::from_secs(30);
/// Who was not let in tries again.
const SHUT: Duration = Duration::from_secs(60);
/// What was said back and is remembered, for those who ask later.
const SAID_BACK: usize = 4096;

pub struct Rooms {
    identity: Arc<Identity>,
    state: Mutex<State>,
    /// Moves with everything that somebody may wait for.
    changed: watch::Sender<()>,
    /// For the keeper.
    pub(super) wake: Notify,
}

#[derive(Default)]
struct State {
    rooms: BTreeMap<BareJid, Room>,
    said_back: SaidBack,
    /// How often the keeper has looked at everything.
    rounds: u64,
}

#[derive(Default)]
struct Room {
    ours: BTreeMap<LocalUser, Ours>,
    /// The names of all others.
    people: BTreeSet<String>,
    /// Whether `people` are all.
    is_complete: bool,
    topic: Option<String>,
}

/// One of ours in a room.
struct Ours {
    /// What they are to be called.
    name: String,
    /// What they are called.
    nick: String,
    /// What they have asked to be called.
    next: Option<String>,
    attempt: u32,
    history: History,
    stage: Stage,
    heard: Instant,
}

#[derive(Clone, Debug, PartialEq)]
enum Stage {
    Entering,
    /// Seen by the others; what was said before is still told.
    Inside,
    Settled,
    Shut(Failure),
}

/// Our own messages that rooms have said back to us.
#[derive(Default)]
struct SaidBack {
    known: HashMap<String, Result<Echo, Failure>>,
    order: VecDeque<String>,
}

/// How a room has said a message of ours to everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Echo {
    pub nick: String,
    /// What the room calls it.
    pub id: Option<String>,
}

/// What follows from a stanza.
#[derive(Debug, Default, PartialEq)]
pub struct Taken {
    pub arrival: Option<RawArrival>,
    pub answers: Vec<Element>,
}

/// What the keeper has to do for one of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Leave { user: LocalUser, nick: String },
    Enter { user: LocalUser, name: String },
    Rename { user: LocalUser, name: String },
    /// Ask whether they are in it still.
    Ask { user: LocalUser, nick: String },
}

/// How it stands with one of ours in a room.
pub enum Standing {
    In,
    OnTheWay,
    Shut(Failure),
    /// As of this round.
    Absent(u64),
}

impl Rooms {
    pub fn new(identity: Arc<Identity>) -> Self {
        let (changed, _) = watch::channel(());
        Self { identity, state: Mutex::default(), changed, wake: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves with everything that somebody may wait for.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Who is to be where has changed.
    pub fn look(&self) {
        self.wake.notify_one();
    }

    /// A new stream: nobody is anywhere until they have come in again.
    pub fn begin_anew(&self) {
        for room in self.state().rooms.values_mut() {
            *room = Room { topic: room.topic.take(), ..Room::default() };
        }
        self.wake.notify_one();
    }

    pub fn knows(&self, room: &BareJid) -> bool {
        self.state().rooms.contains_key(room)
    }

    /// Whether all that was said before is told, and what comes now is new.
    pub fn is_up_to_date(&self, room: &str) -> bool {
        let Ok(room) = BareJid::new(room) else { return false };
        self.state().rooms.get(&room).is_some_and(|room| room.ours.values().any(|own| own.stage == Stage::Settled))
    }

    /// Takes in what a room, or somebody through it, has sent to one of ours.
    pub fn take(&self, stanza: &Element, from: &Jid, user: &LocalUser) -> Taken {
        let bare = from.to_bare();
        let mut state = self.state();
        let State { rooms, said_back, .. } = &mut *state;
        let Some(room) = rooms.get_mut(&bare) else { return Taken::default() };
        let mut place = Place { identity: &self.identity, bare: &bare, room, user };
        let taken = match (stanza.name(), stanza.attr("type")) {
            ("presence", Some("error")) => place.refused(stanza),
            ("presence", None | Some("unavailable")) => place.presence(stanza, from),
            ("message", Some("groupchat")) => place.message(stanza, from, said_back),
            ("message", Some("error")) => {
                if let Some(id) = stanza.attr("id") {
                    said_back.note(id, Err(error::failure(stanza)));
                }
                Taken::default()
            }
            _ => Taken::default(),
        };
        let is_empty = room.ours.values().all(|own| matches!(own.stage, Stage::Entering | Stage::Shut(_)));
        if is_empty && room.is_complete {
            (room.is_complete, room.people) = (false, BTreeSet::new());
            self.wake.notify_one();
        }
        drop(state);
        self.changed.send_replace(());
        taken
    }

    /// What a room has said of a message of ours, should it have. A failure is told once.
    pub fn said_back(&self, id: &str) -> Option<Result<Echo, Failure>> {
        let mut state = self.state();
        let known = state.said_back.known.get(id).cloned();
        if matches!(known, Some(Err(_))) {
            state.said_back.known.remove(id);
        }
        known
    }

    pub fn standing(&self, room: &BareJid, user: &LocalUser) -> Standing {
        let state = self.state();
        let own = state.rooms.get(room).and_then(|room| room.ours.get(user));
        match own.map(|own| &own.stage) {
            Some(Stage::Settled) => Standing::In,
            Some(Stage::Entering | Stage::Inside) => Standing::OnTheWay,
            Some(Stage::Shut(failure)) => Standing::Shut(failure.clone()),
            None => Standing::Absent(state.rounds),
        }
    }
}

/// For the keeper.
impl Rooms {
    /// What has to be done so that just those are in rooms who are to be.
    pub(super) fn plan(&self, attendance: &[Attendance]) -> Vec<(BareJid, Vec<Step>)> {
        let wanted: BTreeMap<BareJid, &Attendance> =
            attendance.iter().filter_map(|it| Some((BareJid::new(it.room.as_str()).ok()?, it))).collect();
        let mut state = self.state();
        for room in wanted.keys() {
            state.rooms.entry(room.clone()).or_default();
        }
        let plans: Vec<_> =
            state.rooms.iter().map(|(bare, room)| (bare.clone(), room.steps(wanted.get(bare).copied()))).collect();
        state.rooms.retain(|bare, room| wanted.contains_key(bare) || !room.ours.is_empty());
        plans.into_iter().filter(|(_, steps)| !steps.is_empty()).collect()
    }

    pub(super) fn end_round(&self) {
        self.state().rounds += 1;
        self.changed.send_replace(());
    }

    /// Whether nobody of ours is in the room.
    pub(super) fn is_first(&self, room: &BareJid) -> bool {
        let is_in = |own: &Ours| matches!(own.stage, Stage::Inside | Stage::Settled);
        self.state().rooms.get(room).is_none_or(|room| !room.ours.values().any(is_in))
    }

    /// The presence with which somebody goes in.
    pub(super) fn enter(&self, room: &BareJid, user: &LocalUser, name: &str, history: History) -> Option<Element> {
        let from = self.identity.full_address_of(user)?;
        let mut state = self.state();
        let place = state.rooms.get_mut(room)?;
        let is_free = |nick: &String| !place.people.contains(nick) && !place.is_ours(nick);
        let found = (0..=NAMES).map(|n| (n, names::nick(name, user, n))).find(|(_, nick)| is_free(nick));
        let (attempt, nick) = found.unwrap_or_else(|| (0, names::nick(name, user, 0)));
        let presence = compose::enter(&from, &id(room), &nick, &history);
        let (stage, heard, next) = (Stage::Entering, Instant::now(), None);
        let own = Ours { name: name.to_owned(), nick, next, attempt, history, stage, heard };
        place.ours.insert(user.clone(), own);
        Some(presence)
    }

    /// The presence with which somebody takes another name.
    pub(super) fn rename(&self, room: &BareJid, user: &LocalUser, name: &str) -> Option<Element> {
        let from = self.identity.full_address_of(user)?;
        let mut state = self.state();
        let own = state.rooms.get_mut(room)?.ours.get_mut(user)?;
        let nick = names::nick(name, user, 0);
        (own.name, own.attempt, own.next) = (name.to_owned(), 0, Some(nick.clone()));
        Some(compose::rename(&from, &id(room), &nick))
    }

    /// Somebody is not in the room, whatever was heard before.
    pub(super) fn lost(&self, room: &BareJid, user: &LocalUser) {
        if let Some(room) = self.state().rooms.get_mut(room) {
            room.ours.remove(user);
            if room.ours.is_empty() {
                (room.is_complete, room.people) = (false, BTreeSet::new());
            }
        }
        self.changed.send_replace(());
    }

    /// Somebody is in the room; what the room has told so far has to do.
    pub(super) fn confirm(&self, room: &BareJid, user: &LocalUser) {
        if let Some(own) = self.state().rooms.get_mut(room).and_then(|room| room.ours.get_mut(user)) {
            own.heard = Instant::now();
            if own.stage == Stage::Inside {
                own.stage = Stage::Settled;
            }
        }
        self.changed.send_replace(());
    }

    pub(super) fn is_inside(&self, room: &BareJid, user: &LocalUser) -> bool {
        let state = self.state();
        state.rooms.get(room).and_then(|room| room.ours.get(user)).is_some_and(|own| own.stage == Stage::Inside)
    }
}

fn id(room: &BareJid) -> RemoteRoomId {
    RemoteRoomId::new(room.as_str())
}

impl Room {
    fn is_ours(&self, nick: &str) -> bool {
        let is_called = |own: &Ours| own.nick == nick || own.next.as_deref() == Some(nick);
        self.ours.values().any(|own| is_called(own) && !matches!(own.stage, Stage::Shut(_)))
    }

    fn steps(&self, wanted: Option<&Attendance>) -> Vec<Step> {
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
        steps
    }
}

impl SaidBack {
    fn note(&mut self, id: &str, result: Result<Echo, Failure>) {
        if self.known.insert(id.to_owned(), result).is_none() {
            self.order.push_back(id.to_owned());
        }
        while self.order.len() > SAID_BACK {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
    }
}

/// A room, and who of ours has got a stanza from it.
struct Place<'a> {
    identity: &'a Identity,
    bare: &'a BareJid,
    room: &'a mut Room,
    user: &'a LocalUser,
}

impl Place<'_> {
    fn occupant(&self, nick: &str) -> Occupant {
        Occupant { who: names::occupant_of(self.bare, nick), name: nick.to_owned() }
    }

    fn news(&self, happening: Option<Happening>) -> Taken {
        let arrival = happening.and_then(|it| raw::news(self.bare, self.user, &it));
        Taken { arrival, answers: Vec::new() }
    }

    fn presence(&mut self, presence: &Element, from: &Jid) -> Taken {
        let Some(nick) = from.resource().map(|nick| nick.to_string()) else { return Taken::default() };
        let seen = Seen::read(presence);
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
        if !seen.is_sent_away() {
            self.room.ours.remove(self.user);
            return None;
        }
        (own.stage, own.heard) = (Stage::Shut(sent_away()), Instant::now());
        Some(Happening::Shut { user: self.user.clone(), parting: seen.parting() })
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
    fn refused(&mut self, presence: &Element) -> Taken {
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
        let parting = match condition {
            "not-authorized" => Parting::NeedsPassword,
            "forbidden" => Parting::Banned(None),
            _ => Parting::NotAdmitted,
        };
        // Full rooms and the like pass.
        let passes = !failure.is_permanent() || condition == "service-unavailable";
        own.stage = Stage::Shut(if passes { Failure::transient(failure.reason, failure.detail) } else { sent_away() });
        self.news((!passes).then(|| Happening::Shut { user: self.user.clone(), parting }))
    }

    fn try_next_name(&mut self) -> Taken {
        let (Some(own), Some(from)) =
            (self.room.ours.get_mut(self.user), self.identity.full_address_of(self.user))
        else {
            return Taken::default();
        };
        own.attempt += 1;
        let nick = names::nick(&own.name, self.user, own.attempt);
        let (answer, taken) = if own.stage == Stage::Entering {
            let taken = std::mem::replace(&mut own.nick, nick.clone());
            (compose::enter(&from, &id(self.bare), &nick, &own.history), Some(taken))
        } else {
            let taken = own.next.replace(nick.clone());
            (compose::rename(&from, &id(self.bare), &nick), taken)
        };
        // Whoever has the name is there, and was taken for one of ours.
        let came = taken.filter(|nick| !self.room.is_ours(nick)).and_then(|nick| self.here(nick));
        Taken { answers: vec![answer], ..self.news(came) }
    }

    fn message(&mut self, message: &Element, from: &Jid, said_back: &mut SaidBack) -> Taken {
        if let Some(own) = self.room.ours.get_mut(self.user) {
            own.heard = Instant::now();
        }
        let body = message.has_child("body", ns::COMPONENT);
        let subject = child_text(message, "subject", ns::COMPONENT).filter(|_| !body);
        let nick = from.resource().map(|nick| nick.to_string());
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
        let says_something = nick.is_some() || message.children().any(|it| matches!(it.name(), "retract" | "apply-to"));
        let is_words = says_something && matches!(read::sort(message), incoming::Sort::Words | incoming::Sort::Sealed);
        let is_copy = incoming::id_of(message).is_none() && raw::stanza_id(message, self.bare).is_none();
        if is_ours || !is_words || (is_copy && !self.is_witness()) {
            return Taken::default();
        }
        Taken { arrival: Some(raw::said(message, self.bare, self.user)), answers: Vec::new() }
    }

    /// The topic ends what a room tells to who comes in.
    fn topic(&mut self, topic: String) -> Taken {
        if let Some(own) = self.room.ours.get_mut(self.user).filter(|own| own.stage == Stage::Inside) {
            own.stage = Stage::Settled;
        }
        let is_new = self.room.topic.as_ref() != Some(&topic);
        let is_news = is_new && !(self.room.topic.is_none() && topic.is_empty());
        self.room.topic = Some(topic.clone());
        self.news(is_news.then_some(Happening::Topic(topic)))
    }

    /// Whether this copy stands for all, of what has nothing that tells copies.
    fn is_witness(&self) -> bool {
        let inside = self.room.ours.iter().filter(|(_, own)| matches!(own.stage, Stage::Inside | Stage::Settled));
        inside.map(|(user, _)| user).next() == Some(self.user)
    }
}

fn sent_away() -> Failure {
    Failure::permanent(crate::failure::Reason::NotInRoom, "the writer is not let into the room")
}
