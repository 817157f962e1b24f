//! A homeserver in memory: just enough of the client-server API for an application service, and as fast as it can be.
//! Where Synapse 1.163 has a habit that matters to an application service, it has the same.

mod answers;
mod call;
mod outage;
mod profiles;
mod push;
mod world;

use super::tally::Tally;
use axum::{Router, extract::Request, response::Response, serve::ListenerExt};
pub use call::segment;
use call::{Call, Reply};
pub use outage::Power;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, OnceLock, atomic::AtomicBool},
};
use tokio::{
    net::TcpListener,
    sync::{Notify, watch},
};
use world::{Put, World};
pub use world::{Transactions, ghost, room, speak, staff};

/// How the homeserver and the application service know each other: `registration.yaml`.
#[derive(Clone, Debug)]
pub struct Registration {
    pub url: String,
    pub as_token: String,
    pub hs_token: String,
    pub sender_localpart: String,
}

pub struct Homeserver {
    pub address: SocketAddr,
    /// Messages that ghosts have sent.
    tally: Arc<Tally>,
    world: Mutex<World>,
    requests: Mutex<Requests>,
    registration: OnceLock<Registration>,
    queued: Notify,
    power: watch::Sender<Power>,
    forgetful: AtomicBool,
    http: reqwest::Client,
}

/// What the application service asked for.
#[derive(Clone, Default)]
pub struct Requests {
    pub by_kind: BTreeMap<&'static str, usize>,
    pub unknown: BTreeSet<String>,
}

impl Homeserver {
    pub async fn start(tally: Arc<Tally>) -> anyhow::Result<Arc<Self>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let homeserver = Arc::new(Self {
            address: listener.local_addr()?,
            tally,
            world: Mutex::default(),
            requests: Mutex::default(),
            registration: OnceLock::new(),
            queued: Notify::new(),
            power: watch::Sender::new(Power::Up),
            forgetful: AtomicBool::new(false),
            http: reqwest::Client::builder().no_proxy().build()?,
        });
        let state = homeserver.clone();
        let app = Router::new().fallback(move |request: Request| handle(state.clone(), request));
        let listener = listener.tap_io(|stream| {
            // Without it an answer may wait for the 40 ms of a delayed acknowledgement.
            let _ = stream.set_nodelay(true);
        });
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(homeserver)
    }

    /// Makes the application service known. It is only told of events after [`begin`](Self::begin).
    pub fn register(&self, registration: Registration) {
        self.registration.get_or_init(|| registration);
    }

    pub fn begin(self: &Arc<Self>) {
        tokio::spawn(self.clone().push());
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A room of one member of staff, who invites the ghost of the person outside.
    pub fn open_room(&self, pair: usize) {
        let mut world = self.world();
        world.create_room(&room(pair), &staff(pair), &serde_json::json!({}));
        world.invite_directly(&room(pair), &staff(pair), &ghost(pair));
        self.queued.notify_one();
    }

    pub fn has_joined(&self, pair: usize) -> bool {
        self.world().is_joined(&room(pair), &ghost(pair))
    }

    /// The member of staff of a pair writes.
    pub fn say(&self, pair: usize, text: &str) {
        let content = serde_json::json!({"msgtype": "m.text", "body": text});
        self.world().put(Put::message(&room(pair), "m.room.message", &staff(pair), content));
        self.queued.notify_one();
    }

    /// How many messages of staff the application service has not accepted.
    pub fn unaccepted(&self) -> usize {
        self.world().unaccepted()
    }

    /// How many rooms there are besides those of [`open_room`](Self::open_room).
    pub fn further_rooms(&self) -> usize {
        self.world().further_rooms()
    }

    /// The rooms, and everything that was written there, in order.
    pub fn histories(&self) -> Vec<(String, Vec<Arc<str>>)> {
        self.world().rooms.iter().map(|(id, room)| (id.clone(), room.timeline.clone())).collect()
    }

    pub fn transactions(&self) -> Transactions {
        self.world().transactions
    }

    pub fn requests(&self) -> Requests {
        self.requests.lock().expect("lock").clone()
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().expect("lock")
    }

    fn count(&self, kind: &'static str, call: &Call) {
        let mut requests = self.requests.lock().expect("lock");
        *requests.by_kind.entry(kind).or_default() += 1;
        if kind == answers::UNKNOWN {
            requests.unknown.insert(format!("{} {}", call.method, call.path.join("/")));
        }
    }
}

async fn handle(homeserver: Arc<Homeserver>, request: Request) -> Response {
    let Some(call) = Call::read(request).await else {
        return Reply::error(413, "M_TOO_LARGE", "the body is too large").into_response();
    };
    let authorised = match homeserver.registration.get() {
        Some(registration) => call.token == registration.as_token,
        None => false,
    };
    let (kind, reply) = match call.segments().as_slice() {
        ["_matrix", "client", "versions"] => ("GET versions", answers::versions()),
        // Open to everybody in the specification, and in Synapse as it comes.
        ["_matrix", "client", "v3", "profile", user, ..] if call.method == "GET" => {
            ("GET profile", homeserver.profile(user, call.path.get(5).map(String::as_str)))
        }
        _ if !authorised => {
            ("without a valid token", Reply::error(401, "M_UNKNOWN_TOKEN", "not the token that is known"))
        }
        ["_matrix", "client", "v1", "appservice", _, "ping"] => ("POST ping", homeserver.ping(&call).await),
        ["_matrix", "client", "v3", "sync"] => ("GET sync", homeserver.sync(&call).await),
        _ => homeserver.answer(&call),
    };
    homeserver.count(kind, &call);
    reply.into_response()
}
