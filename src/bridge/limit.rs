//! How much one member of staff may send out, so that neither a mistake nor a stolen account becomes a flood.

use super::{Bridge, Level};
use crate::store::{Error, Spent, Tx, now};
use ruma::{OwnedUserId, UserId};
use serde::Deserialize;
use std::collections::{BTreeSet, HashMap};

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;

/// The section `limits` of the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    pub messages: Limit,
    pub conversations: Limit,
}

/// How often somebody may do something; what is not set is not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limit {
    minute: Option<u32>,
    day: Option<u32>,
}

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// One message, to however many people.
    Message,
    /// One person outside who is written to anew.
    Conversation,
    /// What one person outside says, passed on to the others.
    PassedOn,
}

/// Two programs that answer each other, neither of which says that it is one, come to an end.
const PASSED_ON: Limit = Limit { minute: Some(60), day: Some(1000) };

impl Deed {
    fn name(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Conversation => "conversation",
            Self::PassedOn => "passed on",
        }
    }
}

/// A limit that is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// A minute later it goes on.
    Minute,
    /// On the next day (UTC) it goes on. How often it was allowed.
    Day(u32),
}

impl Reached {
    /// The minute or the day of which it is told, in milliseconds since 1970.
    pub(super) fn since(self, now: i64) -> i64 {
        let length = match self {
            Self::Minute => MINUTE_MS,
            Self::Day(_) => DAY_MS,
        };
        now - now.rem_euclid(length)
    }
}

impl Limits {
    fn of(&self, deed: Deed) -> Limit {
        match deed {
            Deed::Message => self.messages,
            Deed::Conversation => self.conversations,
            Deed::PassedOn => PASSED_ON,
        }
    }
}

impl Limit {
    fn is_set(self) -> bool {
        self.minute.is_some() || self.day.is_some()
    }

    /// Counts one more, if that is allowed. `now`: milliseconds since 1970.
    fn count(self, spent: &mut Spent, now: i64) -> Result<(), Reached> {
        self.count_late(spent, now, now)
    }

    /// Counts what was done at another time. Of a minute that is over nothing is known any more: what comes late counts
    /// for the day alone.
    fn count_late(self, spent: &mut Spent, at: i64, now: i64) -> Result<(), Reached> {
        // A clock that was ahead must not count for ever.
        if spent.minute > now.div_euclid(MINUTE_MS) {
            *spent = Spent::default();
        }
        let at = at.min(now);
        let is_late = at.div_euclid(MINUTE_MS) < spent.minute;
        let (minute, day) = (at.div_euclid(MINUTE_MS).max(spent.minute), at.div_euclid(DAY_MS).max(spent.day));
        let in_minute = if spent.minute == minute { spent.in_minute } else { 0 };
        let in_day = if spent.day == day { spent.in_day } else { 0 };
        let is_reached = |limit: Option<u32>, count: i64| limit.filter(|limit| count >= i64::from(*limit));
        if let Some(limit) = is_reached(self.day, in_day) {
            return Err(Reached::Day(limit));
        }
        if !is_late && is_reached(self.minute, in_minute).is_some() {
            return Err(Reached::Minute);
        }
        *spent = Spent { minute, in_minute: in_minute + i64::from(!is_late), day, in_day: in_day + 1 };
        Ok(())
    }
}

/// What the writers of one transaction have sent.
#[derive(Default)]
pub(super) struct Tally {
    spent: HashMap<OwnedUserId, Spent>,
    changed: BTreeSet<OwnedUserId>,
}

impl Tally {
    pub(super) async fn write(self, tx: &mut Tx) -> Result<(), Error> {
        let changed = self.changed.iter().filter_map(|user| Some((&**user, *self.spent.get(user)?)));
        tx.set_spent(Deed::Message.name(), &changed.collect::<Vec<_>>()).await
    }
}

impl Bridge {
    fn limit(&self, deed: Deed, user: &UserId) -> Option<Limit> {
        let limit = self.limits.of(deed);
        (limit.is_set() && self.permissions.level(user) < Level::Admin).then_some(limit)
    }

    /// What these people have sent before.
    pub(super) async fn tally(&self, tx: &mut Tx, writers: BTreeSet<&UserId>) -> Result<Tally, Error> {
        let limited: Vec<&UserId> =
            writers.into_iter().filter(|user| self.limit(Deed::Message, user).is_some()).collect();
        Ok(Tally { spent: tx.spent(Deed::Message.name(), &limited).await?, changed: BTreeSet::new() })
    }

    /// Counts a message. `written_at`: as the homeserver says, in milliseconds since 1970. After an outage the messages of
    /// many minutes come at once, and nobody has written too fast.
    pub(super) fn count_message(&self, tally: &mut Tally, user: &UserId, written_at: i64) -> Result<(), Reached> {
        let Some(limit) = self.limit(Deed::Message, user) else { return Ok(()) };
        limit.count_late(tally.spent.entry(user.to_owned()).or_default(), written_at, now())?;
        tally.changed.insert(user.to_owned());
        Ok(())
    }

    /// Counts a conversation that somebody begins; what they have reached, should it be one too many.
    pub(super) async fn count_conversation(&self, tx: &mut Tx, user: &UserId) -> Result<Option<Reached>, Error> {
        self.count(tx, Deed::Conversation, user).await
    }

    /// Counts what somebody outside says to the others.
    pub(super) async fn count_passed_on(&self, tx: &mut Tx, author: &UserId) -> Result<Option<Reached>, Error> {
        self.count(tx, Deed::PassedOn, author).await
    }

    async fn count(&self, tx: &mut Tx, deed: Deed, user: &UserId) -> Result<Option<Reached>, Error> {
        let Some(limit) = self.limit(deed, user) else { return Ok(None) };
        let mut spent = tx.spent(deed.name(), &[user]).await?.remove(user).unwrap_or_default();
        if let Err(reached) = limit.count(&mut spent, now()) {
            return Ok(Some(reached));
        }
        tx.set_spent(deed.name(), &[(user, spent)]).await?;
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(minute: Option<u32>, day: Option<u32>) -> Limit {
        Limit { minute, day }
    }

    #[test]
    fn a_minute_and_a_day_are_counted_each_for_itself() {
        let (limit, mut spent) = (limit(Some(2), Some(3)), Spent::default());
        let start = 20_000 * DAY_MS;
        assert_eq!(limit.count(&mut spent, start), Ok(()));
        assert_eq!(limit.count(&mut spent, start + 59_999), Ok(()));
        assert_eq!(limit.count(&mut spent, start + 59_999), Err(Reached::Minute));
        assert_eq!(limit.count(&mut spent, start + MINUTE_MS), Ok(()), "what was refused does not count");
        assert_eq!(limit.count(&mut spent, start + MINUTE_MS), Err(Reached::Day(3)));
        assert_eq!(limit.count(&mut spent, start + DAY_MS - 1), Err(Reached::Day(3)));
        assert_eq!(limit.count(&mut spent, start + DAY_MS), Ok(()));
    }

    #[test]
    fn what_comes_late_counts_for_the_day_alone() {
        let (limit, mut spent) = (limit(Some(1), Some(4)), Spent::default());
        let start = 20_000 * DAY_MS;
        let now = start + 5 * MINUTE_MS;
        let mut count = |at| limit.count_late(&mut spent, at, now);
        assert_eq!(count(start + MINUTE_MS), Ok(()));
        assert_eq!((count(start), count(start)), (Ok(()), Ok(())));
        assert_eq!(count(start + MINUTE_MS), Err(Reached::Minute), "its minute is not forgotten");
        assert_eq!((count(start), count(start)), (Ok(()), Err(Reached::Day(4))));
    }

    #[test]
    fn a_clock_that_was_ahead_does_not_count_for_ever() {
        let (limit, mut spent) = (limit(Some(1), Some(1)), Spent::default());
        assert_eq!(limit.count(&mut spent, 30_000 * DAY_MS), Ok(()));
        assert_eq!(limit.count(&mut spent, 20_000 * DAY_MS), Ok(()));
        assert_eq!(limit.count(&mut spent, 20_000 * DAY_MS), Err(Reached::Day(1)));
    }

    #[test]
    fn what_is_not_set_is_not_limited_and_nothing_is_allowed_with_zero() {
        let mut spent = Spent::default();
        assert!((0..1000).all(|_| limit(None, None).count(&mut spent, 5).is_ok()));
        assert_eq!(limit(None, Some(0)).count(&mut Spent::default(), 5), Err(Reached::Day(0)));
    }

    #[test]
    fn the_section_names_its_keys() {
        let limits: Limits = serde_yaml::from_str("{ messages: { minute: 30, day: 1000 } }").unwrap();
        assert_eq!(limits.messages, limit(Some(30), Some(1000)));
        assert!(!limits.conversations.is_set());
        assert!(serde_yaml::from_str::<Limits>("{ messages: { hour: 3 } }").is_err());
    }
}
