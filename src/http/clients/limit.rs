//! How much one user may ask for.

use crate::http::answer::Refusal;
use axum::http::StatusCode;
use ruma::{OwnedUserId, UserId};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Users who are remembered; those who have asked for nothing for long are forgotten then.
const REMEMBERED: usize = 50_000;

/// So many at once, and so many a second in the long run. Kept in memory: a restart forgives.
pub(super) struct Limit {
    burst: f64,
    per_second: f64,
    left: Mutex<HashMap<OwnedUserId, (f64, Instant)>>,
}

impl Limit {
    pub(super) fn new(burst: f64, per_second: f64) -> Self {
        Self { burst, per_second, left: Mutex::default() }
    }

    pub(super) fn take(&self, user: &UserId, count: usize) -> Result<(), Refusal> {
        self.take_at(user, count, Instant::now()).map_err(|wait| Refusal {
            wait: Some(wait),
            ..Refusal::new(StatusCode::TOO_MANY_REQUESTS, "M_LIMIT_EXCEEDED", "too much at once; later again")
        })
    }

    /// Or says after what time there will be enough.
    fn take_at(&self, user: &UserId, count: usize, now: Instant) -> Result<(), Duration> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let grown = |(left, at): (f64, Instant)| {
            (left + now.saturating_duration_since(at).as_secs_f64() * self.per_second).min(self.burst)
        };
        if left.len() >= REMEMBERED {
            left.retain(|_, known| grown(*known) < self.burst);
        }
        let there = left.get(user).map_or(self.burst, |known| grown(*known));
        let rest = there - count as f64;
        left.insert(user.to_owned(), (if rest < 0.0 { there } else { rest }, now));
        if rest < 0.0 { Err(Duration::from_secs_f64(-rest / self.per_second)) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ruma::user_id;

    #[test]
    fn what_one_user_has_used_up_grows_again_and_is_no_others_loss() {
        let limit = Limit::new(10.0, 0.5);
        let (anna, otto) = (user_id!("@anna:x"), user_id!("@otto:x"));
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(limit.take_at(anna, 9, start), Ok(()));
        assert_eq!(limit.take_at(anna, 2, start), Err(Duration::from_secs(2)));
        assert_eq!(limit.take_at(otto, 10, start), Ok(()));
        assert_eq!(limit.take_at(anna, 2, at(2)), Ok(()));
        assert_eq!(limit.take_at(anna, 1, at(2)), Err(Duration::from_secs(2)));
        assert_eq!(limit.take_at(anna, 10, at(1000)), Ok(()), "no more than the burst, however long one waits");
        assert!(limit.take_at(anna, 1, at(1000)).is_err());
    }
}
