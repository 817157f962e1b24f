//! Somebody of the staff: an ordinary Matrix user with an ordinary client.

use super::{
    events::{event_id, is_message, text},
    servers,
    wait::{PATIENCE, unique},
};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::Mutex,
    time::{Duration, Instant},
};

pub struct Staff {
    pub localpart: String,
    pub id: String,
    /// Display name.
    pub name: String,
    token: String,
    http: Client,
    inbox: Mutex<Inbox>,
}

/// What the homeserver has told so far.
#[derive(Default)]
struct Inbox {
    since: Option<String>,
    /// Rooms, and who invited us there.
    invitations: BTreeMap<String, String>,
    /// Up to which event somebody has read: by room and user.
    read: BTreeMap<(String, String), String>,
    /// Who writes now, by room.
    typing: BTreeMap<String, Vec<String>>,
}

/// A file as Matrix has it.
pub struct File<'a> {
    pub name: &'a str,
    pub media_type: &'a str,
    pub bytes: &'a [u8],
}

impl Staff {
    /// A new account; the display name is what it is called by.
    pub async fn new(name: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let localpart = unique(&name.to_lowercase().replace(' ', "."));
        let mut staff = Self {
            id: format!("@{localpart}:{}", servers().server_name),
            name: name.to_owned(),
            token: String::new(),
            http: Client::builder().timeout(PATIENCE).build().unwrap(),
            inbox: Mutex::default(),
            localpart,
        };
        let request =
            json!({ "username": staff.localpart, "password": servers().password, "auth": { "type": "m.login.dummy" } });
        let answer = staff.ask(Method::POST, "/v3/register", request).await;
        staff.token = text(&answer, "/access_token").to_owned();
        let path = format!("/v3/profile/{}/displayname", staff.id.replace('/', "%2F"));
        staff.ask(Method::PUT, &path, json!({ "displayname": name })).await;
        staff
    }

    /// The address under which people outside write to them.
    pub fn address(&self, domain: &str) -> String {
        format!("{}@{domain}", self.localpart)
    }

    pub fn token(&self) -> &str {
        &self.token
    }

    /// A request to the client API; its answer must be a success.
    pub async fn ask(&self, method: Method, path: &str, body: Value) -> Value {
        let (status, answer) = self.try_to(method.clone(), path, body).await;
        assert!(status.is_success(), "{method} {path}: {status} {answer}");
        answer
    }

    /// A request to the client API.
    pub async fn try_to(&self, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        let url = format!("{}/_matrix/client{path}", servers().synapse.url);
        let mut request = self.http.request(method.clone(), url);
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if method != Method::GET {
            request = request.body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let (status, bytes) = (answer.status(), answer.bytes().await.unwrap());
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    async fn get(&self, path: &str) -> Value {
        self.ask(Method::GET, path, Value::Null).await
    }

    /// A direct chat, as clients open it: the room and the invitation in one request.
    pub async fn direct_chat(&self, ghost: &str) -> String {
        let request = json!({ "preset": "trusted_private_chat", "is_direct": true, "invite": [ghost] });
        self.create_room(request).await
    }

    pub async fn room(&self, name: &str, invite: &[&str]) -> String {
        self.create_room(json!({ "preset": "private_chat", "name": name, "invite": invite })).await
    }

    async fn create_room(&self, request: Value) -> String {
        text(&self.ask(Method::POST, "/v3/createRoom", request).await, "/room_id").to_owned()
    }

    pub async fn invite(&self, room: &str, user: &str) {
        self.ask(Method::POST, &format!("/v3/rooms/{room}/invite"), json!({ "user_id": user })).await;
    }

    /// Invites whoever has an address, as clients write it.
    pub async fn invite_by(&self, room: &str, address: Value) {
        self.ask(Method::POST, &format!("/v3/rooms/{room}/invite"), address).await;
    }

    /// By which the homeserver vouches for them.
    pub async fn openid_token(&self) -> Value {
        self.ask(Method::POST, &format!("/v3/user/{}/openid/request_token", self.id), json!({})).await
    }

    pub async fn join(&self, room: &str) {
        self.ask(Method::POST, &format!("/v3/rooms/{room}/join"), json!({})).await;
    }

    pub async fn leave(&self, room: &str) {
        self.ask(Method::POST, &format!("/v3/rooms/{room}/leave"), json!({})).await;
    }

    /// Sends a message with this content; its event id.
    pub async fn send(&self, room: &str, content: Value) -> String {
        let path = format!("/v3/rooms/{room}/send/m.room.message/{}", unique("t"));
        event_id(&self.ask(Method::PUT, &path, content).await).to_owned()
    }

    pub async fn say(&self, room: &str, words: &str) -> String {
        self.send(room, json!({ "msgtype": "m.text", "body": words })).await
    }

    pub async fn say_html(&self, room: &str, words: &str, html: &str) -> String {
        let format = "org.matrix.custom.html";
        self.send(room, json!({ "msgtype": "m.text", "body": words, "format": format, "formatted_body": html })).await
    }

    /// Uploads a file and sends it as `m.file` or `m.image`.
    pub async fn send_file(&self, room: &str, msgtype: &str, file: &File<'_>) -> String {
        let url = format!("{}/_matrix/media/v3/upload?filename={}", servers().synapse.url, percent(file.name));
        let uri = self.upload(&url, file.media_type, file.bytes).await;
        let info = json!({ "mimetype": file.media_type, "size": file.bytes.len() });
        self.send(room, json!({ "msgtype": msgtype, "body": file.name, "url": uri, "info": info })).await
    }

    /// Uploads a file to this URL of the media API; its `mxc://` URI.
    pub async fn upload(&self, url: &str, media_type: &str, bytes: &[u8]) -> String {
        let request = self.http.post(url).bearer_auth(&self.token).header("Content-Type", media_type);
        let answer = request.body(bytes.to_vec()).send().await.unwrap();
        let answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        text(&answer, "/content_uri").to_owned()
    }

    /// The bytes behind an `mxc://` URI.
    pub async fn download(&self, uri: &str) -> Vec<u8> {
        let path = uri.strip_prefix("mxc://").unwrap();
        let url = format!("{}/_matrix/client/v1/media/download/{path}", servers().synapse.url);
        let answer = self.http.get(url).bearer_auth(&self.token).send().await.unwrap();
        assert!(answer.status().is_success(), "{uri}: {}", answer.status());
        answer.bytes().await.unwrap().to_vec()
    }

    /// All events of a room that this user may see, the oldest first.
    pub async fn events(&self, room: &str) -> Vec<Value> {
        let mut events = Vec::new();
        let mut from = String::new();
        loop {
            let page = self.get(&format!("/v3/rooms/{room}/messages?dir=b&limit=500{from}")).await;
            events.extend(page["chunk"].as_array().unwrap().iter().cloned());
            match page["end"].as_str() {
                Some(end) => from = format!("&from={end}"),
                None => break,
            }
        }
        events.reverse();
        events
    }

    /// What was said in a room, the oldest first.
    pub async fn messages(&self, room: &str) -> Vec<Value> {
        self.events(room).await.into_iter().filter(is_message).collect()
    }

    /// Waits for an event of a room.
    pub async fn wait_for(&self, room: &str, what: &str, mut wanted: impl FnMut(&Value) -> bool) -> Value {
        self.wait(what, async || self.events(room).await.into_iter().find(&mut wanted)).await
    }

    /// Waits for a message from this user.
    pub async fn wait_for_words(&self, room: &str, from: &str, words: &str) -> Value {
        let wanted = |event: &Value| text(event, "/sender") == from && text(event, "/content/body") == words;
        self.wait_for(room, &format!("{words:?} from {from}"), wanted).await
    }

    /// Waits until a user's membership of a room is this.
    pub async fn wait_for_member(&self, room: &str, user: &str, membership: &str) -> Value {
        let what = format!("{user} to be {membership}");
        self.wait_for(room, &what, |event| {
            text(event, "/state_key") == user && text(event, "/content/membership") == membership
        })
        .await
    }

    /// Waits for an invitation from this user; the room.
    pub async fn wait_for_invitation(&self, from: &str) -> String {
        let what = format!("an invitation from {from}");
        let found =
            || self.inbox.lock().unwrap().invitations.iter().find(|(_, by)| *by == from).map(|(room, _)| room.clone());
        self.wait(&what, async || found()).await
    }

    /// Waits until somebody has read in a room; the event up to which.
    pub async fn wait_for_read(&self, room: &str, user: &str) -> String {
        let key = (room.to_owned(), user.to_owned());
        let found = || self.inbox.lock().unwrap().read.get(&key).cloned();
        self.wait(&format!("{user} to read"), async || found()).await
    }

    /// Waits until somebody is shown as writing in a room, or is not any more.
    pub async fn wait_for_typing(&self, room: &str, user: &str, writes: bool) {
        let is_so = || {
            let inbox = self.inbox.lock().unwrap();
            let shown = inbox.typing.get(room).is_some_and(|users| users.iter().any(|it| it == user));
            (shown == writes).then_some(())
        };
        self.wait(&format!("{user} to write: {writes}"), async || is_so()).await
    }

    /// Says that they write, as clients do, or that they have stopped.
    pub async fn write(&self, room: &str, writes: bool) {
        let path = format!("/v3/rooms/{room}/typing/{}", self.id);
        self.ask(Method::PUT, &path, json!({ "typing": writes, "timeout": 30_000 })).await;
    }

    /// Says up to where they have read; `kind`: `m.read` or `m.read.private`.
    pub async fn mark_read(&self, room: &str, kind: &str, event: &str) {
        self.ask(Method::POST, &format!("/v3/rooms/{room}/receipt/{kind}/{event}"), json!({})).await;
    }

    /// To how many rooms they are invited now.
    pub async fn invitations(&self) -> usize {
        self.next_batch(Duration::ZERO).await;
        self.inbox.lock().unwrap().invitations.len()
    }

    /// The display name that a user has in a room.
    pub async fn name_of(&self, room: &str, user: &str) -> String {
        let members = self.get(&format!("/v3/rooms/{room}/joined_members")).await;
        text(&members["joined"][user], "/display_name").to_owned()
    }

    /// Asks whenever something has happened, until there is an answer.
    pub async fn wait<T>(&self, what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            // What happens between asking and waiting must end the wait at once.
            self.next_batch(Duration::ZERO).await;
            if let Some(answer) = ask().await {
                return answer;
            }
            assert!(began.elapsed() < PATIENCE, "{} waited in vain for {what}", self.name);
            self.next_batch(Duration::from_secs(5)).await;
        }
    }

    async fn next_batch(&self, timeout: Duration) {
        let since = self.inbox.lock().unwrap().since.clone().map(|since| format!("&since={since}")).unwrap_or_default();
        let filter = r#"{"room":{"timeline":{"limit":1}},"presence":{"not_types":["*"]}}"#;
        let path = format!("/v3/sync?timeout={}&filter={}{since}", timeout.as_millis(), percent(filter));
        let answer = self.get(&path).await;
        self.inbox.lock().unwrap().take(&answer, &self.id);
    }
}

impl Inbox {
    fn take(&mut self, answer: &Value, user: &str) {
        self.since = answer["next_batch"].as_str().map(str::to_owned);
        let rooms = |kind: &str| answer["rooms"][kind].as_object().into_iter().flatten();
        for (room, _) in rooms("join").chain(rooms("leave")) {
            self.invitations.remove(room);
        }
        for (room, state) in rooms("join") {
            let receipts = state["ephemeral"]["events"].as_array().into_iter().flatten();
            for users in receipts.clone().filter_map(|event| event["content"]["user_ids"].as_array()) {
                let users = users.iter().filter_map(Value::as_str).map(str::to_owned).collect();
                self.typing.insert(room.clone(), users);
            }
            for (event, kinds) in receipts.filter_map(|event| event["content"].as_object()).flatten() {
                for user in kinds["m.read"].as_object().into_iter().flat_map(|users| users.keys()) {
                    self.read.insert((room.clone(), user.clone()), event.clone());
                }
            }
        }
        for (room, state) in rooms("invite") {
            let events = state["invite_state"]["events"].as_array().into_iter().flatten();
            let mut ours = events.filter(|event| text(event, "/state_key") == user);
            let inviter = ours.next().map(|event| text(event, "/sender").to_owned());
            self.invitations.insert(room.clone(), inviter.unwrap_or_default());
        }
    }
}

fn percent(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
