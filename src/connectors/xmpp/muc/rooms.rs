//! Who is in which room, as the present stream has heard it. In memory only: with every new stream ours come in anew, and
//! each room tells who is there.

use super::{
    compose::{self, History},
    names,
    room::{NAMES, Ours, Place, Room, Stage, id},
};
use crate::{
    connector::Attendance,
    connectors::xmpp::{address::Identity, convert::error},
    failure::Failure,
    ids::LocalUser,
    message::RawArrival,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use xmpp_parsers::{
    jid::{BareJid, Jid},
    minidom::Element,
};

/// So often an archive is asked that does not answer, until one goes in without it.
const ARCHIVE_ATTEMPTS: u32 = 5;
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

/// Our own messages that rooms have said back to us.
#[derive(Default)]
pub struct SaidBack {
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
    /// What is written down before the arrival.
    pub earlier: Vec<RawArrival>,
    pub arrival: Option<RawArrival>,
    pub answers: Vec<Element>,
}

/// What the keeper has to do for one of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Leave {
        user: LocalUser,
        nick: String,
    },
    Enter {
        user: LocalUser,
        name: String,
    },
    Rename {
        user: LocalUser,
        name: String,
    },
    /// Ask what the room is called now.
    AskName {
        user: LocalUser,
    },
    /// Ask whether they are in it still.
    Ask {
        user: LocalUser,
        nick: String,
    },
}

/// How it stands with one of ours in a room.
pub enum Standing {
    In,
    OnTheWay,
    /// As of this round, for this reason.
    Shut(u64, Failure),
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
            let (wanted, early) = (std::mem::take(&mut room.wanted), std::mem::take(&mut room.early));
            let (topic, name) = (room.topic.take(), room.name.take());
            *room = Room { wanted, early, topic, name, is_renewed: true, ..Room::default() };
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
            ("message", kind) if kind != Some("error") && from.resource().is_none() => place.told(stanza, said_back),
            ("message", Some("error")) => {
                if let Some(id) = stanza.attr("id") {
                    said_back.note(id, Err(error::failure(stanza)));
                }
                Taken::default()
            }
            _ => Taken::default(),
        };
        let is_empty = room.ours.values().all(|own| matches!(own.stage, Stage::Entering | Stage::Shut(_)));
        if room.is_renewed && room.ours.values().any(|own| own.stage == Stage::Settled) {
            self.wake.notify_one();
        }
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
        let known = state.said_back.get(id).cloned();
        if matches!(known, Some(Err(_))) {
            state.said_back.known.remove(id);
        }
        known
    }

    /// What one of ours is called in a room; `None`: they are not in it.
    pub(super) fn nick_of(&self, room: &BareJid, user: &LocalUser) -> Option<String> {
        self.state().rooms.get(room)?.ours.get(user).map(|own| own.nick.clone())
    }

    /// The address of whoever has this name in a room, or had it last, as far as the room tells it to ours.
    pub(super) fn person_behind(&self, room: &BareJid, nick: &str) -> Option<String> {
        self.state().rooms.get(room)?.persons.get(nick).cloned()
    }

    pub fn standing(&self, room: &BareJid, user: &LocalUser) -> Standing {
        let state = self.state();
        let room = state.rooms.get(room);
        match room.and_then(|room| room.ours.get(user)).map(|own| &own.stage) {
            Some(Stage::Settled) => Standing::In,
            Some(Stage::Entering | Stage::Inside) => Standing::OnTheWay,
            Some(Stage::Shut(failure)) => Standing::Shut(state.rounds, failure.clone()),
            None if room.is_some_and(|room| room.wanted.contains(user)) => Standing::OnTheWay,
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
        for (room, attendance) in &wanted {
            let room = state.rooms.entry(room.clone()).or_insert_with(|| Room { is_renewed: true, ..Room::default() });
            room.password.clone_from(&attendance.password);
            room.wanted = attendance.staff.iter().map(|it| it.user.clone()).collect();
        }
        for (_, room) in state.rooms.iter_mut().filter(|(room, _)| !wanted.contains_key(*room)) {
            room.wanted.clear();
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

    /// Under which name the room tells its archive; with every other one it is not asked for.
    pub(super) fn ask_archive(&self, room: &BareJid, name: Option<String>) {
        if let Some(room) = self.state().rooms.get_mut(room) {
            room.archive = name;
        }
    }

    /// What it has said before any of ours was in, should it have no topic to end with.
    pub(super) fn take_early(&self, room: &BareJid) -> Vec<RawArrival> {
        self.state().rooms.get_mut(room).map(|room| room.early.take()).unwrap_or_default()
    }

    /// Whether a room whose archive did not answer is left until it does. Whoever goes in has heard everything up to now,
    /// as far as anybody knows later: what the archive has not told by then is never asked for again.
    pub(super) fn is_archive_asked_again(&self, room: &BareJid, failure: &Failure) -> bool {
        let mut state = self.state();
        let Some(room) = state.rooms.get_mut(room).filter(|_| !failure.is_permanent()) else { return false };
        room.archive_attempts = (room.archive_attempts + 1) % ARCHIVE_ATTEMPTS;
        room.archive_attempts != 0
    }

    /// What a room has said that it is called: whether that is new. `None`: it is not to be asked, or has no name.
    pub(super) fn note_name(&self, room: &BareJid, name: Option<&str>) -> bool {
        let mut state = self.state();
        let Some(room) = state.rooms.get_mut(room) else { return false };
        room.is_renewed = false;
        let is_new = name.is_some() && room.name.as_deref() != name;
        if is_new {
            room.name = name.map(str::to_owned);
        }
        is_new
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
        let presence = compose::enter(&from, &id(room), &nick, &history, place.password.as_ref());
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

impl SaidBack {
    pub fn get(&self, id: &str) -> Option<&Result<Echo, Failure>> {
        self.known.get(id)
    }

    pub fn note(&mut self, id: &str, result: Result<Echo, Failure>) {
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
