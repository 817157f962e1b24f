//! Invitations as the invited user sees them.

use super::{Error, Intent};
use ruma::{
    OwnedRoomId, OwnedUserId, UInt,
    api::client::{
        filter::{FilterDefinition, RoomEventFilter, RoomFilter},
        sync::sync_events::{self, v3::Filter},
    },
    presence::PresenceState,
};
use serde_json::Value;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// An invitation that its user has not answered yet. Homeservers do not tell its event id to whoever is only invited.
#[derive(Clone, Debug, PartialEq)]
pub struct Invited {
    pub room: OwnedRoomId,
    pub sender: OwnedUserId,
    /// Of the event `m.room.member`.
    pub content: Value,
}

impl Intent<'_> {
    /// The invitations that the user has not answered yet. `since`: only those after this place in the homeserver's order,
    /// of which any user may have heard.
    pub async fn invitations(&self, since: Option<&str>) -> Result<Vec<Invited>, Error> {
        /// See [`wait`](super::Homeserver::wait).
        static QUESTIONS: AtomicU64 = AtomicU64::new(0);
        let number = QUESTIONS.fetch_add(1, Ordering::Relaxed) % 1_000_000;
        let mut room = RoomFilter::default();
        let nothing = RoomEventFilter::ignore_all();
        (room.timeline, room.state) = (nothing.clone(), nothing.clone());
        (room.ephemeral, room.account_data) = (nothing.clone(), nothing);
        let mut filter = FilterDefinition::ignore_all();
        filter.room = room;
        // Of presence nothing is wanted, and so a limit makes another question and no difference.
        filter.presence.limit = UInt::new(number + 1);
        let mut request = sync_events::v3::Request::new();
        request.filter = Some(Filter::FilterDefinition(filter));
        request.since = since.map(str::to_owned);
        request.set_presence = PresenceState::Offline;
        request.timeout = Some(Duration::ZERO);
        let invite = self.send(request).await?.rooms.invite;
        let invited = invite.into_iter().filter_map(|(room, invited)| {
            let mut events = invited.invite_state.events.iter().filter_map(|raw| raw.deserialize_as::<Value>().ok());
            let own =
                events.find(|event| event["type"] == "m.room.member" && event["state_key"] == self.user().as_str())?;
            let sender = OwnedUserId::try_from(own["sender"].as_str()?).ok()?;
            Some(Invited { room, sender, content: own["content"].clone() })
        });
        Ok(invited.collect())
    }
}
