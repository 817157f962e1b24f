//! Reading back what happened in a room, and waiting for the homeserver to go away.

use super::{Error, Homeserver, Intent};
use ruma::{
    OwnedUserId, RoomId, UserId,
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

    /// The events of a room after the given one.
    pub async fn events_since(&self, room: &RoomId, event: &str) -> Result<Backlog, Error> {
        let mut backlog = Backlog::default();
        let mut from = None;
        for _ in 0..BACKLOG_PAGES {
            let page = self.page(room, from.as_deref(), None).await?;
            if from.is_none() {
                backlog.read_to = page.start;
            }
            for raw in page.events {
                if raw.get_field::<String>("event_id").ok().flatten().as_deref() == Some(event) {
                    backlog.is_complete = true;
                    break;
                }
                backlog.events.push(raw);
            }
            from = page.older;
            backlog.is_complete |= from.is_none();
            if backlog.is_complete {
                break;
            }
        }
        backlog.events.reverse();
        Ok(backlog)
    }
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
