//! The task that brings ours into rooms, and back in: after a new stream, after the end of a service, and when a room has
//! forgotten them (XEP-0410).

use super::{
    archive,
    compose::{self, History},
    profile::{features, profile},
    raw,
    rooms::{Rooms, Standing, Step},
};
use crate::{
    connector::{Cursor, Inbox, now},
    connectors::xmpp::{address::Identity, component::Component, xml::ns},
    failure::Failure,
    ids::{LocalUser, RemoteRoomId},
    message::Happening,
};
use futures_util::{StreamExt, stream};
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use xmpp_parsers::jid::BareJid;

/// Between two looks, if nothing has changed.
const EVERY: Duration = Duration::from_secs(15);
const ROOMS_AT_ONCE: usize = 16;
/// The room has to have told everything within this time.
const ENTERING: Duration = Duration::from_secs(20);
/// Clocks differ; what comes twice is recognised.
const MARGIN: i64 = 120_000;
/// Nobody wants to read what is older.
const LONGEST: i64 = 7 * 86_400_000;
/// Of the archive of a room, with a hundred messages each.
const PAGES: usize = 200;

/// Keeps just those in rooms who are to be there, until `stop`.
pub async fn keep(rooms: &Rooms, component: &Component, identity: &Identity, inbox: &Inbox, stop: &CancellationToken) {
    let keeper = Keeper { rooms, component, identity, inbox };
    while !stop.is_cancelled() {
        let wait = timeout(EVERY, rooms.wake.notified());
        if stop.run_until_cancelled(wait).await.is_none() {
            return;
        }
        stop.run_until_cancelled(keeper.look()).await;
    }
}

struct Keeper<'a> {
    rooms: &'a Rooms,
    component: &'a Component,
    identity: &'a Identity,
    inbox: &'a Inbox,
}

/// The name of the cursor that says up to when a room was heard, in milliseconds since 1970.
pub fn cursor(room: impl std::fmt::Display) -> Cursor {
    Cursor { name: format!("room {room}"), value: now().to_string() }
}

/// Since when a room is heard at all.
fn began(room: &BareJid) -> Cursor {
    Cursor { name: format!("room began {room}"), value: now().to_string() }
}

impl Keeper<'_> {
    async fn look(&self) {
        let attendance = match self.inbox.attendance().await {
            Ok(attendance) => attendance,
            Err(failure) => {
                tracing::warn!(detail = failure.detail, "cannot ask who is to be in which room; trying again");
                return;
            }
        };
        let plans = stream::iter(self.rooms.plan(&attendance));
        plans.for_each_concurrent(ROOMS_AT_ONCE, |(room, steps)| self.work(room, steps)).await;
        self.rooms.end_round();
    }

    /// One after the other: who comes first asks for what was missed, and the names of ours are known before others come.
    async fn work(&self, room: BareJid, steps: Vec<Step>) {
        for step in steps {
            if let Err(failure) = self.take(&room, step).await {
                tracing::info!(detail = failure.detail, "a room cannot be reached; trying again");
                return;
            }
        }
    }

    async fn take(&self, room: &BareJid, step: Step) -> Result<(), Failure> {
        let id = RemoteRoomId::new(room.as_str());
        match step {
            Step::Leave { user, nick } => {
                self.rooms.lost(room, &user);
                if let Some(from) = self.identity.full_address_of(&user) {
                    self.component.send(vec![compose::leave(&from, &id, &nick)], String::new()).await?;
                }
                Ok(())
            }
            Step::Enter { user, name } => {
                let entered = self.enter(room, &user, &name).await;
                if entered.is_err() {
                    self.rooms.lost(room, &user);
                }
                entered
            }
            Step::Rename { user, name } => match self.rooms.rename(room, &user, &name) {
                Some(presence) => self.component.send(vec![presence], String::new()).await,
                None => Ok(()),
            },
            Step::AskName { user } => self.ask_name(room, &user).await,
            Step::Ask { user, nick } => {
                ask_whether_inside(self.rooms, self.component, self.identity, room, &user, &nick).await;
                Ok(())
            }
        }
    }

    /// What a room is called is news if it is called otherwise than when it was asked last.
    async fn ask_name(&self, room: &BareJid, user: &LocalUser) -> Result<(), Failure> {
        let profile = profile(self.component, self.identity, &RemoteRoomId::new(room.as_str())).await?;
        let name = profile.and_then(|profile| profile.name);
        if self.rooms.note_name(room, name.as_deref()) {
            let news = name.and_then(|name| raw::news(room, user, &Happening::Named(name)));
            self.inbox.accept(news.into_iter().collect(), None).await?;
        }
        Ok(())
    }

    async fn enter(&self, room: &BareJid, user: &LocalUser, name: &str) -> Result<(), Failure> {
        let is_first = self.rooms.is_first(room);
        let history = if is_first { self.missed(room).await? } else { History::None };
        if let History::Since(since) = &history {
            let archive = self.read_archive(room, user, since).await;
            self.rooms.ask_archive(room, None);
            if let Err(failure) = archive {
                if self.rooms.is_archive_asked_again(room, &failure) {
                    return Err(failure);
                }
                tracing::warn!(
                    room = room.as_str(),
                    detail = failure.detail,
                    "a room tells nothing from its archive; what it tells by itself has to do"
                );
            }
        }
        let Some(presence) = self.rooms.enter(room, user, name, history) else { return Ok(()) };
        self.component.send(vec![presence], String::new()).await?;
        let told_all = timeout(ENTERING, self.until_decided(room, user)).await.is_ok();
        if !told_all && self.rooms.is_inside(room, user) {
            // Some rooms have no topic to end with.
            self.rooms.confirm(room, user);
        }
        match self.rooms.standing(room, user) {
            Standing::In if is_first => {
                if self.inbox.cursor(&began(room).name).await?.is_none() {
                    self.inbox.accept(Vec::new(), Some(began(room))).await?;
                }
                self.inbox.accept(self.rooms.take_early(room), Some(cursor(room))).await
            }
            Standing::In | Standing::Shut(..) => Ok(()),
            Standing::OnTheWay | Standing::Absent(_) => {
                Err(Failure::transient(crate::failure::Reason::Unreachable, "a room does not answer"))
            }
        }
    }

    /// Has the room tell what was said, before anybody goes in: so it comes before what is said then.
    async fn read_archive(&self, room: &BareJid, user: &LocalUser, since: &str) -> Result<(), Failure> {
        let id = RemoteRoomId::new(room.as_str());
        let Some(from) = self.identity.full_address_of(user) else { return Ok(()) };
        if !features(self.component, &from, &id).await?.iter().any(|it| it == ns::ARCHIVE) {
            return Ok(());
        }
        let mut after = None;
        for _ in 0..PAGES {
            let name = format!("{:x}", rand::random::<u64>());
            self.rooms.ask_archive(room, Some(name.clone()));
            let answer = self.component.ask(archive::question(&from, &id, &name, since, after.as_deref())).await?;
            after = archive::next(&answer);
            if after.is_none() {
                return Ok(());
            }
        }
        tracing::warn!(room = id.as_str(), "more was missed in a room than anybody would read; the rest is left out");
        Ok(())
    }

    /// What the room is to tell of what was said while nobody of ours was there.
    async fn missed(&self, room: &BareJid) -> Result<History, Failure> {
        let at = async |cursor: Cursor| -> Result<Option<i64>, Failure> {
            Ok(self.inbox.cursor(&cursor.name).await?.and_then(|at| at.parse().ok()))
        };
        let (heard, began) = (at(cursor(room)).await?, at(began(room)).await?);
        Ok(missed(heard, began, now()))
    }

    async fn until_decided(&self, room: &BareJid, user: &LocalUser) {
        let mut changes = self.rooms.changes();
        while matches!(self.rooms.standing(room, user), Standing::OnTheWay) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }
}

/// Asks a room whether one of ours is in it still (XEP-0410), and has them go in again if not. `None`: it does not say.
pub(super) async fn ask_whether_inside(
    rooms: &Rooms,
    component: &Component,
    identity: &Identity,
    room: &BareJid,
    user: &LocalUser,
    nick: &str,
) -> Option<bool> {
    let from = identity.full_address_of(user)?;
    let answer = component.ask(compose::self_ping(&from, &RemoteRoomId::new(room.as_str()), nick)).await;
    let is_in = answer.map_or_else(|failure| is_inside(&failure), |_| Some(true));
    match is_in {
        Some(true) => rooms.confirm(room, user),
        Some(false) => {
            rooms.lost(room, user);
            rooms.look();
        }
        None => {}
    }
    is_in
}

/// Since when a room is to tell, that was heard last at `heard`, and not before `began`; all in milliseconds since 1970.
fn missed(heard: Option<i64>, began: Option<i64>, now: i64) -> History {
    let Some(heard) = heard else { return History::None };
    // Whoever ends before the room has told everything may have heard words, and not when it began: not before those.
    let began = began.unwrap_or(heard);
    History::Since(stamp((heard - MARGIN).max(began).max(now.saturating_sub(LONGEST))))
}

/// Milliseconds since 1970 as XEP-0082 writes a time. The days are counted from March on, as leap days stand at the end then.
fn stamp(at: i64) -> String {
    let (days, second) = (at.div_euclid(86_400_000), at.rem_euclid(86_400_000) / 1000);
    let from_march = days + 719_468;
    let (era, day) = (from_march.div_euclid(146_097), from_march.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = year + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// What an error says that answers a ping to oneself (XEP-0410 section 3.2); `None`: nothing.
fn is_inside(failure: &Failure) -> Option<bool> {
    match failure.detail.split(' ').next().unwrap_or_default() {
        // The ping came through, and who got it does not know pings; or has another name meanwhile.
        "service-unavailable" | "feature-not-implemented" | "item-not-found" => Some(true),
        "remote-server-not-found" | "remote-server-timeout" => None,
        _ if failure.detail.contains('(') => Some(false),
        // There was no answer at all.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Reason;

    #[test]
    fn only_what_the_room_itself_says_means_that_one_is_out() {
        for (detail, inside) in [
            ("not-acceptable (cancel)", Some(false)),
            ("forbidden (auth)", Some(false)),
            ("service-unavailable (cancel)", Some(true)),
            ("feature-not-implemented (cancel)", Some(true)),
            ("item-not-found (cancel)", Some(true)),
            ("remote-server-timeout (wait)", None),
            ("the XMPP server does not answer", None),
        ] {
            assert_eq!(is_inside(&Failure::transient(Reason::Busy, detail)), inside, "{detail}");
        }
    }

    #[test]
    fn a_room_tells_what_was_missed_and_not_more() {
        let told = |heard, began, now| match missed(heard, began, now) {
            History::Since(time) => time,
            History::None => String::new(),
        };
        let since = |heard, began, now| told(Some(heard), Some(began), now);
        assert_eq!(since(1_000_000, 0, 1_100_000), "1970-01-01T00:14:40Z");
        assert_eq!(since(1_000_000, 990_000, 1_100_000), "1970-01-01T00:16:30Z", "nothing from before it was paired");
        assert_eq!(since(0, 0, 30 * 86_400_000), "1970-01-24T00:00:00Z");
        assert_eq!(told(None, None, 1_100_000), "", "it was never heard");
        assert_eq!(told(Some(1_000_000), None, 1_100_000), "1970-01-01T00:16:40Z", "an end in the midst of coming in");
        assert_eq!(stamp(1_709_164_800_000), "2024-02-29T00:00:00Z");
        assert_eq!(stamp(1_796_083_199_000), "2026-11-30T23:59:59Z");
    }
}
