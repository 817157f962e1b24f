//! What happens in a remote room, in the portal that it is paired with.

use super::super::{
    Bridge,
    portal::Place,
    relay::{Relay, Spoken},
    worker::Done,
};
use crate::{
    failure::Failure,
    ids::{LocalUser, RemoteMessageId, RemoteUserId},
    matrix::{Error, marks::Mark},
    message::{Arrival, Body, Happening, InRoom, Occupant, Reactions},
    store::{Ghost, Message, MessageState, Row, now},
};
use ruma::{OwnedRoomId, OwnedUserId, UserId};
use serde_json::json;

/// A remote room and its portal.
pub(super) struct Pair<'a> {
    pub bridge: &'a Bridge,
    pub row: &'a Row,
    pub in_room: &'a InRoom,
    /// The portal.
    pub room: OwnedRoomId,
    /// The ghost of the remote room.
    pub keeper: OwnedUserId,
}

impl Bridge {
    pub(in crate::bridge) async fn happened(&self, row: &Row, in_room: &InRoom) -> Result<Done, Failure> {
        let Some(keeper) = self.room_ghost(&row.connector, &in_room.room) else { return Ok(Done::default()) };
        let Some(room) = self.store.room_with(&keeper).await? else {
            tracing::info!(row = row.id, connector = %row.connector, "news of a room that is paired with none any more");
            return Ok(Done::default());
        };
        let pair = Pair { bridge: self, row, in_room, room, keeper };
        match &in_room.what {
            Happening::Said { arrival, id } => pair.said(arrival, id.as_ref()).await,
            Happening::TakenBack { from, messages } => pair.taken_back(from.as_ref(), messages).await,
            Happening::Reactions(reactions) => pair.reacted(reactions).await,
            Happening::Came(occupant) => pair.bring_in(occupant).await.map(|_| Done::default()),
            Happening::Went { who, parting } => pair.send_off(who, parting).await.map(|()| Done::default()),
            Happening::Present(people) => pair.match_people(people).await.map(|()| Done::default()),
            Happening::Named(name) => pair.set_name(name).await.map(|()| Done::default()),
            Happening::Topic(topic) => pair.set_topic(topic).await.map(|()| Done::default()),
            Happening::Closed(words) => pair.closed(words.as_deref()).await,
            Happening::Shut { user, parting } => pair.shut_out(user, parting).await,
        }
    }
}

impl Pair<'_> {
    async fn said(&self, arrival: &Arrival, id: Option<&RemoteMessageId>) -> Result<Done, Failure> {
        let who = Occupant { who: arrival.from.clone(), name: arrival.from_name.clone().unwrap_or_default() };
        if self.bridge.ghosts.ghost(&self.row.connector, &who.who).is_none() {
            return self.said_by_keeper(arrival, &who.name).await;
        }
        let Some(ghost) = self.bring_in(&who).await? else {
            tracing::info!(row = self.row.id, "staff do not let the one who has spoken into the portal");
            return Ok(Done::default());
        };
        let answered = self.first_known(&arrival.answers).await?;
        let place = Place {
            room: self.room.clone(),
            thread: answered.as_ref().and_then(|message| message.thread.clone()),
            answered: answered.map(|message| message.event_id),
            meant_for: None,
            has_others: self.has_others().await?,
        };
        let mut done = self.bridge.post(self.row, arrival, &ghost, &place).await?;
        // The room's own name for it, by which others speak of it.
        let room = RemoteUserId::of_room(&self.in_room.room);
        let by_room = |message: &Message| Message {
            remote_user: room.clone(),
            remote_message: id.unwrap_or(&arrival.message).clone(),
            ..message.clone()
        };
        let named: Vec<Message> = done.messages.iter().map(by_room).collect();
        done.messages.extend(named);
        Ok(done)
    }

    /// Whether people of other networks are in the portal as well.
    async fn has_others(&self) -> Result<bool, Failure> {
        let remote = (self.bridge.connector_name(&self.row.connector), self.in_room.room.clone());
        self.bridge.has_others_beside(&self.room, &remote).await
    }

    /// Whose name is too long for Matrix is quoted by the room.
    async fn said_by_keeper(&self, arrival: &Arrival, name: &str) -> Result<Done, Failure> {
        let mut arrival = arrival.clone();
        arrival.body = Body { text: format!("{name}: {}", arrival.body.text), html: None };
        let has_others = self.has_others().await?;
        let place = Place { room: self.room.clone(), thread: None, answered: None, meant_for: None, has_others };
        self.bridge.post(self.row, &arrival, &self.keeper, &place).await
    }

    /// The first of these messages that is known in the portal.
    async fn first_known(&self, ids: &[RemoteMessageId]) -> Result<Option<Message>, Failure> {
        for id in ids {
            let known = self.bridge.store.messages(&self.row.connector, id).await?;
            if let Some(message) = known.into_iter().find(|message| message.room_id == self.room) {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    /// `from`: who has said it themself; `None`: the room takes away what anybody has said.
    async fn taken_back(&self, from: Option<&RemoteUserId>, ids: &[RemoteMessageId]) -> Result<Done, Failure> {
        let Some(target) = self.first_known(ids).await? else { return Ok(Done::default()) };
        let known = self.bridge.store.crossed(&[&*target.event_id]).await?;
        let room = RemoteUserId::of_room(&self.in_room.room);
        let author = known.iter().find(|it| it.state == MessageState::Received && it.remote_user != room);
        let author = author.map(|message| &message.remote_user);
        if from.is_some() && from != author {
            return Ok(Done::default());
        }
        let author = author.and_then(|author| self.bridge.ghosts.ghost(&self.row.connector, author));
        let ghost = author.as_ref().unwrap_or(&self.keeper);
        // One remote message may be several events: words and files.
        let all = self.bridge.store.messages(&self.row.connector, &target.remote_message).await?;
        let mut spoken = Vec::new();
        for (n, message) in all.iter().filter(|it| it.room_id == self.room).enumerate() {
            if let Some(event) = self.bridge.take_away(self.row, ghost, message, n).await? {
                spoken.push(Spoken::TakenBack { event, target: message.event_id.clone() });
            }
        }
        self.tell_others(ghost, spoken).await
    }

    /// Has people of other networks told what has become of a message.
    async fn tell_others(&self, ghost: &UserId, spoken: Vec<Spoken>) -> Result<Done, Failure> {
        let mut done = Done::default();
        if let Some(staff) = self.bridge.staff_id(&LocalUser::new(self.row.target.as_str()))
            && !spoken.is_empty()
            && self.has_others().await?
        {
            let (room, author, served) = (self.room.clone(), ghost.to_owned(), Vec::new());
            done.follow_up.push(Relay { room, author, staff, served, at: now(), spoken }.row(self.row));
        }
        Ok(done)
    }

    async fn reacted(&self, reactions: &Reactions) -> Result<Done, Failure> {
        let Some(target) = self.first_known(&reactions.messages).await? else { return Ok(Done::default()) };
        let name = reactions.from.address().split_once('/').map_or("", |(_, name)| name).to_owned();
        let who = Occupant { who: reactions.from.clone(), name };
        let Some(ghost) = self.bring_in(&who).await? else { return Ok(Done::default()) };
        self.bridge.set_reactions(self.row, &ghost, &target, reactions).await
    }

    /// The remote room is called otherwise than before: so is its ghost, and the portal, where that may be. What staff have
    /// called the portal meanwhile stays until then.
    async fn set_name(&self, name: &str) -> Result<(), Failure> {
        let bridge = self.bridge;
        let Some(known) = bridge.store.ghost(&self.keeper).await?.filter(|ghost| ghost.name != name) else {
            return Ok(());
        };
        let keeper = bridge.homeserver.intent(&self.keeper);
        if keeper.name_of_room(&self.room).await?.as_deref() != Some(name) {
            let mark = Mark { kind: "m.room.name", key: String::new(), content: json!({ "name": name }) };
            match keeper.set_mark(&self.room, &mark).await {
                // Staff have made the room, and leave its name to themselves.
                Err(Error::Refused { status: 403, .. }) => {}
                result => {
                    result?;
                    let mut tx = bridge.store.begin().await?;
                    tx.set_room_name(&self.room, Some(name)).await?;
                    tx.commit().await?;
                }
            }
        }
        keeper.set_name(name).await?;
        bridge.store.save_ghost(&Ghost { name: name.to_owned(), ..known }).await?;
        bridge.known_ghosts.remember(self.keeper.clone(), name.to_owned());
        Ok(())
    }

    async fn set_topic(&self, topic: &str) -> Result<(), Failure> {
        let keeper = self.bridge.homeserver.intent(&self.keeper);
        if keeper.topic(&self.room).await?.unwrap_or_default() == topic {
            return Ok(());
        }
        let mark = Mark { kind: "m.room.topic", key: String::new(), content: json!({ "topic": topic }) };
        match keeper.set_mark(&self.room, &mark).await {
            // Staff have made the room, and leave its topic to themselves.
            Err(Error::Refused { status: 403, .. }) => Ok(()),
            result => Ok(result?),
        }
    }
}
