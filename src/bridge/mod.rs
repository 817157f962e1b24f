//! Between the homeserver and the networks. Names no network and speaks no protocol.

mod again;
mod arrival;
mod attendance;
mod audience;
mod awaited;
mod change;
mod changed;
mod command;
mod company;
mod crowd;
mod delivery;
mod depth;
mod draft;
mod edit;
mod event;
mod ghost;
mod hold;
mod identity;
mod inbox;
mod join;
mod language;
mod late;
mod left;
mod limit;
mod looks;
mod lookup;
mod new_room;
mod notice;
mod original;
mod outbox;
mod outgoing;
mod passing;
mod permission;
mod place;
mod poison;
mod portal;
mod quote;
mod reaction;
mod receipt;
mod reconcile;
mod relay;
mod remote_room;
mod router;
mod status;
mod subject;
mod texts;
mod unreact;
mod upgrade;
mod users;
mod version;
mod work;
mod worker;

pub use changed::Changed;
pub use depth::{Counted, Depths};
pub use event::Untold;
pub use ghost::GhostIds;
pub use identity::Claim;
pub use limit::Limits;
pub use lookup::Person;
pub use notice::Notice;
pub use passing::Passing;
pub use permission::{Level, Permissions};
pub use reconcile::Reconcile;
pub use remote_room::Location;
pub use status::Statuses;
pub use texts::{Language, Text};
pub use worker::LEASE;

use crate::{
    connector::{Connector, Network},
    matrix::{Federation, Homeserver},
    memory::Memory,
    store::{Queue, Store},
    supervise::keep_alive,
};
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, UserId};
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Everything that a step of the bridge may need. Built once at start, shared by all tasks.
pub struct Bridge {
    pub store: Store,
    pub homeserver: Homeserver,
    pub federation: Federation,
    pub connectors: BTreeMap<&'static str, Arc<dyn Connector>>,
    /// Those of the connectors.
    pub networks: BTreeMap<&'static str, Network>,
    pub ghosts: GhostIds,
    pub bot: OwnedUserId,
    pub permissions: Permissions,
    pub limits: Limits,
    /// Of those who have chosen no other.
    pub language: Language,
    /// A row that could not be done for this long is given up.
    pub give_up: Duration,
    /// Members of staff, whether they exist, and when that was found out.
    pub users: Memory<OwnedUserId, (bool, Instant)>,
    /// Ghosts that exist, with their names.
    pub known_ghosts: Memory<OwnedUserId, String>,
    /// When it was last found out what they look like, in milliseconds since 1970.
    pub looks: Memory<OwnedUserId, i64>,
    /// Occasions on which was said what is said only once.
    pub said: Memory<String, ()>,
    pub reconcile: Reconcile,
    /// Whether clients are told of each message that went out, and not only of those that did not.
    pub status_events: bool,
    pub statuses: Statuses,
    pub attendance: Memory<OwnedRoomId, bool>,
    /// Events that have ended a step of the program, and how often.
    pub poison: Memory<OwnedEventId, u32>,
    pub depths: Depths,
    pub passing: Passing,
}

impl Bridge {
    /// Whether an event of this user is the echo of something that we did ourselves.
    fn is_ours(&self, user: &UserId) -> bool {
        *user == self.bot || self.ghosts.is_ghost(user)
    }

    /// Whether a user of our namespace could be written to.
    pub fn stands_for_somebody(&self, user: &UserId) -> bool {
        *user == self.bot || self.remote_of(user).is_some()
    }

    /// Works off both queues and watches the homeserver until `stop`; then lets what is under way finish. `id`: of our
    /// registration.
    pub async fn work(self: Arc<Self>, id: String, stop: CancellationToken) {
        let mut workers = JoinSet::new();
        workers.spawn(worker::run(self.clone(), Queue::Outbox, stop.clone()));
        workers.spawn(worker::run(self.clone(), Queue::Inbox, stop.clone()));
        workers.spawn(status::run(self.clone(), stop.clone()));
        workers.spawn(passing::run(self.clone(), stop.clone()));
        let (bridge, looking) = (self.clone(), stop.clone());
        workers.spawn(async move {
            let look = || reconcile::look_for_invitations(bridge.clone(), looking.clone());
            keep_alive("invitations", &looking, look).await.unwrap_or_default()
        });
        let (bridge, watched) = (self.clone(), stop.clone());
        workers.spawn(async move {
            let watch = || reconcile::watch(bridge.clone(), id.clone(), watched.clone());
            keep_alive("watch", &watched, watch).await.unwrap_or_default()
        });
        workers.spawn(async move {
            let go_round = || reconcile::go_round(self.clone(), stop.clone());
            keep_alive("reconcile", &stop, go_round).await.unwrap_or_default()
        });
        while workers.join_next().await.is_some() {}
    }
}
