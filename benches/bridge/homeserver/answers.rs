//! The client-server API, as far as an application service asks for it.

use super::{
    Homeserver,
    call::{Call, Reply},
    world::{Put, place},
};
use crate::bridge::tally::markers;
use serde_json::{Value, json};
use std::time::Duration;

pub const UNKNOWN: &str = "unknown to the benchmark's homeserver";

pub fn versions() -> Reply {
    let versions: Vec<String> = (1..=12).map(|minor| format!("v1.{minor}")).collect();
    Reply::ok(json!({"versions": versions, "unstable_features": {}}))
}

impl Homeserver {
    /// The answer, and under which name the request is counted.
    pub(super) fn answer(&self, call: &Call) -> (&'static str, Reply) {
        let segments = call.segments();
        match segments.as_slice() {
            ["_matrix", "client", "v3", "rooms", room, rest @ ..] => self.answer_room(call, room, rest),
            ["_matrix", "client", "v1", "media", rest @ ..] | ["_matrix", "media", "v3", rest @ ..] => {
                self.answer_media(call, rest)
            }
            ["_matrix", "client", "v3", rest @ ..] => self.answer_user(call, rest),
            ["_matrix", "client", "v1", "rooms", _, "relations", ..] => {
                ("GET relations", Reply::ok(json!({"chunk": []})))
            }
            _ => unknown(),
        }
    }

    fn answer_user(&self, call: &Call, path: &[&str]) -> (&'static str, Reply) {
        match (call.method.as_str(), path) {
            ("GET", ["account", "whoami"]) => ("GET whoami", Reply::ok(json!({"user_id": self.actor(call)}))),
            ("GET", ["capabilities"]) => ("GET capabilities", Reply::ok(json!({"capabilities": {}}))),
            ("POST", ["register"]) => ("POST register", self.register_user(call)),
            ("PUT", ["devices", _]) => ("PUT devices", Reply::empty()),
            ("PUT", ["profile", user, _]) => ("PUT profile", self.set_profile(user, call)),
            ("POST", ["createRoom"]) => ("POST createRoom", self.create_room(call)),
            ("POST", ["join", room]) => ("POST join", self.join(room, call)),
            ("GET", ["joined_rooms"]) => ("GET joined_rooms", self.joined_rooms(call)),
            ("GET", ["user", _, .., "account_data", _]) => ("GET account_data", self.account_data(call)),
            ("PUT", ["user", _, .., "account_data", _]) => ("PUT account_data", self.set_account_data(call)),
            ("POST", ["user_directory", "search"]) => {
                ("POST search", Reply::ok(json!({"results": [], "limited": false})))
            }
            ("PUT", ["presence", ..]) => ("PUT presence", Reply::empty()),
            _ => unknown(),
        }
    }

    fn answer_room(&self, call: &Call, room: &str, path: &[&str]) -> (&'static str, Reply) {
        match (call.method.as_str(), path) {
            ("PUT", ["send", "m.room.message", _]) => {
                ("PUT send m.room.message", self.send(room, "m.room.message", call))
            }
            ("PUT", ["send", kind @ "com.beeper.message_send_status", _]) => {
                ("PUT send message_send_status", self.send(room, kind, call))
            }
            ("PUT", ["send", kind, _]) => ("PUT send other", self.send(room, kind, call)),
            ("PUT", ["redact", event, _]) => ("PUT redact", self.redact(room, event, call)),
            ("POST", ["join"]) => ("POST join", self.join(room, call)),
            ("POST", ["invite"]) => ("POST invite", self.change_member(room, "invite", call)),
            ("POST", ["ban"]) => ("POST ban", self.change_member(room, "ban", call)),
            ("POST", ["leave" | "kick" | "unban"]) => ("POST leave", self.change_member(room, "leave", call)),
            ("POST", ["receipt", ..]) => ("POST receipt", Reply::empty()),
            ("POST", ["read_markers"]) => ("POST read_markers", Reply::empty()),
            ("PUT", ["typing", _]) => ("PUT typing", Reply::empty()),
            ("GET", ["state"]) => ("GET state", self.full_state(room)),
            ("GET", ["state", kind, key @ ..]) => ("GET state one", self.state(room, kind, key)),
            ("PUT", ["state", kind, key @ ..]) => ("PUT state", self.set_state(room, kind, key, call)),
            ("GET", ["joined_members"]) => ("GET joined_members", self.joined_members(room)),
            ("GET", ["members"]) => ("GET members", self.members(room)),
            ("GET", ["messages"]) => ("GET messages", self.messages(room, call)),
            ("GET", ["event", id]) => ("GET event", self.event(id)),
            _ => unknown(),
        }
    }

    fn answer_media(&self, call: &Call, path: &[&str]) -> (&'static str, Reply) {
        match (call.method.as_str(), path) {
            ("GET", ["config"]) => ("GET media config", Reply::ok(json!({"m.upload.size": 104_857_600}))),
            ("POST", ["upload"]) => {
                let mut world = self.world();
                let id = format!("media{}", world.number());
                world.media.insert(id.clone(), call.body.clone());
                ("POST media upload", Reply::ok(json!({"content_uri": format!("mxc://bench.local/{id}")})))
            }
            ("GET", ["download", _, id, ..]) => match self.world().media.get(*id) {
                Some(bytes) => ("GET media download", Reply { status: 200, body: bytes.clone() }),
                None => ("GET media download", Reply::not_found()),
            },
            _ => unknown(),
        }
    }

    /// As whom the application service asks.
    fn actor(&self, call: &Call) -> String {
        let own = || self.registration.get().map(|own| format!("@{}:bench.local", own.sender_localpart));
        call.query.get("user_id").cloned().or_else(own).unwrap_or_default()
    }

    fn create_room(&self, call: &Call) -> Reply {
        let mut world = self.world();
        let room = format!("!own{}:bench.local", world.number());
        world.create_room(&room, &self.actor(call), &call.json());
        self.queued.notify_one();
        Reply::ok(json!({"room_id": room}))
    }

    fn join(&self, room: &str, call: &Call) -> Reply {
        let user = self.actor(call);
        self.world().set_member(room, &user, &user, "join");
        self.queued.notify_one();
        Reply::ok(json!({"room_id": room}))
    }

    fn change_member(&self, room: &str, membership: &str, call: &Call) -> Reply {
        let (actor, body) = (self.actor(call), call.json());
        let user = body["user_id"].as_str().unwrap_or(&actor);
        self.world().set_member(room, &actor, user, membership);
        self.queued.notify_one();
        Reply::empty()
    }

    fn send(&self, room: &str, kind: &str, call: &Call) -> Reply {
        let (sender, content) = (self.actor(call), call.json());
        let mut world = self.world();
        if !world.is_joined(room, &sender) {
            return Reply::error(403, "M_FORBIDDEN", "not in this room");
        }
        let key = call.path.join("/");
        if let Some(id) = world.answered.get(&key) {
            return Reply::ok(json!({"event_id": id}));
        }
        if kind == "m.room.message" {
            for number in markers(content["body"].as_str().unwrap_or_default().as_bytes()) {
                self.tally.seen(number, place(room, &sender));
            }
        }
        let id = world.put(Put::message(room, kind, &sender, content));
        world.answered.insert(key, id.clone());
        self.queued.notify_one();
        Reply::ok(json!({"event_id": id}))
    }

    fn redact(&self, room: &str, event: &str, call: &Call) -> Reply {
        let id = self.world().put(Put::redaction(room, &self.actor(call), event, call.json()));
        self.queued.notify_one();
        Reply::ok(json!({"event_id": id}))
    }

    fn set_state(&self, room: &str, kind: &str, key: &[&str], call: &Call) -> Reply {
        let key = key.first().copied().unwrap_or_default();
        let id = self.world().put(Put::state(room, kind, &self.actor(call), key, call.json()));
        self.queued.notify_one();
        Reply::ok(json!({"event_id": id}))
    }

    fn state(&self, room: &str, kind: &str, key: &[&str]) -> Reply {
        let key = (kind.to_owned(), key.first().copied().unwrap_or_default().to_owned());
        match self.world().rooms.get(room).and_then(|room| room.state.get(&key)) {
            Some(state) => Reply::ok(state.content.clone()),
            None => Reply::not_found(),
        }
    }

    fn full_state(&self, room: &str) -> Reply {
        let world = self.world();
        let Some(room) = world.rooms.get(room) else { return Reply::not_found() };
        let events: Vec<&str> = room.state.values().map(|state| &*state.event).collect();
        Reply { status: 200, body: format!("[{}]", events.join(",")).into() }
    }

    fn members(&self, room: &str) -> Reply {
        let world = self.world();
        let Some(room) = world.rooms.get(room) else { return Reply::not_found() };
        let events: Vec<&str> = room.members().map(|(_, state)| &*state.event).collect();
        Reply { status: 200, body: format!(r#"{{"chunk":[{}]}}"#, events.join(",")).into() }
    }

    fn joined_members(&self, room: &str) -> Reply {
        let world = self.world();
        let Some(room) = world.rooms.get(room) else { return Reply::not_found() };
        let joined = room.members().filter(|(_, state)| state.content["membership"] == "join");
        let joined: serde_json::Map<String, Value> = joined
            .map(|(user, state)| (user.to_owned(), json!({"display_name": state.content["displayname"]})))
            .collect();
        Reply::ok(json!({"joined": joined}))
    }

    fn joined_rooms(&self, call: &Call) -> Reply {
        let (user, world) = (self.actor(call), self.world());
        let rooms = world.rooms.iter().filter(|(_, room)| room.membership(&user) == Some("join"));
        let rooms: Vec<&String> = rooms.map(|(id, _)| id).collect();
        Reply::ok(json!({"joined_rooms": rooms}))
    }

    /// Nothing ever happens to whoever asks; a token `s7` stands behind everything with a number up to 7.
    pub(super) async fn sync(&self, call: &Call) -> Reply {
        let timeout = call.query.get("timeout").and_then(|text| text.parse().ok()).unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(timeout)).await;
        let number = self.world().number();
        Reply::ok(json!({ "next_batch": format!("s{number}") }))
    }

    /// A token `t7` stands before the event with index 7 of the room.
    fn messages(&self, room: &str, call: &Call) -> Reply {
        let world = self.world();
        let Some(room) = world.rooms.get(room) else { return Reply::not_found() };
        let (all, backwards) = (&room.timeline, call.query.get("dir").is_some_and(|dir| dir == "b"));
        let token = |name: &str| {
            let text = call.query.get(name)?;
            match text.strip_prefix('s') {
                Some(number) => {
                    number.parse().ok().map(|number| room.numbers.partition_point(|other| *other <= number))
                }
                None => text.strip_prefix('t')?.parse::<usize>().ok(),
            }
        };
        let limit = call.query.get("limit").and_then(|text| text.parse().ok()).unwrap_or(10).min(1000);
        let start = token("from").unwrap_or(if backwards { all.len() } else { 0 }).min(all.len());
        let end = match backwards {
            true => start.saturating_sub(limit).max(token("to").unwrap_or(0)).min(start),
            false => (start + limit).min(token("to").unwrap_or(all.len())).max(start),
        };
        let mut chunk: Vec<&str> = all[start.min(end)..start.max(end)].iter().map(|event| &**event).collect();
        if backwards {
            chunk.reverse();
        }
        let more = if backwards { end > token("to").unwrap_or(0) } else { end < all.len() };
        let more = if more { format!(r#","end":"t{end}""#) } else { String::new() };
        Reply { status: 200, body: format!(r#"{{"start":"t{start}"{more},"chunk":[{}]}}"#, chunk.join(",")).into() }
    }

    fn event(&self, id: &str) -> Reply {
        match self.world().events.get(id) {
            Some(event) => Reply { status: 200, body: event.to_string().into() },
            None => Reply::not_found(),
        }
    }

    fn account_data(&self, call: &Call) -> Reply {
        match self.world().account_data.get(&call.path.join("/")) {
            Some(body) => Reply { status: 200, body: body.clone() },
            None => Reply::not_found(),
        }
    }

    fn set_account_data(&self, call: &Call) -> Reply {
        self.world().account_data.insert(call.path.join("/"), call.body.clone());
        Reply::empty()
    }
}

fn unknown() -> (&'static str, Reply) {
    (UNKNOWN, Reply::error(404, "M_UNRECOGNIZED", "the benchmark's homeserver does not have this"))
}
