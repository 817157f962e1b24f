//! The rooms in which people talk with the bot.

use super::texts;
use crate::{
    bridge::{
        Bridge, Level, Text,
        event::{Change, Event, Kind},
        inbox::own_row,
        reconcile::is_found,
        work::Work,
    },
    failure::Failure,
    matrix::{self, content::Content},
    store::{Error, NewRow, Portal, Queue, Row, Tx, now},
};
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, RoomId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};

/// The payload of an inbox row of the kind `command`: somebody has written to the bot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::bridge) struct Asked {
    pub room: OwnedRoomId,
    pub user: OwnedUserId,
    pub event: OwnedEventId,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::bridge) enum What {
    Words(String),
    Encrypted,
    /// A file, a sticker, a poll.
    Other,
}

/// The payload of an inbox row of the kind `welcome`: the bot was invited.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::bridge) struct Welcome {
    pub room: OwnedRoomId,
    pub user: OwnedUserId,
    pub invitation: OwnedEventId,
}

impl Asked {
    /// `None` for what needs no answer: what other programs say would never end.
    fn of(event: &Event<'_>) -> Option<Self> {
        let what = match &event.kind {
            Kind::Encrypted => What::Encrypted,
            Kind::Said(said) => match &said.content {
                Content::Message(message) => match message.msgtype.as_deref() {
                    Some("m.notice") => return None,
                    Some("m.text" | "m.emote") => What::Words(message.body.clone()),
                    _ => What::Other,
                },
                Content::Sticker(_) | Content::Poll(_) => What::Other,
            },
            _ => return None,
        };
        Some(Self { room: event.room.clone(), user: event.sender.clone(), event: event.id.clone(), what })
    }

    fn row(&self) -> NewRow {
        row("command", &self.room, &self.event, self)
    }
}

fn row(kind: &'static str, room: &OwnedRoomId, event: &OwnedEventId, payload: &impl Serialize) -> NewRow {
    own_row(kind, format!("bot {room}"), format!("{kind} {event}"), room, payload)
}

impl Bridge {
    /// In which of the events' rooms the bot talks with somebody, and with whom.
    pub(in crate::bridge) async fn management_rooms(
        &self,
        tx: &mut Tx,
        events: &[&Event<'_>],
        portals: &HashMap<OwnedRoomId, Portal>,
    ) -> Result<HashMap<OwnedRoomId, OwnedUserId>, Error> {
        let rooms: BTreeSet<&RoomId> = events
            .iter()
            .filter(|event| event.kind.is_said() || matches!(event.kind, Kind::Member { .. }))
            .map(|event| &*event.room)
            .filter(|room| !portals.contains_key(*room))
            .collect();
        tx.management_rooms(&rooms.into_iter().collect::<Vec<_>>()).await
    }

    /// Takes in what concerns the bot; whether the event does.
    pub(in crate::bridge) async fn heard_by_bot(
        &self,
        tx: &mut Tx,
        event: &Event<'_>,
        is_portal: bool,
        work: &mut Work,
    ) -> Result<bool, Error> {
        match &event.kind {
            Kind::Member { user, membership: Change::Invite, .. } if *user == self.bot => {
                self.bot_invited(tx, event, is_portal, work).await?;
                return Ok(true);
            }
            _ if is_portal => return Ok(false),
            _ => {}
        }
        let Some(owner) = work.management.get(&event.room) else { return Ok(false) };
        match &event.kind {
            Kind::Member { user, membership: Change::Leave | Change::Ban, .. }
                if user == owner || *user == self.bot =>
            {
                tx.close_management_room(&event.room).await?;
                if user == owner {
                    // Nobody is left to talk with.
                    work.inbox.push(self.leave_row(event));
                }
                work.management.remove(&event.room);
            }
            _ => work.inbox.extend(Asked::of(event).map(|asked| asked.row())),
        }
        Ok(true)
    }

    async fn bot_invited(&self, tx: &mut Tx, event: &Event<'_>, is_portal: bool, work: &mut Work) -> Result<(), Error> {
        if is_found(&event.id) && work.management.contains_key(&event.room) {
            // It was pushed meanwhile.
            return Ok(());
        }
        let refusal = if self.permissions.level(&event.sender) < Level::Read {
            Some(Text::NotAllowedToUse)
        } else {
            is_portal.then_some(Text::BotOnlyAlone)
        };
        if let Some(refusal) = refusal {
            work.inbox.push(self.decline_row(event, &self.bot, &refusal));
            return Ok(());
        }
        tx.open_management_room(&event.room, &event.sender).await?;
        work.management.insert(event.room.clone(), event.sender.clone());
        let (room, user) = (event.room.clone(), event.sender.clone());
        let welcome = Welcome { room, user, invitation: event.id.clone() };
        work.inbox.push(row("welcome", &welcome.room, &welcome.invitation, &welcome));
        Ok(())
    }

    /// The bot accepts an invitation, and answers what was written since, or greets.
    pub(in crate::bridge) async fn welcome(&self, row: &Row, welcome: &Welcome) -> Result<(), Failure> {
        let Welcome { room, user, invitation } = welcome;
        let bot = self.homeserver.intent(&self.bot);
        match bot.join(room).await {
            // The invitation was taken back meanwhile.
            Err(matrix::Error::Refused { status: 403 | 404, .. }) => {
                let mut tx = self.store.begin().await?;
                tx.close_management_room(room).await?;
                return Ok(tx.commit().await?);
            }
            result => result?,
        }
        let state = bot.room_state(room).await?;
        let language = self.language_of(user).await?;
        if state.members.keys().any(|member| *member != self.bot && member != user) {
            return self.leave_saying(row, room, &language.say(&Text::BotOnlyAlone)).await;
        }
        if state.encrypted {
            return self.say_as_bot(row, room, &language.say(&Text::BotEncrypted)).await;
        }
        let asked_at = now();
        let backlog = bot.events_since(room, Some(&**invitation).filter(|id| !is_found(id))).await?;
        let is_ours = |sender: &ruma::UserId| self.is_ours(sender);
        let events: Vec<Event<'_>> = backlog
            .events
            .iter()
            .filter_map(|raw| Event::parse(raw.json().get(), |sender, _| is_ours(sender)).ok().flatten())
            .collect();
        let asked: Vec<Asked> = events.iter().filter_map(Asked::of).collect();
        if asked.is_empty() {
            self.say_as_bot(row, room, &texts::welcome(language, &self.networks(), self.room_example())).await?;
        }
        let mut tx = self.store.begin().await?;
        tx.begin_reading_as_bot(room, &backlog.read_to, asked_at).await?;
        // Should it be pushed after all, it is nothing new.
        tx.first_seen(&Vec::from_iter(backlog.invitation.clone())).await?;
        let new = tx.first_seen(&asked.iter().map(|asked| asked.event.to_string()).collect::<Vec<_>>()).await?;
        let new = asked.iter().filter(|asked| new.contains(asked.event.as_str()));
        tx.enqueue(Queue::Inbox, new.map(Asked::row).collect());
        Ok(tx.commit().await?)
    }
}
