//! Acting as one Matrix user of ours.

use super::{Error, Homeserver, marks::Mark};
use ruma::{
    DeviceId, EventId, OwnedEventId, OwnedMxcUri, OwnedRoomId, OwnedUserId, RoomId, TransactionId, UserId,
    api::client::{
        account::register::{self, LoginType},
        device::update_device,
        membership::{invite_user, join_room_by_id, joined_members, joined_rooms, leave_room},
        message::send_message_event,
        profile::{get_profile, set_display_name},
        receipt::create_receipt,
        redact::redact_event,
        relations::get_relating_events_with_rel_type_and_event_type,
        room::{create_room, get_room_event},
        state::{get_state_event_for_key, send_state_event},
        typing::create_typing_event,
    },
    device_id,
    events::{
        AnyMessageLikeEventContent, AnyTimelineEvent, MessageLikeEventContent, MessageLikeEventType, StateEventType,
        TimelineEventType, relation::RelationType,
    },
    serde::Raw,
};
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Every ghost has this one device: the homeserver remembers transaction ids by device, across its own restarts.
fn device() -> &'static DeviceId {
    device_id!("FEHMARN")
}

/// The right to act as one ghost, or as the bot.
pub struct Intent<'a> {
    homeserver: &'a Homeserver,
    user: OwnedUserId,
}

/// What a Matrix user says of themself.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Profile {
    pub displayname: Option<String>,
    pub avatar_url: Option<OwnedMxcUri>,
}

/// What routing needs to know of a room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoomState {
    pub name: Option<String>,
    pub encrypted: bool,
    /// Those who have joined, with their display names.
    pub members: BTreeMap<OwnedUserId, Option<String>>,
}

/// A room that a ghost makes.
#[derive(Clone, Debug, PartialEq)]
pub struct NewRoom {
    /// Tells it from all others that this ghost makes.
    pub made_for: String,
    pub is_direct: bool,
    pub name: Option<String>,
    pub topic: Option<String>,
    pub invite: Vec<OwnedUserId>,
    pub marks: Vec<Mark>,
}

impl Homeserver {
    pub fn intent(&self, user: &UserId) -> Intent<'_> {
        Intent { homeserver: self, user: user.to_owned() }
    }

    /// The profile of any user; `None` if the homeserver knows no such user.
    pub async fn profile(&self, user: &UserId) -> Result<Option<Profile>, Error> {
        match self.send(get_profile::v3::Request::new(user.to_owned()), None, None).await {
            Ok(answer) => {
                let text = |field: &str| answer.get(field).and_then(|value| value.as_str()).filter(|it| !it.is_empty());
                let avatar_url = text("avatar_url").map(OwnedMxcUri::from);
                Ok(Some(Profile { displayname: text("displayname").map(str::to_owned), avatar_url }))
            }
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Intent<'_> {
    pub fn user(&self) -> &UserId {
        &self.user
    }

    pub(super) fn homeserver(&self) -> &Homeserver {
        self.homeserver
    }

    pub(super) async fn send<R: super::client::Request>(&self, request: R) -> Result<R::IncomingResponse, Error> {
        self.homeserver.send(request, Some(&self.user), None).await
    }

    /// Makes the user exist, with its device and display name. Safe to repeat.
    pub async fn register(&self, name: &str) -> Result<(), Error> {
        self.exist().await?;
        self.set_name(name).await
    }

    /// Makes the user exist, with its device. Safe to repeat.
    pub async fn exist(&self) -> Result<(), Error> {
        let mut request = register::v3::Request::new();
        request.username = Some(self.user.localpart().to_owned());
        request.inhibit_login = true;
        request.login_type = Some(LoginType::ApplicationService);
        match self.homeserver.send(request, None, None).await {
            Err(error) if error.code() != "M_USER_IN_USE" => return Err(error),
            _ => {}
        }
        self.send(update_device::v3::Request::new(device().to_owned())).await.map(drop)
    }

    /// Sets the name if it is another one.
    pub async fn keep_name(&self, name: &str) -> Result<(), Error> {
        let known = self.homeserver.profile(&self.user).await.ok().flatten();
        if known.is_some_and(|known| known.displayname.as_deref() == Some(name)) {
            return Ok(());
        }
        self.set_name(name).await
    }

    /// Each later change is an event in every room of the user.
    pub async fn set_name(&self, name: &str) -> Result<(), Error> {
        #[allow(deprecated)]
        let request = set_display_name::v3::Request::new(self.user.clone(), Some(name.to_owned()));
        self.send(request).await.map(drop)
    }

    pub async fn join(&self, room: &RoomId) -> Result<(), Error> {
        self.send(join_room_by_id::v3::Request::new(room.to_owned())).await.map(drop)
    }

    /// Leaves the room, or declines the invitation to it.
    pub async fn leave(&self, room: &RoomId, reason: &str) -> Result<(), Error> {
        let mut request = leave_room::v3::Request::new(room.to_owned());
        request.reason = Some(reason.to_owned());
        self.send(request).await.map(drop)
    }

    pub async fn invite(&self, room: &RoomId, user: &UserId) -> Result<(), Error> {
        let recipient =
            invite_user::v3::InvitationRecipient::UserId(invite_user::v3::InviteUserId::new(user.to_owned()));
        let invited = self.send(invite_user::v3::Request::new(room.to_owned(), recipient)).await;
        or_there_already(invited.map(drop))
    }

    /// Invites somebody into a room that is their direct chat with us. Only the event itself can say that it is one, and
    /// clients then show it among people.
    pub async fn invite_to_chat(&self, room: &RoomId, user: &UserId) -> Result<(), Error> {
        let content = json!({ "membership": "invite", "is_direct": true });
        or_there_already(self.set_state(room, StateEventType::RoomMember, user.to_string(), &content).await)
    }

    /// Makes a room. Not repeatable: look with [`room_made_for`](Self::room_made_for) first, when an earlier attempt may
    /// have come this far.
    pub async fn create_room(&self, new: &NewRoom) -> Result<OwnedRoomId, Error> {
        let mut request = create_room::v3::Request::new();
        request.is_direct = new.is_direct;
        request.name.clone_from(&new.name);
        request.topic.clone_from(&new.topic);
        request.initial_state = new.marks.iter().filter_map(Mark::initial).collect();
        request.invite.clone_from(&new.invite);
        // Not the trusted one: in it all who are invited have the same rights, and nobody can send anybody away.
        request.preset = Some(create_room::v3::RoomPreset::PrivateChat);
        request.creation_content = Raw::new(&json!({ MADE_FOR: new.made_for })).ok().map(Raw::cast_unchecked);
        Ok(self.send(request).await?.room_id)
    }

    /// Gives a room that this ghost has made to the staff, who may do everything in it, also send people outside away.
    /// For before they are invited. Safe to repeat.
    ///
    /// Since version 12 of rooms whoever made one keeps every right, and is named among no others.
    pub async fn hand_over(&self, room: &RoomId, staff: &[&UserId]) -> Result<(), Error> {
        let Some(mut levels) = self.state(room, StateEventType::RoomPowerLevels).await? else { return Ok(()) };
        let upgrade = levels.pointer("/events/m.room.tombstone").and_then(|level| level.as_i64()).unwrap_or(HIGHEST);
        let Some(users) = levels.get_mut("users").and_then(|users| users.as_object_mut()) else { return Ok(()) };
        for user in staff {
            users.insert(user.to_string(), json!(upgrade.max(HIGHEST)));
        }
        if let Some(own) = users.get_mut(self.user.as_str()) {
            // Enough to name the room and to say what it is.
            *own = json!(50);
        }
        match self.set_state(room, StateEventType::RoomPowerLevels, String::new(), &levels).await {
            // Somebody else has made it, or has it already.
            Err(error) if error.is_forbidden() => Ok(()),
            result => result,
        }
    }

    /// The room that an interrupted attempt has made already.
    pub async fn room_made_for(&self, what: &str) -> Result<Option<OwnedRoomId>, Error> {
        for room in self.send(joined_rooms::v3::Request::new()).await?.joined_rooms {
            let created = self.state(&room, StateEventType::RoomCreate).await?;
            if created.is_some_and(|content| content.get(MADE_FOR).and_then(|v| v.as_str()) == Some(what)) {
                return Ok(Some(room));
            }
        }
        Ok(None)
    }

    /// Sends an event. The same `txn` for the same user gives the same event, however often it is sent.
    pub async fn send_message(
        &self,
        room: &RoomId,
        txn: &TransactionId,
        content: &impl MessageLikeEventContent,
    ) -> Result<OwnedEventId, Error> {
        let json = Raw::new(content).map_err(|e| Error::Unreadable(e.to_string()))?;
        self.send_json(room, txn, content.event_type(), json.cast_unchecked()).await
    }

    /// As [`send_message`](Self::send_message), for content with fields of our own.
    pub async fn send_json(
        &self,
        room: &RoomId,
        txn: &TransactionId,
        kind: MessageLikeEventType,
        content: Raw<AnyMessageLikeEventContent>,
    ) -> Result<OwnedEventId, Error> {
        let request = send_message_event::v3::Request::new_raw(room.to_owned(), txn.to_owned(), kind, content);
        Ok(self.homeserver.send(request, Some(&self.user), Some(device())).await?.event_id)
    }

    /// Takes an event back, for everybody. Safe to repeat.
    pub async fn redact(&self, room: &RoomId, event: &EventId, txn: &TransactionId) -> Result<OwnedEventId, Error> {
        let request = redact_event::v3::Request::new(room.to_owned(), event.to_owned(), txn.to_owned());
        Ok(self.homeserver.send(request, Some(&self.user), Some(device())).await?.event_id)
    }

    /// The emoji that somebody has under an event now, the newest first; at most a page of them.
    pub async fn reactions(&self, room: &RoomId, event: &EventId, of: &UserId) -> Result<Vec<String>, Error> {
        let (relation, kind) = (RelationType::Annotation, TimelineEventType::Reaction);
        let request = get_relating_events_with_rel_type_and_event_type::v1::Request::new(
            room.to_owned(),
            event.to_owned(),
            relation,
            kind,
        );
        let events = self.send(request).await?.chunk;
        let emoji = events.iter().filter_map(|event| {
            let sender = event.get_field::<OwnedUserId>("sender").ok()??;
            let content = event.get_field::<Box<RawValue>>("content").ok()??;
            let annotation = super::content::annotation(content.get()).ok()??;
            (sender == of).then_some(annotation.emoji)
        });
        Ok(emoji.collect())
    }

    /// Shows everybody in the room that the user has read so far.
    pub async fn mark_read(&self, room: &RoomId, event: &EventId) -> Result<(), Error> {
        let kind = create_receipt::v3::ReceiptType::Read;
        self.send(create_receipt::v3::Request::new(room.to_owned(), kind, event.to_owned())).await.map(drop)
    }

    /// Shows everybody in the room that the user is writing, for at most so long; `None`: not any more. Takes no slot from
    /// what matters.
    pub async fn show_typing(&self, room: &RoomId, longest: Option<Duration>) -> Result<(), Error> {
        use create_typing_event::v3::{Request, Typing, TypingInfo};
        let state = longest.map_or(Typing::No, |longest| Typing::Yes(TypingInfo::new(longest)));
        let request = Request::new(self.user.clone(), room.to_owned(), state);
        self.homeserver.send_beside(request, &self.user).await.map(drop)
    }

    /// Who has joined a room that the user is in.
    pub async fn joined(&self, room: &RoomId) -> Result<BTreeSet<OwnedUserId>, Error> {
        Ok(self.send(joined_members::v3::Request::new(room.to_owned())).await?.joined.into_keys().collect())
    }

    /// What routing needs to know of a room that the user is in.
    pub async fn room_state(&self, room: &RoomId) -> Result<RoomState, Error> {
        let joined = self.send(joined_members::v3::Request::new(room.to_owned())).await?.joined;
        let name = self.state(room, StateEventType::RoomName).await?;
        let encryption = self.state(room, StateEventType::RoomEncryption).await?;
        Ok(RoomState {
            name: name.and_then(|content| content.get("name").and_then(|v| v.as_str()).map(str::to_owned)),
            encrypted: encryption.is_some(),
            members: joined.into_iter().map(|(user, member)| (user, member.display_name)).collect(),
        })
    }

    /// Writes a piece of a room's state.
    pub async fn set_mark(&self, room: &RoomId, mark: &Mark) -> Result<(), Error> {
        self.set_state(room, StateEventType::from(mark.kind), mark.key.clone(), &mark.content).await
    }

    async fn set_state(
        &self,
        room: &RoomId,
        kind: StateEventType,
        key: String,
        content: &serde_json::Value,
    ) -> Result<(), Error> {
        let content = Raw::new(content).map_err(|e| Error::Unreadable(e.to_string()))?;
        let request = send_state_event::v3::Request::new_raw(room.to_owned(), kind, key, content.cast_unchecked());
        self.send(request).await.map(drop)
    }

    pub(super) async fn state(&self, room: &RoomId, kind: StateEventType) -> Result<Option<serde_json::Value>, Error> {
        let request = get_state_event_for_key::v3::Request::new(room.to_owned(), kind, String::new());
        match self.send(request).await {
            Ok(answer) => serde_json::from_str(answer.event_or_content.get())
                .map(Some)
                .map_err(|e| Error::Unreadable(e.to_string())),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// An event of a room; `None` if it is not there, or not for this user to see.
    pub async fn event(&self, room: &RoomId, event: &EventId) -> Result<Option<Raw<AnyTimelineEvent>>, Error> {
        match self.send(get_room_event::v3::Request::new(room.to_owned(), event.to_owned())).await {
            Ok(answer) => Ok(Some(answer.event)),
            Err(Error::Refused { status: 403 | 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Marks, in a room's `m.room.create`, for whom or what a ghost made it.
pub(super) const MADE_FOR: &str = "org.fehmarn.made_for";

/// The level of whoever may do everything (Client-Server API 1.11, "m.room.power_levels").
const HIGHEST: i64 = 100;

/// Whom we invite may be in the room already.
fn or_there_already(invited: Result<(), Error>) -> Result<(), Error> {
    match invited {
        Err(error) if error.code() == "M_FORBIDDEN" && error.to_string().contains("already in the room") => Ok(()),
        result => result,
    }
}
