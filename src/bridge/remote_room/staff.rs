//! Staff come into a paired portal and leave it, and remote rooms send them away.

use super::{
    super::{Bridge, Text, event::Event, inbox::own_row, texts::Sentence, work::Work, worker::Done},
    happening::Pair,
};
use crate::{
    failure::Failure,
    ids::LocalUser,
    matrix::Error,
    message::Parting,
    store::{self, NewRow, Portal, Tx},
};
use ruma::{OwnedRoomId, OwnedUserId, UserId};
use serde::{Deserialize, Serialize};

/// The payload of an inbox row of the kind `expel`: somebody has no business in a room that we have made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::bridge) struct Expel {
    room: OwnedRoomId,
    /// Who does it.
    ghost: OwnedUserId,
    user: OwnedUserId,
    reason: Sentence,
}

impl Expel {
    fn row(&self, source: &str) -> NewRow {
        own_row("expel", format!("expel {}", self.room), format!("expel {source}"), &self.room, self)
    }
}

impl Bridge {
    /// Somebody of the staff has come into a portal: into its remote rooms they may go again, and whoever may not write
    /// is told so.
    pub(in crate::bridge) async fn staff_came(
        &self,
        tx: &mut Tx,
        event: &Event<'_>,
        user: &UserId,
        portal: &Portal,
        work: &mut Work,
    ) -> Result<(), store::Error> {
        let (room, server) = (&event.room, &self.ghosts.server);
        for (connector, remote) in self.remote_rooms_in(portal) {
            tx.let_in(connector, &remote, user).await?;
            let Some(ghost) = self.room_ghost(connector, &remote) else { continue };
            if !self.may_read(user) {
                let reason = Sentence::new(&Text::NotAllowedToUse);
                let expel = Expel { room: room.clone(), ghost, user: user.to_owned(), reason };
                work.inbox.push(expel.row(event.id.as_str()));
                continue;
            }
            let begins = |user: &OwnedUserId| self.permissions.may_begin_in(room, user, server);
            let text = if !self.permissions.may_answer_in(room, user, server) {
                Text::NotAllowedToWrite
            } else if !portal.members.keys().any(begins) {
                Text::NotAllowedToBegin
            } else {
                continue;
            };
            let once = format!("may not speak {room} {user}");
            work.inbox.extend(self.notice_once(tx, once, room, &ghost, None, &text).await?);
        }
        Ok(())
    }

    /// Sends somebody out of a room, if we have made it: from rooms of staff nobody is sent away.
    pub(in crate::bridge) async fn expel(&self, expel: &Expel) -> Result<(), Failure> {
        let Expel { room, ghost, user, reason } = expel;
        let intent = self.homeserver.intent(ghost);
        let expelled = async {
            if !intent.has_made(room).await? {
                return Ok(false);
            }
            let language = self.language_of(user).await.unwrap_or(self.language);
            intent.kick(room, user, reason.in_language(language)).await.map(|()| true)
        };
        match expelled.await {
            Err(Error::Refused { status: 403 | 404, .. }) | Ok(false) => return Ok(()),
            result => drop(result?),
        }
        // What we do ourselves is not pushed to the router.
        let mut tx = self.store.begin().await?;
        tx.remove_member(room, user).await?;
        Ok(tx.commit().await?)
    }
}

impl Pair<'_> {
    /// The remote room is no more: nobody from there is here, and nobody of the staff makes it anew by going on.
    pub(super) async fn closed(&self, words: Option<&str>) -> Result<Done, Failure> {
        self.match_people(&[]).await?;
        let members = self.bridge.store.members(&self.room).await?;
        let mut tx = self.bridge.store.begin().await?;
        for user in members.keys().filter(|user| !self.bridge.is_ours(user)) {
            tx.shut_out(&self.row.connector, &self.in_room.room, user).await?;
        }
        tx.commit().await?;
        self.bridge.connector(&self.row.connector)?.attendance_changed();
        let (room, keeper, source) = (self.room.clone(), self.keeper.clone(), &self.row.source);
        let notice = self.bridge.notice(format!("closed {source}"), room, keeper, None, &Text::RoomClosed { words });
        Ok(Done { follow_up: vec![notice], ..Done::default() })
    }

    /// One of ours was sent away there, or not let in: they are told, and do not try again until they come anew.
    pub(super) async fn shut_out(&self, user: &LocalUser, parting: &Parting) -> Result<Done, Failure> {
        let Some(user) = self.bridge.staff_id(user) else { return Ok(Done::default()) };
        let mut tx = self.bridge.store.begin().await?;
        tx.shut_out(&self.row.connector, &self.in_room.room, &user).await?;
        tx.commit().await?;
        self.bridge.connector(&self.row.connector)?.attendance_changed();
        let name = self.bridge.store.name_in(&self.room, &user).await?;
        let name = name.unwrap_or_else(|| user.localpart().to_owned());
        let text = Text::ShutOut { name: &name, parting };
        let (room, keeper, source) = (self.room.clone(), self.keeper.clone(), self.row.source.to_string());
        let notice = self.bridge.notice(format!("shut out {source}"), room.clone(), keeper.clone(), None, &text);
        let expel = Expel { room, ghost: keeper, user, reason: Sentence::new(&text) };
        Ok(Done { follow_up: vec![notice, expel.row(&source)], ..Done::default() })
    }
}
