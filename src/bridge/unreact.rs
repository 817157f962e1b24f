//! A reaction of staff that is taken back. Where a network knows only all reactions of one person to one message, what is
//! left of them takes the place of what was there.

use super::{
    Bridge,
    draft::Draft,
    event::Event,
    outgoing::{Part, Purpose, Words, addressed},
    work::{Scene, Work},
};
use crate::{
    ids::LocalUser,
    message::Writer,
    store::{Error, Reacted, Tx},
};
use ruma::EventId;

impl Bridge {
    /// If `gone` was a reaction that people outside are shown, they get those that are left.
    pub(super) async fn unreact(
        &self,
        tx: &mut Tx,
        event: &Event<'_>,
        scene: &Scene<'_>,
        gone: &EventId,
        work: &mut Work,
    ) -> Result<(), Error> {
        let Some(Reacted { target, writer, name, .. }) = tx.reacted(gone).await? else { return Ok(()) };
        let writer = Writer { user: LocalUser::new(writer), name };
        for audience in self.audiences(scene) {
            if !audience.port.capabilities().reactions {
                continue;
            }
            let (words, replaced) = (Words::default(), Vec::new());
            let part = Part { event: event.id.clone(), at: event.at, words, reply_to: None, fallback: None, replaced };
            // Which ones are left is looked up when it is sent.
            let purpose = Purpose::Reaction { to: target.clone(), emoji: String::new() };
            let mut outgoing = self.outgoing(event, scene, &audience, purpose, part);
            // A moderator may take away what somebody else has put there.
            outgoing.delivery.writer = writer.clone();
            for (ghost, to) in audience.recipients(scene.only) {
                work.drafts.push(self.draft(event, &audience, addressed(&outgoing, ghost, to)));
            }
        }
        Ok(())
    }

    /// Whether a draft is a reaction that another one takes the place of, should it be gone already.
    pub(super) fn is_replaced_by_the_rest(&self, draft: &Draft) -> bool {
        let port = self.connectors.get(draft.connector.as_str());
        matches!(draft.outgoing.purpose, Purpose::Reaction { .. })
            && port.is_some_and(|port| port.capabilities().reactions)
    }
}
