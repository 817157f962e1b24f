//! What leaves nothing behind: who is writing at the moment, and what staff have read.
//!
//! None of it is written down, and all of it may be lost. It waits in one bounded line for one task, so that no amount of
//! it delays a message: what finds the line full is dropped.

mod event;
mod inward;
mod outward;
mod typing;

use super::{Bridge, Memory, event::Event};
use crate::{ids::RemoteUserId, message::Typing};
use event::Passed;
use inward::Inward;
use outward::Outward;
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

/// What may wait.
const WAITING: usize = 1024;
/// Of one transaction; a homeserver sends no more than a hundred such events at once, but one can tell of many readers.
const AT_ONCE: usize = 256;
/// Who is in a room is looked up again after this time, should nobody have told us that it changed.
const HEARERS_FOR: Duration = Duration::from_secs(30);
/// In larger rooms nobody outside is told who writes.
const MOST_HEARERS: usize = 20;
/// How often is looked for those who have been writing for too long.
const TICK: Duration = Duration::from_secs(5);
/// Neither a network nor the homeserver is waited for any longer.
const PATIENCE: Duration = Duration::from_secs(5);

enum Job {
    /// Those of the staff who write in a room now; all others have stopped.
    Writing(OwnedRoomId, BTreeSet<OwnedUserId>),
    /// A member of staff has read up to here.
    Read(OwnedRoomId, OwnedUserId, OwnedEventId),
    /// Somebody outside writes, or has stopped.
    Remote(&'static str, Typing),
}

/// Somebody outside who hears of it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Hearer {
    connector: &'static str,
    remote: RemoteUserId,
    typing: bool,
    read_marks: bool,
}

type Hearers = Arc<[Hearer]>;

pub struct Passing {
    jobs: mpsc::Sender<Job>,
    /// Taken by the task.
    waiting: Mutex<Option<mpsc::Receiver<Job>>>,
    hearers: Memory<OwnedRoomId, (Hearers, Instant)>,
}

impl Default for Passing {
    fn default() -> Self {
        let (jobs, waiting) = mpsc::channel(WAITING);
        Self { jobs, waiting: Mutex::new(Some(waiting)), hearers: Memory::default() }
    }
}

impl Passing {
    fn offer(&self, job: Job) {
        // Full: the next word on it says the same or better.
        let _ = self.jobs.try_send(job);
    }

    /// What is known of a room, unless it is too old.
    fn known(&self, room: &OwnedRoomId) -> Option<Hearers> {
        self.hearers.recall(room).filter(|(_, since)| since.elapsed() < HEARERS_FOR).map(|(hearers, _)| hearers)
    }

    /// Somebody has come to a room or left it.
    pub(super) fn changed(&self, room: &OwnedRoomId) {
        self.hearers.forget(room);
    }

    pub(super) fn changed_by(&self, events: &[Event<'_>]) {
        events.iter().filter(|event| event.changes_hearers()).for_each(|event| self.changed(&event.room));
    }

    pub(super) fn remote(&self, connector: &'static str, typing: Typing) {
        self.offer(Job::Remote(connector, typing));
    }
}

impl Bridge {
    /// Takes what the homeserver pushes beside events, each as JSON. Costs no look into the database, and returns at once.
    pub fn take_passing<'j>(&self, events: impl Iterator<Item = &'j str>) {
        let some_hear = |port: &Arc<dyn crate::connector::Connector>| {
            let can = port.capabilities();
            can.typing || can.read_marks
        };
        if !self.connectors.values().any(some_hear) {
            return;
        }
        for passed in events.filter_map(|json| event::read(json, |user| self.is_ours(user))).take(AT_ONCE) {
            let room = passed.room();
            // Nobody hears it there: the common case by far.
            if self.passing.known(room).is_some_and(|hearers| hearers.is_empty()) {
                continue;
            }
            match passed {
                Passed::Writing(room, users) => self.passing.offer(Job::Writing(room, users)),
                Passed::Read(room, read) => {
                    for (user, event) in read.into_iter().take(AT_ONCE) {
                        self.passing.offer(Job::Read(room.clone(), user, event));
                    }
                }
            }
        }
    }

    /// Those outside who hear of what passes in a room.
    async fn hearers(&self, room: &OwnedRoomId) -> Hearers {
        if let Some(known) = self.passing.known(room) {
            return known;
        }
        let since = Instant::now();
        let prefix = format!("@{}", self.ghosts.prefix);
        let ghosts = match self.store.hearers(room, &prefix, MOST_HEARERS + 1).await {
            Ok(ghosts) if ghosts.len() <= MOST_HEARERS => ghosts,
            Ok(_) => Vec::new(),
            Err(error) => {
                tracing::debug!(%error, "who is in a room cannot be looked up; nobody is told who writes there");
                Vec::new()
            }
        };
        let hearer = |ghost: &OwnedUserId| {
            let person = self.remote_of(ghost).filter(|(connector, remote)| !self.is_of_room(connector, remote));
            let (connector, remote) = person?;
            let can = self.connectors.get(connector)?.capabilities();
            let hearer = Hearer { connector, remote, typing: can.typing, read_marks: can.read_marks };
            (can.typing || can.read_marks).then_some(hearer)
        };
        let hearers: Hearers = ghosts.iter().filter_map(hearer).collect();
        self.passing.hearers.remember(room.clone(), (hearers.clone(), since));
        hearers
    }
}

/// Works until `stop`.
pub(super) async fn run(bridge: Arc<Bridge>, stop: CancellationToken) {
    let waiting = bridge.passing.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(mut waiting) = waiting else { return };
    let (mut outward, mut inward) = (Outward::default(), Inward::default());
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            Some(job) = waiting.recv() => match job {
                Job::Writing(room, users) => outward.writing(&bridge, &room, &users).await,
                Job::Read(room, user, event) => outward.read(&bridge, &room, &user, &event).await,
                Job::Remote(connector, typing) => inward.typing(&bridge, connector, typing).await,
            },
            _ = ticks.tick() => {
                outward.end_old(&bridge).await;
                inward.forget_old();
            }
        }
    }
}
