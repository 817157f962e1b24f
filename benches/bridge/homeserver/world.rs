//! What the homeserver knows: rooms, their events, and what is to be pushed.

use super::super::domains::domain;
use bytes::Bytes;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::{Arc, OnceLock},
    time::{SystemTime, UNIX_EPOCH},
};

/// `@staff7:bench.local`; every member of staff exists.
pub fn staff(pair: usize) -> String {
    format!("@staff{pair}:bench.local")
}

/// Of which network all ghosts are.
static NETWORK: OnceLock<&str> = OnceLock::new();

/// Before anything else; without it the network is mail.
pub fn speak(network: &'static str) {
    NETWORK.get_or_init(|| network);
}

pub fn ghost(pair: usize) -> String {
    let network = NETWORK.get().copied().unwrap_or("email");
    format!("@_{network}_user{pair}=40{}:bench.local", domain(pair))
}

/// The room of a pair. A room that the application service creates has another name.
pub fn room(pair: usize) -> String {
    format!("!pair{pair}:bench.local")
}

pub fn is_staff(user: &str) -> bool {
    user.strip_prefix("@staff")
        .and_then(|rest| rest.strip_suffix(":bench.local"))
        .is_some_and(|n| n.parse::<u32>().is_ok())
}

/// The pair whose ghost wrote in the pair's own room.
pub fn place(room_id: &str, sender: &str) -> Option<usize> {
    let pair = room_id.strip_prefix("!pair")?.strip_suffix(":bench.local")?.parse().ok()?;
    (sender == ghost(pair)).then_some(pair)
}

#[derive(Default)]
pub struct World {
    pub rooms: HashMap<String, Room>,
    pub events: HashMap<String, Arc<str>>,
    pub registered: HashSet<String>,
    pub profiles: HashMap<String, serde_json::Map<String, Value>>,
    pub account_data: HashMap<String, Bytes>,
    pub media: HashMap<String, Bytes>,
    /// Answers to `/send`, by path: Synapse leaves the user out, so that two ghosts with one id lose a message.
    pub answered: HashMap<String, String>,
    pub transactions: Transactions,
    queue: VecDeque<Queued>,
    in_flight: Option<Transaction>,
    /// Transactions that wait until the application service can be reached again.
    kept_back: VecDeque<Transaction>,
    recovering: bool,
    recoveries: usize,
    /// How many transactions were made. After a crash Synapse on SQLite begins anew.
    numbered: usize,
    /// Messages of staff that the application service has not accepted.
    unaccepted: usize,
    counter: usize,
    further_rooms: usize,
}

#[derive(Default)]
pub struct Room {
    /// By type and state key.
    pub state: BTreeMap<(String, String), State>,
    pub timeline: Vec<Arc<str>>,
    /// Of each event of the timeline, its number among all.
    pub numbers: Vec<usize>,
    /// Whether the application service is concerned: it hears nothing of rooms without a user of its own.
    bridged: bool,
}

/// Events that are pushed together.
#[derive(Clone)]
pub struct Transaction {
    pub number: usize,
    events: Vec<Arc<str>>,
    /// How many of them are messages of staff.
    said: usize,
}

impl Transaction {
    pub fn body(&self) -> String {
        format!(r#"{{"events":[{}]}}"#, self.events.join(","))
    }
}

struct Queued {
    event: Arc<str>,
    /// Whether it is a message of staff.
    said: bool,
}

pub struct State {
    pub content: Value,
    pub event: Arc<str>,
}

/// Pushes to the application service.
#[derive(Clone, Copy, Default)]
pub struct Transactions {
    pub accepted: usize,
    pub failed: usize,
}

/// An event on its way into a room.
pub struct Put<'a> {
    room: &'a str,
    kind: &'a str,
    sender: &'a str,
    state_key: Option<&'a str>,
    redacts: Option<&'a str>,
    content: Value,
}

impl<'a> Put<'a> {
    pub fn message(room: &'a str, kind: &'a str, sender: &'a str, content: Value) -> Self {
        Self { room, kind, sender, state_key: None, redacts: None, content }
    }

    pub fn state(room: &'a str, kind: &'a str, sender: &'a str, state_key: &'a str, content: Value) -> Self {
        Self { state_key: Some(state_key), ..Self::message(room, kind, sender, content) }
    }

    pub fn redaction(room: &'a str, sender: &'a str, redacts: &'a str, content: Value) -> Self {
        Self { redacts: Some(redacts), ..Self::message(room, "m.room.redaction", sender, content) }
    }
}

impl World {
    /// The next of many different numbers, for ids.
    pub fn number(&mut self) -> usize {
        self.counter += 1;
        self.counter
    }

    /// Adds an event and queues it for the application service, its own ones too, as Synapse does. Returns its id.
    pub fn put(&mut self, put: Put<'_>) -> String {
        let number = self.number();
        let id = format!("$bench{number:038}");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        let mut event = json!({"type": put.kind, "room_id": put.room, "sender": put.sender, "event_id": id,
            "origin_server_ts": now, "content": put.content, "unsigned": {"age": 1}});
        if let Some(state_key) = put.state_key {
            event["state_key"] = state_key.into();
        }
        if let Some(redacts) = put.redacts {
            event["redacts"] = redacts.into();
        }
        let text: Arc<str> = event.to_string().into();
        let room = self.rooms.entry(put.room.to_owned()).or_default();
        room.timeline.push(text.clone());
        room.numbers.push(number);
        if let Some(key) = put.state_key {
            room.bridged |= put.kind == "m.room.member" && !is_staff(key);
            room.state
                .insert((put.kind.to_owned(), key.to_owned()), State { content: put.content, event: text.clone() });
        }
        if room.bridged {
            let said = put.kind == "m.room.message" && is_staff(put.sender);
            self.unaccepted += usize::from(said);
            self.queue.push_back(Queued { event: text.clone(), said });
        }
        self.events.insert(id.clone(), text);
        id
    }

    /// The invitation that a client sends when somebody starts a chat with one other.
    pub fn invite_directly(&mut self, room: &str, sender: &str, user: &str) {
        let content = json!({"membership": "invite", "is_direct": true});
        self.put(Put::state(room, "m.room.member", sender, user, content));
    }

    /// A membership event. A member of staff accepts every invitation at once.
    pub fn set_member(&mut self, room: &str, sender: &str, user: &str, membership: &str) {
        let mut content = self.profile(user).unwrap_or_default();
        content.insert("membership".into(), membership.into());
        self.put(Put::state(room, "m.room.member", sender, user, content.into()));
        if membership == "invite" && is_staff(user) {
            self.set_member(room, user, user, "join");
        }
    }

    pub fn is_joined(&self, room: &str, user: &str) -> bool {
        self.rooms.get(room).is_some_and(|room| room.membership(user) == Some("join"))
    }

    /// `None` for somebody who does not exist.
    pub fn profile(&self, user: &str) -> Option<serde_json::Map<String, Value>> {
        match self.profiles.get(user) {
            Some(profile) => Some(profile.clone()),
            None if is_staff(user) => json!({"displayname": &user[1..]}).as_object().cloned(),
            None => self.registered.contains(user).then(serde_json::Map::new),
        }
    }

    /// The room that a `createRoom` asks for, from the body of the request.
    pub fn create_room(&mut self, room: &str, creator: &str, wish: &Value) {
        self.further_rooms += usize::from(!is_staff(creator));
        let mut power = json!({"users": {creator: 100}, "users_default": 0, "events_default": 0, "state_default": 50,
            "invite": 0, "kick": 50, "ban": 50, "redact": 50});
        for (key, value) in wish["power_level_content_override"].as_object().into_iter().flatten() {
            power[key] = value.clone();
        }
        self.put(Put::state(room, "m.room.create", creator, "", json!({"creator": creator, "room_version": "10"})));
        self.set_member(room, creator, creator, "join");
        self.put(Put::state(room, "m.room.power_levels", creator, "", power));
        self.put(Put::state(room, "m.room.join_rules", creator, "", json!({"join_rule": "invite"})));
        for event in wish["initial_state"].as_array().into_iter().flatten() {
            let (kind, key) = (event["type"].as_str(), event["state_key"].as_str());
            let content = event["content"].clone();
            self.put(Put::state(room, kind.unwrap_or_default(), creator, key.unwrap_or_default(), content));
        }
        for (key, kind) in [("name", "m.room.name"), ("topic", "m.room.topic")] {
            if let Some(text) = wish[key].as_str() {
                self.put(Put::state(room, kind, creator, "", json!({key: text})));
            }
        }
        for user in wish["invite"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            self.set_member(room, creator, user, "invite");
        }
    }

    /// The next transaction, which is in flight then: at most 100 events, as in Synapse.
    pub fn take(&mut self) -> Option<Transaction> {
        if self.queue.is_empty() {
            return None;
        }
        let queued: Vec<_> = self.queue.drain(..self.queue.len().min(100)).collect();
        self.numbered += 1;
        let said = queued.iter().filter(|queued| queued.said).count();
        let events = queued.into_iter().map(|queued| queued.event).collect();
        self.in_flight = Some(Transaction { number: self.numbered, events, said });
        self.in_flight.clone()
    }

    /// The transaction in flight is accepted.
    pub fn acknowledge(&mut self) {
        self.unaccepted -= self.in_flight.take().map_or(0, |transaction| transaction.said);
        self.transactions.accepted += 1;
    }

    /// The transaction in flight is not accepted: from now on all wait.
    pub fn keep_back(&mut self) {
        self.kept_back.extend(self.in_flight.take());
        self.recovering = true;
        self.note_failure();
    }

    pub fn note_failure(&mut self) {
        self.transactions.failed += 1;
    }

    pub fn is_recovering(&self) -> bool {
        self.recovering
    }

    /// The oldest transaction that waits.
    pub fn kept_back(&self) -> Option<Transaction> {
        self.kept_back.front().cloned()
    }

    pub fn acknowledge_kept_back(&mut self) {
        self.unaccepted -= self.kept_back.pop_front().map_or(0, |transaction| transaction.said);
        self.transactions.accepted += 1;
    }

    /// Nothing waits any more. With `forgetful`, what is made in this very moment, every second time: Synapse finds the
    /// application service still down, stores the transaction, and sends it when it recovers the next time.
    pub fn recover(&mut self, forgetful: bool) {
        self.recovering = false;
        self.recoveries += 1;
        if forgetful && self.recoveries.is_multiple_of(2) && self.take().is_some() {
            self.kept_back.extend(self.in_flight.take());
        }
    }

    /// What is not stored is forgotten. What was in flight is, and comes after later ones.
    pub fn crash(&mut self) {
        self.unaccepted -= self.queue.drain(..).filter(|queued| queued.said).count();
        self.kept_back.extend(self.in_flight.take());
        self.numbered = 0;
    }

    pub fn unaccepted(&self) -> usize {
        self.unaccepted
    }

    pub fn further_rooms(&self) -> usize {
        self.further_rooms
    }
}

impl Room {
    pub fn membership(&self, user: &str) -> Option<&str> {
        self.state.get(&("m.room.member".to_owned(), user.to_owned()))?.content["membership"].as_str()
    }

    /// Everybody with a membership event, and that event.
    pub fn members(&self) -> impl Iterator<Item = (&str, &State)> {
        self.state
            .iter()
            .filter(|((kind, _), _)| kind == "m.room.member")
            .map(|((_, user), state)| (user.as_str(), state))
    }
}
