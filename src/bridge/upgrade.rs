//! A room was upgraded: another one has taken its place, and the conversation goes on there.

use super::{Bridge, event::Event, join::Join, work::Work};
use crate::{
    failure::Failure,
    matrix,
    store::{Error, Member, Membership, Portal, Tx},
};
use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};

/// Rooms that were upgraded again and again are followed so far.
const LONGEST: usize = 10;

impl Bridge {
    /// Takes what is known of a portal over to its successor, and sends its ghosts there. Where they need an invitation
    /// they come when they get one, as everywhere.
    pub(super) async fn upgraded(
        &self,
        tx: &mut Tx,
        event: &Event<'_>,
        successor: &OwnedRoomId,
        portal: &mut Portal,
        work: &mut Work,
    ) -> Result<(), Error> {
        // Who may not invite people from outside may not send them elsewhere either.
        if *successor == event.room || !self.permissions.may_answer_in(&event.room, &event.sender, &self.ghosts.server)
        {
            return Ok(());
        }
        tx.succeed(&event.room, successor).await?;
        let there = tx.portals(&[successor]).await?.remove(successor).unwrap_or_default();
        // Who has not come yet gets first what was said here since the invitation.
        let joined = self.ghosts_in(portal).filter(|(_, membership)| *membership == Membership::Join);
        let ghosts: Vec<OwnedUserId> = joined.map(|(ghost, _)| ghost.to_owned()).collect();
        for ghost in ghosts {
            portal.members.remove(&ghost);
            tx.remove_member(&event.room, &ghost).await?;
            if !there.members.contains_key(&ghost) {
                let member = Member { membership: Membership::Invite, name: None };
                tx.set_member(successor, &ghost, &member).await?;
            }
            let join = Join {
                room: successor.clone(),
                ghost,
                invitation: event.id.clone(),
                user: Some(event.sender.clone()),
                parked_after: tx.last_parked(successor).await?,
            };
            work.inbox.push(join.row());
        }
        Ok(())
    }

    /// A ghost that has come to a room goes out of those whose place that has taken.
    pub(super) async fn leave_behind(&self, room: &RoomId, ghost: &UserId) -> Result<(), Failure> {
        for old in self.store.predecessors(room).await? {
            match self.homeserver.intent(ghost).leave(&old, "").await {
                // It has never been there, or has left already.
                Err(matrix::Error::Refused { status: 403 | 404, .. }) => {}
                result => result?,
            }
        }
        Ok(())
    }

    /// The room in which a conversation goes on; `None` where it always was.
    pub(super) async fn successor(&self, room: &RoomId) -> Result<Option<OwnedRoomId>, Failure> {
        let mut newest = None;
        let mut room = room.to_owned();
        for _ in 0..LONGEST {
            let Some(next) = self.store.successor(&room).await? else { break };
            newest = Some(next.clone());
            room = next;
        }
        Ok(newest)
    }
}
