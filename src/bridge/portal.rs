//! The room in which an arrival belongs.

use super::Bridge;
use crate::{
    failure::Failure,
    message::Arrival,
    store::{Member, Membership, now},
};
use ruma::{OwnedRoomId, RoomId, UserId};
use std::time::Instant;

impl Bridge {
    /// First hit wins: the thread that it answers, the pair's direct room, a room of just these two, a new direct
    /// room. A thread counts only where the sender and the addressed member of staff both are: it proves nothing by
    /// itself. `again`: an earlier attempt may have made the room already.
    pub(super) async fn room_for(
        &self,
        connector: &str,
        arrival: &Arrival,
        staff: &UserId,
        ghost: &UserId,
        again: bool,
    ) -> Result<OwnedRoomId, Failure> {
        let places = self.store.places(connector, &arrival.answers, staff, ghost).await?;
        if let Some(room) = places.thread {
            return Ok(room);
        }
        if let Some((room, standing)) = places.direct {
            if standing.is_none() {
                // They have left: the room must not become a dead one.
                self.homeserver.intent(ghost).invite(&room, staff).await?;
                self.expect(&room, staff).await?;
            }
            return Ok(room);
        }
        if let Some(room) = self.store.room_of_two(staff, ghost).await? {
            return Ok(room);
        }
        self.new_direct_room(staff, ghost, again).await
    }

    async fn new_direct_room(&self, staff: &UserId, ghost: &UserId, again: bool) -> Result<OwnedRoomId, Failure> {
        let intent = self.homeserver.intent(ghost);
        let began = Instant::now();
        let made = if again { intent.direct_room_made_for(staff).await? } else { None };
        let room = match made {
            Some(room) => room,
            None => intent.create_direct_room(staff).await?,
        };
        let mut tx = self.store.begin().await?;
        tx.open_portal(&room).await?;
        // Everything in it is for us.
        tx.begin_reading(&room, "", now()).await?;
        tx.set_direct(&room, staff, ghost).await?;
        tx.set_member(&room, ghost, &Member { membership: Membership::Join, name: None }).await?;
        // Should they have accepted already, then their name is known and stays.
        if !tx.portals(&[&*room]).await?.get(&room).is_some_and(|portal| portal.members.contains_key(staff)) {
            tx.set_member(&room, staff, &Member { membership: Membership::Invite, name: None }).await?;
        }
        tx.commit().await?;
        self.reconcile.doubt.note_read(&room, began);
        Ok(room)
    }

    /// Notes that somebody was invited by us: our own invitations are not pushed to the router.
    async fn expect(&self, room: &RoomId, staff: &UserId) -> Result<(), Failure> {
        let mut tx = self.store.begin().await?;
        tx.set_member(room, staff, &Member { membership: Membership::Invite, name: None }).await?;
        Ok(tx.commit().await?)
    }
}
