//! What was given up, or came back, is tried again when its writer asks for it.

use super::{
    Bridge, Notice, Text,
    event::{Event, Kind},
    inbox::own_row,
    relay::{PassingOn, writer_in},
    texts::Sentence,
    work::{Scene, Work},
    worker::Done,
};
use crate::{
    failure::Failure,
    matrix::{
        status::{Cause, SendState, SendStatus},
        written::plain_words,
    },
    store::{Error, Membership, MessageState, NewRow, Row, Trouble, Tx},
};
use ruma::{EventId, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UserId};
use serde::{Deserialize, Serialize};

/// What writers put on a message that did not go out.
const KEY: &str = "🔁";
/// Or answer to it.
const WORDS: &[&str] = &["erneut senden", "send again"];

/// The message, or the notice about it, at which somebody asks for another attempt.
pub(super) fn asked_at(kind: &Kind) -> Option<&EventId> {
    match kind {
        Kind::Reaction(annotation) if annotation.emoji.trim_end_matches('\u{fe0f}') == KEY => Some(&annotation.to),
        Kind::Said(said) => {
            let words = plain_words(&said.content).to_lowercase();
            let words = words.trim().trim_end_matches(['.', '!']);
            said.relation.reply_to.as_deref().filter(|_| WORDS.contains(&words))
        }
        _ => None,
    }
}

impl Bridge {
    /// Has what was given up of a message tried again. `false`: there is nothing of the kind, and whoever said this meant
    /// something else.
    pub(super) async fn try_again(
        &self,
        tx: &mut Tx,
        event: &Event<'_>,
        scene: &Scene<'_>,
        target: &EventId,
        work: &mut Work,
    ) -> Result<bool, Error> {
        let told_of = tx.trouble_of(target).await?;
        let message = told_of.as_deref().unwrap_or(target);
        let mut notices = Vec::new();
        for draft in work.drafts.iter_mut().filter(|draft| draft.is_dead()) {
            let outgoing = &draft.outgoing;
            let is_it = outgoing.about().is_some_and(|about| about == message)
                || outgoing.parts.iter().any(|part| part.event == message);
            // Whoever wrote what is passed on cannot ask for it.
            let is_theirs =
                outgoing.author.is_some() || outgoing.delivery.writer.user.as_str() == event.sender.localpart();
            let is_meant = scene.only.is_none_or(|only| outgoing.ghost == only);
            if outgoing.room == event.room && is_it && is_theirs && is_meant {
                let source = format!("again {} {} {}", event.id, draft.connector, outgoing.delivery.to);
                let text = Text::DeliveryAgain { recipient: outgoing.delivery.to.address() };
                let state = SendState::Waiting(Cause::Other);
                notices.push(self.delivery_notice(source, outgoing, &draft.connector, state, &text));
                draft.revive();
            }
        }
        let is_revived = !notices.is_empty();
        work.inbox.extend(notices);
        // For some people it may have come back, and for others never have left.
        Ok(self.ask_for_returned(tx, event, scene, message, work).await? || is_revived)
    }

    /// Of a message that came back nothing is kept here: its words are read from the room again.
    async fn ask_for_returned(
        &self,
        tx: &mut Tx,
        event: &Event<'_>,
        scene: &Scene<'_>,
        message: &EventId,
        work: &mut Work,
    ) -> Result<bool, Error> {
        let crossed = tx.crossed(message).await?;
        let is_meant = |ghost: &OwnedUserId| scene.only.is_none_or(|only| ghost == only);
        let returned = crossed.iter().filter(|it| it.state == MessageState::Failed && it.room_id == event.room);
        let ghosts = returned.filter_map(|it| self.ghosts.ghost(&it.connector, &it.remote_user));
        let again = Again {
            room: event.room.clone(),
            message: message.to_owned(),
            asked_by: event.sender.clone(),
            ghosts: ghosts.filter(is_meant).collect(),
        };
        if again.ghosts.is_empty() {
            return Ok(false);
        }
        work.inbox.push(again.row(&event.id));
        Ok(true)
    }

    /// Queues a message anew for those from whom it came back.
    pub(super) async fn send_again(&self, row: &Row, again: &Again) -> Result<Done, Failure> {
        let Some(reader) = again.ghosts.first() else { return Ok(Done::default()) };
        let Some(raw) = self.homeserver.intent(reader).event(&again.room, &again.message).await? else {
            return Ok(Done::default());
        };
        let parsed = Event::parse(raw.json().get(), |_, _| false).ok().flatten();
        let is_theirs = |event: &Event<'_>| event.sender == again.asked_by || self.ghosts.is_ghost(&event.sender);
        let Some(event) = parsed.filter(is_theirs) else { return Ok(Done::default()) };
        let is_passed_on = self.ghosts.is_ghost(&event.sender);
        let name = self.name_of(&again.room, &event.sender).await;
        let mut tx = self.store.begin().await?;
        let once = row.source.to_string();
        if tx.first_seen(std::slice::from_ref(&once)).await?.is_empty() {
            return Ok(Done::default());
        }
        let portals = tx.portals(&[&*again.room]).await?;
        let Some(portal) = portals.get(&again.room) else { return Ok(Done::default()) };
        let mut work = self.begin_work(&mut tx, &[&event], &portals, None).await?;
        for ghost in &again.ghosts {
            let is_in = portal.members.get(ghost).is_some_and(|member| member.membership == Membership::Join);
            let Some((connector, remote_user)) = self.remote_of(ghost).filter(|_| is_in) else { continue };
            let trouble = Trouble { event: event.id.clone(), connector: connector.to_owned(), remote_user };
            tx.forget_returned(&trouble).await?;
            let scene = Scene { portal, only: Some(ghost), speaker: ghost, passing_on: None };
            if is_passed_on {
                let (author, name) = (event.sender.clone(), name.clone());
                let (writer, served) = (writer_in(portal, &again.asked_by), self.served(&author, &[]));
                let passing_on = PassingOn { author, name, writer, served };
                let scene = Scene { passing_on: Some(&passing_on), ..scene };
                self.pass_on_event(&mut tx, &event, &scene, &mut work).await?;
            } else {
                self.cross(&mut tx, &event, &scene, &mut work).await?;
            }
            let text = Text::DeliveryAgain { recipient: trouble.remote_user.address() };
            let source = format!("{} {}", row.source, trouble.remote_user);
            work.inbox.push(self.returned_notice(source, &again.room, ghost, trouble.clone(), &text));
        }
        work.write(&mut tx).await?;
        tx.commit().await?;
        Ok(Done::default())
    }

    fn returned_notice(
        &self,
        source: String,
        room: &RoomId,
        ghost: &UserId,
        trouble: Trouble,
        text: &Text<'_>,
    ) -> NewRow {
        let (event, network) = (trouble.event.clone(), trouble.connector.clone());
        let state = SendState::Waiting(Cause::Other);
        let status = SendStatus { event: event.clone(), network, state, words: None };
        let (room, ghost, trouble) = (room.to_owned(), ghost.to_owned(), Some(trouble));
        Notice { room, ghost, about: Some(event), text: Sentence::new(text), trouble, statuses: vec![status] }
            .row(source)
    }
}

/// The payload of an inbox row of the kind `again`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Again {
    room: OwnedRoomId,
    message: OwnedEventId,
    asked_by: OwnedUserId,
    /// Of those from whom it came back.
    ghosts: Vec<OwnedUserId>,
}

impl Again {
    fn row(&self, asked: &EventId) -> NewRow {
        own_row("again", format!("again {}", self.room), format!("again {asked}"), &self.room, self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_asked(json: &str) -> bool {
        asked_at(&Event::parse(json, |_, _| false).unwrap().unwrap().kind).is_some_and(|target| target == "$m")
    }

    fn said(kind: &str, content: &str) -> String {
        format!(r#"{{"type":"{kind}","event_id":"$e","room_id":"!r:x","sender":"@a:x","content":{content}}}"#)
    }

    #[test]
    fn a_sign_on_the_message_or_the_words_as_an_answer_ask_for_it() {
        let reaction = |key: &str| {
            let relates_to = format!(r#"{{"rel_type":"m.annotation","event_id":"$m","key":"{key}"}}"#);
            said("m.reaction", &format!(r#"{{"m.relates_to":{relates_to}}}"#))
        };
        assert!(is_asked(&reaction("🔁")) && is_asked(&reaction("🔁\u{fe0f}")) && !is_asked(&reaction("👍")));
        let answer = |words: &str| {
            let relates_to = r#"{"m.in_reply_to":{"event_id":"$m"}}"#;
            said("m.room.message", &format!(r#"{{"msgtype":"m.text","body":"{words}","m.relates_to":{relates_to}}}"#))
        };
        for words in ["erneut senden", "Erneut senden.", "Send again!", "> <@b:x> old\\n\\nsend again"] {
            assert!(is_asked(&answer(words)), "{words}");
        }
        assert!(!is_asked(&answer("bitte erneut senden")));
        assert!(!is_asked(&said("m.room.message", r#"{"msgtype":"m.text","body":"erneut senden"}"#)));
    }
}
