//! All ghosts, one after the other. Whoever nobody writes to any more may have been invited into a room of which we
//! know nothing; to ask for all of them at once is too much.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// They stand in a ring, in the order of their ids. After every doubt all of them are asked once, beginning where the
/// last round has come to: a homeserver that restarts every hour must not keep those at the end from their turn.
#[derive(Default)]
pub(super) struct Ring(Mutex<Course>);

#[derive(Default)]
struct Course {
    /// Who was asked last; empty: nobody.
    at: String,
    /// Where the round began.
    began_at: String,
    leg: Leg,
    /// Of which trouble this round is.
    trouble: Option<u64>,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Leg {
    ToTheEnd,
    FromTheBeginning,
    #[default]
    Done,
}

/// Those who come next: after one id, and up to another.
#[derive(Debug, PartialEq)]
pub(super) struct Next {
    pub after: String,
    pub up_to: Option<String>,
}

impl Ring {
    /// A round begins, unless one has begun because of this trouble.
    pub(super) fn begin(&self, trouble: u64) {
        let mut course = self.lock();
        if course.trouble.replace(trouble) != Some(trouble) {
            course.began_at = course.at.clone();
            course.leg = Leg::ToTheEnd;
        }
    }

    /// `None`: all have been asked.
    pub(super) fn next(&self) -> Option<Next> {
        let course = self.lock();
        let up_to = match course.leg {
            Leg::Done => return None,
            Leg::ToTheEnd => None,
            Leg::FromTheBeginning => Some(course.began_at.clone()),
        };
        Some(Next { after: course.at.clone(), up_to })
    }

    /// All were asked up to this one; `None`: there was nobody left on this leg.
    pub(super) fn passed(&self, last: Option<&str>) {
        let mut course = self.lock();
        match (last, course.leg) {
            (Some(last), _) => course.at = last.to_owned(),
            (None, Leg::ToTheEnd) if !course.began_at.is_empty() => {
                course.at = String::new();
                course.leg = Leg::FromTheBeginning;
            }
            (None, _) => {
                course.at = course.began_at.clone();
                course.leg = Leg::Done;
            }
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.lock().leg == Leg::Done
    }

    fn lock(&self) -> MutexGuard<'_, Course> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GHOSTS: [&str; 5] = ["a", "b", "c", "d", "e"];

    /// Asks two at a time, at most so many times; who was asked.
    fn go(ring: &Ring, portions: usize) -> String {
        let mut asked = String::new();
        for _ in 0..portions {
            let Some(Next { after, up_to }) = ring.next() else { break };
            let are_next = |ghost: &&&str| ***ghost > *after && up_to.as_deref().is_none_or(|up_to| ***ghost <= *up_to);
            let some: Vec<&str> = GHOSTS.iter().filter(are_next).take(2).copied().collect();
            asked += &some.concat();
            ring.passed(some.last().copied());
        }
        asked
    }

    #[test]
    fn after_a_trouble_all_are_asked_once() {
        let ring = Ring::default();
        assert_eq!((go(&ring, 9), ring.is_done()), (String::new(), true));
        ring.begin(0);
        assert_eq!((go(&ring, 9).as_str(), ring.is_done()), ("abcde", true));
        ring.begin(0);
        assert_eq!(go(&ring, 9), "", "it is the same trouble");
        ring.begin(1);
        assert_eq!(go(&ring, 9), "abcde");
    }

    #[test]
    fn a_trouble_on_the_way_makes_a_whole_round_from_there() {
        let ring = Ring::default();
        ring.begin(0);
        assert_eq!(go(&ring, 1), "ab");
        ring.begin(1);
        assert_eq!(go(&ring, 1), "cd");
        ring.begin(2);
        assert_eq!((go(&ring, 3).as_str(), ring.is_done()), ("eab", false));
        ring.begin(3);
        assert_eq!((go(&ring, 9).as_str(), ring.is_done()), ("cdeab", true));
    }
}
