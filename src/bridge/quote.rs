//! What an earlier event said, to show what is meant.

use super::{
    Bridge,
    outgoing::{Outgoing, Part},
};
use crate::{
    failure::Failure,
    ids::RemoteUserId,
    matrix::{
        content::{self, Content},
        written::{Fallback, plain_words},
    },
    message::{Body, Quote},
    store::{Message, MessageState, Row},
};
use ruma::{EventId, OwnedUserId, RoomId, UserId};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::time::Duration;
use tokio::time::timeout;

/// A message does not wait longer for what is only an ornament.
const PATIENCE: Duration = Duration::from_secs(10);

/// An event as it stands on the homeserver.
pub(super) struct Old {
    pub sender: OwnedUserId,
    /// `None`: redacted, or nothing that is said.
    pub content: Option<Content>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "type")]
    kind: String,
    sender: OwnedUserId,
    #[serde(borrow)]
    content: &'a RawValue,
}

/// The first words of a text on one line, to name it in a sentence.
pub(super) fn beginning(text: &str) -> String {
    const LENGTH: usize = 60;
    cut(&in_one_line(text), LENGTH)
}

/// Whether [`beginning`] is not all of a text.
pub(super) fn goes_on(text: &str) -> bool {
    beginning(text) != in_one_line(text)
}

fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The first lines of a text, to stand before an answer.
pub(super) fn excerpt(text: &str) -> String {
    const LINES: usize = 3;
    const LENGTH: usize = 240;
    let mut lines = text.lines().map(str::trim_end).filter(|line| !line.trim().is_empty());
    let first: Vec<&str> = lines.by_ref().take(LINES).collect();
    let start = first.join("\n");
    if lines.next().is_none() { cut(&start, LENGTH) } else { cut(&format!("{start} …"), LENGTH) }
}

/// At most so many characters, to a word's end.
fn cut(text: &str, length: usize) -> String {
    if text.chars().count() <= length {
        return text.to_owned();
    }
    let start: String = text.chars().take(length).collect();
    // A "word" longer than half of it is a link, or a script without spaces.
    let end = start.rfind(char::is_whitespace).filter(|end| *end > length / 2);
    let start = end.and_then(|end| start.get(..end)).unwrap_or(&start);
    format!("{} …", start.trim_end_matches([' ', ',', ';', ':', '…']))
}

/// Whether somebody may be shown what this event said: they have it, or it came from outside. What was said among staff
/// before somebody came is not for them.
pub(super) fn may_see(crossed: &[Message], event: &EventId, to: &RemoteUserId) -> bool {
    let here = crossed.iter().filter(|message| message.event_id == event);
    here.into_iter().any(|message| message.remote_user == *to || message.state == MessageState::Received)
}

impl Bridge {
    /// An event as the delivery's ghost sees it; `None` if it does not.
    pub(super) async fn old(&self, outgoing: &Outgoing, event: &EventId) -> Result<Option<Old>, Failure> {
        let Some(raw) = self.homeserver.intent(&outgoing.ghost).event(&outgoing.room, event).await? else {
            return Ok(None);
        };
        let Ok(Envelope { kind, sender, content }) = serde_json::from_str(raw.json().get()) else { return Ok(None) };
        let said = content::said(&kind, content.get()).ok().flatten();
        Ok(Some(Old { sender, content: said.map(|said| said.content) }))
    }

    /// Who said something, and the words as the recipient has got them; `None` if that cannot be found out now.
    pub(super) async fn words_of(
        &self,
        row: &Row,
        outgoing: &Outgoing,
        event: &EventId,
        told: Option<&Fallback>,
    ) -> Option<(OwnedUserId, String)> {
        let latest = self.latest(row, outgoing, event).await.ok()?;
        // What a client says of an edited event may be any of its words.
        let told = told.filter(|_| latest.is_none());
        let told = told.and_then(|it| Some((UserId::parse(&it.sender).ok()?, it.text.clone())));
        let (sender, text) = match told {
            Some(told) => told,
            None => {
                let event = latest.as_deref().unwrap_or(event);
                let old = timeout(PATIENCE, self.old(outgoing, event)).await.ok()?.ok()??;
                (old.sender, plain_words(&old.content?))
            }
        };
        let mut words = Body { text, html: None };
        if !self.ghosts.is_ghost(&sender) {
            // Such lines were for us alone.
            self.connector(&row.connector).ok()?.instructions(&mut words);
        }
        (!words.text.trim().is_empty()).then_some((sender, words.text))
    }

    /// What a part answers, for its recipient.
    pub(super) async fn quote(
        &self,
        row: &Row,
        outgoing: &Outgoing,
        part: &Part,
        crossed: &[Message],
    ) -> Option<Quote> {
        let event = part.reply_to.as_ref()?;
        if !may_see(crossed, event, &outgoing.delivery.to) {
            return None;
        }
        let (sender, words) = self.words_of(row, outgoing, event, part.fallback.as_ref()).await?;
        Some(Quote { author: self.name_of(&outgoing.room, &sender).await, text: excerpt(&words) })
    }

    /// What a user is called in a room.
    pub(super) async fn name_of(&self, room: &RoomId, user: &UserId) -> String {
        match self.store.name_in(room, user).await {
            Ok(Some(name)) => name,
            _ => self.plain_name(user),
        }
    }

    /// What a user is called where nobody looks it up: the address of a ghost, else the first half of the id.
    pub(super) fn plain_name(&self, user: &UserId) -> String {
        let address = self.ghosts.parse(user).map(|(_, address)| address).filter(|address| !address.is_empty());
        let address = address.map(|address| RemoteUserId::new(address).address().to_owned());
        address.unwrap_or_else(|| user.localpart().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::RemoteMessageId;
    use ruma::{event_id, room_id};

    #[test]
    fn a_text_is_named_by_its_first_words() {
        assert_eq!(beginning(" Guten\n Tag "), "Guten Tag");
        let long = "Können Sie uns bitte noch die fehlenden Unterlagen zum Bauantrag zusenden?";
        assert_eq!(beginning(long), "Können Sie uns bitte noch die fehlenden Unterlagen zum …");
        assert_eq!(beginning(&"ä".repeat(99)), format!("{} …", "ä".repeat(60)));
    }

    #[test]
    fn a_quote_is_a_few_lines() {
        assert_eq!(excerpt("eins\n\nzwei"), "eins\nzwei");
        assert_eq!(excerpt("1\n2\n3\n4"), "1\n2\n3 …");
        assert!(excerpt(&"wort ".repeat(200)).chars().count() <= 242);
    }

    #[test]
    fn what_was_said_among_staff_is_quoted_to_nobody_who_does_not_have_it() {
        let message = |user: &str, state| Message {
            event_id: event_id!("$1").to_owned(),
            room_id: room_id!("!r:x").to_owned(),
            thread: None,
            connector: "email".into(),
            remote_user: RemoteUserId::new(user),
            remote_message: RemoteMessageId::new("m@x"),
            state,
            recipients: 1,
        };
        let may = |crossed: &[Message], to: &str| may_see(crossed, event_id!("$1"), &RemoteUserId::new(to));
        let (sent, received) = (message("bob", MessageState::Sent), message("bob", MessageState::Received));
        assert!(!may(&[], "bob"));
        assert!(may(std::slice::from_ref(&sent), "bob"));
        assert!(!may(std::slice::from_ref(&sent), "eve"));
        assert!(may(&[received], "eve"));
    }
}
