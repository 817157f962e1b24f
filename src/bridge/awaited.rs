//! People outside who were invited and are not in the room yet: what is written meanwhile is one message to all, and not
//! one for each as they come in.

use super::{Bridge, audience::Audience, hold, work::Work};
use crate::{
    connector::Capabilities,
    store::{Membership, Portal, now},
};
use std::time::Duration;

/// How long a message waits for them. They come within a second; a homeserver that takes longer, or an invitation that
/// leads nowhere, holds up nobody else for more than this.
const ON_THE_WAY: Duration = Duration::from_secs(5);

impl Bridge {
    /// How long a message waits: as the network says, and for those who are still on their way.
    pub(super) fn wait(&self, portal: &Portal, audience: &Audience) -> Duration {
        let capabilities = audience.port.capabilities();
        match self.awaits(portal, audience.connector, &capabilities) {
            true => capabilities.hold.max(ON_THE_WAY),
            false => capabilities.hold,
        }
    }

    /// Whether somebody is still to come who would be named beside the others.
    fn awaits(&self, portal: &Portal, connector: &str, capabilities: &Capabilities) -> bool {
        let is_awaited = |ghost| self.remote_of(ghost).is_some_and(|(name, _)| name == connector);
        let mut invited = self.ghosts_in(portal).filter(|(_, membership)| *membership == Membership::Invite);
        capabilities.addressed && invited.any(|(ghost, _)| is_awaited(ghost))
    }

    /// Somebody has come in: what waited for the last of them leaves when it would have left without that.
    pub(super) fn wait_no_longer(&self, portal: &Portal, work: &mut Work) {
        let now = now();
        for draft in work.drafts.iter_mut().filter(|draft| draft.is_held(now)) {
            let Some(port) = self.connectors.get(draft.connector.as_str()) else { continue };
            let capabilities = port.capabilities();
            if !self.awaits(portal, &draft.connector, &capabilities) {
                draft.hasten(|since| hold::prolonged(since, now, capabilities.hold));
            }
        }
    }
}
