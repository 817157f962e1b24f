//! Invitations that were written to an address: the ghost claims them. And by what those who know an address find it.

use super::{Bridge, Person, Text, inbox::own_row};
use crate::{
    failure::Failure,
    matrix::SigningKey,
    store::{self, NewRow, Queue, Row, now},
};
use data_encoding::BASE64URL_NOPAD;
use ruma::{OwnedRoomId, OwnedUserId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, time::Duration};

/// The homeserver writes the invitation into the room only once it has our answer.
const INVITATION_NEEDS: Duration = Duration::from_millis(400);
/// An invitation that the homeserver still refuses to hand over after this time was taken back, or never written.
const PATIENCE: Duration = Duration::from_secs(120);
/// Ghosts of one commit.
const GHOSTS_AT_ONCE: i64 = 1000;
/// The names of our secrets.
const KEY: &str = "key";
const PEPPER: &str = "pepper";

/// The payload of an inbox row of the kind `claim`: an invitation that waits for the ghost of an address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    pub room: OwnedRoomId,
    pub inviter: OwnedUserId,
    pub ghost: OwnedUserId,
    pub medium: String,
    pub address: String,
    /// By which the homeserver knows the invitation.
    pub token: String,
    /// The server that signs: the host name of the identity service.
    pub server: String,
}

impl Bridge {
    /// Whether this user may look for people outside and invite them.
    pub fn may_invite(&self, user: &UserId) -> bool {
        self.permissions.may_write(user, &self.ghosts.server)
    }

    /// The key that signs invitations: made once.
    pub async fn signing_key(&self) -> Result<SigningKey, store::Error> {
        Ok(SigningKey::new(&self.store.secret(KEY, rand::random()).await?))
    }

    /// What is mixed into hashed addresses: made once.
    pub async fn pepper(&self) -> Result<String, store::Error> {
        Ok(BASE64URL_NOPAD.encode(&self.store.secret(PEPPER, rand::random()).await?))
    }

    /// Queues that the ghost claims its invitation. After `Ok` it will.
    pub async fn expect_invitation(&self, claim: &Claim) -> Result<(), store::Error> {
        let once = format!("claim {}", claim.token);
        let row = NewRow {
            target: claim.ghost.to_string(),
            due_at: now() + INVITATION_NEEDS.as_millis() as i64,
            ..own_row("claim", once.clone(), once, &claim.room, claim)
        };
        let mut tx = self.store.begin().await?;
        tx.enqueue(Queue::Inbox, vec![row]);
        tx.commit().await
    }

    /// The homeserver makes an ordinary invitation of it, and pushes that to us.
    pub(super) async fn claim(&self, row: &Row, claim: &Claim) -> Result<(), Failure> {
        if let Some(Person { connector, address, .. }) = self.person_behind(&claim.ghost) {
            // A name and a profile, before anybody sees them.
            self.ensure_ghost(connector, &address).await?;
        }
        let Claim { room, inviter, ghost, medium, address, token, server } = claim;
        let signed = self.signing_key().await?.sign(json!({ "mxid": ghost, "token": token }), server);
        let invite = json!({
            "medium": medium, "address": address, "mxid": ghost, "room_id": room, "sender": inviter, "signed": signed,
        });
        let bound = json!({ "medium": medium, "address": address, "mxid": ghost, "invites": [invite] });
        match self.federation.bound(&bound).await {
            Err(error) if error.is_forbidden() && now() - row.created_at > self.patience() => {
                tracing::info!(row = row.id, %error, "an invitation to an address was taken back");
                let language = self.language_of(inviter).await?;
                self.tell_alone(row, inviter, &language.say(&Text::ClaimFailed { address })).await
            }
            Err(error) => Err(Failure::transient(Failure::from(error.clone()).reason, error)),
            Ok(()) => Ok(()),
        }
    }

    /// In milliseconds.
    fn patience(&self) -> i64 {
        self.give_up.min(PATIENCE).as_millis() as i64
    }

    /// The ghosts of hashed addresses, of those whom somebody has written to or heard from.
    pub async fn ghosts_by_hash(&self, hashes: &[String]) -> Result<BTreeMap<String, OwnedUserId>, store::Error> {
        self.hash_new_ghosts().await?;
        self.store.ghosts_by_lookup(hashes).await
    }

    /// Works out the hashes of the addresses of ghosts that came since the last time. Whether there may be more.
    pub async fn hash_new_ghosts(&self) -> Result<bool, store::Error> {
        let ghosts = self.store.ghosts_without_lookup(GHOSTS_AT_ONCE).await?;
        if ghosts.is_empty() {
            return Ok(false);
        }
        let pepper = self.pepper().await?;
        let hashes = ghosts.into_iter().map(|ghost| {
            let hash = self.identifier(&ghost.connector, &ghost.remote_user);
            (ghost.mxid, hash.map(|(medium, address)| hashed(&address, medium, &pepper)).unwrap_or_default())
        });
        self.store.set_lookups(&hashes.collect::<Vec<_>>()).await?;
        Ok(true)
    }
}

/// Identity Service API 1.11, "Client behaviour": how clients hash an address.
fn hashed(address: &str, medium: &str, pepper: &str) -> String {
    BASE64URL_NOPAD.encode(&Sha256::digest(format!("{address} {medium} {pepper}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification.
    #[test]
    fn addresses_are_hashed_as_clients_do() {
        assert_eq!(hashed("alice@example.com", "email", "matrixrocks"), "4kenr7N9drpCJ4AfalmlGQVsOn3o2RHjkADUpXJWZUc");
        assert_eq!(hashed("18005552067", "msisdn", "matrixrocks"), "nlo35_T5fzSGZzJApqu8lgIudJvmOQtDaHtr-I4rU7I");
    }
}
