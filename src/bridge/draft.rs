//! Deliveries as one transaction adds and changes them.

use super::{hold, outgoing::Outgoing};
use crate::{
    ids::{RemoteUserId, SourceId},
    store::{Error, NewRow, Progress, Queue, Tx, Waiting},
};
use ruma::RoomId;
use std::time::Duration;

/// The lane of one person in one room: recipients fail one by one.
pub(super) fn lane(connector: &str, room: &RoomId, to: &RemoteUserId) -> String {
    format!("{connector} {room} {to}")
}

/// A row of the outbox, or one to come.
pub(super) struct Draft {
    pub connector: String,
    pub lane: String,
    pub outgoing: Outgoing,
    source: SourceId,
    due_at: i64,
    /// When the first words of it were taken in, in milliseconds since 1970.
    since: i64,
    /// `None`: to come.
    row: Option<(i64, Progress)>,
    changed: bool,
    withdrawn: bool,
    revived: bool,
}

impl Draft {
    pub(super) fn new(connector: &str, source: String, outgoing: Outgoing, now: i64, hold: Duration) -> Self {
        Self {
            connector: connector.to_owned(),
            lane: lane(connector, &outgoing.room, &outgoing.delivery.to),
            outgoing,
            source: SourceId::new(source),
            due_at: now + hold.as_millis() as i64,
            since: now,
            row: None,
            changed: false,
            withdrawn: false,
            revived: false,
        }
    }

    /// `None`: the row is damaged, which is reported when it is tried.
    fn stored(row: Waiting) -> Option<Self> {
        Some(Self {
            outgoing: hold::read(&row.payload).ok()?,
            connector: row.connector,
            lane: row.lane,
            source: row.source,
            due_at: row.due_at,
            since: row.created_at,
            row: Some((row.id, row.progress)),
            changed: false,
            withdrawn: false,
            revived: false,
        })
    }

    /// Whether it is being sent in this moment.
    pub(super) fn is_leaving(&self) -> bool {
        matches!(self.row, Some((_, Progress::Leased)))
    }

    /// Whether it was never tried, and its time has not come.
    pub(super) fn is_held(&self, now: i64) -> bool {
        self.due_at > now && self.row.is_none_or(|(_, progress)| progress == Progress::Held)
    }

    /// Whether it was tried in vain, and waits for the next attempt.
    fn is_put_off(&self, now: i64) -> bool {
        self.due_at > now && matches!(self.row, Some((_, Progress::Waiting)))
    }

    pub(super) fn is_dead(&self) -> bool {
        matches!(self.row, Some((_, Progress::Dead)))
    }

    /// Has what was given up tried again.
    pub(super) fn revive(&mut self) {
        self.revived = true;
    }

    /// Takes it out of its lane.
    pub(super) fn withdraw(&mut self) {
        self.withdrawn = true;
    }

    /// Has it wait until then at least.
    pub(super) fn put_off(&mut self, until: i64) {
        self.due_at = self.due_at.max(until);
    }

    /// Has it leave at the time that follows from when its first words were taken in, should that be earlier.
    pub(super) fn hasten(&mut self, due: impl Fn(i64) -> i64) {
        let due = due(self.since);
        self.changed |= due < self.due_at;
        self.due_at = self.due_at.min(due);
    }

    /// What it says was changed.
    pub(super) fn touch(&mut self) {
        self.changed = true;
    }

    async fn write(self, tx: &mut Tx, new: &mut Vec<NewRow>) -> Result<(), Error> {
        let payload = || serde_json::to_vec(&self.outgoing).unwrap_or_default();
        match self.row {
            Some((id, _)) if self.withdrawn => tx.withdraw(id, self.lane).await,
            Some((id, _)) if self.changed || self.revived => {
                if self.changed {
                    tx.revise(id, payload(), self.due_at).await?;
                }
                if self.revived {
                    tx.retry(Queue::Outbox, id).await?;
                }
                Ok(())
            }
            None if !self.withdrawn => {
                new.push(NewRow {
                    kind: "delivery",
                    payload: payload(),
                    connector: self.connector,
                    lane: self.lane,
                    source: self.source,
                    target: self.outgoing.delivery.to.as_str().to_owned(),
                    room: Some(self.outgoing.room),
                    due_at: self.due_at,
                });
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// All that a transaction adds, and what it may change; lane by lane in their order.
#[derive(Default)]
pub(super) struct Drafts(Vec<Draft>);

impl Drafts {
    pub(super) fn take_in(&mut self, rows: Vec<Waiting>) {
        self.0.extend(rows.into_iter().filter_map(Draft::stored));
    }

    pub(super) fn push(&mut self, draft: Draft) {
        self.0.push(draft);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Draft> {
        self.0.iter().filter(|draft| !draft.withdrawn)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Draft> {
        self.0.iter_mut().filter(|draft| !draft.withdrawn)
    }

    /// Makes a message part of the youngest delivery of these lanes, for each of its recipients; returns those. `None`:
    /// it needs a delivery of its own. `limit`: of attachments, in bytes.
    pub(super) fn append(
        &mut self,
        lanes: &[String],
        message: &Outgoing,
        hold: Duration,
        limit: u64,
        now: i64,
    ) -> Option<Vec<&mut Draft>> {
        let youngest = |lane: &String| self.0.iter().rposition(|draft| !draft.withdrawn && draft.lane == *lane);
        let first = self.0.get(youngest(lanes.first()?)?)?;
        let (id, connector) = (&first.outgoing.delivery.id, &first.connector);
        let copied = first.outgoing.delivery.copies.iter().map(|to| lane(connector, &first.outgoing.room, to));
        let lanes: Vec<String> = lanes.iter().cloned().chain(copied).collect();
        let places: Vec<usize> = lanes.iter().map(youngest).collect::<Option<_>>()?;
        let fits = |place: &usize| {
            self.0.get(*place).is_some_and(|draft| {
                draft.outgoing.delivery.id == *id && draft.is_held(now) && hold::joins(&draft.outgoing, message, limit)
            })
        };
        if !places.iter().all(fits) {
            return None;
        }
        let chosen = self.0.iter_mut().enumerate().filter(|(place, _)| places.contains(place));
        Some(
            chosen
                .map(|(_, draft)| {
                    draft.outgoing.parts.extend(message.parts.iter().cloned());
                    draft.put_off(hold::prolonged(draft.since, now, hold));
                    draft.changed = true;
                    draft
                })
                .collect(),
        )
    }

    /// Whoever comes into a room while what was said there waits for the others gets the same delivery as they, and all
    /// see each other.
    pub(super) fn share(&mut self, late: &mut Outgoing, connector: &str, now: i64) {
        let begins_with = |outgoing: &Outgoing| outgoing.parts.first().map(|part| part.event.clone());
        let event = begins_with(late);
        let is_it = |draft: &&Draft| {
            draft.connector == connector
                && draft.outgoing.purpose == late.purpose
                && begins_with(&draft.outgoing) == event
                && draft.is_held(now)
        };
        let Some(id) = self.iter().find(is_it).map(|draft| draft.outgoing.delivery.id.clone()) else { return };
        for draft in self.iter_mut().filter(|draft| draft.outgoing.delivery.id == id) {
            let audience = &mut draft.outgoing.delivery.audience;
            if !audience.contains(&late.delivery.to) {
                audience.push(late.delivery.to.clone());
                audience.sort();
                draft.touch();
            }
        }
        late.delivery.id = id;
    }

    /// Somebody is not in the room any more: what still waits for them is not sent, and the others do not see them.
    pub(super) fn forget(&mut self, room: &RoomId, connector: &str, gone: &RemoteUserId, now: i64) {
        let mut cancelled = Vec::new();
        let here = |draft: &&mut Draft| draft.connector == connector && draft.outgoing.room == room;
        for draft in self.iter_mut().filter(here).filter(|draft| draft.outgoing.delivery.to == *gone) {
            if draft.is_held(now) || draft.is_put_off(now) {
                cancelled.push(draft.outgoing.delivery.id.clone());
                draft.withdraw();
            }
        }
        for draft in self.iter_mut().filter(|draft| cancelled.contains(&draft.outgoing.delivery.id)) {
            draft.outgoing.delivery.audience.retain(|person| person != gone);
            draft.touch();
        }
    }

    pub(super) async fn write(self, tx: &mut Tx) -> Result<(), Error> {
        let mut new = Vec::new();
        for draft in self.0 {
            draft.write(tx, &mut new).await?;
        }
        tx.enqueue(Queue::Outbox, new);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::hold::sample, *};

    const HOLD: Duration = Duration::from_secs(10);
    /// Of attachments, in bytes.
    const LIMIT: u64 = 100;

    fn lanes(people: &[&str]) -> Vec<String> {
        people.iter().map(|to| lane("email", &sample("$", "").room, &RemoteUserId::new(*to))).collect()
    }

    fn drafts(people: &[&str], outgoing: &Outgoing) -> Drafts {
        let mut drafts = Drafts::default();
        for to in people {
            let mut outgoing = outgoing.clone();
            outgoing.delivery.to = RemoteUserId::new(*to);
            drafts.push(Draft::new("email", format!("$1 {to}"), outgoing, 1_000, HOLD));
        }
        drafts
    }

    #[test]
    fn a_line_joins_the_delivery_of_every_recipient_or_of_none() {
        let (first, second) = (sample("$1", "eins"), sample("$2", "zwei"));
        let mut both = drafts(&["bob", "eve"], &first);
        let joined = both.append(&lanes(&["bob", "eve"]), &second, HOLD, LIMIT, 2_000).unwrap();
        assert_eq!(joined.len(), 2);
        assert!(both.iter().all(|draft| draft.outgoing.parts.len() == 2 && draft.due_at == 12_000));

        let mut one = drafts(&["bob"], &first);
        assert!(one.append(&lanes(&["bob", "eve"]), &second, HOLD, LIMIT, 2_000).is_none());
        assert!(one.iter().all(|draft| draft.outgoing.parts.len() == 1));
    }

    #[test]
    fn nothing_joins_what_has_left_or_is_followed_by_another() {
        let (first, second) = (sample("$1", "eins"), sample("$2", "zwei"));
        let now = 2_000;
        let mut leaving = drafts(&["bob"], &first);
        leaving.iter_mut().for_each(|draft| draft.row = Some((1, Progress::Leased)));
        assert!(leaving.append(&lanes(&["bob"]), &second, HOLD, LIMIT, now).is_none());
        let mut due = drafts(&["bob"], &first);
        assert!(due.append(&lanes(&["bob"]), &second, HOLD, LIMIT, 11_000).is_none());
        let mut other = sample("$3", "von Tom");
        other.delivery.writer.user = crate::ids::LocalUser::new("tom");
        let mut followed = drafts(&["bob"], &first);
        followed.push(Draft::new("email", "$3 bob".into(), other, 1_500, HOLD));
        followed.iter_mut().for_each(|draft| draft.lane = lanes(&["bob"]).remove(0));
        assert!(followed.append(&lanes(&["bob"]), &second, HOLD, LIMIT, now).is_none());
    }

    #[test]
    fn a_line_joins_the_copies_as_well() {
        let mut first = sample("$1", "eins");
        first.delivery.copies = vec![RemoteUserId::new("chef")];
        let mut drafts = drafts(&["bob", "chef"], &first);
        let joined = drafts.append(&lanes(&["bob"]), &sample("$2", "zwei"), HOLD, LIMIT, 2_000).unwrap();
        assert_eq!(joined.len(), 2);
    }

    #[test]
    fn what_waits_for_somebody_leaves_once_they_are_there_and_no_sooner_than_without_them() {
        let due = |drafts: &Drafts| drafts.iter().map(|draft| (draft.due_at, draft.changed)).collect::<Vec<_>>();
        let mut held = drafts(&["bob"], &sample("$1", "eins"));
        held.iter_mut().for_each(|draft| draft.put_off(6_000));
        held.iter_mut().for_each(|draft| draft.hasten(|since| hold::prolonged(since, 2_000, HOLD)));
        assert_eq!(due(&held), [(11_000, false)], "it is held for longer than they take");
        held.iter_mut().for_each(|draft| draft.put_off(20_000));
        held.iter_mut().for_each(|draft| draft.hasten(|since| hold::prolonged(since, 2_000, Duration::ZERO)));
        assert_eq!(due(&held), [(1_000, true)]);
    }

    #[test]
    fn who_comes_later_shares_what_still_waits() {
        let (bob, eve) = (RemoteUserId::new("bob"), RemoteUserId::new("eve"));
        let mut first = sample("$1", "eins");
        first.delivery.audience = vec![bob.clone()];
        let late = |event: &str| {
            let mut late = sample(event, "eins");
            late.delivery.id = crate::ids::DeliveryId::random();
            late.delivery.to = eve.clone();
            late
        };
        let mut held = drafts(&["bob"], &first);
        let (mut same, mut other) = (late("$1"), late("$2"));
        held.share(&mut other, "email", 2_000);
        assert_ne!(other.delivery.id, first.delivery.id);
        held.share(&mut same, "email", 2_000);
        assert_eq!(same.delivery.id, first.delivery.id);
        assert!(
            held.iter().all(|draft| draft.changed && draft.outgoing.delivery.audience == [bob.clone(), eve.clone()])
        );

        let mut due = drafts(&["bob"], &first);
        let mut same = late("$1");
        due.share(&mut same, "email", 11_000);
        assert_ne!(same.delivery.id, first.delivery.id, "what has begun to leave stays as it is");
        assert!(due.iter().all(|draft| !draft.changed));
    }

    #[test]
    fn who_is_sent_away_in_time_gets_nothing_and_is_shown_to_nobody() {
        let (bob, eve) = (RemoteUserId::new("bob"), RemoteUserId::new("eve"));
        let mut first = sample("$1", "eins");
        first.delivery.audience = vec![bob.clone(), eve.clone()];
        let mut held = drafts(&["bob", "eve"], &first);
        held.forget(&first.room, "email", &eve, 2_000);
        let left: Vec<_> = held.iter().map(|draft| &draft.outgoing.delivery).collect();
        assert_eq!(
            left.iter().map(|delivery| (&delivery.to, &delivery.audience)).collect::<Vec<_>>(),
            [(&bob, &vec![bob.clone()])]
        );

        let mut due = drafts(&["bob", "eve"], &first);
        due.forget(&first.room, "email", &eve, 11_000);
        assert_eq!(due.iter().count(), 2, "what has begun to leave goes to all");
    }
}
