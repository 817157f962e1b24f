//! What the identity service keeps: its secrets, who has signed in, and by what ghosts are found.

use super::{
    Error, Ghost, Store, now,
    people::{parse, read_ghost},
    sql,
};
use data_encoding::BASE64;
use ruma::{OwnedUserId, UserId};
use sqlx::Row as _;
use std::collections::BTreeMap;

/// 32 random bytes.
pub type Secret = [u8; 32];

impl Store {
    /// The secret of this name, which is `fresh` should there be none yet. The same from then on, for every process.
    pub async fn secret(&self, name: &str, fresh: Secret) -> Result<Secret, Error> {
        if let Some(known) = self.known_secret(name).await? {
            return Ok(known);
        }
        let mut tx = self.begin().await?;
        sqlx::query("INSERT INTO identity_secrets (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING")
            .bind(name)
            .bind(BASE64.encode(&fresh))
            .execute(&mut tx.connection)
            .await?;
        tx.commit().await?;
        Ok(self.known_secret(name).await?.unwrap_or(fresh))
    }

    async fn known_secret(&self, name: &str) -> Result<Option<Secret>, Error> {
        let row = sqlx::query("SELECT value FROM identity_secrets WHERE name = $1")
            .bind(name)
            .fetch_optional(&mut *self.reader().await?)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let bytes = BASE64.decode(row.try_get::<String, _>(0)?.as_bytes()).unwrap_or_default();
        let damaged = |_| sqlx::Error::Decode(format!("the secret {name:?} is damaged").into());
        Ok(Some(Secret::try_from(bytes).map_err(damaged)?))
    }

    /// Remembers, by the hash of the token, who has signed in.
    pub async fn add_token(&self, hash: &str, owner: &UserId) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        sqlx::query("INSERT INTO identity_tokens (hash, mxid, made_at) VALUES ($1, $2, $3)")
            .bind(hash)
            .bind(owner.as_str())
            .bind(now())
            .execute(&mut tx.connection)
            .await?;
        tx.commit().await
    }

    /// Who has signed in with this token since the given time.
    pub async fn token_owner(&self, hash: &str, since: i64) -> Result<Option<OwnedUserId>, Error> {
        let row = sqlx::query("SELECT mxid FROM identity_tokens WHERE hash = $1 AND made_at >= $2")
            .bind(hash)
            .bind(since)
            .fetch_optional(&mut *self.reader().await?)
            .await?;
        row.as_ref().map(|row| parse(row, 0)).transpose()
    }

    pub async fn drop_token(&self, hash: &str) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        sqlx::query("DELETE FROM identity_tokens WHERE hash = $1").bind(hash).execute(&mut tx.connection).await?;
        tx.commit().await
    }

    /// Forgets tokens that were made before `time`; returns how many.
    pub async fn forget_tokens(&self, before: i64) -> Result<u64, Error> {
        let mut tx = self.begin().await?;
        let delete = sqlx::query("DELETE FROM identity_tokens WHERE made_at < $1").bind(before);
        let done = delete.execute(&mut tx.connection).await?;
        tx.commit().await?;
        Ok(done.rows_affected())
    }

    pub async fn accept_terms(&self, user: &UserId, terms: &str) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        sqlx::query("INSERT INTO identity_terms (mxid, terms) VALUES ($1, $2) ON CONFLICT (mxid, terms) DO NOTHING")
            .bind(user.as_str())
            .bind(terms)
            .execute(&mut tx.connection)
            .await?;
        tx.commit().await
    }

    pub async fn has_accepted(&self, user: &UserId, terms: &str) -> Result<bool, Error> {
        let row = sqlx::query("SELECT 1 FROM identity_terms WHERE mxid = $1 AND terms = $2")
            .bind(user.as_str())
            .bind(terms)
            .fetch_optional(&mut *self.reader().await?)
            .await?;
        Ok(row.is_some())
    }

    /// Some of the ghosts of which it is not worked out yet by what they are found.
    pub async fn ghosts_without_lookup(&self, count: i64) -> Result<Vec<Ghost>, Error> {
        let rows = sqlx::query("SELECT mxid, connector, remote_user, name FROM ghosts WHERE lookup IS NULL LIMIT $1")
            .bind(count)
            .fetch_all(&mut *self.reader().await?)
            .await?;
        rows.iter().map(read_ghost).collect()
    }

    /// Writes down by what each of these ghosts is found; by nothing, if that is empty.
    pub async fn set_lookups(&self, lookups: &[(OwnedUserId, String)]) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        for (ghost, lookup) in lookups {
            sqlx::query("UPDATE ghosts SET lookup = $1 WHERE mxid = $2")
                .bind(lookup)
                .bind(ghost.as_str())
                .execute(&mut tx.connection)
                .await?;
        }
        tx.commit().await
    }

    /// The ghosts that are found by these.
    pub async fn ghosts_by_lookup(&self, lookups: &[String]) -> Result<BTreeMap<String, OwnedUserId>, Error> {
        let mut found = BTreeMap::new();
        for chunk in lookups.chunks(sql::ROWS_AT_ONCE) {
            let list = sql::list(1, chunk.len());
            let mut query =
                sql::query(format!("SELECT lookup, mxid FROM ghosts WHERE lookup <> '' AND lookup IN ({list})"));
            for lookup in chunk {
                query = query.bind(lookup);
            }
            for row in query.fetch_all(&mut *self.reader().await?).await? {
                found.insert(row.try_get(0)?, parse(&row, 1)?);
            }
        }
        Ok(found)
    }
}
