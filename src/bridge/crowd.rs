//! What goes to a domain that is slow never takes all that can be done at once: what goes elsewhere passes by.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// An attempt that takes longer is slow.
const SLOW: Duration = Duration::from_millis(500);
/// Who finds no place looks again after this time, and each further one a little later: they come one after the other.
const WAIT: Duration = Duration::from_secs(1);
const STEP: Duration = Duration::from_millis(15);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Slow domains that nothing is under way to, and that are remembered all the same.
const MOST_REMEMBERED: usize = 1000;

/// Where something goes: the domain of an address of a connector.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub connector: String,
    pub domain: String,
}

/// What is under way, by where it goes.
#[derive(Default)]
pub(super) struct Crowds(Mutex<HashMap<Place, Crowd>>);

#[derive(Default)]
struct Crowd {
    /// When the attempts that are under way began.
    under_way: Vec<Instant>,
    /// How long attempts take, the last ones more than those before.
    usual: Duration,
    /// How many were sent away since one was let in.
    sent_away: u32,
}

/// While it is there, the attempt is under way.
pub(super) struct Attempt<'a> {
    crowds: &'a Crowds,
    place: Place,
    began: Instant,
}

/// How many of these a connector can make at once may be slow ones: a quarter is kept for the others.
pub(super) fn most_slow(at_once: usize) -> usize {
    (at_once - at_once.div_ceil(4)).max(1)
}

impl Crowds {
    /// Lets an attempt begin, unless its domain is slow, and slow ones of its connector are `most` already.
    ///
    /// # Errors
    /// When to look again.
    pub(super) fn enter(&self, place: Place, most: usize, now: Instant) -> Result<Attempt<'_>, Duration> {
        let mut crowds = self.lock();
        let slow = |(other, crowd): (&Place, &Crowd)| {
            (other.connector == place.connector && crowd.is_slow(now)).then_some(crowd.under_way.len())
        };
        let slow_ones: usize = crowds.iter().filter_map(slow).sum();
        let crowd = crowds.entry(place.clone()).or_default();
        if crowd.is_slow(now) && slow_ones >= most {
            let wait = WAIT + STEP * crowd.sent_away;
            crowd.sent_away = crowd.sent_away.saturating_add(1);
            return Err(wait.min(LONGEST_WAIT));
        }
        crowd.sent_away = 0;
        crowd.under_way.push(now);
        Ok(Attempt { crowds: self, place, began: now })
    }

    fn leave(&self, place: &Place, began: Instant, now: Instant) {
        let mut crowds = self.lock();
        let Some(crowd) = crowds.get_mut(place) else { return };
        if let Some(at) = crowd.under_way.iter().position(|other| *other == began) {
            crowd.under_way.swap_remove(at);
        }
        crowd.usual = (crowd.usual * 4 + now.saturating_duration_since(began)) / 5;
        if crowd.under_way.is_empty() && crowd.usual <= SLOW {
            crowds.remove(place);
        }
        if crowds.len() > MOST_REMEMBERED {
            crowds.retain(|_, crowd| !crowd.under_way.is_empty());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Place, Crowd>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Crowd {
    fn is_slow(&self, now: Instant) -> bool {
        self.usual > SLOW || self.under_way.iter().any(|began| now.saturating_duration_since(*began) > SLOW)
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.crowds.leave(&self.place, self.began, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 3;

    fn place(domain: &str) -> Place {
        Place { connector: "email".into(), domain: domain.into() }
    }

    fn later(seconds: u64) -> Instant {
        Instant::now() + Duration::from_secs(seconds)
    }

    fn enter<'a>(crowds: &'a Crowds, domain: &str, now: Instant) -> Result<Attempt<'a>, Duration> {
        crowds.enter(place(domain), MOST, now)
    }

    #[test]
    fn who_is_slow_gets_no_more_than_a_part_and_others_pass_by() {
        let (crowds, now) = (Crowds::default(), Instant::now());
        let slow: Vec<_> = (0..MOST).map(|_| enter(&crowds, "slow", now).ok().unwrap()).collect();
        assert!(enter(&crowds, "slow", now + SLOW).is_ok(), "nobody knows yet that it is slow");
        assert!(enter(&crowds, "slow", later(1)).is_err());
        for _ in 0..10 {
            assert!(enter(&crowds, "quick", later(1)).is_ok());
        }
        drop(slow);
        assert!(enter(&crowds, "slow", later(1)).is_ok());
    }

    #[test]
    fn all_slow_ones_of_a_connector_share_that_part() {
        let (crowds, now) = (Crowds::default(), Instant::now());
        let _slow: Vec<_> = ["a", "b", "c"].map(|domain| enter(&crowds, domain, now).ok().unwrap()).into();
        assert!(["a", "b", "c"].iter().all(|domain| enter(&crowds, domain, later(1)).is_err()));
        let chat = Place { connector: "xmpp".into(), domain: "a".into() };
        crowds.lock().insert(chat.clone(), Crowd { usual: 4 * SLOW, ..Crowd::default() });
        assert!(crowds.enter(chat, MOST, later(1)).is_ok());
    }

    #[test]
    fn who_was_slow_is_so_until_it_is_quick_again() {
        let (crowds, now) = (Crowds::default(), Instant::now());
        crowds.lock().insert(place("slow"), Crowd { usual: 4 * SLOW, ..Crowd::default() });
        let held: Vec<_> = (0..MOST).map(|_| enter(&crowds, "slow", now).ok().unwrap()).collect();
        assert!(enter(&crowds, "slow", now).is_err(), "it is remembered");
        drop(held);
        for _ in 0..10 {
            drop(enter(&crowds, "slow", Instant::now()).ok().unwrap());
        }
        assert!(crowds.lock().is_empty(), "what is quick need not be remembered");
        let many: Vec<_> = (0..10).map(|_| enter(&crowds, "slow", Instant::now())).collect();
        assert!(many.iter().all(Result::is_ok));
    }

    #[test]
    fn who_finds_no_place_comes_later_than_who_came_before_and_not_too_late() {
        let (crowds, now) = (Crowds::default(), Instant::now());
        let held: Vec<_> = (0..MOST).map(|_| enter(&crowds, "slow", now).ok().unwrap()).collect();
        let wait = || enter(&crowds, "slow", later(1)).err().unwrap();
        assert_eq!((wait(), wait()), (WAIT, WAIT + STEP));
        assert!((0..5000).map(|_| wait()).all(|wait| wait <= LONGEST_WAIT));
        drop(held);
        let _held: Vec<_> = (0..MOST).map(|_| enter(&crowds, "slow", now).ok().unwrap()).collect();
        assert_eq!(enter(&crowds, "slow", later(1)).err().unwrap(), WAIT);
    }

    #[test]
    fn no_more_domains_are_remembered_than_need_be() {
        let crowds = Crowds::default();
        for n in 0..MOST_REMEMBERED {
            crowds.lock().insert(place(&n.to_string()), Crowd { usual: 4 * SLOW, ..Crowd::default() });
        }
        let _held = enter(&crowds, "held", Instant::now()).ok().unwrap();
        drop(enter(&crowds, "quick", Instant::now()).ok().unwrap());
        assert_eq!(crowds.lock().len(), 1);
    }

    #[test]
    fn a_quarter_is_kept_for_the_others_where_there_is_more_than_one() {
        assert_eq!([1, 2, 3, 4, 32].map(most_slow), [1, 1, 2, 3, 24]);
    }
}
