//! What was given up is tried again when its writer asks for it.

use super::{
    Bridge, Text,
    event::{Event, Kind},
    work::{Scene, Work},
};
use crate::{
    matrix::{
        status::{Cause, SendState},
        written::plain_words,
    },
    store::{Error, Tx},
};
use ruma::EventId;

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
            let is_theirs = outgoing.delivery.writer.user.as_str() == event.sender.localpart();
            let is_meant = scene.only.is_none_or(|only| outgoing.ghost == only);
            if outgoing.room == event.room && is_it && is_theirs && is_meant {
                let source = format!("again {} {} {}", event.id, draft.connector, outgoing.delivery.to);
                let text = Text::DeliveryAgain { recipient: outgoing.delivery.to.address() };
                let state = SendState::Waiting(Cause::Other);
                notices.push(self.delivery_notice(source, outgoing, &draft.connector, state, &text));
                draft.revive();
            }
        }
        let is_done = !notices.is_empty();
        work.inbox.extend(notices);
        Ok(is_done)
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
