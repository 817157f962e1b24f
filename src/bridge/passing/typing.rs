//! Who writes where, as it was told to the other side. Pure.

use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
    time::{Duration, Instant},
};

/// Rooms of which is remembered who writes there.
const ROOMS: usize = 10_000;

/// Who writes, by room, and since when.
#[derive(Debug)]
pub(super) struct Writers<R, U> {
    rooms: HashMap<R, HashMap<U, Instant>>,
    longest: Duration,
}

impl<R: Hash + Eq + Clone, U: Hash + Eq + Clone + Ord> Writers<R, U> {
    /// `longest`: who has written for so long without another word has stopped.
    pub(super) fn new(longest: Duration) -> Self {
        Self { rooms: HashMap::new(), longest }
    }

    /// Takes over who writes in a room now. What has changed: who begins, and who has stopped.
    pub(super) fn change(&mut self, room: &R, now: &BTreeSet<U>, at: Instant) -> Vec<(U, bool)> {
        if now.is_empty() && !self.rooms.contains_key(room) {
            return Vec::new();
        }
        if self.rooms.len() >= ROOMS && !self.rooms.contains_key(room) {
            return Vec::new();
        }
        let before = self.rooms.remove(room).unwrap_or_default();
        let stopped = before.keys().filter(|user| !now.contains(*user)).map(|user| (user.clone(), false));
        let mut changes: Vec<(U, bool)> = stopped.collect();
        changes.extend(now.iter().filter(|user| !before.contains_key(*user)).map(|user| (user.clone(), true)));
        changes.sort();
        if !now.is_empty() {
            let since = |user: &U| before.get(user).copied().unwrap_or(at);
            self.rooms.insert(room.clone(), now.iter().map(|user| (user.clone(), since(user))).collect());
        }
        changes
    }

    /// Those who have written for too long: that they have stopped was lost, or they never will.
    pub(super) fn end_old(&mut self, at: Instant) -> Vec<(R, U)> {
        let mut ended = Vec::new();
        let longest = self.longest;
        for (room, users) in &mut self.rooms {
            let is_old = |since: &Instant| at.saturating_duration_since(*since) >= longest;
            ended.extend(users.extract_if(|_, since| is_old(since)).map(|(user, _)| (room.clone(), user)));
        }
        self.rooms.retain(|_, users| !users.is_empty());
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_secs(100);

    fn set(users: &[&'static str]) -> BTreeSet<&'static str> {
        users.iter().copied().collect()
    }

    #[test]
    fn only_what_changes_is_told() {
        let (mut writers, at) = (Writers::new(LONGEST), Instant::now());
        assert_eq!(writers.change(&"r", &set(&[]), at), []);
        assert_eq!(writers.change(&"r", &set(&["anna"]), at), [("anna", true)]);
        assert_eq!(writers.change(&"r", &set(&["anna"]), at), []);
        assert_eq!(writers.change(&"r", &set(&["tom"]), at), [("anna", false), ("tom", true)]);
        assert_eq!(writers.change(&"s", &set(&["anna"]), at), [("anna", true)]);
        assert_eq!(writers.change(&"r", &set(&[]), at), [("tom", false)]);
    }

    #[test]
    fn nobody_writes_for_ever() {
        let (mut writers, at) = (Writers::new(LONGEST), Instant::now());
        writers.change(&"r", &set(&["anna"]), at);
        writers.change(&"r", &set(&["anna", "tom"]), at + LONGEST / 2);
        assert_eq!(writers.end_old(at + LONGEST / 2), []);
        assert_eq!(writers.end_old(at + LONGEST), [("r", "anna")]);
        assert_eq!(writers.end_old(at + LONGEST), []);
        assert_eq!(writers.end_old(at + LONGEST * 2), [("r", "tom")]);
        assert!(writers.rooms.is_empty());
    }

    #[test]
    fn the_memory_has_an_end() {
        let (mut writers, at) = (Writers::new(LONGEST), Instant::now());
        for room in 0..ROOMS + 10 {
            writers.change(&room, &set(&["anna"]), at);
        }
        assert_eq!(writers.rooms.len(), ROOMS);
        assert_eq!(writers.change(&0, &set(&[]), at), [("anna", false)], "who is known can still stop");
    }
}
