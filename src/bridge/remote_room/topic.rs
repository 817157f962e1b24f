//! What staff say that a paired portal is about is what the remote room is about.

use super::super::{
    Bridge,
    event::Event,
    outgoing::{Part, Purpose, Words, addressed},
    work::{Scene, Work},
};
use crate::{message::Body, store::Portal};

impl Bridge {
    pub(in crate::bridge) fn topic_changed(&self, event: &Event<'_>, portal: &Portal, topic: &str, work: &mut Work) {
        if topic.is_empty() || !self.permissions.may_answer_in(&event.room, &event.sender, &self.ghosts.server) {
            return;
        }
        let Some(speaker) = self.speaker(portal) else { return };
        let scene = Scene { portal, only: None, speaker, passing_on: None };
        for audience in self.audiences(&scene) {
            for (ghost, to) in audience.ghosts.iter().filter(|(_, to)| to.room().is_some()) {
                let words = Words { body: Body { text: topic.to_owned(), html: None }, ..Words::default() };
                let (reply_to, fallback, replaced) = (None, None, Vec::new());
                let part = Part { event: event.id.clone(), at: event.at, words, reply_to, fallback, replaced };
                let scene = Scene { speaker: ghost, ..scene };
                let outgoing = self.outgoing(event, &scene, &audience, Purpose::Topic, part);
                work.drafts.push(self.draft(event, &audience, addressed(&outgoing, ghost, to)));
            }
        }
    }
}
