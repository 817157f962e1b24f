//! Who wants no chat states: whoever has answered without one gets none (XEP-0085 section 5.1).

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

/// With more, all are forgotten: then some are told once more that staff write, until they answer again.
const REMEMBERED: usize = 50_000;

#[derive(Default)]
pub struct Hearing(Mutex<HashSet<String>>);

impl Hearing {
    /// Somebody has written. `states`: whether their program says so beforehand.
    pub fn note(&self, person: &str, states: bool) {
        let mut deaf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if states {
            deaf.remove(person);
            return;
        }
        if deaf.len() >= REMEMBERED {
            deaf.clear();
        }
        if !deaf.contains(person) {
            deaf.insert(person.to_owned());
        }
    }

    /// Whoever has said nothing yet may be told.
    pub fn wants(&self, person: &str) -> bool {
        !self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(person)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_answer_counts_and_the_memory_has_an_end() {
        let hearing = Hearing::default();
        assert!(hearing.wants("bob"));
        hearing.note("bob", false);
        assert!(!hearing.wants("bob") && hearing.wants("eve"));
        hearing.note("bob", true);
        assert!(hearing.wants("bob"));
        (0..=REMEMBERED).for_each(|n| hearing.note(&n.to_string(), false));
        assert_eq!(hearing.0.lock().unwrap().len(), 1);
    }
}
