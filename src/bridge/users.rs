//! Which members of staff exist.

use super::{Bridge, Level};
use crate::{
    connector::{Attendance, Directory, Profile},
    failure::Failure,
    ids::LocalUser,
    message::Typing,
    store::now,
};
use async_trait::async_trait;
use bytes::Bytes;
use ruma::{OwnedUserId, UserId};
use std::time::{Duration, Instant};

/// The homeserver is asked again after this time, in case an account was closed.
const CONFIRMED_FOR_MS: i64 = 24 * 3600 * 1000;
/// How long an answer is kept in memory: long for who exists, short for who does not, so that a flood of invented
/// addresses does not become a flood of requests, and a new colleague can be written to soon.
const KNOWN_FOR: Duration = Duration::from_secs(600);
const UNKNOWN_FOR: Duration = Duration::from_secs(30);
/// The largest picture of a member of staff that people outside are shown, in bytes.
const PICTURE: u64 = 200_000;

impl Bridge {
    /// The Matrix id of a member of staff; `None` if there can be no such id.
    pub(super) fn staff_id(&self, user: &LocalUser) -> Option<OwnedUserId> {
        UserId::parse(format!("@{user}:{}", self.ghosts.server)).ok()
    }

    async fn exists(&self, user: &UserId) -> Result<bool, Failure> {
        if self.store.user_confirmed_since(user, now() - CONFIRMED_FOR_MS).await? {
            return Ok(true);
        }
        let exists = self.homeserver.profile(user).await?.is_some();
        if exists {
            self.store.confirm_user(user).await?;
        }
        Ok(exists)
    }
}

#[async_trait]
impl Directory for Bridge {
    async fn knows(&self, user: &LocalUser) -> Result<bool, Failure> {
        let Some(user) = self.staff_id(user) else { return Ok(false) };
        if self.is_ours(&user) || self.permissions.level(&user) < Level::Read {
            return Ok(false);
        }
        let fresh = |(exists, asked): &(bool, Instant)| asked.elapsed() < if *exists { KNOWN_FOR } else { UNKNOWN_FOR };
        if let Some((exists, _)) = self.users.recall(&user).filter(fresh) {
            return Ok(exists);
        }
        let exists = self.exists(&user).await?;
        self.users.remember(user, (exists, Instant::now()));
        Ok(exists)
    }

    async fn profile(&self, user: &LocalUser) -> Result<Option<Profile>, Failure> {
        if !self.knows(user).await? {
            return Ok(None);
        }
        let Some(id) = self.staff_id(user) else { return Ok(None) };
        let Some(profile) = self.homeserver.profile(&id).await? else { return Ok(None) };
        let picture = match profile.avatar_url {
            // A picture that is too large or gone is none.
            Some(uri) => self.homeserver.download(&uri, PICTURE).await.unwrap_or_default(),
            None => Bytes::new(),
        };
        Ok(Some(Profile { name: profile.displayname.unwrap_or_else(|| user.to_string()), picture }))
    }

    fn typing(&self, connector: &'static str, typing: Typing) {
        self.passing.remote(connector, typing);
    }

    async fn attendance(&self, connector: &str) -> Result<Vec<Attendance>, Failure> {
        self.attendees(connector).await
    }
}
