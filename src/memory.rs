//! What was looked up not long ago.

use std::{
    borrow::Borrow,
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
};

const REMEMBERED: usize = 50_000;

/// Spares a look into the database. It may forget everything at any time, and does so when it is full.
pub struct Memory<K, V>(Mutex<HashMap<K, V>>);

impl<K, V> Default for Memory<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Hash + Eq, V: Clone> Memory<K, V> {
    pub fn recall<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    pub fn forget<Q: Hash + Eq + ?Sized>(&self, key: &Q)
    where
        K: Borrow<Q>,
    {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    pub fn remember(&self, key: K, value: V) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED && !known.contains_key(&key) {
            known.clear();
        }
        known.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_knows_what_it_was_told_and_does_not_grow_for_ever() {
        let memory = Memory::default();
        memory.remember(0, "a");
        memory.remember(0, "b");
        assert_eq!((memory.recall(&0), memory.recall(&1)), (Some("b"), None));
        (1..REMEMBERED).for_each(|key| memory.remember(key, "c"));
        memory.remember(0, "d");
        assert_eq!(memory.recall(&1), Some("c"), "nothing was added");
        memory.remember(REMEMBERED, "e");
        assert_eq!((memory.recall(&1), memory.recall(&REMEMBERED)), (None, Some("e")));
    }
}
