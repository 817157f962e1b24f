//! Where a delivery stands in the conversation as its recipient knows it.

use super::{
    Bridge,
    outgoing::{Outgoing, Purpose},
};
use crate::{
    failure::Failure,
    ids::RemoteMessageId,
    message::{Delivery, Sent, Thread},
    store::{Message, Row, ThreadState},
};
use ruma::{EventId, OwnedEventId};

/// What is known of the conversation when a delivery is tried.
pub(super) struct Known {
    /// The root of the Matrix thread in which the delivery belongs.
    pub thread: Option<OwnedEventId>,
    /// What the events that it has to do with are on the remote side.
    pub crossed: Vec<Message>,
    /// The conversation of the room outside its Matrix threads.
    room: Option<ThreadState>,
    /// That of the delivery's own Matrix thread; `room` outside of them.
    own: Option<ThreadState>,
    /// The remote message that this delivery is already, for somebody else.
    served: Option<RemoteMessageId>,
}

/// The events of which the remote messages must be known. Mostly none.
fn concerned(outgoing: &Outgoing) -> Vec<&EventId> {
    let first = outgoing.parts.first();
    let mut events: Vec<&EventId> = outgoing.reactions.iter().map(|reaction| &*reaction.to).collect();
    events.extend(first.and_then(|part| part.reply_to.as_deref()));
    events.extend(outgoing.thread.as_deref());
    match &outgoing.purpose {
        Purpose::Correction { of, .. } | Purpose::Withdrawal { of } => events.push(of),
        Purpose::Reaction { to, .. } => events.push(to),
        Purpose::Message | Purpose::Topic | Purpose::Moderation { .. } => {}
    }
    // What is passed on within one network is a message there already.
    if outgoing.delivery.audience.len() + outgoing.delivery.copies.len() > 1 || outgoing.author.is_some() {
        events.extend(first.map(|part| &*part.event));
    }
    events
}

impl Bridge {
    pub(super) async fn known(&self, row: &Row, outgoing: &Outgoing) -> Result<Known, Failure> {
        let mut crossed = self.store.crossed(&concerned(outgoing)).await?;
        crossed.retain(|message| message.connector == row.connector);
        let target = match &outgoing.purpose {
            Purpose::Message | Purpose::Topic | Purpose::Moderation { .. } => None,
            Purpose::Correction { of: target, .. }
            | Purpose::Reaction { to: target, .. }
            | Purpose::Withdrawal { of: target } => Some(target),
        };
        // What is said of a message is said where that stands.
        let there = crossed.iter().find(|message| Some(&message.event_id) == target);
        let thread = there.map_or_else(|| outgoing.thread.clone(), |message| message.thread.clone());
        let room = row.thread.clone();
        let own = match &thread {
            Some(root) => self.store.thread(&outgoing.room, &row.connector, root).await?,
            None => room.clone(),
        };
        let first = outgoing.parts.first().map(|part| &part.event);
        let served = crossed.iter().find(|message| Some(&message.event_id) == first);
        let served = served.map(|message| message.remote_message.clone());
        Ok(Known { thread, crossed, room, own, served })
    }
}

impl Known {
    /// What an event is for this recipient, else for anybody on the network.
    pub(super) fn remote(&self, event: &EventId, outgoing: &Outgoing) -> Option<RemoteMessageId> {
        let mut here = self.crossed.iter().filter(|message| message.event_id == event);
        let own = here.clone().find(|message| message.remote_user == outgoing.delivery.to);
        own.or_else(|| here.next()).map(|message| message.remote_message.clone())
    }

    /// `answered`: what the writer picked to answer.
    pub(super) fn place(&self, outgoing: &Outgoing, answered: Option<RemoteMessageId>) -> Thread {
        let wanted = outgoing.delivery.thread.subject.clone();
        if outgoing.anew {
            return Thread { subject: wanted, root: None, parent: None };
        }
        let subject = |state: &Option<ThreadState>| state.as_ref().and_then(|state| state.subject.clone());
        // A Matrix thread begins as an answer to its root.
        let start = self.thread.as_ref().and_then(|root| self.remote(root, outgoing));
        // Another recipient may have made the conversation go on by this very message.
        let is_itself = |id: &RemoteMessageId| self.served.as_ref() == Some(id);
        let last = self
            .own
            .as_ref()
            .and_then(|own| if is_itself(&own.last) { own.previous.clone() } else { Some(own.last.clone()) });
        let root = self.own.as_ref().map(|own| own.root.clone()).filter(|root| !is_itself(root));
        Thread {
            subject: subject(&self.own).or_else(|| subject(&self.room)).or(wanted),
            root: root.or_else(|| start.clone()),
            parent: answered.or(last).or(start),
        }
    }

    /// How the conversation goes on. `None`: as it does, since a reaction is no part of it, and a message counts when its
    /// first recipient has it.
    pub(super) fn after(
        &self,
        row: &Row,
        outgoing: &Outgoing,
        delivery: &Delivery,
        sent: &Sent,
    ) -> Option<ThreadState> {
        let is_message = delivery.reaction.is_none() && delivery.takes_back.is_none();
        if !is_message || outgoing.is_of_room() || self.served.is_some() {
            return None;
        }
        Some(ThreadState {
            room_id: outgoing.room.clone(),
            thread: self.thread.clone(),
            connector: row.connector.clone(),
            subject: sent.subject.clone(),
            root: delivery.thread.root.clone().unwrap_or_else(|| sent.message.clone()),
            last: sent.message.clone(),
            previous: None,
            anew: outgoing.anew,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{super::hold::sample, *};
    use crate::{ids::RemoteUserId, store::MessageState};
    use ruma::room_id;

    fn id(text: &str) -> RemoteMessageId {
        RemoteMessageId::new(text)
    }

    fn state(root: &str, last: &str, previous: Option<&str>) -> Option<ThreadState> {
        Some(ThreadState {
            room_id: room_id!("!r:x").to_owned(),
            thread: None,
            connector: "email".into(),
            subject: Some("Antrag".into()),
            root: id(root),
            last: id(last),
            previous: previous.map(id),
            anew: false,
        })
    }

    fn known(own: Option<ThreadState>) -> Known {
        Known { thread: None, crossed: Vec::new(), room: own.clone(), own, served: None }
    }

    fn thread(subject: &str, root: Option<&str>, parent: Option<&str>) -> Thread {
        Thread { subject: Some(subject.into()), root: root.map(id), parent: parent.map(id) }
    }

    fn crossed(event: &str, user: &str, remote: &str) -> Message {
        Message {
            event_id: EventId::parse(event).unwrap(),
            room_id: room_id!("!r:x").to_owned(),
            thread: None,
            connector: "email".into(),
            remote_user: RemoteUserId::new(user),
            remote_message: id(remote),
            state: MessageState::Sent,
            recipients: 1,
        }
    }

    #[test]
    fn a_message_follows_the_last_one_or_what_it_answers() {
        let mut outgoing = sample("$1", "x");
        outgoing.delivery.thread.subject = Some("Raum".into());
        assert_eq!(known(None).place(&outgoing, None), thread("Raum", None, None));
        let going_on = known(state("a", "b", None));
        assert_eq!(going_on.place(&outgoing, None), thread("Antrag", Some("a"), Some("b")));
        assert_eq!(going_on.place(&outgoing, Some(id("c"))), thread("Antrag", Some("a"), Some("c")));
    }

    #[test]
    fn a_new_subject_is_a_new_conversation() {
        let mut outgoing = sample("$1", "x");
        outgoing.anew = true;
        outgoing.delivery.thread.subject = Some("Neues".into());
        assert_eq!(known(state("a", "b", None)).place(&outgoing, None), thread("Neues", None, None));
    }

    #[test]
    fn every_recipient_of_a_message_is_told_that_it_follows_the_same() {
        let outgoing = sample("$1", "x");
        let mut second = known(state("a", "c", Some("b")));
        second.served = Some(id("c"));
        assert_eq!(second.place(&outgoing, None), thread("Antrag", Some("a"), Some("b")));
        let mut first_message = known(state("c", "c", None));
        first_message.served = Some(id("c"));
        assert_eq!(first_message.place(&outgoing, None), thread("Antrag", None, None));
    }

    #[test]
    fn a_matrix_thread_begins_at_its_root_and_goes_on_by_itself() {
        let mut outgoing = sample("$1", "x");
        outgoing.delivery.to = RemoteUserId::new("bob");
        let mut known = known(state("a", "z", None));
        known.thread = Some(EventId::parse("$root").unwrap());
        known.crossed = vec![crossed("$root", "eve", "r-eve"), crossed("$root", "bob", "r")];
        known.own = None;
        assert_eq!(known.place(&outgoing, None), thread("Antrag", Some("r"), Some("r")));
        known.own = state("r", "t2", None);
        assert_eq!(known.place(&outgoing, None), thread("Antrag", Some("r"), Some("t2")));
    }
}
