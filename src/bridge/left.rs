//! Words that came into a room when the last of the staff had just left it, and the homeserver had not told us: nobody
//! would ever read them there.

use super::{Bridge, event::Event, inbox::own_row};
use crate::{
    failure::Failure,
    matrix::Error,
    store::{Membership, MessageState, NewRow, Portal, now},
};
use ruma::{EventId, OwnedEventId, OwnedRoomId, OwnedUserId, UserId};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// By then what was under way into the room is there.
const AFTERWARDS: Duration = Duration::from_secs(10);

/// The payload of an inbox row of the kind `left`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Left {
    room: OwnedRoomId,
    user: OwnedUserId,
    /// With which they left.
    event: OwnedEventId,
}

impl Bridge {
    /// To look back at a room that all of the staff have left by themselves. In remote rooms others go on talking.
    pub(super) fn left_row(&self, event: &Event<'_>, portal: &Portal, user: &UserId) -> Option<NewRow> {
        let is_empty = portal.members.keys().all(|member| self.is_ours(member));
        if self.is_ours(user) || *user != *event.sender || !is_empty || !self.remote_rooms_in(portal).is_empty() {
            return None;
        }
        let left = Left { room: event.room.clone(), user: user.to_owned(), event: event.id.clone() };
        let source = format!("left {}", event.id);
        let due_at = now() + AFTERWARDS.as_millis() as i64;
        Some(NewRow { due_at, ..own_row("left", source.clone(), source, &event.room, &left) })
    }

    /// Whoever has left is invited again, should words have come after them.
    pub(super) async fn look_after_leaving(&self, left: &Left) -> Result<(), Failure> {
        let Left { room, user, event } = left;
        let members = self.store.members(room).await?;
        let is_there = |(user, membership): &(&OwnedUserId, &Membership)| {
            self.ghosts.is_ghost(user) && **membership == Membership::Join
        };
        let Some((ghost, _)) = members.iter().find(is_there) else { return Ok(()) };
        // Somebody has come back, or a later message has invited them.
        if members.keys().any(|member| !self.is_ours(member)) || !self.has_heard_since(ghost, room, event).await? {
            return Ok(());
        }
        let mut tx = self.store.begin().await?;
        let direct = tx.direct_room(user, ghost).await?.is_some_and(|direct| direct.room == *room);
        tx.commit().await?;
        let intent = self.homeserver.intent(ghost);
        let invited = if direct { intent.invite_to_chat(room, user).await } else { intent.invite(room, user).await };
        match invited {
            // Who was there last has forbidden it.
            Err(Error::Refused { status: 403 | 404, .. }) => Ok(()),
            result => {
                result?;
                self.expect(room, user).await
            }
        }
    }

    async fn has_heard_since(&self, ghost: &UserId, room: &OwnedRoomId, event: &EventId) -> Result<bool, Failure> {
        let since = match self.homeserver.intent(ghost).events_since(room, Some(event)).await {
            Err(Error::Refused { status: 403 | 404, .. }) => return Ok(false),
            since => since?.events,
        };
        let ids: Vec<OwnedEventId> =
            since.iter().filter_map(|event| event.get_field("event_id").ok().flatten()).collect();
        let crossed = self.store.crossed(&ids.iter().map(|id| &**id).collect::<Vec<_>>()).await?;
        Ok(crossed.iter().any(|message| message.state == MessageState::Received))
    }
}
