//! Fehmarn carries messages between Matrix and people who are not on Matrix.
//!
//! | module | subject |
//! |---|---|
//! | [`http`] | what the homeserver pushes and asks; what clients ask |
//! | [`bridge`] | routing, the two queues' workers, portals, ghosts, notices, reading back |
//! | [`matrix`] | requests to the homeserver, Matrix's forms of a message |
//! | [`store`] | the only SQL |
//! | [`connector`] | the port: what a network must offer; [`connectors`]: the networks |
//! | [`message`], [`ids`], [`failure`] | the words that all of them share |
//! | [`language`] | the sentences that people read |
//! | [`metrics`], [`log`], [`supervise`] | what operators see; parts that a fault has ended are begun anew |
//! | [`tls`] | the way to a network's server, plain or encrypted |
//! | [`memory`] | what was looked up not long ago |
//! | [`yaml`], [`config`], [`command`] | configuration and command line |
//!
//! Two lines, two durable tables, and nothing else that moves messages:
//!
//! ```text
//! homeserver -> http/transactions -> bridge/router -> [outbox] -> bridge/worker -> connector
//! connector  -> [inbox] -> bridge/worker -> matrix/intent -> homeserver
//! ```
//!
//! Nobody acknowledges before the commit; no network call stands inside a database transaction; every step may run
//! twice.

#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod bridge;
pub mod command;
pub mod config;
pub mod connector;
pub mod connectors;
pub mod failure;
pub mod http;
pub mod ids;
pub mod language;
pub mod log;
pub mod matrix;
pub mod memory;
pub mod message;
pub mod metrics;
pub mod store;
pub mod supervise;
pub mod tls;
pub mod yaml;

use bridge::{Bridge, Depths, GhostIds, Passing, Reconcile, Statuses};
use config::Config;
use connector::{Inbox, Network};
use http::{Clients, MetricsSettings, Readiness, Settings, Site, Watch};
use matrix::{Federation, Homeserver, Registration};
use memory::Memory;
use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};
use store::{Queue, Store};
use supervise::keep_alive;
use tokio::{net::TcpListener, task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;
use yaml::environment;

/// What was taken in is recognised as a repeat for this long.
const SEEN_FOR: Duration = Duration::from_secs(30 * 86_400);
/// A reaction that no message has told of for this long means nothing any more.
const REACTIONS_FOR: Duration = Duration::from_secs(7 * 86_400);
const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(3600);
/// Until then a clock that was set has no effect at all.
const CLOCK_EVERY: Duration = Duration::from_secs(2);
const GREETING_EVERY: Duration = Duration::from_secs(3);

/// What ends Fehmarn, or keeps it from starting. The text is for the admin.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Config(#[from] yaml::Error),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Matrix(#[from] matrix::Error),
    #[error("cannot listen on {0}: {1}; is Fehmarn running already? Else change appservice.listen and appservice.url")]
    Listen(std::net::SocketAddr, std::io::Error),
    #[error("cannot listen on {0} for clients: {1}; change identity.listen and the reverse proxy")]
    ListenForClients(std::net::SocketAddr, std::io::Error),
    #[error("cannot listen on {0} for Prometheus: {1}; change metrics.listen")]
    ListenForMetrics(std::net::SocketAddr, std::io::Error),
    #[error("{0} stopped: {1}")]
    Stopped(String, String),
}

/// The parts of Fehmarn, before anything runs.
pub struct Fehmarn {
    pub config: Config,
    pub registration: Registration,
    pub bridge: Arc<Bridge>,
}

impl Fehmarn {
    /// Reads the configuration and opens the database.
    pub async fn open(config: &Path) -> Result<Self, Error> {
        let config = Config::open(config, connectors::KINDS, &environment)?;
        let registration = Registration::open(&config.registration)?;
        let store = Store::open(config.database.expose()).await?;
        Self::assemble(config, registration, store)
    }

    /// Puts the parts together.
    pub fn assemble(config: Config, registration: Registration, store: Store) -> Result<Self, Error> {
        let homeserver = Homeserver::new(&config.homeserver.url, registration.as_token.clone())?;
        let federation = config.identity.as_ref().and_then(|identity| identity.federation_url.as_deref());
        let bridge = Bridge {
            store,
            federation: Federation::new(homeserver.clone(), federation.unwrap_or(&config.homeserver.url)),
            homeserver,
            connectors: config.connectors.clone(),
            networks: networks(&config),
            ghosts: GhostIds {
                prefix: config.appservice.prefix.clone(),
                server: config.homeserver.server_name.clone(),
                connectors: connectors::KINDS.iter().map(|kind| kind.name).collect(),
            },
            bot: config.bot.clone(),
            permissions: config.permissions.clone(),
            limits: config.limits,
            language: config.language,
            give_up: config.give_up,
            users: Memory::default(),
            known_ghosts: Memory::default(),
            looks: Memory::default(),
            said: Memory::default(),
            reconcile: Reconcile::default(),
            status_events: config.status_events,
            statuses: Statuses::default(),
            attendance: Memory::default(),
            poison: Memory::default(),
            depths: Depths::default(),
            passing: Passing::default(),
        };
        Ok(Self { config, registration, bridge: Arc::new(bridge) })
    }

    /// Runs until `stop`. Returns within ten seconds after it.
    pub async fn run(self, stop: CancellationToken) -> Result<(), Error> {
        let listen = self.config.appservice.listen;
        let listener = TcpListener::bind(listen).await.map_err(|error| Error::Listen(listen, error))?;
        for queue in [Queue::Outbox, Queue::Inbox] {
            let rows = self.bridge.store.release_leases(queue, bridge::LEASE).await?;
            if rows > 0 {
                tracing::info!(queue = queue.table(), rows, "going on with what was under way when the last run ended");
            }
        }
        let rows = self.bridge.store.bring_near().await?;
        if rows > 0 {
            tracing::warn!(rows, "the clock was put back since these were to be done; they are done now");
        }
        let id = self.registration.id.clone();
        let site =
            Site { bridge: self.bridge.clone(), registration: self.registration, readiness: Readiness::default() };
        let mut tasks = JoinSet::new();
        let http = http::serve(listener, Arc::new(site), stop.clone());
        tasks.spawn(async move {
            http.await;
            Ok(())
        });
        tasks.spawn(greet_and_work(self.bridge.clone(), id, stop.clone()));
        let (store, stopping) = (self.bridge.store.clone(), stop.clone());
        tasks.spawn(async move {
            let keep_house = || keep_house(store.clone(), stopping.clone());
            keep_alive("housekeeping", &stopping, keep_house).await.unwrap_or(Ok(()))
        });
        let (store, stopping) = (self.bridge.store.clone(), stop.clone());
        tasks.spawn(async move {
            let follow = || follow_clock(store.clone(), stopping.clone());
            keep_alive("clock", &stopping, follow).await.unwrap_or(Ok(()))
        });
        if let Some(settings) = &self.config.metrics {
            serve_metrics(&mut tasks, self.bridge.clone(), settings, stop.clone()).await?;
        }
        if let Some(settings) = self.config.identity.clone() {
            serve_clients(&mut tasks, self.bridge.clone(), settings, stop.clone()).await?;
        }
        for (name, connector) in &self.config.connectors {
            let inbox = Inbox::new(name, self.bridge.store.clone(), self.bridge.clone());
            let (name, connector, stop) = (*name, connector.clone(), stop.clone());
            tasks.spawn(async move {
                let run = || connector.run(inbox.clone(), stop.clone());
                let ended = keep_alive(name, &stop, run).await.unwrap_or(Ok(()));
                ended.map_err(|failure| Error::Stopped(name.into(), failure.detail))
            });
        }
        tracing::info!(%listen, "listening for the homeserver");
        wait_for_all(tasks, stop).await
    }
}

fn networks(config: &Config) -> BTreeMap<&'static str, Network> {
    let configured = connectors::KINDS.iter().filter(|kind| config.connectors.contains_key(kind.name));
    configured.map(|kind| (kind.name, kind.network)).collect()
}

/// Waits until every task has ended; the first that fails stops the others.
async fn wait_for_all(mut tasks: JoinSet<Result<(), Error>>, stop: CancellationToken) -> Result<(), Error> {
    let mut result = Ok(());
    while let Some(ended) = tasks.join_next().await {
        let ended = ended.unwrap_or_else(|fault| Err(Error::Stopped("a part of Fehmarn".into(), fault.to_string())));
        if let Err(error) = ended {
            stop.cancel();
            if result.is_ok() {
                result = Err(error);
            }
        }
    }
    result
}

/// Serves those who come through the reverse proxy.
async fn serve_clients(
    tasks: &mut JoinSet<Result<(), Error>>,
    bridge: Arc<Bridge>,
    settings: Settings,
    stop: CancellationToken,
) -> Result<(), Error> {
    let listen = settings.listen;
    let failed = move |error| Error::ListenForClients(listen, error);
    let listener = TcpListener::bind(listen).await.map_err(failed)?;
    let store = bridge.store.clone();
    tasks.spawn(hash_all_ghosts(bridge.clone(), stop.clone()));
    tasks.spawn(forget_old_tokens(store, stop.clone()));
    let clients = http::serve_clients(listener, Arc::new(Clients::new(bridge, settings)), stop);
    tasks.spawn(async move {
        clients.await;
        Ok(())
    });
    tracing::info!(%listen, "listening for clients");
    Ok(())
}

async fn serve_metrics(
    tasks: &mut JoinSet<Result<(), Error>>,
    bridge: Arc<Bridge>,
    settings: &MetricsSettings,
    stop: CancellationToken,
) -> Result<(), Error> {
    let listen = settings.listen;
    let failed = move |error| Error::ListenForMetrics(listen, error);
    let listener = TcpListener::bind(listen).await.map_err(failed)?;
    let metrics = http::serve_metrics(listener, Arc::new(Watch::new(bridge)), stop);
    tasks.spawn(async move {
        metrics.await;
        Ok(())
    });
    tracing::info!(%listen, "listening for Prometheus");
    Ok(())
}

/// Those from before there was an identity service may be many; later ones are taken care of when somebody asks.
async fn hash_all_ghosts(bridge: Arc<Bridge>, stop: CancellationToken) -> Result<(), Error> {
    while !stop.is_cancelled() {
        match bridge.hash_new_ghosts().await {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                tracing::warn!(%error, "cannot hash addresses now; later, when somebody looks for one");
                break;
            }
        }
    }
    Ok(())
}

async fn forget_old_tokens(store: Store, stop: CancellationToken) -> Result<(), Error> {
    while stop.run_until_cancelled(sleep(HOUSEKEEPING_EVERY)).await.is_some() {
        if let Err(error) = store.forget_tokens(store::now() - http::TOKENS_FOR_MS).await {
            tracing::warn!(%error, "cannot forget old tokens");
        }
    }
    Ok(())
}

/// Waits for the homeserver and works, and shows it that we are there.
async fn greet_and_work(bridge: Arc<Bridge>, id: String, stop: CancellationToken) -> Result<(), Error> {
    while let Err(error) = greet(&bridge).await {
        tracing::warn!(%error, "waiting for the homeserver");
        if stop.run_until_cancelled(sleep(GREETING_EVERY)).await.is_none() {
            return Ok(());
        }
    }
    tokio::join!(bridge.clone().work(id.clone(), stop.clone()), show_ourselves(&bridge, &id, &stop));
    Ok(())
}

async fn greet(bridge: &Bridge) -> Result<(), matrix::Error> {
    let bot = bridge.homeserver.intent(&bridge.bot);
    bot.exist().await?;
    // Nothing waits for a name. Synapse (1.163) carries it into all rooms of its user in the background; if it was killed
    // meanwhile, it answers 500 to whoever sets a name, for minutes ("Expected at most one task to cancel").
    if let Err(error) = bot.keep_name("Fehmarn").await {
        tracing::warn!(%error, "the name of the bot is not set; at the next start again");
    }
    Ok(())
}

/// The ping makes the homeserver send at once what it has kept back while we were away. Nothing waits for that: a Synapse
/// (1.163) whose connection a crash of ours has cut answers 502 for minutes ("Tried to cancel an already-called event"),
/// and what goes to it gets there all the same.
async fn show_ourselves(bridge: &Bridge, id: &str, stop: &CancellationToken) {
    loop {
        match bridge.homeserver.ping(id).await {
            Ok(took) => {
                tracing::info!(milliseconds = took.as_millis() as u64, "the homeserver reaches us");
                return;
            }
            Err(error) => tracing::warn!(%error, "the homeserver does not reach us yet"),
        }
        if stop.run_until_cancelled(sleep(GREETING_EVERY)).await.is_none() {
            return;
        }
    }
}

async fn follow_clock(store: Store, stop: CancellationToken) -> Result<(), Error> {
    // What somebody was about to write while the clock was set.
    let mut was_set = false;
    let mut moving = None;
    while stop.run_until_cancelled(sleep(CLOCK_EVERY)).await.is_some() {
        let followed = stop.run_until_cancelled(store.follow_clock(&mut moving, bridge::LEASE)).await;
        let Some(followed) = followed else { break };
        let followed = match followed {
            Ok(None) if was_set => store.bring_near().await.map(|_| was_set = false),
            Ok(None) => Ok(()),
            Ok(Some(jump)) => {
                was_set = true;
                let (seconds, way) = (jump.unsigned_abs() / 1000, if jump > 0 { "forward" } else { "back" });
                tracing::warn!(seconds, way, "the machine's clock was set; what waits goes on waiting as before");
                Ok(())
            }
            Err(error) => Err(error),
        };
        if let Err(error) = followed {
            tracing::warn!(%error, "cannot follow the machine's clock; trying again");
        }
    }
    Ok(())
}

async fn keep_house(store: Store, stop: CancellationToken) -> Result<(), Error> {
    while stop.run_until_cancelled(sleep(HOUSEKEEPING_EVERY)).await.is_some() {
        if let Err(error) = forget_old_events(&store).await {
            tracing::warn!(%error, "cannot forget old events");
        }
        if let Err(error) = store.forget_notices(store::now() - SEEN_FOR.as_millis() as i64).await {
            tracing::warn!(%error, "cannot forget old notices");
        }
        if let Err(error) = store.forget_reactions(store::now() - REACTIONS_FOR.as_millis() as i64).await {
            tracing::warn!(%error, "cannot forget old reactions");
        }
    }
    Ok(())
}

/// Never what may be read back again: it would be new once more.
async fn forget_old_events(store: &Store) -> Result<u64, store::Error> {
    let old = store::now() - SEEN_FOR.as_millis() as i64;
    let read_back = store.oldest_reading().await?.unwrap_or(old);
    store.forget_seen(old.min(read_back)).await
}
