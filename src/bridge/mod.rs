//! Between the homeserver and the networks. Names no network and speaks no protocol.

mod arrival;
mod change;
mod company;
mod delivery;
mod draft;
mod edit;
mod event;
mod ghost;
mod hold;
mod inbox;
mod join;
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
mod router;
mod texts;
mod users;
mod work;
mod worker;

pub use event::Untold;
pub use ghost::{GhostIds, KnownGhosts};
pub use notice::Notice;
pub use permission::{Level, Permissions};
pub use reconcile::Reconcile;
pub use texts::{Language, Text};
pub use users::Users;

use crate::{
    connector::Connector,
    matrix::Homeserver,
    store::{Queue, Store},
};
use ruma::{OwnedUserId, UserId};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Everything that a step of the bridge may need. Built once at start, shared by all tasks.
pub struct Bridge {
    pub store: Store,
    pub homeserver: Homeserver,
    pub connectors: BTreeMap<&'static str, Arc<dyn Connector>>,
    pub ghosts: GhostIds,
    pub bot: OwnedUserId,
    pub permissions: Permissions,
    pub language: Language,
    /// A row that could not be done for this long is given up.
    pub give_up: Duration,
    pub users: Users,
    pub known_ghosts: KnownGhosts,
    pub reconcile: Reconcile,
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
        workers.spawn(reconcile::watch(self.clone(), id, stop.clone()));
        workers.spawn(reconcile::go_round(self.clone(), stop.clone()));
        while workers.join_next().await.is_some() {}
    }
}
