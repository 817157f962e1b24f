//! Reading portals back.

use super::super::{
    Bridge,
    event::{Event, Kind},
};
use crate::{
    failure::Failure,
    matrix::{self, Intent, Page},
    metrics,
    store::{Unread, Watermark, now},
};
use futures_util::{StreamExt, TryStreamExt, stream};
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, events::AnyTimelineEvent, serde::Raw};
use std::{collections::HashMap, time::Instant};

/// Portals whose events share a commit.
const TOGETHER: usize = 16;
/// Requests at once: the homeserver has other work, and so have our slots.
const AT_ONCE: usize = 4;
/// Pages of one portal that are kept in memory. What is older is asked for again when its turn comes.
const KEPT_PAGES: usize = 5;

/// What was read of one portal and is not routed yet.
struct Reading {
    /// The newest first.
    events: Vec<Raw<AnyTimelineEvent>>,
    newest: Newest,
    watermark: Watermark,
    /// Since when the portal need not be read again; `None`: it must be.
    certain_since: Option<Instant>,
}

/// What an event is about, if a later one of the same room takes its place.
#[derive(PartialEq, Eq, Hash)]
enum Slot {
    Member(OwnedUserId),
    Name,
    Encryption,
}

/// Of each slot of a room the newest event.
#[derive(Default)]
struct Newest(HashMap<Slot, OwnedEventId>);

impl Newest {
    /// Notes events of a room, the newest first.
    fn note(&mut self, newest_first: &[Event<'_>]) {
        for event in newest_first {
            if let Some(slot) = slot(&event.kind) {
                self.0.entry(slot).or_insert_with(|| event.id.clone());
            }
        }
    }

    /// Whether the event still holds: a forgotten one must not undo what came after it and is known.
    fn holds(&self, event: &Event<'_>) -> bool {
        slot(&event.kind).and_then(|slot| self.0.get(&slot)).is_none_or(|newest| *newest == event.id)
    }
}

fn slot(kind: &Kind) -> Option<Slot> {
    match kind {
        Kind::Member { user, .. } => Some(Slot::Member(user.clone())),
        Kind::RoomName(_) => Some(Slot::Name),
        Kind::Encryption => Some(Slot::Encryption),
        _ => None,
    }
}

impl Bridge {
    /// Takes in what was written in these portals and is not known yet; how many events that were. Rooms that are no
    /// portals are passed over. `active`: somebody writes there now.
    ///
    /// # Errors
    /// When the homeserver cannot be asked. A portal that it does not let us read stays in doubt, and holds nobody up.
    pub(in crate::bridge) async fn read_back(&self, rooms: &[OwnedRoomId], active: bool) -> Result<usize, Failure> {
        let mut recovered = 0;
        for some in rooms.chunks(TOGETHER) {
            let portals = self.store.unread(some).await?;
            let readings = portals.into_iter().map(|portal| self.read_portal(portal, active));
            let readings: Vec<Reading> = stream::iter(readings).buffered(AT_ONCE).try_collect().await?;
            recovered += self.take_readings(readings).await?;
        }
        Ok(recovered)
    }

    async fn take_readings(&self, readings: Vec<Reading>) -> Result<usize, Failure> {
        let mut events = Vec::new();
        for reading in &readings {
            events.extend(self.standing(reading.events.iter().rev(), &reading.newest));
        }
        let watermarks: Vec<Watermark> = readings.iter().map(|reading| reading.watermark.clone()).collect();
        let recovered = self.route(&events, &watermarks).await?;
        metrics::reconciled(recovered);
        for Reading { watermark, certain_since, .. } in &readings {
            if let Some(since) = certain_since {
                self.reconcile.doubt.note_read(&watermark.room, *since);
            }
        }
        Ok(recovered)
    }

    /// The events that no later one has taken the place of.
    fn standing<'a>(&self, events: impl Iterator<Item = &'a Raw<AnyTimelineEvent>>, newest: &Newest) -> Vec<Event<'a>> {
        let mut events = self.read_events(events.map(|raw| raw.json().get()), |_| ());
        events.retain(|event| newest.holds(event));
        events
    }

    /// Reads one portal back; routes at once what is too much to keep.
    async fn read_portal(&self, portal: Unread, active: bool) -> Result<Reading, Failure> {
        let watermark = Watermark { room: portal.room, read_to: None, read_at: now(), active };
        let certain_since = Some(Instant::now());
        let mut reading = Reading { events: Vec::new(), newest: Newest::default(), watermark, certain_since };
        let after = portal.read_to.as_deref();
        let mut refusal = None;
        let bot = portal.is_of_bot.then_some(&self.bot);
        for reader in portal.joined.iter().filter(|user| self.ghosts.is_ghost(user)).chain(bot) {
            reading.events.clear();
            let reader = self.homeserver.intent(reader);
            let mut result = self.walk(&reader, &mut reading, after).await;
            if let Err(Walk::Refused(error @ matrix::Error::Refused { status: 400, .. })) = &result {
                // The homeserver's order is another one: it begins anew.
                tracing::warn!(room = %reading.watermark.room, %error, "a portal cannot be read back");
                reading.events.clear();
                result = self.walk(&reader, &mut reading, None).await;
            }
            match result {
                Ok(()) => return Ok(reading),
                Err(Walk::Failed(failure)) => return Err(failure),
                Err(Walk::Refused(error)) => refusal = Some(error),
            }
        }
        reading.events.clear();
        if let Some(error) = refusal {
            tracing::warn!(room = %reading.watermark.room, %error, "a portal cannot be read back");
            // Where our ghosts are not any more, there is nothing to read.
            if !matches!(error, matrix::Error::Refused { status: 403 | 404, .. }) {
                reading.certain_since = None;
            }
        }
        // It was not read, and must not stay at the front of the sweep. Should nobody of us be there, then whoever comes
        // begins anew.
        reading.watermark.read_to = None;
        reading.watermark.read_at = now();
        Ok(reading)
    }

    /// Goes from the newest event back to the watermark, and with what is older than the newest pages forth again.
    /// `after`: empty: back to the beginning, `None`: not at all.
    async fn walk(&self, reader: &Intent<'_>, reading: &mut Reading, after: Option<&str>) -> Result<(), Walk> {
        let room = reading.watermark.room.clone();
        let asked_at = now();
        let Some(after) = after else {
            let page = reader.page(&room, None, None).await?;
            (reading.watermark.read_to, reading.watermark.read_at) = (Some(page.start), asked_at);
            return Ok(());
        };
        let to = Some(after).filter(|after| !after.is_empty());
        let mut older = Vec::new();
        let mut from: Option<String> = None;
        let mut pages = 0;
        loop {
            let page = reader.page(&room, from.as_deref(), to).await?;
            reading.newest.note(&self.read_events(page.events.iter().map(|raw| raw.json().get()), |_| ()));
            if pages == 0 {
                (reading.watermark.read_to, reading.watermark.read_at) = (Some(page.start), asked_at);
            }
            pages += 1;
            if pages <= KEPT_PAGES {
                reading.events.extend(page.events);
            } else {
                older.extend(from);
            }
            let Some(next) = page.older else { break };
            from = Some(next);
        }
        if !older.is_empty() {
            tracing::info!(%room, pages, "a long time is read back");
        }
        for from in older.into_iter().rev() {
            let Page { events, .. } = reader.page(&room, Some(&from), to).await?;
            metrics::reconciled(self.route(&self.standing(events.iter().rev(), &reading.newest), &[]).await?);
        }
        Ok(())
    }
}

/// Why a portal was not read.
enum Walk {
    Failed(Failure),
    /// The homeserver does not give it to this ghost.
    Refused(matrix::Error),
}

impl From<matrix::Error> for Walk {
    fn from(error: matrix::Error) -> Self {
        if error.is_about_the_request() { Self::Refused(error) } else { Self::Failed(error.into()) }
    }
}

impl From<Failure> for Walk {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forgotten_event_does_not_undo_a_later_one() {
        let json = |id: &str, kind: &str, key: &str, content: &str| {
            format!(
                r#"{{"type":"{kind}","event_id":"{id}","room_id":"!r:x","sender":"@a:x",{key}"content":{content}}}"#
            )
        };
        let name = |id: &str| json(id, "m.room.name", r#""state_key":"","#, r#"{"name":"x"}"#);
        let member = |id: &str, user: &str| {
            json(id, "m.room.member", &format!(r#""state_key":"{user}","#), r#"{"membership":"leave"}"#)
        };
        let said = json("$said", "m.room.message", "", r#"{"msgtype":"m.text","body":"x"}"#);
        let newest_first =
            [name("$n2"), member("$b", "@b:x"), said, name("$n1"), member("$c2", "@c:x"), member("$c1", "@c:x")];
        let events: Vec<Event<'_>> =
            newest_first.iter().map(|json| Event::parse(json, |_, _| false).unwrap().unwrap()).collect();
        let mut newest = Newest::default();
        newest.note(&events[..3]);
        newest.note(&events[3..]);
        let holds: Vec<&str> =
            events.iter().filter(|event| newest.holds(event)).map(|event| event.id.as_str()).collect();
        assert_eq!(holds, ["$n2", "$b", "$said", "$c2"]);
    }
}
