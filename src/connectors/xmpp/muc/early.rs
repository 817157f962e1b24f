//! Words that a room has said to ours before they have come in again. Some rooms keep those who were there when the
//! stream ended, and go on telling them what is said: it comes before what was said meanwhile has been asked for.

use crate::message::RawArrival;

/// Of all that waits in one room, in bytes. Whoever says more than that breaks the order and nothing else.
const MOST: usize = 4 << 20;

/// Should we end before they are written down, the room tells them again as a part of what was missed.
#[derive(Debug, Default)]
pub struct Early {
    words: Vec<RawArrival>,
    size: usize,
}

impl Early {
    /// Keeps words; what cannot be kept any longer.
    pub fn keep(&mut self, words: RawArrival) -> Vec<RawArrival> {
        self.size += words.raw.len();
        self.words.push(words);
        if self.size > MOST { self.take() } else { Vec::new() }
    }

    pub fn take(&mut self) -> Vec<RawArrival> {
        std::mem::take(self).words
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{LocalUser, SourceId};

    #[test]
    fn words_wait_in_order_and_not_without_end() {
        let words = |name: &str, size: usize| RawArrival {
            source: SourceId::new(name),
            also: None,
            lane: "room bau@rooms.test".into(),
            to: LocalUser::new("anna"),
            raw: vec![b'x'; size].into(),
        };
        let mut early = Early::default();
        assert!(early.keep(words("1", 10)).is_empty() && early.keep(words("2", MOST - 10)).is_empty());
        let all = early.keep(words("3", 1));
        assert_eq!(all.iter().map(|it| it.source.to_string()).collect::<Vec<_>>(), ["1", "2", "3"]);
        assert!(early.take().is_empty() && early.size == 0);
    }
}
