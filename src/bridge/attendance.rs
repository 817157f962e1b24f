//! The bot in portals, and what portals say of themselves.
//!
//! What becomes of messages the bot tells, not a ghost: clients take whatever somebody sends as a sign that they have
//! read all before it, and so everybody would seem to have read what was only sent.

use super::Bridge;
use crate::{
    failure::Failure,
    matrix::{
        Error,
        marks::{Leads, Mark},
    },
};
use ruma::{RoomId, UserId};

impl Bridge {
    /// Whether the bot can speak in a portal. The first who asks brings it in, should people let it; `ghost` is there.
    pub(super) async fn bot_attends(&self, room: &RoomId, ghost: &UserId) -> Result<bool, Failure> {
        if !self.status_events {
            return Ok(false);
        }
        if let Some(known) = self.known_attendance(room).await? {
            return Ok(known);
        }
        let is_named = async || Ok(self.homeserver.intent(ghost).room_state(room).await?.name.is_some());
        let is_in = self.bring_in_bot(room, ghost, is_named).await?;
        self.note_bot(room, is_in).await?;
        Ok(is_in)
    }

    /// A ghost has just come to a room that others have made: it brings the bot at once. What a ghost writes there of the
    /// room and of the bot later is taken for a sign that it has read all before it, and a real one no longer counts.
    /// `None`: nobody has to note anything.
    pub(super) async fn bring_bot_along(&self, room: &RoomId, ghost: &UserId, is_named: bool) -> Option<bool> {
        if !self.status_events {
            return None;
        }
        let bring = async {
            if self.known_attendance(room).await?.is_some() {
                return Ok(None);
            }
            self.bring_in_bot(room, ghost, async || Ok(is_named)).await.map(Some)
        };
        bring.await.unwrap_or_else(|failure: Failure| {
            // No message waits for it: it is tried again with the first state that is to be shown.
            tracing::debug!(%failure, %room, "the bot is not brought into a room");
            None
        })
    }

    async fn known_attendance(&self, room: &RoomId) -> Result<Option<bool>, Failure> {
        if let Some(known) = self.attendance.recall(room) {
            return Ok(Some(known));
        }
        let known = self.store.bot_is_in(room).await?;
        if let Some(known) = known {
            self.attendance.remember(room.to_owned(), known);
        }
        Ok(known)
    }

    pub(super) async fn note_bot(&self, room: &RoomId, is_in: bool) -> Result<(), Failure> {
        let mut tx = self.store.begin().await?;
        tx.set_bot(room, is_in).await?;
        tx.commit().await?;
        self.attendance.remember(room.to_owned(), is_in);
        Ok(())
    }

    async fn bring_in_bot(
        &self,
        room: &RoomId,
        ghost: &UserId,
        is_named: impl AsyncFnOnce() -> Result<bool, Failure>,
    ) -> Result<bool, Failure> {
        let (bot, ghost_intent) = (self.homeserver.intent(&self.bot), self.homeserver.intent(ghost));
        // Rooms of our own have invited it when they were made, with all their marks.
        if allowed(bot.join(room).await)? {
            return Ok(true);
        }
        // Clients call a chat without a name by all who are in it, but for those whom it names as not counting. Where only
        // others may write that, as in a room to which somebody was invited by their address, the bot stays away.
        if !self.mark(room, ghost).await? && !is_named().await? {
            return Ok(false);
        }
        Ok(allowed(ghost_intent.invite(room, &self.bot).await)? && allowed(bot.join(room).await)?)
    }

    /// Whether the room lets the ghost say what it is.
    async fn mark(&self, room: &RoomId, ghost: &UserId) -> Result<bool, Failure> {
        for mark in self.marks(ghost) {
            if !allowed(self.homeserver.intent(ghost).set_mark(room, &mark).await)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What the portal of a ghost says of itself.
    pub(super) fn marks(&self, ghost: &UserId) -> Vec<Mark> {
        let Some((network, remote)) = self.remote_of(ghost) else { return Vec::new() };
        Leads { bot: &self.bot, ghost, network, to: remote.address() }.marks()
    }
}

/// `false`: the homeserver does not let us do this.
fn allowed(result: Result<(), Error>) -> Result<bool, Error> {
    match result {
        Ok(()) => Ok(true),
        Err(Error::Refused { status: 403 | 404, .. }) => Ok(false),
        Err(error) => Err(error),
    }
}
