//! Where an arrival may belong.

use super::{Error, Membership, MessageState, Store, people::parse, rooms::read_membership, sql};
use crate::ids::{RemoteMessageId, RemoteUserId};
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UserId};
use sqlx::{Row as _, any::AnyRow};
use std::collections::BTreeMap;

/// What is known that may tell the room of an arrival from a ghost to a member of staff.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    pub connector: String,
    /// The events of the messages that were asked for, the newest first.
    pub known: Vec<Known>,
    /// The newest direct room of the two, as long as the ghost is in it; and how the member of staff stands there.
    pub direct: Option<(OwnedRoomId, Option<Membership>)>,
    /// The conversations in the rooms that both are in, the newest room first.
    pub named: Vec<Named>,
}

/// A conversation that has a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub subject: String,
    pub room: OwnedRoomId,
    /// The root of its Matrix thread; `None` outside of them.
    pub thread: Option<OwnedEventId>,
}

/// An event that is a remote message, and whether the two are in its room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub message: RemoteMessageId,
    pub event: OwnedEventId,
    pub room: OwnedRoomId,
    /// The root of its Matrix thread; `None` outside of them.
    pub thread: Option<OwnedEventId>,
    /// The remote person: the recipient, or the sender if the state is `Received`.
    pub person: RemoteUserId,
    pub state: MessageState,
    /// The ghost has joined.
    pub ghost_is_in: bool,
    pub staff_is_in: bool,
}

impl Store {
    /// One look for all of it, since most arrivals need no more. `asked`: remote messages.
    pub async fn places(
        &self,
        connector: &str,
        asked: &[RemoteMessageId],
        staff: &UserId,
        ghost: &UserId,
    ) -> Result<Places, Error> {
        let list = sql::list(4, asked.len().max(1));
        let mut query = sql::query(format!(
            "SELECT 'message', m.remote_message, m.room_id, m.event_id, m.remote_user, m.state, g.membership,
                    s.membership, m.at, m.thread
             FROM messages m LEFT JOIN members g ON g.room_id = m.room_id AND g.mxid = $1
             LEFT JOIN members s ON s.room_id = m.room_id AND s.mxid = $2
             WHERE m.connector = $3 AND m.remote_message IN ({list})
             UNION ALL
             SELECT 'direct', '', p.room_id, '', '', '', g.membership, s.membership, p.opened_at, '' FROM portals p
             JOIN members g ON g.room_id = p.room_id AND g.mxid = p.direct_ghost AND g.membership = 'join'
             LEFT JOIN members s ON s.room_id = p.room_id AND s.mxid = p.direct_user
             WHERE p.direct_ghost = $1 AND p.direct_user = $2
             UNION ALL
             SELECT 'subject', t.subject, t.room_id, '', '', '', g.membership, s.membership, p.opened_at, t.thread
             FROM members g
             JOIN members s ON s.room_id = g.room_id AND s.mxid = $2
             JOIN threads t ON t.room_id = g.room_id AND t.connector = $3 AND t.subject IS NOT NULL
             JOIN portals p ON p.room_id = g.room_id
             WHERE g.mxid = $1 AND g.membership = 'join' ORDER BY 9 DESC"
        ))
        .bind(ghost.as_str())
        .bind(staff.as_str())
        .bind(connector);
        for message in asked {
            query = query.bind(message.as_str());
        }
        if asked.is_empty() {
            query = query.bind("");
        }
        let mut places = Places { connector: connector.to_owned(), ..Places::default() };
        for row in query.fetch_all(self.readers()).await? {
            let room: OwnedRoomId = parse(&row, 2)?;
            match row.try_get::<String, _>(0)?.as_str() {
                "message" => places.known.push(read_known(&row, room)?),
                "subject" => places.named.push(Named { subject: row.try_get(1)?, room, thread: read_thread(&row)? }),
                _ if places.direct.is_none() => places.direct = Some((room, read_membership(&row, 7)?)),
                _ => {}
            }
        }
        Ok(places)
    }

    /// The newest room in which these are and nobody else, of whom `ghost` has joined.
    pub async fn room_of(&self, members: &[&UserId], ghost: &UserId) -> Result<Option<OwnedRoomId>, Error> {
        let list = sql::list(3, members.len());
        let mut query = sql::query(format!(
            "SELECT p.room_id FROM portals p
             JOIN members g ON g.room_id = p.room_id AND g.mxid = $1 AND g.membership = 'join'
             WHERE (SELECT COUNT(*) FROM members m WHERE m.room_id = p.room_id) = $2
             AND (SELECT COUNT(*) FROM members m WHERE m.room_id = p.room_id AND m.mxid IN ({list})) = $2
             ORDER BY p.opened_at DESC LIMIT 1"
        ))
        .bind(ghost.as_str())
        .bind(i64::try_from(members.len()).unwrap_or(i64::MAX));
        for member in members {
            query = query.bind(member.as_str());
        }
        query.fetch_optional(self.readers()).await?.as_ref().map(|row| parse(row, 0)).transpose()
    }

    /// Who is in a room.
    pub async fn members(&self, room: &RoomId) -> Result<BTreeMap<OwnedUserId, Membership>, Error> {
        let rows = sqlx::query("SELECT mxid, membership FROM members WHERE room_id = $1")
            .bind(room.as_str())
            .fetch_all(self.readers())
            .await?;
        rows.iter().map(|row| Ok((parse(row, 0)?, read_membership(row, 1)?.unwrap_or(Membership::Invite)))).collect()
    }
}

fn read_thread(row: &AnyRow) -> Result<Option<OwnedEventId>, Error> {
    let text: String = row.try_get(9)?;
    if text.is_empty() { Ok(None) } else { parse(row, 9).map(Some) }
}

fn read_known(row: &AnyRow, room: OwnedRoomId) -> Result<Known, Error> {
    Ok(Known {
        message: RemoteMessageId::new(row.try_get::<String, _>(1)?),
        event: parse(row, 3)?,
        room,
        thread: read_thread(row)?,
        person: RemoteUserId::new(row.try_get::<String, _>(4)?),
        state: MessageState::parse(&row.try_get::<String, _>(5)?),
        ghost_is_in: read_membership(row, 6)? == Some(Membership::Join),
        staff_is_in: read_membership(row, 7)?.is_some(),
    })
}
