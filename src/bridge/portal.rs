//! The room in which an arrival belongs.

use super::{
    Bridge,
    company::{Company, Fit},
};
use crate::{
    failure::Failure,
    ids::{RemoteMessageId, RemoteUserId},
    matrix::Error,
    message::Arrival,
    store::{Known, Membership, MessageState, Named, Places},
};
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UserId};
use std::collections::BTreeSet;

/// A room for an arrival.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub room: OwnedRoomId,
    /// The root of the Matrix thread in which it belongs.
    pub thread: Option<OwnedEventId>,
    /// The event that the arrival answers, if it is in the room.
    pub answered: Option<OwnedEventId>,
    /// To whom the answered message went, if not to the sender.
    pub meant_for: Option<RemoteUserId>,
    /// Whether there may be others from outside who do not have it.
    pub has_others: bool,
}

/// A room, and the root of a Matrix thread in it.
struct Conversation {
    room: OwnedRoomId,
    thread: Option<OwnedEventId>,
    has_others: bool,
}

impl Bridge {
    /// First hit wins: the thread that it answers, a conversation of the same name, the direct room of the two, a room
    /// of just these people, a new room. A thread counts only where the sender and the addressed member of staff both
    /// are: it proves nothing by itself. `None`: a colleague's copy has brought it into a room of both already.
    /// `again`: an earlier attempt may have made the room.
    pub(super) async fn place_for(
        &self,
        connector: &str,
        arrival: &Arrival,
        staff: &UserId,
        ghost: &UserId,
        again: bool,
    ) -> Result<Option<Place>, Failure> {
        let company = self.company(connector, arrival, staff, ghost).await?;
        let mut asked = arrival.answers.clone();
        asked.extend(company.is_group().then(|| arrival.message.clone()));
        let places = self.store.places(connector, &asked, staff, ghost).await?;
        if has_arrived(arrival, &places) {
            return Ok(None);
        }
        let mut found = self.room_of_thread(arrival, &company, &places, staff).await?;
        if found.is_none() {
            found = self.room_of_subject(arrival, &company, &places).await?;
        }
        if found.is_none() && !company.is_group() && places.direct.is_none() {
            found = self.room_of_habit(&places, staff, ghost).await?;
        }
        let Conversation { room, thread, has_others } = match found {
            Some(conversation) => conversation,
            None => {
                let room = self.room_of_people(arrival, &company, &places, staff, again).await?;
                Conversation { room, thread: None, has_others: false }
            }
        };
        let (answered, meant_for) = (answered(arrival, &places, &room), meant_for(arrival, &places));
        Ok(Some(Place { room, thread, answered, meant_for, has_others }))
    }

    async fn room_of_thread(
        &self,
        arrival: &Arrival,
        company: &Company,
        places: &Places,
        staff: &UserId,
    ) -> Result<Option<Conversation>, Failure> {
        let both = |known: &&Known| known.ghost_is_in && known.staff_is_in;
        for answer in &arrival.answers {
            let Some(known) = places.known.iter().filter(both).find(|known| known.message == *answer) else {
                if let Some(found) = self.room_after_upgrade(company, places, answer).await? {
                    return Ok(Some(found));
                }
                match self.room_without_staff(company, places, answer, staff).await? {
                    Some(found) => return Ok(Some(found)),
                    None => continue,
                }
            };
            // An absence notice tells everybody who waits for an answer; and where nobody is addressed, nobody is left
            // out.
            let audience = self.audience(places, answer);
            let is_here = arrival.automatic
                || !self.connector(&places.connector)?.capabilities().addressed
                || self.fit(company, &known.room, &audience).await? == Fit::Here;
            return Ok(is_here.then(|| Conversation {
                room: known.room.clone(),
                thread: known.thread.clone(),
                has_others: known.has_others,
            }));
        }
        Ok(None)
    }

    /// Where the conversation of a message goes on, should its room have been upgraded.
    async fn room_after_upgrade(
        &self,
        company: &Company,
        places: &Places,
        message: &RemoteMessageId,
    ) -> Result<Option<Conversation>, Failure> {
        let gone = |known: &&Known| known.message == *message && !known.ghost_is_in;
        for known in places.known.iter().filter(gone) {
            let Some(room) = self.successor(&known.room).await? else { continue };
            let members = self.store.members(&room).await?;
            let is_in = |user: &UserId| members.contains_key(user);
            let sender_is_in = members.get(&company.sender) == Some(&Membership::Join);
            let audience = self.audience(places, message);
            if sender_is_in && company.fit(is_in, &audience) == Fit::Here {
                let has_others = members.keys().any(|user| *user != company.sender && self.ghosts.is_ghost(user));
                return Ok(Some(Conversation { room, thread: None, has_others }));
            }
        }
        Ok(None)
    }

    /// A room that all of the staff have left must not become a dead one: whoever is written to is invited again, unless
    /// the two talk elsewhere now.
    async fn room_without_staff(
        &self,
        company: &Company,
        places: &Places,
        message: &RemoteMessageId,
        staff: &UserId,
    ) -> Result<Option<Conversation>, Failure> {
        if places.direct.as_ref().is_some_and(|(_, standing)| standing.is_some()) {
            return Ok(None);
        }
        let left = |known: &&Known| known.message == *message && known.ghost_is_in && !known.staff_is_in;
        for known in places.known.iter().filter(left) {
            let members = self.store.members(&known.room).await?;
            let is_in = |user: &UserId| user == staff || members.contains_key(user);
            let audience = self.audience(places, message);
            if members.keys().any(|user| !self.is_ours(user)) || company.fit(is_in, &audience) != Fit::Here {
                continue;
            }
            match self.homeserver.intent(&company.sender).invite(&known.room, staff).await {
                // People there do not let guests invite.
                Err(Error::Refused { status: 403 | 404, .. }) => continue,
                result => result?,
            }
            self.expect(&known.room, staff).await?;
            let Known { room, thread, has_others, .. } = known.clone();
            return Ok(Some(Conversation { room, thread, has_others }));
        }
        Ok(None)
    }

    async fn fit(&self, company: &Company, room: &RoomId, audience: &BTreeSet<OwnedUserId>) -> Result<Fit, Failure> {
        if !company.is_group() {
            // The two are there, or the room would not have been found.
            return Ok(company.fit(|_| true, audience));
        }
        let members = self.store.members(room).await?;
        Ok(company.fit(|user| members.contains_key(user), audience))
    }

    /// The ghosts of those outside who have sent or got a message.
    fn audience(&self, places: &Places, message: &RemoteMessageId) -> BTreeSet<OwnedUserId> {
        let known = places.known.iter().filter(|known| known.message == *message);
        known.filter_map(|known| self.ghosts.ghost(&places.connector, &known.person)).collect()
    }

    async fn room_of_people(
        &self,
        arrival: &Arrival,
        company: &Company,
        places: &Places,
        staff: &UserId,
        again: bool,
    ) -> Result<OwnedRoomId, Failure> {
        if company.is_group() {
            return match self.store.room_of(&company.all(), &company.sender).await? {
                Some(room) => Ok(room),
                None => self.new_group_room(arrival, company, again).await,
            };
        }
        if let Some((room, standing)) = &places.direct {
            if again && *standing == Some(Membership::Invite) {
                self.bring_to_chat(room, staff, &company.sender).await?;
            }
            if standing.is_none() {
                // They have left: the room must not become a dead one.
                self.homeserver.intent(&company.sender).invite_to_chat(room, staff).await?;
                self.expect(room, staff).await?;
            }
            return Ok(room.clone());
        }
        if let Some(room) = self.store.room_of(&[staff, &company.sender], &company.sender).await? {
            return Ok(room);
        }
        self.new_direct_room(staff, &company.sender, again).await
    }

    /// Where people write to one member of staff only, and so say nothing of a room: where their conversation was last.
    /// A room of their own comes first, since nobody else reads what is written there.
    async fn room_of_habit(
        &self,
        places: &Places,
        staff: &UserId,
        ghost: &UserId,
    ) -> Result<Option<Conversation>, Failure> {
        if self.connector(&places.connector)?.capabilities().addressed {
            return Ok(None);
        }
        let found = self.store.last_conversation(&places.connector, staff, ghost).await?;
        Ok(found.map(|room| Conversation { room, thread: None, has_others: true }))
    }

    /// Answers of programs that name no message; only of those who are who they say.
    async fn room_of_subject(
        &self,
        arrival: &Arrival,
        company: &Company,
        places: &Places,
    ) -> Result<Option<Conversation>, Failure> {
        let port = self.connector(&places.connector)?;
        let Some(subject) = arrival.subject.as_deref().filter(|_| arrival.verified) else { return Ok(None) };
        let subject = port.normal_subject(subject);
        for named in places.named.iter().filter(|named| port.normal_subject(&named.subject) == subject) {
            let is_here = if company.is_group() {
                let members = self.store.members(&named.room).await?;
                let ghosts = members.keys().filter(|user| self.ghosts.is_ghost(user)).cloned().collect();
                company.fits_by_subject(|user| members.contains_key(user), &ghosts)
            } else {
                !named.has_others
            };
            if is_here {
                let Named { room, thread, has_others, .. } = named.clone();
                return Ok(Some(Conversation { room, thread, has_others }));
            }
        }
        Ok(None)
    }
}

/// Whether the copy of a colleague was posted where this member of staff reads it.
fn has_arrived(arrival: &Arrival, places: &Places) -> bool {
    let is_copy = |known: &Known| known.message == arrival.message && known.state == MessageState::Received;
    places.known.iter().any(|known| is_copy(known) && known.person == arrival.from && known.staff_is_in)
}

fn answered(arrival: &Arrival, places: &Places, room: &RoomId) -> Option<OwnedEventId> {
    let here =
        |message: &RemoteMessageId| places.known.iter().find(|known| known.message == *message && known.room == *room);
    arrival.answers.iter().find_map(here).map(|known| known.event.clone())
}

/// An answer to a message of ours that somebody else got: forwarded by them, or worse.
fn meant_for(arrival: &Arrival, places: &Places) -> Option<RemoteUserId> {
    let about = |message: &RemoteMessageId| {
        let message = message.clone();
        places.known.iter().filter(move |known| known.message == message)
    };
    let first = arrival.answers.iter().find(|message| about(message).next().is_some())?;
    let knows = about(first).any(|known| known.ghost_is_in || known.person == arrival.from);
    let sent = about(first).find(|known| known.state != MessageState::Received && known.staff_is_in)?;
    (!knows).then(|| sent.person.clone())
}
