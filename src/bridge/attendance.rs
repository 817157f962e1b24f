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
        if let Some(known) = self.attendance.recall(room) {
            return Ok(known);
        }
        if let Some(known) = self.store.bot_is_in(room).await? {
            self.attendance.remember(room.to_owned(), known);
            return Ok(known);
        }
        let is_in = self.bring_in_bot(room, ghost).await?;
        self.note_bot(room, is_in).await?;
        Ok(is_in)
    }

    pub(super) async fn note_bot(&self, room: &RoomId, is_in: bool) -> Result<(), Failure> {
        let mut tx = self.store.begin().await?;
        tx.set_bot(room, is_in).await?;
        tx.commit().await?;
        self.attendance.remember(room.to_owned(), is_in);
        Ok(())
    }

    async fn bring_in_bot(&self, room: &RoomId, ghost: &UserId) -> Result<bool, Failure> {
        let (bot, ghost_intent) = (self.homeserver.intent(&self.bot), self.homeserver.intent(ghost));
        // Rooms of our own have invited it when they were made, with all their marks.
        if allowed(bot.join(room).await)? {
            return Ok(true);
        }
        // Clients call a chat without a name by all who are in it, but for those whom it names as not counting. Where only
        // others may write that, as in a room to which somebody was invited by their address, the bot stays away.
        let marked = self.mark(room, ghost).await?;
        if !marked && ghost_intent.room_state(room).await?.name.is_none() {
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
