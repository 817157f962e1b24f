//! Whole messages of which an event shows only a part.

use super::{Error, Store, Tx, sql};
use crate::message::Attachment;
use ruma::{EventId, OwnedEventId};
use sqlx::Row as _;

/// A remote message as it came.
#[derive(Clone, Debug, PartialEq)]
pub struct Original {
    /// The event that shows a part of it.
    pub event_id: OwnedEventId,
    pub file: Attachment,
}

impl Store {
    /// All of the message behind an event, if that shows only a part and the whole was kept here.
    pub async fn original(&self, event: &EventId) -> Result<Option<Attachment>, Error> {
        let row = sqlx::query("SELECT name, media_type, bytes FROM originals WHERE event_id = $1")
            .bind(event.as_str())
            .fetch_optional(&mut *self.reader().await?)
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Attachment {
            name: row.try_get(0)?,
            media_type: row.try_get(1)?,
            location: String::new(),
            bytes: row.try_get::<Vec<u8>, _>(2)?.into(),
        }))
    }
}

impl Tx {
    pub(super) async fn insert_originals(&mut self, originals: &[&Original]) -> Result<(), Error> {
        for chunk in originals.chunks(sql::ROWS_AT_ONCE) {
            let values = self.marks().values(chunk.len(), 4);
            let mut query = sql::query(format!(
                "INSERT INTO originals (event_id, name, media_type, bytes) VALUES {values}
                 ON CONFLICT (event_id) DO NOTHING"
            ));
            for Original { event_id, file } in chunk {
                query = query.bind(event_id.as_str()).bind(&file.name).bind(&file.media_type).bind(file.bytes.as_ref());
            }
            query.execute(&mut self.connection).await?;
        }
        Ok(())
    }

    /// The words of the event were taken back: so is what they were a part of.
    pub async fn forget_original(&mut self, event: &EventId) -> Result<(), Error> {
        sqlx::query("DELETE FROM originals WHERE event_id = $1")
            .bind(event.as_str())
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }
}
