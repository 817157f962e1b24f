//! Reactions of staff that wait for a message to go with, and who can be sent one alone.

use super::{Error, Store, Tx, people::parse, sql};
use crate::ids::RemoteUserId;
use ruma::{EventId, OwnedEventId, OwnedRoomId, RoomId};
use sqlx::Row as _;

/// A reaction that one remote person is still to be told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    pub event_id: OwnedEventId,
    pub connector: String,
    pub remote_user: RemoteUserId,
    pub room_id: OwnedRoomId,
    /// What was reacted to.
    pub target: OwnedEventId,
    pub emoji: String,
    /// Localpart and name of who reacted.
    pub writer: String,
    pub name: String,
    /// Milliseconds since 1970.
    pub at: i64,
}

impl Store {
    /// Forgets the reactions of which nobody was told until now, if they are older than this. Returns how many.
    pub async fn forget_reactions(&self, before: i64) -> Result<u64, Error> {
        let mut tx = self.begin().await?;
        let done = sqlx::query("DELETE FROM reactions WHERE at < $1").bind(before).execute(&mut tx.connection).await?;
        tx.commit().await?;
        Ok(done.rows_affected())
    }
}

impl Tx {
    /// The reactions that wait in these rooms, the oldest first.
    pub async fn reactions(&mut self, rooms: &[&RoomId]) -> Result<Vec<Pending>, Error> {
        let mut found = Vec::new();
        for chunk in rooms.chunks(sql::ROWS_AT_ONCE) {
            let (list, bound) = sql::any_of(1, chunk);
            let mut query = sql::query(format!(
                "SELECT event_id, connector, remote_user, room_id, target, emoji, writer, name, at FROM reactions
                 WHERE room_id IN ({list}) ORDER BY at"
            ));
            for room in bound {
                query = query.bind(room.as_str());
            }
            for row in query.fetch_all(&mut self.connection).await? {
                found.push(Pending {
                    event_id: parse(&row, 0)?,
                    connector: row.try_get(1)?,
                    remote_user: RemoteUserId::new(row.try_get::<String, _>(2)?),
                    room_id: parse(&row, 3)?,
                    target: parse(&row, 4)?,
                    emoji: row.try_get(5)?,
                    writer: row.try_get(6)?,
                    name: row.try_get(7)?,
                    at: row.try_get(8)?,
                });
            }
        }
        Ok(found)
    }

    pub async fn add_reaction(&mut self, reaction: &Pending) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO reactions (event_id, connector, remote_user, room_id, target, emoji, writer, name, at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (event_id, connector, remote_user) DO NOTHING",
        )
        .bind(reaction.event_id.as_str())
        .bind(&reaction.connector)
        .bind(reaction.remote_user.as_str())
        .bind(reaction.room_id.as_str())
        .bind(reaction.target.as_str())
        .bind(&reaction.emoji)
        .bind(&reaction.writer)
        .bind(&reaction.name)
        .bind(reaction.at)
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }

    /// It waits no more for this person.
    pub async fn drop_reaction(&mut self, event: &EventId, connector: &str, user: &RemoteUserId) -> Result<(), Error> {
        sqlx::query("DELETE FROM reactions WHERE event_id = $1 AND connector = $2 AND remote_user = $3")
            .bind(event.as_str())
            .bind(connector)
            .bind(user.as_str())
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }

    /// Remembers whether a person's program shows reactions, as an arrival said.
    pub async fn note_peer(&mut self, connector: &str, user: &RemoteUserId, shows: bool) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO peers (connector, remote_user, shows_reactions) VALUES ($1, $2, $3)
             ON CONFLICT (connector, remote_user) DO UPDATE SET shows_reactions = excluded.shows_reactions",
        )
        .bind(connector)
        .bind(user.as_str())
        .bind(i64::from(shows))
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }

    /// Whether a person's program is known to show reactions.
    pub async fn shows_reactions(&mut self, connector: &str, user: &RemoteUserId) -> Result<bool, Error> {
        let row = sqlx::query(
            "SELECT shows_reactions FROM peers WHERE connector = $1 AND remote_user = $2 AND shows_reactions = 1",
        )
        .bind(connector)
        .bind(user.as_str())
        .fetch_optional(&mut self.connection)
        .await?;
        Ok(row.is_some())
    }
}
