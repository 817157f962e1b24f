//! Rooms that ghosts make for what arrives.

use super::{Bridge, Text, company::Company};
use crate::{
    failure::{Failure, Reason},
    matrix::NewRoom,
    message::Arrival,
    store::{Member, Membership, now},
};
use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};
use std::time::Instant;

impl Bridge {
    /// A room for everyone whom the arrival concerns, named by its subject.
    pub(super) async fn new_group_room(
        &self,
        arrival: &Arrival,
        company: &Company,
        again: bool,
    ) -> Result<OwnedRoomId, Failure> {
        for (ghost, person) in company.outside() {
            if let Some((connector, _)) = self.ghosts.parse(ghost) {
                self.ensure_ghost(connector, person).await?;
            }
        }
        let ghosts = company.outside().map(|(ghost, _)| ghost.to_owned());
        let new = NewRoom {
            made_for: format!("message {}", arrival.message),
            is_direct: false,
            name: arrival.subject.clone(),
            topic: None,
            invite: ghosts.chain(self.bot_if_wanted()).collect(),
            marks: self.marks(&company.sender),
        };
        let began = Instant::now();
        let room = self.make_room(&company.sender, &new, again).await?;
        for (ghost, _) in company.outside() {
            self.homeserver.intent(ghost).join(&room).await?;
        }
        let staff: Vec<&UserId> = company.staff.iter().map(|user| &**user).collect();
        let maker = self.homeserver.intent(&company.sender);
        maker.hand_over(&room, &staff).await?;
        for user in staff {
            maker.invite(&room, user).await?;
        }
        let mut tx = self.store.begin().await?;
        tx.open_portal(&room).await?;
        // Everything in it is for us.
        tx.begin_reading(&room, "", now()).await?;
        tx.set_room_name(&room, arrival.subject.as_deref()).await?;
        for ghost in [&company.sender].into_iter().chain(company.outside().map(|(ghost, _)| ghost)) {
            tx.set_member(&room, ghost, &joined_member()).await?;
        }
        for user in &company.staff {
            tx.expect_member(&room, user).await?;
        }
        tx.commit().await?;
        self.reconcile.doubt.note_read(&room, began);
        Ok(room)
    }

    pub(super) async fn new_direct_room(
        &self,
        staff: &UserId,
        ghost: &UserId,
        again: bool,
    ) -> Result<OwnedRoomId, Failure> {
        let mut tx = self.store.begin().await?;
        let known = tx.direct_room(staff, ghost).await?;
        tx.commit().await?;
        if known.is_some_and(|known| known.is_in_use()) {
            return Err(room_elsewhere());
        }
        let person = self.remote_of(ghost).map(|(_, remote)| remote.address().to_owned());
        let language = self.language_of(staff).await?;
        let new = NewRoom {
            made_for: staff.to_string(),
            is_direct: true,
            // With the bot in it, not every client would call it by the person.
            name: self.store.ghost(ghost).await?.map(|ghost| ghost.name),
            topic: person.map(|person| language.say(&Text::Topic { person: &person })),
            invite: self.bot_if_wanted().into_iter().collect(),
            marks: self.marks(ghost),
        };
        let began = Instant::now();
        let room = self.make_room(ghost, &new, again).await?;
        let mut tx = self.store.begin().await?;
        let other = tx.direct_room(staff, ghost).await?;
        if other.is_some_and(|other| other.is_in_use() && other.room != room) {
            drop(tx);
            // The two have got a direct room while we made this one: theirs counts, and the next attempt finds it.
            self.homeserver.intent(ghost).leave(&room, "").await?;
            return Err(room_elsewhere());
        }
        tx.open_portal(&room).await?;
        // Everything in it is for us.
        tx.begin_reading(&room, "", now()).await?;
        tx.set_direct(&room, staff, ghost).await?;
        tx.set_member(&room, ghost, &joined_member()).await?;
        tx.expect_member(&room, staff).await?;
        tx.commit().await?;
        self.reconcile.doubt.note_read(&room, began);
        // Only now: an invitation cannot be taken back without a trace, and whatever chat they open from here on leads to
        // this room.
        self.bring_to_chat(&room, staff, ghost).await?;
        Ok(room)
    }

    /// Invites a member of staff into their direct room, which a ghost has made. An attempt that has noted the room may
    /// have ended before this.
    pub(super) async fn bring_to_chat(&self, room: &RoomId, staff: &UserId, ghost: &UserId) -> Result<(), Failure> {
        let maker = self.homeserver.intent(ghost);
        maker.hand_over(room, &[staff]).await?;
        Ok(maker.invite_to_chat(room, staff).await?)
    }

    fn bot_if_wanted(&self) -> Option<OwnedUserId> {
        self.status_events.then(|| self.bot.clone())
    }

    async fn make_room(&self, ghost: &UserId, new: &NewRoom, again: bool) -> Result<OwnedRoomId, Failure> {
        let intent = self.homeserver.intent(ghost);
        let made = if again { intent.room_made_for(&new.made_for).await? } else { None };
        match made {
            Some(room) => Ok(room),
            None => Ok(intent.create_room(new).await?),
        }
    }

    /// Notes that somebody was invited by us: our own invitations are not pushed to the router.
    pub(super) async fn expect(&self, room: &RoomId, staff: &UserId) -> Result<(), Failure> {
        let mut tx = self.store.begin().await?;
        tx.expect_member(room, staff).await?;
        Ok(tx.commit().await?)
    }
}

/// The ghost is on its way into a room that the member of staff has made: the next attempt finds it there.
fn room_elsewhere() -> Failure {
    Failure::transient(Reason::Busy, "the two are just getting a direct room in another way")
}

fn joined_member() -> Member {
    Member { membership: Membership::Join, name: None }
}
