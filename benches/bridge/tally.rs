//! Who was sent when, and seen when: every message carries a numbered marker.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::Mutex,
    time::{Duration, Instant},
};

/// The marker of a message: `tok000042kot`.
pub fn marker(number: usize) -> String {
    format!("tok{number:06}kot")
}

/// The numbers of all markers in a text, each once: a mail says the same in plain text and in HTML.
pub fn markers(text: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    for (at, window) in text.windows(3).enumerate() {
        if window != b"tok" {
            continue;
        }
        let rest = &text[at + 3..];
        let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        if !rest[digits..].starts_with(b"kot") {
            continue;
        }
        let number = std::str::from_utf8(&rest[..digits]).ok().and_then(|digits| digits.parse().ok());
        if let Some(number) = number.filter(|number| !found.contains(number)) {
            found.push(number);
        }
    }
    found
}

/// One kind of message: what this process put in at one end of Fehmarn and saw at the other.
#[derive(Default)]
pub struct Tally {
    messages: Mutex<Vec<Message>>,
}

#[derive(Clone, Default)]
struct Message {
    pair: usize,
    sent: Option<Instant>,
    seen: Option<Instant>,
    times: usize,
    misplaced: bool,
}

/// The messages of one phase, dealt out in turn to the pairs of a member of staff and a person outside.
#[derive(Clone)]
pub struct Run {
    numbers: Range<usize>,
    pairs: Range<usize>,
}

impl Run {
    pub fn numbers(&self) -> Range<usize> {
        self.numbers.clone()
    }

    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    pub fn pairs(&self) -> usize {
        self.pairs.len()
    }

    pub fn pair(&self, number: usize) -> usize {
        self.pairs.start + (number - self.numbers.start) % self.pairs.len()
    }
}

impl Tally {
    pub fn open(&self, count: usize, pairs: usize) -> Run {
        self.open_for(0..pairs, count)
    }

    pub fn open_for(&self, pairs: Range<usize>, count: usize) -> Run {
        let mut messages = self.messages.lock().expect("lock");
        let start = messages.len();
        messages.extend((0..count).map(|n| Message { pair: pairs.start + n % pairs.len(), ..Message::default() }));
        Run { numbers: start..start + count, pairs }
    }

    pub fn sent(&self, number: usize) {
        self.messages.lock().expect("lock")[number].sent = Some(Instant::now());
    }

    /// `pair` is where it came out; `None` if that is no place of ours.
    pub fn seen(&self, number: usize, pair: Option<usize>) {
        let mut messages = self.messages.lock().expect("lock");
        // The clock is read inside the lock, so that the times are in the order of arrival.
        let now = Instant::now();
        let Some(message) = messages.get_mut(number) else { return };
        message.seen.get_or_insert(now);
        message.times += 1;
        message.misplaced |= pair != Some(message.pair);
    }

    /// Waits until all of a run was seen, at most `limit`.
    pub async fn all_seen(&self, run: &Run, limit: Duration) {
        let end = Instant::now() + limit;
        while Instant::now() < end && self.missing(run) > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn missing(&self, run: &Run) -> usize {
        self.messages.lock().expect("lock")[run.numbers()].iter().filter(|m| m.seen.is_none()).count()
    }

    pub fn outcome(&self, run: &Run) -> Outcome {
        let messages = self.messages.lock().expect("lock")[run.numbers()].to_vec();
        let first = messages.iter().filter_map(|m| m.sent).min();
        let last = messages.iter().filter_map(|m| m.seen).max();
        let first_seen = messages.iter().filter_map(|m| m.seen).min();
        let took = first.zip(last).map(|(first, last)| last.saturating_duration_since(first));
        let mut waits: Vec<Duration> =
            messages.iter().filter_map(|m| Some(m.seen?.saturating_duration_since(m.sent?))).collect();
        waits.sort_unstable();
        Outcome {
            seen: waits.len(),
            faults: Faults {
                lost: messages.iter().filter(|m| m.seen.is_none()).count(),
                duplicated: messages.iter().map(|m| m.times.saturating_sub(1)).sum(),
                misplaced: messages.iter().filter(|m| m.misplaced).count(),
                disordered: disordered(&messages),
            },
            took: took.unwrap_or_default(),
            drained: first_seen.zip(last).map(|(first, last)| last - first).unwrap_or_default(),
            waits,
        }
    }
}

/// How many came before one of the same pair that was sent earlier.
fn disordered(messages: &[Message]) -> usize {
    let mut latest: BTreeMap<usize, Option<Instant>> = BTreeMap::new();
    let mut count = 0;
    for message in messages {
        let latest = latest.entry(message.pair).or_default();
        count += usize::from(message.seen.is_some() && message.seen < *latest);
        *latest = message.seen.max(*latest);
    }
    count
}

/// What became of a run.
pub struct Outcome {
    pub seen: usize,
    pub faults: Faults,
    /// From the first sent to the last seen.
    pub took: Duration,
    /// From the first seen to the last seen.
    pub drained: Duration,
    /// From sent to seen, the shortest first.
    waits: Vec<Duration>,
}

impl Outcome {
    pub fn per_second(&self) -> f64 {
        self.seen as f64 / self.took.as_secs_f64().max(1e-9)
    }

    /// The time that this part (0 to 1) of the messages did not exceed, in milliseconds.
    pub fn wait_ms(&self, part: f64) -> f64 {
        let at = (self.waits.len() as f64 * part) as usize;
        self.waits.get(at.min(self.waits.len().saturating_sub(1))).map_or(f64::NAN, |wait| wait.as_secs_f64() * 1e3)
    }
}

/// What must not happen.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults {
    pub lost: usize,
    pub duplicated: usize,
    /// Seen in another room, or by another recipient.
    pub misplaced: usize,
    /// Seen before an earlier message of the same two people.
    pub disordered: usize,
}

impl Faults {
    pub fn none(&self) -> bool {
        *self == Self::default()
    }
}

impl std::ops::AddAssign for Faults {
    fn add_assign(&mut self, other: Self) {
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.misplaced += other.misplaced;
        self.disordered += other.disordered;
    }
}
