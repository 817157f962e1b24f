//! The ghosts of those in a remote room come into the portal, and leave it.

use super::{super::Text, happening::Pair};
use crate::{
    failure::Failure,
    ids::RemoteUserId,
    matrix::{Error, Intent},
    message::{Occupant, Parting},
    store::{Member, Membership},
};
use futures_util::{TryStreamExt, stream};
use ruma::{OwnedUserId, RoomId, UserId};
use std::collections::BTreeMap;

/// The homeserver takes no more at once.
const AT_ONCE: usize = 4;

/// Brings a ghost into the portal. `false`: staff have shut it out.
pub(super) async fn enter(ghost: &Intent<'_>, keeper: &Intent<'_>, room: &RoomId) -> Result<bool, Failure> {
    match ghost.join(room).await {
        Ok(()) => return Ok(true),
        Err(Error::Refused { status: 403, .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let entered = async {
        keeper.invite(room, ghost.user()).await?;
        ghost.join(room).await
    };
    match entered.await {
        Err(Error::Refused { status: 403, .. }) => Ok(false),
        result => Ok(result.map(|()| true)?),
    }
}

impl Pair<'_> {
    /// The ghost of somebody who is there, in the portal. `None`: staff have shut them out of it.
    pub(super) async fn bring_in(&self, occupant: &Occupant) -> Result<Option<OwnedUserId>, Failure> {
        let bridge = self.bridge;
        if bridge.ghosts.ghost(&self.row.connector, &occupant.who).is_none() {
            // Their name is too long for Matrix.
            return Ok(None);
        }
        let ghost = bridge.meet(&self.row.connector, &occupant.who, Some(&occupant.name)).await?.ghost;
        if bridge.store.membership(&self.room, &ghost).await? == Some(Membership::Join) {
            return Ok(Some(ghost));
        }
        let intent = |user| bridge.homeserver.intent(user);
        if !enter(&intent(&ghost), &intent(&self.keeper), &self.room).await? {
            return Ok(None);
        }
        let mut tx = bridge.store.begin().await?;
        tx.set_member(&self.room, &ghost, &Member { membership: Membership::Join, name: None }).await?;
        tx.commit().await?;
        Ok(Some(ghost))
    }

    /// Somebody is not there any more.
    pub(super) async fn send_off(&self, who: &RemoteUserId, parting: &Parting) -> Result<(), Failure> {
        let bridge = self.bridge;
        let Some(ghost) = bridge.ghosts.ghost(&self.row.connector, who) else { return Ok(()) };
        if bridge.store.membership(&self.room, &ghost).await?.is_none() {
            return Ok(());
        }
        let reason = match parting {
            Parting::Renamed(name) => bridge.language.say(&Text::NowCalled { name }),
            Parting::Kicked(Some(words)) | Parting::Banned(Some(words)) => words.clone(),
            _ => String::new(),
        };
        let is_kick = matches!(parting, Parting::Kicked(_) | Parting::Banned(_));
        if !(is_kick && self.kick(&ghost, &reason).await?) {
            match bridge.homeserver.intent(&ghost).leave(&self.room, &reason).await {
                // The ghost is out already.
                Err(Error::Refused { status: 403 | 404, .. }) => {}
                result => result?,
            }
        }
        let mut tx = bridge.store.begin().await?;
        tx.remove_member(&self.room, &ghost).await?;
        Ok(tx.commit().await?)
    }

    /// `false`: the remote room's ghost may not do that here.
    async fn kick(&self, ghost: &UserId, reason: &str) -> Result<bool, Failure> {
        match self.bridge.homeserver.intent(&self.keeper).kick(&self.room, ghost, reason).await {
            Err(Error::Refused { status: 403 | 404, .. }) => Ok(false),
            result => Ok(result.map(|()| true)?),
        }
    }

    /// Makes the ghosts of this remote room in the portal just those who are there.
    pub(super) async fn match_people(&self, people: &[Occupant]) -> Result<(), Failure> {
        let (bridge, connector) = (self.bridge, self.row.connector.as_str());
        let there: BTreeMap<OwnedUserId, &Occupant> =
            people.iter().filter_map(|it| Some((bridge.ghosts.ghost(connector, &it.who)?, it))).collect();
        let here = bridge.store.members(&self.room).await?;
        let port = bridge.connector(connector)?;
        let gone = here.keys().filter(|user| !there.contains_key(*user)).filter_map(|user| {
            let (name, who) = bridge.remote_of(user)?;
            (name == connector && port.room_of(&who).as_ref() == Some(&self.in_room.room)).then_some(who)
        });
        for who in gone {
            self.send_off(&who, &Parting::Left).await?;
        }
        let new = there.into_iter().filter(|(ghost, _)| here.get(ghost) != Some(&Membership::Join));
        stream::iter(new.map(|(_, occupant)| Ok(occupant)))
            .try_for_each_concurrent(AT_ONCE, async |occupant| self.bring_in(occupant).await.map(drop))
            .await
    }
}
