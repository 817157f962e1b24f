//! The whole of a message, for whoever asks: staff put a mark on it, and its ghost posts the file.

use super::{Bridge, inbox::own_row, notice::txn_id};
use crate::{
    failure::{Failure, Reason},
    matrix::{
        Error,
        incoming::{Incoming, Kept},
    },
    message::Attachment,
    store::{NewRow, Row},
};
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A larger message is uploaded with its event, in bytes: its files are as well, and a database is no place for them.
const LARGEST_KEPT: usize = 64 << 10;

/// What people put on a message to see all of it.
pub(super) const KEY: &str = "📄";

pub(super) fn is_large(file: &Attachment) -> bool {
    file.bytes.len() > LARGEST_KEPT
}

/// The payload of an inbox row of the kind `original`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Wanted {
    pub room: OwnedRoomId,
    pub event: OwnedEventId,
    /// A ghost that is in the room.
    pub ghost: OwnedUserId,
}

impl Wanted {
    /// Whether a reaction means this; clients put a selector behind some emojis.
    pub(super) fn is_meant_by(key: &str) -> bool {
        key.trim_end_matches('\u{fe0f}') == KEY
    }

    pub(super) fn row(&self) -> NewRow {
        let lane = format!("original {}", self.room);
        // Once is enough, whoever else asks.
        own_row("original", lane, format!("original of {}", self.event), &self.room, self)
    }
}

impl Bridge {
    pub(super) async fn show_original(&self, row: &Row, wanted: &Wanted) -> Result<(), Failure> {
        let Some(event) = self.homeserver.intent(&wanted.ghost).event(&wanted.room, &wanted.event).await? else {
            return Ok(());
        };
        let unreadable = |error| Failure::permanent(Reason::Unreadable, error);
        let content = event.get_field::<Value>("content").map_err(unreadable)?.unwrap_or_default();
        let sender = event.get_field::<OwnedUserId>("sender").map_err(unreadable)?;
        let Some(sender) = sender.filter(|sender| self.ghosts.is_ghost(sender)) else { return Ok(()) };
        let intent = self.homeserver.intent(&sender);
        let kept = match self.store.original(&wanted.event).await? {
            // Without words the event was taken back.
            _ if content.get("body").is_none() => None,
            Some(file) => {
                let uri = intent.upload(&file.name, &file.media_type, &file.bytes).await?;
                Some(Kept::new(&file, uri))
            }
            None => Kept::read(&content),
        };
        let Some(kept) = kept else { return Ok(()) };
        let txn = txn_id(&row.source, &sender, 0);
        let content = Incoming::Message(Box::new(kept.into_message(wanted.event.clone())), None);
        match intent.send_incoming(&wanted.room, &txn, &content).await {
            // The ghost is no longer in the room.
            Err(Error::Refused { status: 403, .. }) => Ok(()),
            result => Ok(result.map(drop)?),
        }
    }
}
