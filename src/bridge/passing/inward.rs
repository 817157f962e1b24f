//! Ghosts that write, as the people do for whom they stand.

use super::{Bridge, PATIENCE};
use crate::{failure::Failure, message::Typing, store::Membership};
use ruma::{OwnedRoomId, OwnedUserId};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};
use tokio::time::timeout;

/// Programs say once that somebody begins. Those that never say the end are helped by this.
const LONGEST: Duration = Duration::from_secs(60);
/// Who goes on writing is shown so for longer.
const RENEWED_AFTER: Duration = Duration::from_secs(20);
/// Somebody's program may change its mind only so often.
const PAUSE: Duration = Duration::from_secs(1);
/// People outside who are shown as writing at the same time.
const AT_ONCE: usize = 10_000;

#[derive(Default)]
pub(super) struct Inward {
    shown: HashMap<(&'static str, Typing), Shown>,
}

struct Shown {
    /// Where, and as whom; `None` once they have stopped.
    as_ghost: Option<(OwnedRoomId, OwnedUserId)>,
    since: Instant,
}

impl Inward {
    pub(super) async fn typing(&mut self, bridge: &Bridge, connector: &'static str, typing: Typing) {
        let active = typing.active;
        let key = (connector, Typing { active: true, ..typing });
        if active { self.begin(bridge, key).await } else { self.end(bridge, &key).await }
    }

    async fn begin(&mut self, bridge: &Bridge, key: (&'static str, Typing)) {
        let pause = |shown: &Shown| if shown.as_ghost.is_some() { RENEWED_AFTER } else { PAUSE };
        let too_soon = self.shown.get(&key).is_some_and(|shown| shown.since.elapsed() < pause(shown));
        if too_soon || self.shown.len() >= AT_ONCE {
            return;
        }
        let since = Instant::now();
        let as_ghost = match where_to_show(bridge, key.0, &key.1).await {
            Ok(place) => place,
            Err(failure) => {
                tracing::debug!(detail = failure.detail, "where somebody writes cannot be looked up");
                None
            }
        };
        if let Some((room, ghost)) = &as_ghost {
            show(bridge, room, ghost, Some(LONGEST)).await;
        }
        // Also where there is nothing to show: whoever writes to nobody must not cost a look for each letter.
        self.shown.insert(key, Shown { as_ghost, since });
    }

    async fn end(&mut self, bridge: &Bridge, key: &(&'static str, Typing)) {
        let shown = self.shown.get_mut(key).and_then(|shown| shown.as_ghost.take());
        if let Some((room, ghost)) = shown {
            show(bridge, &room, &ghost, None).await;
        }
    }

    /// The homeserver has ended them by itself.
    pub(super) fn forget_old(&mut self) {
        self.shown.retain(|_, shown| shown.since.elapsed() < LONGEST);
    }
}

/// The room that the two have, if both are there. None is made for this, and no ghost.
async fn where_to_show(
    bridge: &Bridge,
    connector: &str,
    typing: &Typing,
) -> Result<Option<(OwnedRoomId, OwnedUserId)>, Failure> {
    let (Some(ghost), Some(staff)) = (bridge.ghosts.ghost(connector, &typing.remote), bridge.staff_id(&typing.local))
    else {
        return Ok(None);
    };
    let places = bridge.store.places(connector, &[], &staff, &ghost).await?;
    let room = match places.direct {
        Some((room, standing)) => (standing == Some(Membership::Join)).then_some(room),
        None => bridge.store.room_of(&[&staff, &ghost], &ghost).await?,
    };
    Ok(room.map(|room| (room, ghost)))
}

async fn show(bridge: &Bridge, room: &OwnedRoomId, ghost: &OwnedUserId, longest: Option<Duration>) {
    let showing = async { bridge.homeserver.intent(ghost).show_typing(room, longest).await };
    if let Ok(Err(error)) = timeout(PATIENCE, showing).await {
        tracing::debug!(%error, "a ghost cannot be shown as writing");
    }
}
