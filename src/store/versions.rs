//! Which words of an event somebody outside was last sent, where those are not its first ones.

use super::{Error, Store, Tx, people::parse, sql};
use crate::ids::RemoteUserId;
use ruma::{EventId, OwnedEventId};

/// An event that went out as an edit has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    pub event_id: OwnedEventId,
    pub connector: String,
    pub remote_user: RemoteUserId,
    /// The edit.
    pub version: OwnedEventId,
}

impl Store {
    /// The edit whose words somebody has got of an event; `None`: its first words, as far as anybody knows.
    pub async fn version(
        &self,
        event: &EventId,
        connector: &str,
        user: &RemoteUserId,
    ) -> Result<Option<OwnedEventId>, Error> {
        let row =
            sqlx::query("SELECT version FROM versions WHERE event_id = $1 AND connector = $2 AND remote_user = $3")
                .bind(event.as_str())
                .bind(connector)
                .bind(user.as_str())
                .fetch_optional(&mut *self.reader().await?)
                .await?;
        row.map(|row| parse(&row, 0)).transpose()
    }
}

impl Tx {
    /// No two of one event and person: their deliveries are of one lane.
    pub(super) async fn put_versions(&mut self, versions: &[&Version]) -> Result<(), Error> {
        for chunk in versions.chunks(sql::ROWS_AT_ONCE) {
            let values = self.marks().values(chunk.len(), 4);
            let mut query = sql::query(format!(
                "INSERT INTO versions (event_id, connector, remote_user, version) VALUES {values}
                 ON CONFLICT (event_id, connector, remote_user) DO UPDATE SET version = excluded.version"
            ));
            for Version { event_id, connector, remote_user, version } in chunk {
                query = query.bind(event_id.as_str()).bind(connector).bind(remote_user.as_str()).bind(version.as_str());
            }
            query.execute(&mut self.connection).await?;
        }
        Ok(())
    }
}
