//! What ghosts look like: name and picture, as their network knows them. Set before anybody sees the ghost, and looked at
//! again only seldom: each change is an event in all of its rooms.

use super::Bridge;
use crate::{
    connector::Profile,
    failure::Failure,
    ids::{RemoteUserId, SourceId},
    matrix::{self, Intent, picture_type},
    store::{Ghost, Looks, NewRow, Queue, now},
};
use bytes::Bytes;
use data_encoding::BASE32_NOPAD;
use ruma::{OwnedUserId, UserId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::time::Duration;
use tokio::time::timeout;

const LOOK_AGAIN_MS: i64 = 3 * 86_400_000;
/// When nobody answered.
const LOOK_SOON_MS: i64 = 3_600_000;
/// Somebody's first message does not wait longer for their picture.
const PATIENCE: Duration = Duration::from_secs(5);
/// The largest picture that is taken over, in bytes.
const LARGEST: usize = 1_000_000;

/// The payload of an inbox row of the kind `looks`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Look {
    ghost: OwnedUserId,
}

/// What a network answered.
pub(super) struct Answer {
    profile: Option<Profile>,
    /// When it may be asked again, less the time after which it is.
    at: i64,
}

impl Answer {
    /// The name that the network gives.
    pub(super) fn name(&self) -> Option<String> {
        self.profile.as_ref().map(|profile| profile.name.clone()).filter(|name| !name.is_empty())
    }
}

impl Bridge {
    /// Asks a network for one of its people; `None`: it knows no such things.
    pub(super) async fn ask_looks(&self, connector: &str, user: &RemoteUserId) -> Option<Answer> {
        let port = self.connectors.get(connector).filter(|port| port.capabilities().profiles)?;
        if self.is_of_room(connector, user) {
            return None;
        }
        match timeout(PATIENCE, port.profile(user)).await {
            Ok(Ok(profile)) => Some(Answer { profile, at: now() }),
            Ok(Err(failure)) => {
                tracing::debug!(connector, detail = failure.detail, "what somebody looks like is not known");
                Some(Answer { profile: None, at: now() - LOOK_AGAIN_MS + LOOK_SOON_MS })
            }
            Err(_) => Some(Answer { profile: None, at: now() - LOOK_AGAIN_MS + LOOK_SOON_MS }),
        }
    }

    /// Gives a new ghost its picture, and writes down since when it has it.
    pub(super) async fn dress(&self, ghost: &UserId, answer: &Answer) -> Result<(), Failure> {
        let picture = match &answer.profile {
            Some(profile) => self.put_on(&self.homeserver.intent(ghost), &profile.picture, None).await,
            None => None,
        };
        self.note_looks(ghost, Looks { looked_up_at: Some(answer.at), picture }).await
    }

    async fn note_looks(&self, ghost: &UserId, looks: Looks) -> Result<(), Failure> {
        self.store.note_looks(ghost, &looks).await?;
        self.looks.remember(ghost.to_owned(), looks.looked_up_at.unwrap_or_default());
        Ok(())
    }

    /// Queues a new look at somebody of whom something has come, should the last one be long ago.
    pub(super) async fn look_again(&self, connector: &str, ghost: &UserId) -> Result<(), Failure> {
        if !self.connectors.get(connector).is_some_and(|port| port.capabilities().profiles) {
            return Ok(());
        }
        let at = match self.looks.recall(ghost) {
            Some(at) => at,
            None => self.store.looks_of(ghost).await?.looked_up_at.unwrap_or_default(),
        };
        if now() - at < LOOK_AGAIN_MS {
            self.looks.remember(ghost.to_owned(), at);
            return Ok(());
        }
        if self.remote_of(ghost).is_none_or(|(_, user)| self.is_of_room(connector, &user)) {
            self.looks.remember(ghost.to_owned(), now());
            return Ok(());
        }
        let source = format!("looks {ghost} {}", now() / LOOK_SOON_MS);
        let payload = serde_json::to_vec(&Look { ghost: ghost.to_owned() }).unwrap_or_default();
        let mut tx = self.store.begin().await?;
        tx.enqueue(Queue::Inbox, vec![look_row(ghost, source, payload)]);
        tx.commit().await?;
        // Until it is done nobody queues another.
        self.looks.remember(ghost.to_owned(), now() - LOOK_AGAIN_MS + LOOK_SOON_MS);
        Ok(())
    }

    /// Takes over what has changed. The name that somebody gives with each message was known before, and stays.
    pub(super) async fn renew_looks(&self, look: &Look) -> Result<(), Failure> {
        let Some((connector, user)) = self.remote_of(&look.ghost) else { return Ok(()) };
        let (Some(answer), Some(ghost)) =
            (self.ask_looks(connector, &user).await, self.store.ghost(&look.ghost).await?)
        else {
            return Ok(());
        };
        let known = self.store.looks_of(&look.ghost).await?;
        let intent = self.homeserver.intent(&look.ghost);
        if let Some(name) = answer.name().filter(|name| *name != ghost.name) {
            intent.set_name(&name).await?;
            self.store.save_ghost(&Ghost { name: name.clone(), ..ghost }).await?;
            self.known_ghosts.remember(look.ghost.clone(), name);
        }
        let picture = match &answer.profile {
            Some(profile) => self.put_on(&intent, &profile.picture, known.picture).await,
            None => known.picture,
        };
        self.note_looks(&look.ghost, Looks { looked_up_at: Some(answer.at), picture }).await
    }

    /// Makes this the picture of a ghost; the hash of what it has then. No message waits for a picture, and none is lost
    /// for one.
    async fn put_on(&self, intent: &Intent<'_>, picture: &Bytes, had: Option<String>) -> Option<String> {
        match change_picture(intent, picture, had.clone()).await {
            Ok(hash) => hash,
            Err(error) => {
                tracing::warn!(%error, "the homeserver does not take a ghost's picture");
                had
            }
        }
    }
}

/// What is no picture, or too large, changes nothing.
async fn change_picture(
    intent: &Intent<'_>,
    picture: &Bytes,
    had: Option<String>,
) -> Result<Option<String>, matrix::Error> {
    if picture.is_empty() {
        if had.is_some() {
            intent.set_avatar(None).await?;
        }
        return Ok(None);
    }
    let Some(kind) = picture_type(picture).filter(|_| picture.len() <= LARGEST) else { return Ok(had) };
    let hash = BASE32_NOPAD.encode(&Sha256::digest(picture));
    if had.as_ref() != Some(&hash) {
        let uri = intent.upload("avatar", kind, picture).await?;
        intent.set_avatar(Some(uri)).await?;
    }
    Ok(Some(hash))
}

/// A row that belongs to no room.
fn look_row(ghost: &UserId, source: String, payload: Vec<u8>) -> NewRow {
    NewRow {
        kind: "looks",
        connector: "matrix".into(),
        lane: format!("looks {ghost}"),
        source: SourceId::new(source),
        target: ghost.to_string(),
        room: None,
        payload,
        due_at: now(),
    }
}
