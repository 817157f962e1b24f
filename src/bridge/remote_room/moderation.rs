//! Staff send ghosts out of a paired portal, let them in again, and take away what others have said: the same is done in
//! the remote room, as whoever has done it here. Where that may not be, this room says so, and a ghost comes back.

use super::{
    super::{
        Bridge, Text,
        event::Event,
        inbox::own_row,
        outgoing::{Outgoing, Part, Purpose, Words, addressed},
        work::{Scene, Work},
        worker::Done,
    },
    occupants::enter,
};
use crate::{
    failure::{Failure, Reason},
    matrix::Error,
    message::Moderation,
    store::{Member, Membership, Message, MessageState, NewRow, Portal, Row},
};
use ruma::{EventId, OwnedEventId, OwnedRoomId, OwnedUserId, UserId};
use serde::{Deserialize, Serialize};

/// A reason is at most so long, in characters.
const LONGEST: usize = 300;

/// The payload of an inbox row of the kind `readmission`: somebody was sent out here and is still in the remote room.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::bridge) struct Readmission {
    room: OwnedRoomId,
    /// The ghost of the remote room.
    keeper: OwnedUserId,
    ghost: OwnedUserId,
    reason: Reason,
}

impl Bridge {
    /// Staff have sent somebody out, or have taken back that they may not come. Who leaves by themself says nothing of it.
    pub(in crate::bridge) fn sent_away_here(
        &self,
        event: &Event<'_>,
        portal: &Portal,
        user: &UserId,
        for_good: bool,
        reason: Option<&str>,
        work: &mut Work,
    ) {
        let Some((connector, who)) = self.remote_of(user).filter(|_| event.sender != *user) else { return };
        let Some(room) = self.connectors.get(connector).and_then(|port| port.room_of(&who)) else { return };
        if !self.remote_rooms_in(portal).contains(&(connector, room.clone())) {
            return;
        }
        let Some(keeper) = self.room_ghost(connector, &room) else { return };
        let was_here = portal.members.contains_key(user);
        if !self.permissions.may_answer_in(&event.room, &event.sender, &self.ghosts.server) {
            if was_here {
                let (room, ghost) = (event.room.clone(), user.to_owned());
                work.inbox.push(Readmission { room, keeper, ghost, reason: Reason::Refused }.row(event.id.as_str()));
            }
            return;
        }
        let moderation = match was_here || for_good {
            true => {
                let reason = reason.map(|words| words.chars().take(LONGEST).collect());
                Moderation::SendAway { who, for_good, reason }
            }
            false => Moderation::LetIn { who },
        };
        self.moderate(event, portal, &keeper, None, moderation, work);
    }

    /// Staff have taken away what people in a remote room have said.
    pub(in crate::bridge) fn take_away_there(
        &self,
        event: &Event<'_>,
        scene: &Scene<'_>,
        target: &EventId,
        crossed: &[Message],
        work: &mut Work,
    ) {
        if scene.passing_on.is_some()
            || !self.permissions.may_answer_in(&event.room, &event.sender, &self.ghosts.server)
        {
            return;
        }
        // Once under the name that its author gave it, and once under that of the room.
        let by_room =
            |message: &&Message| message.state == MessageState::Received && message.remote_user.room().is_some();
        for message in crossed.iter().filter(by_room) {
            let Some(keeper) = self.ghosts.ghost(&message.connector, &message.remote_user) else { continue };
            let moderation = Moderation::TakeAway { message: message.remote_message.clone() };
            self.moderate(event, scene.portal, &keeper, Some(target.to_owned()), moderation, work);
        }
    }

    fn moderate(
        &self,
        event: &Event<'_>,
        portal: &Portal,
        keeper: &UserId,
        of: Option<OwnedEventId>,
        moderation: Moderation,
        work: &mut Work,
    ) {
        let scene = Scene { portal, only: None, speaker: keeper, passing_on: None };
        for audience in self.audiences(&scene) {
            let Some((ghost, to)) = audience.ghosts.iter().find(|(ghost, _)| ghost == keeper) else { continue };
            let (words, replaced) = (Words::default(), Vec::new());
            let part = Part { event: event.id.clone(), at: event.at, words, reply_to: None, fallback: None, replaced };
            let purpose = Purpose::Moderation { of: of.clone() };
            let mut outgoing = self.outgoing(event, &scene, &audience, purpose, part);
            outgoing.delivery.moderates = Some(moderation.clone());
            work.drafts.push(self.draft(event, &audience, addressed(&outgoing, ghost, to)));
        }
    }

    /// What follows when the remote room does not do it.
    pub(in crate::bridge) fn not_moderated(
        &self,
        row: &Row,
        outgoing: &Outgoing,
        moderation: &Moderation,
        reason: Reason,
    ) -> Vec<NewRow> {
        let (room, keeper) = (outgoing.room.clone(), outgoing.ghost.clone());
        let text = match moderation {
            Moderation::SendAway { who, .. } => {
                let Some(ghost) = self.ghosts.ghost(&row.connector, who) else { return Vec::new() };
                return vec![Readmission { room, keeper, ghost, reason }.row(row.source.as_str())];
            }
            Moderation::LetIn { who } => Text::NotLetIn { name: name_of(who.address()), reason },
            Moderation::TakeAway { .. } => Text::NotTakenAway { reason },
        };
        let source = format!("not moderated {}", row.source);
        vec![self.notice(source, room, keeper, outgoing.about().cloned(), &text)]
    }

    /// Whoever is still in the remote room is in the portal as well, and the room learns why.
    pub(in crate::bridge) async fn readmit(&self, row: &Row, readmission: &Readmission) -> Result<Done, Failure> {
        let Readmission { room, keeper, ghost, reason } = readmission;
        let is_there = *reason != Reason::UnknownRecipient;
        let is_back = is_there && self.let_in_here(readmission).await?;
        if is_back {
            let mut tx = self.store.begin().await?;
            tx.set_member(room, ghost, &Member { membership: Membership::Join, name: None }).await?;
            tx.commit().await?;
        }
        let who = self.remote_of(ghost).map(|(_, who)| who);
        let name = who.as_ref().map_or_else(|| ghost.localpart(), |who| name_of(who.address()));
        let text = Text::NotSentAway { name, reason: *reason, is_back };
        let notice = self.notice(format!("not sent away {}", row.source), room.clone(), keeper.clone(), None, &text);
        Ok(Done { follow_up: vec![notice], ..Done::default() })
    }

    async fn let_in_here(&self, Readmission { room, keeper, ghost, .. }: &Readmission) -> Result<bool, Failure> {
        let (keeper, ghost) = (self.homeserver.intent(keeper), self.homeserver.intent(ghost));
        match keeper.unban(room, ghost.user()).await {
            // There is no ban, or it is not ours to lift.
            Err(Error::Refused { status: 403 | 404, .. }) => {}
            result => result?,
        }
        enter(&ghost, &keeper, room).await
    }
}

impl Readmission {
    fn row(&self, source: &str) -> NewRow {
        own_row("readmission", format!("expel {}", self.room), format!("readmission {source}"), &self.room, self)
    }
}

/// What somebody is called in the remote room, as it stands in their address there.
fn name_of(address: &str) -> &str {
    address.split_once('/').map_or(address, |(_, name)| name)
}
