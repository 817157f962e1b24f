//! What people outside are shown of staff: that they write, and what they have read.

use super::{Bridge, Hearer, PATIENCE, typing::Writers};
use crate::{
    failure::Failure,
    ids::LocalUser,
    message::{ReadMark, Typing},
    store::MessageState,
};
use ruma::{EventId, OwnedEventId, OwnedRoomId, OwnedUserId};
use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};
use tokio::time::timeout;

/// Homeservers say that somebody begins and that they stop, and nothing between. Should the end be lost, this is it.
const LONGEST: Duration = Duration::from_secs(120);
/// Readers of whom is known what they were last told to have read.
const READERS: usize = 10_000;

pub(super) struct Outward {
    writers: Writers<OwnedRoomId, OwnedUserId>,
    /// Up to where people outside know that somebody has read.
    read: HashMap<(OwnedRoomId, OwnedUserId), OwnedEventId>,
}

impl Default for Outward {
    fn default() -> Self {
        Self { writers: Writers::new(LONGEST), read: HashMap::new() }
    }
}

impl Outward {
    pub(super) async fn writing(&mut self, bridge: &Bridge, room: &OwnedRoomId, users: &BTreeSet<OwnedUserId>) {
        if !bridge.hearers(room).await.iter().any(|hearer| hearer.typing) {
            return;
        }
        let may = |user: &&OwnedUserId| bridge.permissions.may_answer_in(room, user, &bridge.ghosts.server);
        let users: BTreeSet<OwnedUserId> = users.iter().filter(may).cloned().collect();
        for (user, active) in self.writers.change(room, &users, Instant::now()) {
            tell(bridge, room, &user, active).await;
        }
    }

    pub(super) async fn end_old(&mut self, bridge: &Bridge) {
        for (room, user) in self.writers.end_old(Instant::now()) {
            tell(bridge, &room, &user, false).await;
        }
    }

    /// Only what somebody outside has written themself has an id that they know. A mark on anything else says nothing.
    pub(super) async fn read(&mut self, bridge: &Bridge, room: &OwnedRoomId, user: &OwnedUserId, event: &OwnedEventId) {
        let hearers = bridge.hearers(room).await;
        let hears = |hearer: &Hearer| hearer.read_marks;
        if !hearers.iter().any(hears) || !bridge.permissions.may_answer_in(room, user, &bridge.ghosts.server) {
            return;
        }
        let key = (room.clone(), user.clone());
        if self.read.get(&key) == Some(event) {
            return;
        }
        for (hearer, mark) in marks(bridge, &hearers, user, event).await {
            let port = bridge.connectors.get(hearer.connector);
            let Some(port) = port else { continue };
            in_time(port.show_read(&mark)).await;
        }
        if self.read.len() >= READERS {
            self.read.clear();
        }
        self.read.insert(key, event.clone());
    }
}

async fn marks<'h>(
    bridge: &Bridge,
    hearers: &'h [Hearer],
    user: &OwnedUserId,
    event: &EventId,
) -> Vec<(&'h Hearer, ReadMark)> {
    let crossed = match bridge.store.crossed(&[event]).await {
        Ok(crossed) => crossed,
        Err(error) => {
            tracing::debug!(%error, "what was read cannot be looked up; nobody outside is told");
            return Vec::new();
        }
    };
    let received = crossed.into_iter().filter(|message| message.state == MessageState::Received);
    let mark = |message: crate::store::Message| {
        let is_author = |hearer: &&Hearer| {
            hearer.read_marks && hearer.connector == message.connector && hearer.remote == message.remote_user
        };
        let hearer = hearers.iter().find(is_author)?;
        let reader = LocalUser::new(user.localpart());
        Some((hearer, ReadMark { reader, author: message.remote_user, message: message.remote_message }))
    };
    received.filter_map(mark).collect()
}

async fn tell(bridge: &Bridge, room: &OwnedRoomId, user: &OwnedUserId, active: bool) {
    for hearer in bridge.hearers(room).await.iter().filter(|hearer| hearer.typing) {
        let Some(port) = bridge.connectors.get(hearer.connector) else { continue };
        let typing = Typing { remote: hearer.remote.clone(), local: LocalUser::new(user.localpart()), active };
        in_time(port.show_typing(&typing)).await;
    }
}

/// Nobody is told that this did not work, and nobody misses it.
async fn in_time(telling: impl Future<Output = Result<(), Failure>>) {
    if let Ok(Err(failure)) = timeout(PATIENCE, telling).await {
        tracing::debug!(detail = failure.detail, "people outside were not shown what passes");
    }
}
