//! Edits and redactions: what waits is changed, what was sent is corrected.

use super::{
    Bridge, Changed, Text,
    audience::Audience,
    event::Event,
    outgoing::{Outgoing, Part, Purpose, Words, addressed},
    quote::beginning,
    status::is_settled,
    work::{Scene, Work},
};
use crate::{
    ids::{LocalUser, RemoteUserId},
    matrix::{format::escape, written::Written},
    message::{Body, Instructions},
    store::{Error, Message, MessageState, Tx},
};
use ruma::{EventId, OwnedEventId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What an edit has taken the place of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Replaced {
    /// The edit.
    pub by: OwnedEventId,
    pub words: Words,
}

/// Whether people outside have got this, as far as anybody knows.
pub(super) fn has_arrived(message: &Message) -> bool {
    message.state == MessageState::Sent || is_settled(message.state)
}

/// Puts new words in the place of this event's, or of an earlier correction of it. `false`: it is not there, or not the
/// writer's own.
pub(super) fn replace(
    outgoing: &mut Outgoing,
    target: &EventId,
    writer: &LocalUser,
    by: &EventId,
    words: Words,
) -> bool {
    let corrects = matches!(&outgoing.purpose, Purpose::Correction { of, .. } if of == target);
    let is_theirs = outgoing.speaker() == writer.as_str();
    let mut parts = outgoing.parts.iter_mut();
    let Some(part) = parts.find(|part| corrects || part.event == target) else { return false };
    if !is_theirs {
        return false;
    }
    let words = std::mem::replace(&mut part.words, words);
    part.replaced.push(Replaced { by: by.to_owned(), words });
    true
}

/// Takes out what this event said: a part, an edit of a part, or a reaction. `false`: it is not there.
pub(super) fn take_back(outgoing: &mut Outgoing, event: &EventId) -> bool {
    let before = (outgoing.parts.len(), outgoing.reactions.len());
    if matches!(&outgoing.purpose, Purpose::Correction { of, .. } if of == event) {
        outgoing.parts.clear();
    }
    outgoing.parts.retain(|part| part.event != event);
    outgoing.reactions.retain(|reaction| reaction.event != event);
    let undone = outgoing.parts.iter_mut().any(|part| undo(part, event));
    undone || before != (outgoing.parts.len(), outgoing.reactions.len())
}

/// Without an edit, what it has replaced stands there again.
fn undo(part: &mut Part, edit: &EventId) -> bool {
    let Some(place) = part.replaced.iter().position(|replaced| replaced.by == edit) else { return false };
    let undone = part.replaced.remove(place);
    match part.replaced.get_mut(place) {
        Some(next) => next.words = undone.words,
        None => part.words = undone.words,
    }
    true
}

/// What a correction says: the new words, and a file if it is another one. `None`: nothing has changed. `first`: the old
/// words are the last that the recipient has got.
pub(super) fn difference(old: Option<&Words>, first: bool, new: &Words) -> Option<Words> {
    let same_text = first && old.is_some_and(|old| old.body.text.trim() == new.body.text.trim());
    let location = |words: &Words| words.file.as_ref().map(|file| file.location.clone());
    let same_file = old.is_some_and(|old| location(old) == location(new));
    if same_text && same_file {
        return None;
    }
    let body = if same_text { Body::default() } else { new.body.clone() };
    Some(Words { body, file: new.file.clone().filter(|_| !same_file), size: new.size })
}

/// The words of a correction behind those that say what it corrects.
pub(super) fn behind(introduction: &str, body: &Body) -> Body {
    let html = body.html.as_ref().map(|html| format!("<p>{}</p>{html}", escape(introduction)));
    Body { text: format!("{introduction} {}", body.text).trim_end().to_owned(), html }
}

impl Bridge {
    /// What says that something is a correction.
    pub(super) fn introduction(&self, old_words: &str) -> String {
        let quote = beginning(old_words);
        let text = if quote.is_empty() { Text::Correction } else { Text::CorrectionOf { quote: &quote } };
        self.language.say(&text)
    }

    /// New words for a message: in what waits they take the place of the old ones, and who has got the old ones gets a
    /// correction.
    pub(super) async fn edit(
        &self,
        tx: &mut Tx,
        event: &Event<'_>,
        scene: &Scene<'_>,
        target: &EventId,
        written: &Written,
        work: &mut Work,
    ) -> Result<(), Error> {
        let crossed = tx.crossed(target).await?;
        let is_from_outside = crossed.iter().any(|message| message.state == MessageState::Received);
        if is_from_outside && scene.passing_on.is_none() {
            return Ok(());
        }
        for audience in self.audiences(scene) {
            let (words, instructions) = self.for_network(tx, event, scene, &audience, written, work).await?;
            let changed = self.change_waiting(event, scene, &audience, target, (&words, &instructions), work);
            let gone = self.gone_to(&audience, scene, &crossed, target, &changed, work);
            if gone.is_empty() || words.is_empty() {
                continue;
            }
            let mark = format!("edited {target}");
            let first = tx.first_seen(std::slice::from_ref(&mark)).await?.contains(&mark);
            let part = Part {
                event: event.id.clone(),
                at: event.at,
                words,
                reply_to: None,
                fallback: None,
                replaced: Vec::new(),
            };
            let purpose = Purpose::Correction { of: target.to_owned(), first };
            let outgoing = self.outgoing(event, scene, &audience, purpose, part);
            for (ghost, to) in audience.recipients(scene.only).filter(|(_, to)| gone.contains(to)) {
                work.drafts.push(self.draft(event, &audience, addressed(&outgoing, ghost, to)));
            }
            if !audience.port.capabilities().edits {
                self.tell_changed(tx, event, scene, Changed::Correction, work).await?;
            }
        }
        Ok(())
    }

    /// Changes what waits; returns for whom.
    fn change_waiting(
        &self,
        event: &Event<'_>,
        scene: &Scene<'_>,
        audience: &Audience,
        target: &EventId,
        (words, instructions): (&Words, &Instructions),
        work: &mut Work,
    ) -> BTreeSet<RemoteUserId> {
        let writer = LocalUser::new(event.sender.localpart());
        let mut changed = BTreeSet::new();
        let mut example = None;
        for draft in work.drafts.iter_mut() {
            let here = draft.connector == audience.connector && !draft.is_leaving();
            let outgoing = &mut draft.outgoing;
            if !here || !replace(outgoing, target, &writer, &event.id, words.clone()) {
                continue;
            }
            changed.insert(outgoing.delivery.to.clone());
            let is_first = outgoing.parts.first().is_some_and(|part| part.event == target);
            if is_first && outgoing.purpose == Purpose::Message {
                outgoing.anew = instructions.subject.is_some();
                let subject = instructions.subject.clone().or_else(|| self.subject(scene.portal));
                outgoing.delivery.thread.subject = subject;
                let copies = std::mem::replace(&mut outgoing.delivery.copies, instructions.copies.clone());
                let is_copy = |to| !outgoing.delivery.audience.contains(to);
                if is_copy(&outgoing.delivery.to) && !instructions.copies.contains(&outgoing.delivery.to) {
                    draft.withdraw();
                } else if example.is_none() {
                    example = Some((draft.outgoing.clone(), copies));
                }
            }
            draft.touch();
        }
        if let Some((outgoing, had)) = example {
            let is_new = |to: &&RemoteUserId| !had.contains(to) && !outgoing.delivery.audience.contains(to);
            for to in instructions.copies.iter().filter(is_new) {
                work.drafts.push(self.draft(event, audience, addressed(&outgoing, scene.speaker, to)));
            }
        }
        changed
    }

    /// Who has got the words already, or is getting them in this moment.
    fn gone_to(
        &self,
        audience: &Audience,
        scene: &Scene<'_>,
        crossed: &[Message],
        target: &EventId,
        changed: &BTreeSet<RemoteUserId>,
        work: &Work,
    ) -> BTreeSet<RemoteUserId> {
        let is_leaving = |to: &RemoteUserId| {
            work.drafts.iter().any(|draft| {
                let outgoing = &draft.outgoing;
                draft.is_leaving()
                    && draft.connector == audience.connector
                    && outgoing.delivery.to == *to
                    && outgoing.parts.iter().any(|part| part.event == target)
            })
        };
        let has_got = |to: &RemoteUserId| {
            let is_theirs = |message: &&Message| message.connector == audience.connector && message.remote_user == *to;
            crossed.iter().filter(is_theirs).any(has_arrived)
        };
        let recipients = audience.recipients(scene.only).map(|(_, to)| to);
        recipients.filter(|to| !changed.contains(*to) && (has_got(to) || is_leaving(to))).cloned().collect()
    }

    /// Something was taken back: from what waits it goes, and of what is gone the writer is told.
    pub(super) async fn redact(
        &self,
        tx: &mut Tx,
        event: &Event<'_>,
        scene: &Scene<'_>,
        target: &EventId,
        work: &mut Work,
    ) -> Result<(), Error> {
        work.reactions.withdraw(target);
        tx.forget_original(target).await?;
        let mut is_gone = false;
        for draft in work.drafts.iter_mut().filter(|draft| draft.outgoing.room == event.room) {
            if !take_back(&mut draft.outgoing, target) {
                continue;
            }
            // Should this attempt fail, the next one sends nothing of it.
            draft.touch();
            if draft.is_leaving() {
                is_gone |= !self.is_replaced_by_the_rest(draft);
            } else if draft.outgoing.parts.is_empty() {
                draft.withdraw();
                work.reactions.give_back(draft);
            }
        }
        self.unreact(tx, event, scene, target, work).await?;
        let can_delete = |message: &Message| {
            self.connectors.get(message.connector.as_str()).is_some_and(|port| port.capabilities().deletes)
        };
        let crossed = tx.crossed(target).await?;
        for message in crossed.iter().filter(|message| has_arrived(message) && can_delete(message)) {
            self.withdraw(event, scene, target, message, work);
        }
        self.take_away_there(event, scene, target, &crossed, work);
        is_gone |= crossed.iter().any(|message| has_arrived(message) && !can_delete(message));
        if is_gone {
            let once = format!("gone {target}");
            let notice =
                self.notice_once(tx, once, &event.room, scene.speaker, Some(target), &Text::AlreadySent).await?;
            work.inbox.extend(notice);
        }
        Ok(())
    }

    /// Asks the one who has got a message to forget it.
    fn withdraw(&self, event: &Event<'_>, scene: &Scene<'_>, target: &EventId, message: &Message, work: &mut Work) {
        let audiences = self.audiences(scene);
        let Some(audience) = audiences.iter().find(|audience| audience.connector == message.connector) else { return };
        let Some((ghost, to)) = audience.ghosts.iter().find(|(_, to)| *to == message.remote_user) else { return };
        let (words, replaced) = (Words::default(), Vec::new());
        let part = Part { event: event.id.clone(), at: event.at, words, reply_to: None, fallback: None, replaced };
        let outgoing = self.outgoing(event, scene, audience, Purpose::Withdrawal { of: target.to_owned() }, part);
        work.drafts.push(self.draft(event, audience, addressed(&outgoing, ghost, to)));
    }
}

#[cfg(test)]
mod tests {
    use super::{super::hold::sample, *};
    use crate::message::Attachment;
    use ruma::event_id;

    fn words(text: &str) -> Words {
        Words { body: Body { text: text.into(), html: None }, ..Words::default() }
    }

    fn texts(outgoing: &Outgoing) -> Vec<&str> {
        outgoing.parts.iter().map(|part| part.words.body.text.as_str()).collect()
    }

    fn two() -> Outgoing {
        let mut outgoing = sample("$1", "eins");
        outgoing.parts.extend(sample("$2", "zwei").parts);
        outgoing
    }

    fn edit(outgoing: &mut Outgoing, target: &str, by: &str, text: &str) -> bool {
        let (target, by) = (EventId::parse(target).unwrap(), EventId::parse(by).unwrap());
        replace(outgoing, &target, &LocalUser::new("anna"), &by, words(text))
    }

    #[test]
    fn an_edit_changes_its_own_part_only() {
        let mut outgoing = two();
        assert!(edit(&mut outgoing, "$2", "$e", "drei"));
        assert_eq!(texts(&outgoing), ["eins", "drei"]);
        assert!(!edit(&mut outgoing, "$9", "$e", "vier"));
        let tom = LocalUser::new("tom");
        assert!(!replace(&mut outgoing, event_id!("$1"), &tom, event_id!("$e"), words("von Tom")));
        assert_eq!(texts(&outgoing), ["eins", "drei"]);
    }

    #[test]
    fn an_edit_of_a_waiting_correction_changes_that() {
        let mut outgoing = sample("$e1", "neu");
        outgoing.purpose = Purpose::Correction { of: event_id!("$1").to_owned(), first: true };
        assert!(edit(&mut outgoing, "$1", "$e2", "neuer"));
        assert_eq!(texts(&outgoing), ["neuer"]);
    }

    #[test]
    fn what_is_taken_back_goes_and_an_edit_that_is_taken_back_never_was() {
        let mut outgoing = two();
        assert!(take_back(&mut outgoing, event_id!("$1")));
        assert!(!take_back(&mut outgoing, event_id!("$1")));
        assert_eq!(texts(&outgoing), ["zwei"]);

        for (undone, left) in [("$e1", "c"), ("$e2", "b")] {
            let mut outgoing = sample("$1", "a");
            edit(&mut outgoing, "$1", "$e1", "b");
            edit(&mut outgoing, "$1", "$e2", "c");
            assert!(take_back(&mut outgoing, &EventId::parse(undone).unwrap()));
            assert_eq!(texts(&outgoing), [left]);
            let other = if undone == "$e1" { "$e2" } else { "$e1" };
            assert!(take_back(&mut outgoing, &EventId::parse(other).unwrap()));
            assert_eq!(texts(&outgoing), ["a"], "both edits are undone");
        }
    }

    #[test]
    fn with_the_message_goes_its_correction() {
        let mut outgoing = sample("$e1", "neu");
        outgoing.purpose = Purpose::Correction { of: event_id!("$1").to_owned(), first: true };
        assert!(take_back(&mut outgoing, event_id!("$1")));
        assert!(outgoing.parts.is_empty());
    }

    #[test]
    fn a_correction_says_only_what_has_changed() {
        let with_file = |text: &str, location: &str| {
            let file = Attachment {
                name: "plan.pdf".into(),
                media_type: "application/pdf".into(),
                location: location.into(),
                bytes: bytes::Bytes::new(),
            };
            Words { file: Some(file), ..words(text) }
        };
        let file = |text: &str| with_file(text, "mxc://1");
        assert_eq!(difference(Some(&words("a")), true, &words("a ")), None);
        assert_eq!(difference(Some(&file("a")), true, &file("a")), None);
        assert_eq!(difference(Some(&words("a")), true, &words("b")), Some(words("b")));
        assert_eq!(difference(None, true, &words("a")), Some(words("a")));
        let again = difference(Some(&file("a")), false, &file("a")).unwrap();
        assert_eq!((again.body.text.as_str(), again.file), ("a", None), "back to the first words");
        let same_file = difference(Some(&file("a")), true, &file("b")).unwrap();
        assert_eq!((same_file.body.text.as_str(), same_file.file), ("b", None));
        let same_text = difference(Some(&file("a")), true, &with_file("a", "mxc://2")).unwrap();
        assert_eq!((same_text.body.text.as_str(), same_text.file.unwrap().location.as_str()), ("", "mxc://2"));
    }

    #[test]
    fn a_correction_begins_with_what_it_corrects() {
        let body = Body { text: "um 11".into(), html: Some("um <b>11</b>".into()) };
        let all = behind("Korrektur zu „um <10“:", &body);
        assert_eq!(all.text, "Korrektur zu „um <10“: um 11");
        assert_eq!(all.html.unwrap(), "<p>Korrektur zu „um &lt;10“:</p>um <b>11</b>");
        assert_eq!(behind("Korrektur:", &Body::default()).text, "Korrektur:");
    }
}
