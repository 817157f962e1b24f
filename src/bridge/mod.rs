//! Between the homeserver and the networks. Names no network and speaks no protocol.

mod again;
mod arrival;
mod attendance;
mod change;
mod command;
mod company;
mod delivery;
mod draft;
mod edit;
mod event;
mod ghost;
mod hold;
mod identity;
mod inbox;
mod join;
mod language;
mod limit;
mod lookup;
mod memory;
mod new_room;
mod notice;
mod original;
mod outbox;
mod permission;
mod place;
mod portal;
mod quote;
mod reaction;
mod receipt;
mod reconcile;
mod remote_room;
mod router;
mod status;
mod texts;
mod upgrade;
mod users;
mod work;
mod worker;

pub use event::Untold;
pub use ghost::GhostIds;
pub use identity::Claim;
pub use limit::Limits;
pub use lookup::Person;
pub use memory::Memory;
pub use notice::Notice;
pub use permission::{Level, Permissions};
pub use reconcile::Reconcile;
pub use remote_room::Location;
pub use status::Statuses;
pub use texts::{Language, Text};

use crate::{
    connector::{Connector, Network},
    matrix::{Federation, Homeserver},
    store::{Queue, Store},
};
use ruma::{OwnedRoomId, OwnedUserId, UserId};
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
    /// Occasions on which was said what is said only once.
    pub said: Memory<String, ()>,
    pub reconcile: Reconcile,
    /// Whether clients are told of each message that went out, and not only of those that did not.
    pub status_events: bool,
    pub statuses: Statuses,
    pub attendance: Memory<OwnedRoomId, bool>,
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
        workers.spawn(reconcile::watch(self.clone(), id, stop.clone()));
        workers.spawn(reconcile::go_round(self.clone(), stop.clone()));
        while workers.join_next().await.is_some() {}
    }
}
