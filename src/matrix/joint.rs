//! Rooms that are made for a remote room, and what their keeper may do there.

use super::{Error, Intent, intent::MADE_FOR, marks::Mark};
use ruma::{
    OwnedRoomId, OwnedUserId, RoomAliasId, RoomId, UserId,
    api::client::{
        alias::{create_alias, get_alias},
        membership::{kick_user, unban_user},
        room::create_room,
    },
    events::StateEventType,
    serde::Raw,
};
use serde_json::json;

/// A room that the ghost of a remote room makes.
#[derive(Clone, Debug, PartialEq)]
pub struct JointRoom {
    /// See [`NewRoom`](super::NewRoom).
    pub made_for: String,
    /// The local half.
    pub alias: String,
    pub name: String,
    pub invite: Option<OwnedUserId>,
    pub marks: Vec<Mark>,
}

impl Intent<'_> {
    /// `None`: the alias leads to a room already.
    ///
    /// Everybody of this homeserver can come in, as only those come who know the alias; nobody reads what was said before
    /// they came, and other homeservers stay out.
    pub async fn create_joint_room(&self, new: &JointRoom) -> Result<Option<OwnedRoomId>, Error> {
        let mut request = create_room::v3::Request::new();
        request.name = Some(new.name.clone());
        request.room_alias_name = Some(new.alias.clone());
        request.invite.extend(new.invite.clone());
        request.preset = Some(create_room::v3::RoomPreset::PublicChat);
        let visibility = Mark {
            kind: "m.room.history_visibility",
            key: String::new(),
            content: json!({ "history_visibility": "joined" }),
        };
        request.initial_state = new.marks.iter().chain([&visibility]).filter_map(Mark::initial).collect();
        let content = json!({ MADE_FOR: new.made_for, "m.federate": false });
        request.creation_content = Raw::new(&content).ok().map(Raw::cast_unchecked);
        // Staff may say what the room is about; who is in it follows from the remote room.
        let power = json!({ "events": { "m.room.topic": 0, "m.room.power_levels": 100, "m.room.tombstone": 100 } });
        request.power_level_content_override = Raw::new(&power).ok().map(Raw::cast_unchecked);
        match self.send(request).await {
            Err(error) if error.code() == "M_ROOM_IN_USE" => Ok(None),
            result => Ok(Some(result?.room_id)),
        }
    }

    /// The room to which an alias leads.
    pub async fn room_behind(&self, alias: &RoomAliasId) -> Result<Option<OwnedRoomId>, Error> {
        match self.send(get_alias::v3::Request::new(alias.to_owned())).await {
            Ok(answer) => Ok(Some(answer.room_id)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Lets an alias of ours lead to a room. Safe to repeat.
    pub async fn set_alias(&self, room: &RoomId, alias: &RoomAliasId) -> Result<(), Error> {
        match self.send(create_alias::v3::Request::new(alias.to_owned(), room.to_owned())).await {
            Err(Error::Refused { status: 409, .. }) => Ok(()),
            result => result.map(drop),
        }
    }

    /// Whether one of our ghosts has made a room.
    pub async fn has_made(&self, room: &RoomId) -> Result<bool, Error> {
        let created = self.state(room, StateEventType::RoomCreate).await?;
        Ok(created.is_some_and(|content| content.get(MADE_FOR).is_some()))
    }

    /// What a room is about.
    pub async fn topic(&self, room: &RoomId) -> Result<Option<String>, Error> {
        let topic = self.state(room, StateEventType::RoomTopic).await?;
        Ok(topic.and_then(|content| content.get("topic").and_then(|it| it.as_str()).map(str::to_owned)))
    }

    /// Lets somebody come again who was sent out for good.
    pub async fn unban(&self, room: &RoomId, user: &UserId) -> Result<(), Error> {
        self.send(unban_user::v3::Request::new(room.to_owned(), user.to_owned())).await.map(drop)
    }

    /// What a room is called.
    pub async fn name_of_room(&self, room: &RoomId) -> Result<Option<String>, Error> {
        let name = self.state(room, StateEventType::RoomName).await?;
        Ok(name.and_then(|content| content.get("name").and_then(|it| it.as_str()).map(str::to_owned)))
    }

    /// Sends somebody out of a room.
    pub async fn kick(&self, room: &RoomId, user: &UserId, reason: &str) -> Result<(), Error> {
        let mut request = kick_user::v3::Request::new(room.to_owned(), user.to_owned());
        request.reason = (!reason.is_empty()).then(|| reason.to_owned());
        self.send(request).await.map(drop)
    }
}
