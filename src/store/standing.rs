//! What of somebody's messages has not arrived.

use super::{Error, Store, people::parse, sql};
use crate::ids::RemoteUserId;
use ruma::{OwnedEventId, OwnedRoomId, RoomId, UserId};
use sqlx::Row as _;

/// Somebody outside who is in a portal with a member of staff.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partner {
    pub room: OwnedRoomId,
    pub room_name: Option<String>,
    pub connector: String,
    pub remote_user: RemoteUserId,
    /// The display name of the ghost.
    pub name: String,
}

/// A delivery that is still in the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Given up.
    pub dead: bool,
    /// Milliseconds since 1970.
    pub due_at: i64,
    pub last_error: Option<String>,
    pub payload: Vec<u8>,
}

impl Store {
    /// With whom a member of staff shares portals; those of one portal stand together.
    pub async fn partners(&self, staff: &UserId) -> Result<Vec<Partner>, Error> {
        let rows = sqlx::query(
            "SELECT p.room_id, p.name, g.connector, g.remote_user, g.name FROM members me
             JOIN portals p ON p.room_id = me.room_id JOIN members m ON m.room_id = p.room_id
             JOIN ghosts g ON g.mxid = m.mxid WHERE me.mxid = $1 ORDER BY p.opened_at, p.room_id, g.mxid",
        )
        .bind(staff.as_str())
        .fetch_all(&mut *self.reader().await?)
        .await?;
        let read = |row| {
            Ok(Partner {
                room: parse(row, 0)?,
                room_name: row.try_get(1)?,
                connector: row.try_get(2)?,
                remote_user: RemoteUserId::new(row.try_get::<String, _>(3)?),
                name: row.try_get(4)?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// The deliveries of these lanes, with the place of the lane in the list.
    pub async fn standing(&self, lanes: &[String]) -> Result<Vec<(usize, Standing)>, Error> {
        let mut found = Vec::new();
        let mut reader = self.reader().await?;
        for (n, chunk) in lanes.chunks(sql::ROWS_AT_ONCE).enumerate() {
            // Two statements: each has its own index.
            for dead in [0, 1] {
                let list = sql::list(1, chunk.len());
                let mut query = sql::query(format!(
                    "SELECT lane, dead, due_at, last_error, payload FROM outbox
                     WHERE lane IN ({list}) AND dead = {dead} AND kind = 'delivery' ORDER BY id"
                ));
                for lane in chunk {
                    query = query.bind(lane);
                }
                for row in query.fetch_all(&mut *reader).await? {
                    let lane: String = row.try_get(0)?;
                    let Some(place) = chunk.iter().position(|it| *it == lane) else { continue };
                    let standing = Standing {
                        dead: row.try_get::<i64, _>(1)? != 0,
                        due_at: row.try_get(2)?,
                        last_error: row.try_get(3)?,
                        payload: row.try_get(4)?,
                    };
                    found.push((n * sql::ROWS_AT_ONCE + place, standing));
                }
            }
        }
        Ok(found)
    }

    /// What was accepted first and came back after the given time, in these rooms: each event once.
    pub async fn returned(&self, rooms: &[&RoomId], since: i64) -> Result<Vec<(OwnedRoomId, OwnedEventId)>, Error> {
        let mut found = Vec::new();
        let mut reader = self.reader().await?;
        for chunk in rooms.chunks(sql::ROWS_AT_ONCE) {
            let list = sql::list(2, chunk.len());
            let mut query = sql::query(format!(
                "SELECT DISTINCT room_id, event_id FROM messages
                 WHERE state = 'failed' AND at >= $1 AND room_id IN ({list})"
            ))
            .bind(since);
            for room in chunk {
                query = query.bind(room.as_str());
            }
            for row in query.fetch_all(&mut *reader).await? {
                found.push((parse(&row, 0)?, parse(&row, 1)?));
            }
        }
        Ok(found)
    }
}
