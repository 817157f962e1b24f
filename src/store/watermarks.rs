//! How far portals were read back.

use super::{Error, Store, Tx, people::parse, sql};
use ruma::{OwnedRoomId, OwnedUserId, RoomId};
use sqlx::Row as _;
use std::collections::BTreeMap;

/// A portal, and what is needed to read it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    pub room: OwnedRoomId,
    /// After which place in the homeserver's order; empty: from the beginning, `None`: from now on.
    pub read_to: Option<String>,
    /// Those who have joined, of staff as well.
    pub joined: Vec<OwnedUserId>,
    /// It is a room in which the bot talks with somebody.
    pub is_of_bot: bool,
}

/// Everything in the portal up to a place in the homeserver's order was taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watermark {
    pub room: OwnedRoomId,
    /// `None`: as it was.
    pub read_to: Option<String>,
    /// Milliseconds since 1970; the place is not before this time.
    pub read_at: i64,
    /// Somebody writes there.
    pub active: bool,
}

/// Rooms that are read back.
const TABLES: [&str; 2] = ["portals", "management_rooms"];

impl Store {
    /// The portals among these rooms, and those in which the bot talks with somebody.
    pub async fn unread(&self, rooms: &[OwnedRoomId]) -> Result<Vec<Unread>, Error> {
        let mut found: BTreeMap<OwnedRoomId, Unread> = BTreeMap::new();
        for chunk in rooms.chunks(sql::ROWS_AT_ONCE) {
            let (list, bound) = sql::any_of(1, chunk);
            let mut query = sql::query(format!(
                "SELECT p.room_id, p.read_to, m.mxid, 0 FROM portals p
                 LEFT JOIN members m ON m.room_id = p.room_id AND m.membership = 'join' WHERE p.room_id IN ({list})
                 UNION ALL SELECT room_id, read_to, NULL, 1 FROM management_rooms WHERE room_id IN ({list})"
            ));
            for room in bound {
                query = query.bind(room.as_str());
            }
            for row in query.fetch_all(&mut *self.reader().await?).await? {
                let (room, read_to): (OwnedRoomId, _) = (parse(&row, 0)?, row.try_get(1)?);
                let is_of_bot = row.try_get::<i64, _>(3)? != 0;
                let unread = Unread { room: room.clone(), read_to, joined: Vec::new(), is_of_bot };
                let unread = found.entry(room).or_insert(unread);
                if row.try_get::<Option<String>, _>(2)?.is_some() {
                    unread.joined.push(parse(&row, 2)?);
                }
            }
        }
        Ok(found.into_values().collect())
    }

    /// Up to `limit` portals in which somebody wrote after the given time, the most recent first.
    pub async fn active_portals(&self, since: i64, limit: i64) -> Result<Vec<OwnedRoomId>, Error> {
        let query = "SELECT room_id FROM portals WHERE active_at >= $1 ORDER BY active_at DESC, room_id LIMIT $2";
        let rows = sqlx::query(query).bind(since).bind(limit).fetch_all(&mut *self.reader().await?).await?;
        rows.iter().map(|row| parse(row, 0)).collect()
    }

    /// Up to `limit` portals that were not read back since `before`, the longest first; only those in which somebody
    /// wrote since `active`.
    pub async fn longest_unread(&self, before: i64, active: i64, limit: i64) -> Result<Vec<OwnedRoomId>, Error> {
        let query = "SELECT room_id FROM portals WHERE read_at < $1 AND active_at >= $2 ORDER BY read_at LIMIT $3";
        let rows =
            sqlx::query(query).bind(before).bind(active).bind(limit).fetch_all(&mut *self.reader().await?).await?;
        rows.iter().map(|row| parse(row, 0)).collect()
    }

    /// When the portal that was not read back for the longest time was read back; `None`: none ever was.
    pub async fn oldest_reading(&self) -> Result<Option<i64>, Error> {
        let query = "SELECT read_at FROM portals WHERE read_to IS NOT NULL ORDER BY read_at LIMIT 1";
        let row = sqlx::query(query).fetch_optional(&mut *self.reader().await?).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }
}

impl Tx {
    /// Moves watermarks, none of them backwards.
    pub async fn set_watermarks(&mut self, watermarks: &[Watermark]) -> Result<(), Error> {
        for Watermark { room, read_to, read_at, active } in watermarks {
            for table in TABLES {
                let done = sql::query(format!(
                    "UPDATE {table} SET read_to = COALESCE($1, read_to), read_at = $2,
                     active_at = CASE WHEN $3 = 1 THEN $2 ELSE active_at END
                     WHERE room_id = $4 AND read_at <= $2"
                ))
                .bind(read_to.as_deref())
                .bind(*read_at)
                .bind(i64::from(*active))
                .bind(room.as_str())
                .execute(&mut self.connection)
                .await?;
                if done.rows_affected() > 0 {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Where reading back begins in a room in which a ghost has just begun to be: nothing older is ours to send.
    pub async fn begin_reading(&mut self, room: &RoomId, place: &str, at: i64) -> Result<(), Error> {
        sqlx::query("UPDATE portals SET read_to = $1, read_at = $2, active_at = $2 WHERE room_id = $3")
            .bind(place)
            .bind(at)
            .bind(room.as_str())
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }
}
