//! Reading back what happened in a room, and waiting for the homeserver to go away.

use super::{Error, Homeserver, Intent};
use ruma::{
    EventId, OwnedUserId, RoomId, UserId,
    api::{
        Direction,
        client::{
            filter::FilterDefinition,
            message::get_message_events,
            sync::sync_events::{self, v3::Filter},
        },
    },
    events::AnyTimelineEvent,
    presence::PresenceState,
    serde::Raw,
};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Events of a page.
const PAGE: usize = 100;
/// A backlog is read back at most this far: what clients write between invitation and join is a handful.
const BACKLOG_PAGES: usize = 5;

/// A part of a room's history.
#[derive(Debug, Default)]
pub struct Page {
    /// The newest first.
    pub events: Vec<Raw<AnyTimelineEvent>>,
    /// Where the next older page begins; `None` when there is none.
    pub older: Option<String>,
    /// Where this page begins.
    pub start: String,
}

/// What was said in a room since an invitation.
#[derive(Debug, Default)]
pub struct Backlog {
    /// The oldest first; the newest few hundred should the invitation be further back.
    pub events: Vec<Raw<AnyTimelineEvent>>,
    /// Whether it goes back to the invitation, or as far as the ghost may see.
    pub is_complete: bool,
    /// The place in the homeserver's order up to which it goes.
    pub read_to: String,
    /// The invitation from which it goes on, if it was seen.
    pub invitation: Option<String>,
}

impl Intent<'_> {
    /// A page of what happened in a room before `from` (`None`: until now) and after `to` (`None`: ever). Places are
    /// those of other pages, or of [`Homeserver::wait`].
    pub async fn page(&self, room: &RoomId, from: Option<&str>, to: Option<&str>) -> Result<Page, Error> {
        let mut request = get_message_events::v3::Request::new(room.to_owned(), Direction::Backward);
        request.limit = u32::try_from(PAGE).unwrap_or(100).into();
        request.from = from.map(str::to_owned);
        request.to = to.map(str::to_owned);
        let answer = self.send(request).await?;
        // Synapse names a next page also behind the last event. A page of which the half is missing is the last: what a
        // ghost may not see is older than all that it may.
        let older = answer.end.filter(|end| Some(end.as_str()) != from && answer.chunk.len() > PAGE / 2);
        Ok(Page { events: answer.chunk, older, start: answer.start })
    }

    /// The events of a room after the given invitation; after that to an address, if it came of one. `None`: after the
    /// newest invitation of this user.
    pub async fn events_since(&self, room: &RoomId, invitation: Option<&EventId>) -> Result<Backlog, Error> {
        let newest = || Beginning::InvitationOf(self.user().to_string());
        let mut collected = Collected::since(invitation.map_or_else(newest, |id| Beginning::Event(id.to_string())));
        let (mut from, mut read_to) = (None, String::new());
        let mut is_all = false;
        for _ in 0..BACKLOG_PAGES {
            let page = self.page(room, from.as_deref(), None).await?;
            if from.is_none() {
                read_to = page.start;
            }
            collected.take(page.events);
            from = page.older;
            is_all = from.is_none();
            if collected.began || is_all {
                break;
            }
        }
        Ok(collected.backlog(is_all, read_to))
    }
}

/// Events, the newest first, until the one after which they count.
struct Collected {
    events: Vec<Raw<AnyTimelineEvent>>,
    beginning: Beginning,
    /// How many came after the invitation, should it have come of one to an address.
    after_invitation: Option<usize>,
    /// Whether the beginning was found.
    began: bool,
    invitation: Option<String>,
}

enum Beginning {
    Event(String),
    InvitationOf(String),
    /// The invitation to an address that has this token. Between it and the ghost's own, people have begun to write.
    Token(String),
}

impl Collected {
    fn since(beginning: Beginning) -> Self {
        Self { events: Vec::new(), beginning, after_invitation: None, began: false, invitation: None }
    }

    fn take(&mut self, events: Vec<Raw<AnyTimelineEvent>>) {
        for event in events {
            if self.began {
                return;
            }
            if !self.beginning.is(&event) {
                self.events.push(event);
                continue;
            }
            if self.invitation.is_none() {
                self.invitation = event.get_field("event_id").ok().flatten();
            }
            match token(&event) {
                Some(token) if self.after_invitation.is_none() => {
                    self.after_invitation = Some(self.events.len());
                    self.beginning = Beginning::Token(token);
                }
                _ => self.began = true,
            }
        }
    }

    /// `is_all`: there is nothing older.
    fn backlog(mut self, is_all: bool, read_to: String) -> Backlog {
        let mut is_complete = self.began || is_all;
        if let Some(count) = self.after_invitation.filter(|_| !self.began) {
            // Nobody is told what was said before they were invited.
            self.events.truncate(count);
            is_complete = true;
        }
        self.events.reverse();
        Backlog { events: self.events, is_complete, read_to, invitation: self.invitation }
    }
}

impl Beginning {
    fn is(&self, event: &Raw<AnyTimelineEvent>) -> bool {
        let field = |name: &str| event.get_field::<String>(name).ok().flatten();
        match self {
            Self::Event(id) => field("event_id").as_ref() == Some(id),
            Self::InvitationOf(user) => {
                let is_theirs = field("state_key").as_ref() == Some(user);
                is_theirs
                    && field("type").as_deref() == Some("m.room.member")
                    && membership(event) == Some("invite".into())
            }
            Self::Token(token) => {
                field("state_key").as_ref() == Some(token)
                    && field("type").as_deref() == Some("m.room.third_party_invite")
            }
        }
    }
}

fn membership(event: &Raw<AnyTimelineEvent>) -> Option<String> {
    let content = event.get_field::<serde_json::Value>("content").ok().flatten()?;
    content.get("membership")?.as_str().map(str::to_owned)
}

/// Of an invitation that came of one to an address (Client-Server API 1.11, "m.room.member").
fn token(event: &Raw<AnyTimelineEvent>) -> Option<String> {
    let content = event.get_field::<serde_json::Value>("content").ok().flatten()?;
    content.pointer("/third_party_invite/signed/token")?.as_str().map(str::to_owned)
}

impl Homeserver {
    /// Waits up to `longest`, as a user who hears nothing; fails when the homeserver goes away meanwhile. Returns the
    /// place in the homeserver's order that it has come to. `since`: what this returned before.
    pub async fn wait(&self, user: &UserId, since: Option<String>, longest: Duration) -> Result<String, Error> {
        /// Synapse keeps answers for minutes, by all parameters: to the same question it may answer with an old place.
        static QUESTIONS: AtomicU64 = AtomicU64::new(0);
        let number = QUESTIONS.fetch_add(1, Ordering::Relaxed) % 100;
        let mut request = sync_events::v3::Request::new();
        request.filter = Some(Filter::FilterDefinition(FilterDefinition::ignore_all()));
        request.since = since;
        request.set_presence = PresenceState::Offline;
        request.timeout = Some(longest + Duration::from_millis(number));
        let user: OwnedUserId = user.to_owned();
        Ok(self.send_beside(request, &user).await?.next_batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn said(words: &str) -> Value {
        json!({ "type": "m.room.message", "event_id": format!("${words}"), "content": { "body": words } })
    }

    fn invitation(content: Value) -> Value {
        json!({ "type": "m.room.member", "event_id": "$invited", "state_key": "@_email_bob:x", "content": content })
    }

    fn by_address(token: &str) -> Value {
        json!({ "type": "m.room.third_party_invite", "event_id": "$address", "state_key": token, "content": {} })
    }

    /// What was said since the invitation, of pages with the newest event first.
    fn read(pages: &[&[Value]], is_all: bool) -> (Vec<String>, bool) {
        read_since(Beginning::Event("$invited".into()), pages, is_all)
    }

    fn read_since(beginning: Beginning, pages: &[&[Value]], is_all: bool) -> (Vec<String>, bool) {
        let mut collected = Collected::since(beginning);
        for page in pages {
            collected.take(page.iter().map(|event| Raw::new(event).unwrap().cast_unchecked()).collect());
        }
        let backlog = collected.backlog(is_all, String::new());
        let ids = backlog.events.iter().map(|event| event.get_field("event_id").unwrap().unwrap()).collect();
        (ids, backlog.is_complete)
    }

    #[test]
    fn what_was_said_since_the_invitation_is_read_and_nothing_older() {
        let invited = invitation(json!({ "membership": "invite" }));
        let since = |pages: &[&[Value]]| read(pages, false);
        assert_eq!(since(&[&[said("2"), said("1")], &[invited, said("0")]]), (vec!["$1".into(), "$2".into()], true));
        assert_eq!(since(&[&[said("2")]]), (vec!["$2".into()], false));
        assert_eq!(read(&[&[said("2")]], true), (vec!["$2".into()], true));
    }

    #[test]
    fn an_invitation_whose_id_nobody_knows_is_the_newest_of_the_user() {
        let bob = || Beginning::InvitationOf("@_email_bob:x".into());
        let member = |id: &str, user: &str, membership: &str| json!({ "type": "m.room.member", "event_id": id, "state_key": user, "content": { "membership": membership } });
        let (invited, eve) = (member("$i", "@_email_bob:x", "invite"), member("$e", "@_email_eve:x", "invite"));
        let (left, before) = (member("$l", "@_email_bob:x", "leave"), member("$o", "@_email_bob:x", "invite"));
        let events = [said("2"), eve, said("1"), invited, said("0"), left, said("-1"), before];
        assert_eq!(read_since(bob(), &[&events], true), (vec!["$1".into(), "$e".into(), "$2".into()], true));
    }

    #[test]
    fn what_was_said_since_the_invitation_to_an_address_is_read_and_nothing_older() {
        let invited = invitation(json!({ "third_party_invite": { "signed": { "token": "t" } } }));
        let later = [said("2"), invited.clone(), said("1")];
        assert_eq!(read(&[&later, &[by_address("t"), said("0")]], false), (vec!["$1".into(), "$2".into()], true));
        for is_all in [true, false] {
            let older = [by_address("other"), said("0")];
            assert_eq!(read(&[&later, &older], is_all), (vec!["$2".into()], true), "its beginning is not to be seen");
        }
    }
}
