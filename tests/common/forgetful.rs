//! A homeserver that pushes nothing by itself and answers as it is told: what no real one can be brought to do.

use super::{servers, wait::unique};
use axum::{
    Json, Router,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{net::TcpListener, sync::Notify};

#[derive(Clone)]
pub struct Forgetful(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    port: u16,
    /// Of all rooms, the oldest first. A place is how many there were.
    events: Vec<Value>,
    /// By room.
    joined: BTreeMap<String, BTreeSet<String>>,
    /// What is answered instead to whoever reads a room.
    refusals: BTreeMap<String, (StatusCode, Value)>,
    /// What is answered, one after the other, to those who want to say something.
    answers: VecDeque<(u16, String)>,
    readings: usize,
    /// What was asked: method, and path without ids. Not whoever only waits.
    requests: Vec<String>,
    refuses_names: bool,
    /// What is said of the newest place, if not the truth.
    stale: Option<usize>,
    /// What those wait for whose rooms are being made.
    held: Option<Arc<Notify>>,
    rooms_held: usize,
    /// How many more requests for changes of state are refused, and those that were not: room, kind and key.
    refused_states: usize,
    states: Vec<(String, String)>,
    made: Vec<String>,
    /// Of each user the rooms into which somebody has invited them, and who that was.
    invited: BTreeMap<String, Vec<(String, String)>>,
    /// Rooms and users.
    left: Vec<(String, String)>,
    /// Rooms and words.
    said: Vec<(String, String)>,
}

impl Forgetful {
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let homeserver = Self(Arc::new(Mutex::new(Inner { port, ..Inner::default() })));
        let routes = Router::new().fallback(answer).with_state(homeserver.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        homeserver
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.0.lock().unwrap().port)
    }

    /// Puts an event into its room.
    pub fn add(&self, event: &Value) {
        self.0.lock().unwrap().events.push(event.clone());
    }

    /// Somebody sees an invitation when they ask for news.
    pub fn invite(&self, user: &str, room: &str, sender: &str) {
        let invitation = (room.to_owned(), sender.to_owned());
        self.0.lock().unwrap().invited.entry(user.to_owned()).or_default().push(invitation);
    }

    /// From now on nobody can read this room, until `None`.
    pub fn refuse(&self, room: &str, answer: Option<(u16, &str)>) {
        let refusals = &mut self.0.lock().unwrap().refusals;
        match answer {
            Some((status, code)) => {
                let body = if code.is_empty() { json!(null) } else { json!({ "errcode": code, "error": "no" }) };
                refusals.insert(room.to_owned(), (StatusCode::from_u16(status).unwrap(), body));
            }
            None => drop(refusals.remove(room)),
        }
    }

    /// The next ones who want to say something get these answers instead: status and text.
    pub fn answer_next(&self, answers: &[(u16, &str)]) {
        let answers = answers.iter().map(|(status, text)| (*status, (*text).to_owned()));
        self.0.lock().unwrap().answers.extend(answers);
    }

    /// How many of them nobody has got yet.
    pub fn answers_left(&self) -> usize {
        self.0.lock().unwrap().answers.len()
    }

    /// What was asked since the last time: `PUT send/m.room.message`, `POST join`, `GET profile/` and whose.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().requests)
    }

    /// From now on whoever waits for news hears of this place, as of a homeserver that looks it up where it is old.
    pub fn stand_still(&self) {
        let mut inner = self.0.lock().unwrap();
        inner.stale = Some(inner.events.len());
    }

    /// From now on no room is made, until [`make_rooms`](Self::make_rooms).
    pub fn hold_rooms(&self) {
        self.0.lock().unwrap().held = Some(Arc::default());
    }

    pub fn make_rooms(&self) {
        if let Some(held) = self.0.lock().unwrap().held.take() {
            held.notify_waiters();
        }
    }

    /// The next ones who want to change the state of a room cannot.
    pub fn refuse_states(&self, count: usize) {
        self.0.lock().unwrap().refused_states = count;
    }

    /// What of the state of a room was changed later, kind and key.
    pub fn states_of(&self, room: &str) -> Vec<String> {
        let inner = self.0.lock().unwrap();
        inner.states.iter().filter(|(of, _)| of == room).map(|(_, state)| state.clone()).collect()
    }

    /// How many rooms were asked for and not made.
    pub fn rooms_held(&self) -> usize {
        self.0.lock().unwrap().rooms_held
    }

    pub fn made(&self) -> Vec<String> {
        self.0.lock().unwrap().made.clone()
    }

    pub fn left(&self) -> Vec<(String, String)> {
        self.0.lock().unwrap().left.clone()
    }

    /// Somebody is in a room.
    pub fn let_in(&self, room: &str, user: &str) {
        self.0.lock().unwrap().joined.entry(room.to_owned()).or_default().insert(user.to_owned());
    }

    pub fn has_joined(&self, room: &str, user: &str) -> bool {
        self.0.lock().unwrap().joined.get(room).is_some_and(|joined| joined.contains(user))
    }

    /// What our users have said in a room, in order.
    pub fn said_in(&self, room: &str) -> Vec<String> {
        let inner = self.0.lock().unwrap();
        inner.said.iter().filter(|(said_in, _)| said_in == room).map(|(_, words)| words.clone()).collect()
    }

    async fn make_room(&self) -> String {
        let held = self.0.lock().unwrap().held.clone();
        if let Some(held) = held {
            let waiting = held.notified();
            self.0.lock().unwrap().rooms_held += 1;
            waiting.await;
        }
        let room = format!("!{}:x", unique("made"));
        self.0.lock().unwrap().made.push(room.clone());
        room
    }

    /// From now on nobody can change a name, as with a Synapse that was killed while it changed one.
    pub fn refuse_names(&self) {
        self.0.lock().unwrap().refuses_names = true;
    }

    /// How often a room was read.
    pub fn readings(&self) -> usize {
        self.0.lock().unwrap().readings
    }
}

async fn answer(State(homeserver): State<Forgetful>, request: Request) -> Response {
    let path = request.uri().path().replace("%21", "!").replace("%3A", ":");
    let query: BTreeMap<String, String> =
        url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()).into_owned().collect();
    let segments: Vec<&str> = path.trim_start_matches("/_matrix/client/").split('/').collect();
    if !matches!(segments.as_slice(), ["v1", "appservice", ..] | ["v3", "sync"]) {
        let what = match segments.as_slice() {
            ["v3", "rooms", _, what, ..] if *what != "send" => (*what).to_owned(),
            ["v3", "rooms", _, "send", kind, _] => format!("send/{kind}"),
            ["v3", "profile", user] if request.method() == "GET" => format!("profile/{user}"),
            [_, what, ..] => (*what).to_owned(),
            _ => path.clone(),
        };
        homeserver.0.lock().unwrap().requests.push(format!("{} {what}", request.method()));
    }
    match segments.as_slice() {
        // As Synapse with require_auth_for_profile_requests.
        ["v3", "profile", ..] if !request.headers().contains_key("authorization") => {
            let body = json!({ "errcode": "M_MISSING_TOKEN", "error": "Missing access token" });
            (StatusCode::UNAUTHORIZED, Json(body)).into_response()
        }
        ["v3", "profile", ..] if request.method() == "PUT" && homeserver.0.lock().unwrap().refuses_names => {
            let body = json!({ "errcode": "M_UNKNOWN", "error": "Internal server error" });
            (StatusCode::INTERNAL_SERVER_ERROR, Json(body)).into_response()
        }
        ["v1", "appservice", _, "ping"] => Json(json!({ "duration_ms": 1 })).into_response(),
        ["v3", "sync"] => {
            let timeout = query.get("timeout").and_then(|text| text.parse().ok()).unwrap_or(0);
            tokio::time::sleep(Duration::from_millis(timeout)).await;
            let inner = homeserver.0.lock().unwrap();
            let user = query.get("user_id").map_or("", String::as_str);
            let invited = inner.invited.get(user).into_iter().flatten().map(|(room, sender)| {
                let content = json!({ "membership": "invite" });
                let event = json!({ "type": "m.room.member", "state_key": user, "sender": sender, "content": content });
                (room, json!({ "invite_state": { "events": [event] } }))
            });
            let rooms = json!({ "invite": invited.collect::<BTreeMap<_, _>>() });
            let next = inner.stale.unwrap_or(inner.events.len()).to_string();
            Json(json!({ "next_batch": next, "rooms": rooms })).into_response()
        }
        ["v3", "rooms", room, "joined_members"] => {
            let joined = homeserver.0.lock().unwrap().joined.get(*room).cloned().unwrap_or_default();
            Json(json!({ "joined": joined.into_iter().map(|user| (user, json!({}))).collect::<BTreeMap<_, _>>() }))
                .into_response()
        }
        ["v3", "rooms", room, "state", kind, key @ ..] if request.method() == "PUT" => {
            let mut inner = homeserver.0.lock().unwrap();
            if inner.refused_states > 0 {
                inner.refused_states -= 1;
                let body = json!({ "errcode": "M_UNKNOWN", "error": "Internal server error" });
                return (StatusCode::INTERNAL_SERVER_ERROR, Json(body)).into_response();
            }
            let state = format!("{kind} {}", key.join("/").replace("%40", "@").replace("%3D", "="));
            inner.states.push(((*room).to_owned(), state));
            Json(json!({ "event_id": format!("${}", unique("state")) })).into_response()
        }
        ["v3", "rooms", _, "state", ..] => {
            (StatusCode::NOT_FOUND, Json(json!({ "errcode": "M_NOT_FOUND", "error": "" }))).into_response()
        }
        ["v3", "rooms", room, "join"] | ["v3", "join", room] => {
            let mut inner = homeserver.0.lock().unwrap();
            if let Some(invited) = inner.invited.get_mut(&query["user_id"]) {
                invited.retain(|(into, _)| into != room);
            }
            inner.joined.entry((*room).to_owned()).or_default().insert(query["user_id"].clone());
            Json(json!({ "room_id": room })).into_response()
        }
        ["v3", "rooms", room, "messages"] => homeserver.0.lock().unwrap().page(room, &query),
        ["v3", "createRoom"] => {
            let room = homeserver.make_room().await;
            if let Some(maker) = query.get("user_id") {
                homeserver.let_in(&room, maker);
            }
            Json(json!({ "room_id": room })).into_response()
        }
        ["v3", "joined_rooms"] => {
            let inner = homeserver.0.lock().unwrap();
            let rooms = inner.joined.iter().filter(|(_, joined)| joined.contains(&query["user_id"]));
            Json(json!({ "joined_rooms": rooms.map(|(room, _)| room).collect::<Vec<_>>() })).into_response()
        }
        ["v3", "rooms", room, "leave"] => {
            homeserver.0.lock().unwrap().left.push(((*room).to_owned(), query["user_id"].clone()));
            Json(json!({})).into_response()
        }
        ["v3", "rooms", room, "send", "m.room.message", _] => {
            if let Some((status, text)) = homeserver.0.lock().unwrap().answers.pop_front() {
                return (StatusCode::from_u16(status).unwrap(), text).into_response();
            }
            let room = (*room).to_owned();
            let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
            let content: Value = serde_json::from_slice(&body).unwrap();
            let words = content["body"].as_str().unwrap_or_default().to_owned();
            homeserver.0.lock().unwrap().said.push((room, words));
            Json(json!({ "event_id": format!("${}", unique("sent")) })).into_response()
        }
        ["v3", "rooms", _, "send", ..] => Json(json!({ "event_id": format!("${}", unique("sent")) })).into_response(),
        ["v3", "register"] => Json(json!({ "user_id": format!("@x:{}", servers().server_name) })).into_response(),
        _ => Json(json!({})).into_response(),
    }
}

impl Inner {
    fn page(&mut self, room: &str, query: &BTreeMap<String, String>) -> Response {
        self.readings += 1;
        if let Some((status, body)) = self.refusals.get(room) {
            return (*status, Json(body.clone())).into_response();
        }
        let place = |name: &str| query.get(name).and_then(|text| text.parse::<usize>().ok());
        let (from, to) = (place("from").unwrap_or(self.events.len()), place("to").unwrap_or(0));
        let there = |(n, event): &(usize, &Value)| (to..from).contains(n) && event["room_id"] == room;
        let chunk: Vec<(usize, &Value)> =
            self.events.iter().enumerate().filter(there).rev().take(place("limit").unwrap_or(10)).collect();
        let end = chunk.last().map(|(n, _)| n.to_string());
        let chunk: Vec<&Value> = chunk.into_iter().map(|(_, event)| event).collect();
        Json(json!({ "chunk": chunk, "start": from.to_string(), "end": end })).into_response()
    }
}
