//! What staff have reacted to. A reaction that was redacted says no more what it was about.

use super::{Error, Tx, people::parse};
use ruma::{EventId, OwnedEventId};
use sqlx::Row as _;

/// A reaction that people outside are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reacted {
    pub event_id: OwnedEventId,
    /// What was reacted to.
    pub target: OwnedEventId,
    /// Localpart and name of who reacted.
    pub writer: String,
    pub name: String,
}

impl Tx {
    pub async fn note_reacted(&mut self, reacted: &Reacted) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO reacted (event_id, target, writer, name) VALUES ($1, $2, $3, $4)
             ON CONFLICT (event_id) DO NOTHING",
        )
        .bind(reacted.event_id.as_str())
        .bind(reacted.target.as_str())
        .bind(&reacted.writer)
        .bind(&reacted.name)
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }

    /// `None`: this event is no reaction that anybody outside was shown.
    pub async fn reacted(&mut self, reaction: &EventId) -> Result<Option<Reacted>, Error> {
        let row = sqlx::query("SELECT event_id, target, writer, name FROM reacted WHERE event_id = $1")
            .bind(reaction.as_str())
            .fetch_optional(&mut self.connection)
            .await?;
        let read = |row| {
            Ok(Reacted {
                event_id: parse(&row, 0)?,
                target: parse(&row, 1)?,
                writer: row.try_get(2)?,
                name: row.try_get(3)?,
            })
        };
        row.map(read).transpose()
    }
}
