//! The room in which an arrival belongs.

use super::{
    Bridge,
    company::{Company, Fit},
};
use crate::{
    failure::Failure,
    ids::{RemoteMessageId, RemoteUserId},
    message::Arrival,
    store::{Known, Membership, MessageState, Places},
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
}

/// A room, and the root of a Matrix thread in it.
type Conversation = (OwnedRoomId, Option<OwnedEventId>);

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
        let mut found = self.room_of_thread(arrival, &company, &places).await?;
        if found.is_none() {
            found = self.room_of_subject(arrival, &company, &places).await?;
        }
        let (room, thread) = match found {
            Some(conversation) => conversation,
            None => (self.room_of_people(arrival, &company, &places, staff, again).await?, None),
        };
        let (answered, meant_for) = (answered(arrival, &places, &room), meant_for(arrival, &places));
        Ok(Some(Place { room, thread, answered, meant_for }))
    }

    async fn room_of_thread(
        &self,
        arrival: &Arrival,
        company: &Company,
        places: &Places,
    ) -> Result<Option<Conversation>, Failure> {
        let both = |known: &&Known| known.ghost_is_in && known.staff_is_in;
        for answer in &arrival.answers {
            let Some(known) = places.known.iter().filter(both).find(|known| known.message == *answer) else {
                match self.room_after_upgrade(company, places, answer).await? {
                    Some(room) => return Ok(Some((room, None))),
                    None => continue,
                }
            };
            // An absence notice tells everybody who waits for an answer.
            let audience = self.audience(places, answer);
            let is_here = arrival.automatic || self.fit(company, &known.room, &audience).await? == Fit::Here;
            return Ok(is_here.then(|| (known.room.clone(), known.thread.clone())));
        }
        Ok(None)
    }

    /// Where the conversation of a message goes on, should its room have been upgraded.
    async fn room_after_upgrade(
        &self,
        company: &Company,
        places: &Places,
        message: &RemoteMessageId,
    ) -> Result<Option<OwnedRoomId>, Failure> {
        let gone = |known: &&Known| known.message == *message && !known.ghost_is_in;
        for known in places.known.iter().filter(gone) {
            let Some(room) = self.successor(&known.room).await? else { continue };
            let members = self.store.members(&room).await?;
            let is_in = |user: &UserId| members.contains_key(user);
            let sender_is_in = members.get(&company.sender) == Some(&Membership::Join);
            let audience = self.audience(places, message);
            if sender_is_in && company.fit(is_in, &audience) == Fit::Here {
                return Ok(Some(room));
            }
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
                return Ok(Some((named.room.clone(), named.thread.clone())));
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
