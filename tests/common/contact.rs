//! Somebody outside who has XMPP: an account on Prosody, and a client that is not ours (slixmpp).

use super::{
    servers,
    wait::{unique, until},
};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
};

pub struct Contact {
    pub address: String,
    client: Child,
    orders: Mutex<ChildStdin>,
    told: Arc<Mutex<Vec<Value>>>,
    reading: Option<JoinHandle<()>>,
}

impl Contact {
    /// With an account that nobody had before, signed in.
    pub async fn new(name: &str) -> Self {
        let xmpp = &servers().xmpp;
        let address = format!("{}@{}", unique(&name.to_lowercase()), xmpp.domain);
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/contact.py");
        let port = xmpp.port.to_string();
        let mut client = Command::new(&xmpp.python)
            .args([program, &address, &servers().password, &servers().host, &port])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (orders, lines) = (Mutex::new(client.stdin.take().unwrap()), BufReader::new(client.stdout.take().unwrap()));
        let told = Arc::new(Mutex::new(Vec::new()));
        let telling = told.clone();
        let reading = std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                telling.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        });
        let contact = Self { address, client, orders, told, reading: Some(reading) };
        contact.wait_for("the session", |told| told["ready"] == true).await;
        contact
    }

    fn order(&self, order: Value) {
        writeln!(self.orders.lock().unwrap(), "{order}").unwrap();
    }

    /// Sends any stanza.
    pub fn send_xml(&self, xml: &str) {
        self.order(json!({ "do": "send", "xml": xml }));
    }

    /// Sends a message with this content; its id.
    pub fn send(&self, to: &str, content: &str) -> String {
        let id = unique("m");
        self.send_xml(&format!("<message to='{to}' id='{id}' type='chat'>{content}</message>"));
        id
    }

    pub fn say(&self, to: &str, words: &str) -> String {
        self.send(to, &format!("<body>{words}</body>"))
    }

    /// Sends words behind all others that are sent so, again and again until there is a receipt for them.
    pub fn say_surely(&self, to: &str, words: &str) {
        let id = unique("m");
        let request = "<request xmlns='urn:xmpp:receipts'/>";
        let xml = format!("<message to='{to}' id='{id}' type='chat'><body>{words}</body>{request}</message>");
        self.order(json!({ "do": "surely", "xml": xml, "id": id }));
    }

    /// The same in a group chat, until the room has said it back.
    pub fn say_surely_to_all(&self, room: &str, words: &str) {
        let id = unique("g");
        let xml = format!("<message to='{room}' id='{id}' type='groupchat'><body>{words}</body></message>");
        self.order(json!({ "do": "surely", "xml": xml, "id": id }));
    }

    /// Goes into a group chat, and again after each new session; all that the room still knows is told then.
    pub fn stay_in(&self, occupant: &str) {
        let history = "<x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='1000'/></x>";
        self.order(json!({ "do": "enter", "xml": format!("<presence to='{occupant}'>{history}</presence>") }));
    }

    /// Asks something; the answer.
    pub async fn ask(&self, to: &str, kind: &str, query: &str) -> Value {
        let id = unique("q");
        self.send_xml(&format!("<iq to='{to}' id='{id}' type='{kind}'>{query}</iq>"));
        self.wait_for(&format!("an answer to {query}"), |told| told["id"] == *id && told["stanza"] == "iq").await
    }

    /// What the client has learned of somebody's program from the hash in their presence (XEP-0115).
    pub async fn capabilities_of(&self, address: &str) -> Vec<String> {
        let known = async || {
            self.order(json!({ "do": "capabilities", "jid": address }));
            let is_known = |told: &Value| told["capabilities"] == address && told["features"] != json!([]);
            let told = self.told();
            let features = told.iter().find(|told| is_known(told))?["features"].as_array()?;
            Some(features.iter().map(|it| it.as_str().unwrap().to_owned()).collect())
        };
        until(&format!("the capabilities of {address}"), known).await
    }

    /// Uploads a file; where it can be fetched.
    pub async fn upload(&self, name: &str, media_type: &str, bytes: &[u8]) -> String {
        let service = format!("upload.{}", servers().xmpp.domain);
        let request = format!(
            "<request xmlns='urn:xmpp:http:upload:0' filename='{name}' size='{}' content-type='{media_type}'/>",
            bytes.len()
        );
        let answer = self.ask(&service, "get", &request).await;
        let slot = answer["xml"].as_str().unwrap();
        let put = between(slot, "put url=\"", "\"").replace("&amp;", "&");
        let mut put = reqwest::Client::new().put(put).header("Content-Type", media_type);
        // Others have it in the address.
        if slot.contains("Authorization") {
            put = put.header("Authorization", between(slot, "name=\"Authorization\">", "<"));
        }
        let answer = put.body(bytes.to_vec()).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
        between(slot, "get url=\"", "\"").replace("&amp;", "&")
    }

    /// What the client has told so far.
    pub fn told(&self) -> Vec<Value> {
        self.told.lock().unwrap().clone()
    }

    /// The messages with words from this address, in order; each id once, as clients show them.
    pub fn messages_from(&self, address: &str) -> Vec<Value> {
        let mut seen = std::collections::BTreeSet::new();
        let mut messages = self.told();
        messages.retain(|told| {
            let is_from = told["sender"].as_str().is_some_and(|sender| sender.split('/').next() == Some(address));
            is_from && told["body"].is_string() && told["type"] != "error" && seen.insert(told["id"].to_string())
        });
        messages
    }

    pub async fn wait_for(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let what = format!("{what} at {}", self.address);
        until(&what, async || self.told.lock().unwrap().iter().find(|told| wanted(told)).cloned()).await
    }

    pub async fn wait_for_words(&self, words: &str) -> Value {
        self.wait_for(&format!("{words:?}"), |told| told["body"] == words).await
    }

    /// Waits for a stanza that contains this.
    pub async fn wait_for_xml(&self, part: &str) -> Value {
        self.wait_for(part, |told| told["xml"].as_str().is_some_and(|xml| xml.contains(part))).await
    }
}

fn between<'t>(text: &'t str, start: &str, end: &str) -> &'t str {
    let rest = text.split_once(start).unwrap_or_else(|| panic!("{start} is not in {text}")).1;
    rest.split_once(end).unwrap().0
}

impl Drop for Contact {
    fn drop(&mut self) {
        let _ = self.client.kill();
        let _ = self.client.wait();
        if let Some(reading) = self.reading.take() {
            let _ = reading.join();
        }
        if std::thread::panicking() {
            eprintln!("--- what {} was told ---", self.address);
            self.told().iter().for_each(|told| eprintln!("{told}"));
        }
    }
}
