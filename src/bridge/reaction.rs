//! Reactions of staff. Who is known to be shown them gets them as such; to everybody else the next message tells them.

use super::{
    Bridge, Changed, Text,
    delivery::writer_name,
    draft::Draft,
    event::Event,
    hold::bodies,
    outgoing::{Outgoing, Part, Purpose, Words, addressed},
    quote::{beginning, may_see},
    work::{Scene, Work},
};
use crate::{
    ids::RemoteUserId,
    matrix::content::Annotation,
    message::Body,
    store::{Error, Message, Pending, Reacted, Row, Tx, now},
};
use ruma::{EventId, OwnedEventId, RoomId};
use serde::{Deserialize, Serialize};

/// More are not looked up for one message.
const QUOTES: usize = 5;

/// A reaction that a message tells as well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Folded {
    pub event: OwnedEventId,
    pub to: OwnedEventId,
    pub emoji: String,
    /// Localpart and name of who reacted.
    pub writer: String,
    pub name: String,
}

/// The reactions that wait in the rooms of a transaction.
#[derive(Default)]
pub(super) struct Reactions {
    waiting: Vec<Pending>,
    /// Those that wait no more.
    gone: Vec<Pending>,
    new: Vec<Pending>,
}

impl Reactions {
    pub(super) fn new(waiting: Vec<Pending>) -> Self {
        Self { waiting, ..Self::default() }
    }

    fn add(&mut self, reaction: Pending) {
        self.new.push(reaction);
    }

    /// What waits for this person, for a message that is on its way now.
    pub(super) fn take(&mut self, room: &RoomId, connector: &str, to: &RemoteUserId) -> Vec<Folded> {
        let is_theirs = |it: &mut Pending| it.room_id == room && it.connector == connector && it.remote_user == *to;
        let stored: Vec<Pending> = self.waiting.extract_if(.., is_theirs).collect();
        let new: Vec<Pending> = self.new.extract_if(.., is_theirs).collect();
        let folded = stored.iter().chain(&new).map(|it| Folded {
            event: it.event_id.clone(),
            to: it.target.clone(),
            emoji: it.emoji.clone(),
            writer: it.writer.clone(),
            name: it.name.clone(),
        });
        let folded = folded.collect();
        self.gone.extend(stored);
        folded
    }

    /// The reaction was taken back.
    pub(super) fn withdraw(&mut self, event: &EventId) {
        self.gone.extend(self.waiting.extract_if(.., |it| it.event_id == event));
        self.new.retain(|it| it.event_id != event);
    }

    /// The message that was to tell them is not sent.
    pub(super) fn give_back(&mut self, draft: &Draft) {
        let outgoing = &draft.outgoing;
        self.new.extend(outgoing.reactions.iter().map(|it| Pending {
            event_id: it.event.clone(),
            connector: draft.connector.clone(),
            remote_user: outgoing.delivery.to.clone(),
            room_id: outgoing.room.clone(),
            target: it.to.clone(),
            emoji: it.emoji.clone(),
            writer: it.writer.clone(),
            name: it.name.clone(),
            at: now(),
        }));
    }

    pub(super) async fn write(self, tx: &mut Tx) -> Result<(), Error> {
        for it in &self.gone {
            tx.drop_reaction(&it.event_id, &it.connector, &it.remote_user).await?;
        }
        for it in &self.new {
            tx.add_reaction(it).await?;
        }
        Ok(())
    }
}

/// A message with the reactions that it tells, as a last paragraph.
pub(super) fn with_lines(body: &Body, lines: &[String]) -> Body {
    let told = Body { text: lines.join("\n"), html: None };
    bodies([body, &told].into_iter())
}

impl Bridge {
    /// Somebody of the staff has put an emoji under something that people outside know.
    pub(super) async fn react(
        &self,
        tx: &mut Tx,
        event: &Event<'_>,
        scene: &Scene<'_>,
        annotation: &Annotation,
        work: &mut Work,
    ) -> Result<(), Error> {
        let crossed = tx.crossed(&annotation.to).await?;
        let (mut is_shown, mut is_told_later) = (false, false);
        for audience in self.audiences(scene) {
            let waits = |draft: &Draft| {
                draft.connector == audience.connector
                    && draft.outgoing.parts.iter().any(|part| part.event == annotation.to)
            };
            let is_known = crossed.iter().any(|message| message.connector == audience.connector);
            if !is_known && !work.drafts.iter().any(waits) {
                continue;
            }
            let mut shown = Vec::new();
            for (ghost, to) in audience.recipients(scene.only) {
                let everybody = audience.port.capabilities().reactions;
                is_shown |= everybody;
                if everybody || tx.shows_reactions(audience.connector, to).await? {
                    shown.push((ghost, to));
                } else {
                    work.reactions.add(Pending {
                        event_id: event.id.clone(),
                        connector: audience.connector.to_owned(),
                        remote_user: to.clone(),
                        room_id: event.room.clone(),
                        target: annotation.to.clone(),
                        emoji: annotation.emoji.clone(),
                        writer: event.sender.localpart().to_owned(),
                        name: writer_name(event, scene.portal).to_owned(),
                        at: now(),
                    });
                    is_told_later = true;
                }
            }
            let words = Words { body: Body { text: annotation.emoji.clone(), html: None }, ..Words::default() };
            let (reply_to, fallback, replaced) = (None, None, Vec::new());
            let part = Part { event: event.id.clone(), at: event.at, words, reply_to, fallback, replaced };
            let purpose = Purpose::Reaction { to: annotation.to.clone(), emoji: annotation.emoji.clone() };
            let mut outgoing = self.outgoing(event, scene, &audience, purpose, part);
            outgoing.delivery.audience = shown.iter().map(|(_, to)| (*to).clone()).collect();
            for (ghost, to) in shown {
                work.drafts.push(self.draft(event, &audience, addressed(&outgoing, ghost, to)));
            }
        }
        if is_shown {
            let (writer, name) = (event.sender.localpart().to_owned(), writer_name(event, scene.portal).to_owned());
            tx.note_reacted(&Reacted { event_id: event.id.clone(), target: annotation.to.clone(), writer, name })
                .await?;
        }
        if is_told_later {
            self.tell_changed(tx, event, scene, Changed::Reaction, work).await?;
        }
        Ok(())
    }

    /// The lines that tell of a delivery's reactions.
    pub(super) async fn reaction_lines(&self, row: &Row, outgoing: &Outgoing, crossed: &[Message]) -> Vec<String> {
        let mut lines = Vec::new();
        for (n, reaction) in outgoing.reactions.iter().enumerate() {
            let line = self.reaction_line(row, outgoing, (&reaction.to, &reaction.emoji), crossed, n < QUOTES).await;
            let own = reaction.writer == outgoing.speaker();
            lines.push(if own { line } else { format!("{}: {line}", reaction.name) });
        }
        lines
    }

    /// A reaction in words.
    pub(super) async fn reaction_line(
        &self,
        row: &Row,
        outgoing: &Outgoing,
        (to, emoji): (&EventId, &str),
        crossed: &[Message],
        with_quote: bool,
    ) -> String {
        if !with_quote || !may_see(crossed, to, &outgoing.delivery.to) {
            return emoji.to_owned();
        }
        match self.words_of(row, outgoing, to, None).await {
            Some((_, words)) => self.language.say(&Text::ReactionTo { emoji, quote: &beginning(&words) }),
            None => emoji.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ruma::{event_id, room_id};

    fn pending(event: &EventId, to: &str) -> Pending {
        Pending {
            event_id: event.to_owned(),
            connector: "email".into(),
            remote_user: RemoteUserId::new(to),
            room_id: room_id!("!r:x").to_owned(),
            target: event_id!("$old").to_owned(),
            emoji: "👍".into(),
            writer: "anna".into(),
            name: "Anna".into(),
            at: 1,
        }
    }

    #[test]
    fn each_person_is_told_once() {
        let mut reactions = Reactions::new(vec![pending(event_id!("$1"), "bob"), pending(event_id!("$1"), "eve")]);
        reactions.add(pending(event_id!("$2"), "bob"));
        let mut take = |to: &str| reactions.take(room_id!("!r:x"), "email", &RemoteUserId::new(to)).len();
        assert_eq!((take("bob"), take("bob"), take("eve")), (2, 0, 1));
        assert_eq!((reactions.gone.len(), reactions.new.len()), (2, 0));
    }

    #[test]
    fn a_reaction_that_was_taken_back_is_told_to_nobody() {
        let mut reactions = Reactions::new(vec![pending(event_id!("$1"), "bob")]);
        reactions.add(pending(event_id!("$2"), "bob"));
        reactions.withdraw(event_id!("$1"));
        reactions.withdraw(event_id!("$2"));
        assert!(reactions.take(room_id!("!r:x"), "email", &RemoteUserId::new("bob")).is_empty());
        assert_eq!((reactions.gone.len(), reactions.new.len()), (1, 0));
    }

    #[test]
    fn reactions_stand_behind_the_words() {
        let body = Body { text: "Bis morgen".into(), html: Some("<b>Bis morgen</b>".into()) };
        let told = with_lines(&body, &["👍 (zu „Danke“)".into(), "🎉".into()]);
        assert_eq!(told.text, "Bis morgen\n\n👍 (zu „Danke“)\n🎉");
        assert_eq!(told.html.unwrap(), "<p><b>Bis morgen</b></p><p>👍 (zu „Danke“)<br>🎉</p>");
        assert_eq!(with_lines(&body, &[]), body);
    }
}
