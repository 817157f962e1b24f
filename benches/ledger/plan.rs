//! What happens in a run: who writes when, and who is struck when. All of it follows from one seed.

use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use std::{ops::Range, time::Duration};

/// How much is done, and how fast.
#[derive(Clone)]
pub struct Size {
    pub messages: usize,
    pub rooms: usize,
    pub kills: usize,
    pub seed: u64,
    pub postgres: bool,
    pub tempo: Tempo,
}

/// Milliseconds.
#[derive(Clone)]
pub struct Tempo {
    /// From one blow to the burst before the next one.
    pub calm: Range<u64>,
    /// From the burst to the blow.
    lead: Range<u64>,
    /// How long whoever is struck stays away.
    away: Range<u64>,
    hangs: Range<u64>,
}

impl Tempo {
    pub const STUB: Self = Self { calm: 50..1200, lead: 0..60, away: 10..700, hangs: 20..4500 };
    pub const REAL: Self = Self { calm: 300..4000, lead: 0..400, away: 50..2500, hangs: 100..6000 };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Victim {
    Fehmarn,
    Database,
    MailServer,
    Homeserver,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blow {
    /// SIGKILL.
    Kill,
    /// SIGTERM.
    Terminate,
    /// SIGSTOP, and SIGCONT afterwards.
    Hang,
}

#[derive(Clone, Copy, Debug)]
pub struct Strike {
    pub victim: Victim,
    pub blow: Blow,
    pub lasts: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    ToMail,
    ToMatrix,
}

#[derive(Clone, Debug)]
pub struct Message {
    pub number: usize,
    pub direction: Direction,
    /// Chooses the conversation, whose number it exceeds.
    pub pick: usize,
}

/// Messages over some time, a burst of more, and in the middle of that a blow or two at once.
#[derive(Clone, Debug, Default)]
pub struct Step {
    pub spread: Vec<Message>,
    pub calm: Duration,
    pub burst: Vec<Message>,
    pub lead: Duration,
    pub strikes: Vec<Strike>,
}

pub struct Plan {
    pub seed: u64,
    pub steps: Vec<Step>,
}

impl Plan {
    pub fn of(size: &Size) -> Self {
        let mut random = StdRng::seed_from_u64(size.seed);
        let mut steps = Vec::new();
        let mut left = size.kills;
        while left > 0 {
            let step = step(&mut random, &size.tempo, size.postgres, left);
            left -= step.strikes.len();
            steps.push(step);
        }
        if steps.is_empty() {
            steps.push(Step::default());
        }
        let count = steps.len();
        for number in 0..size.messages {
            let direction = *[Direction::ToMail, Direction::ToMatrix].choose(&mut random).expect("two");
            let message = Message { number, direction, pick: random.random_range(0..usize::MAX) };
            let step = &mut steps[number * count / size.messages];
            if random.random_bool(0.5) { step.spread.push(message) } else { step.burst.push(message) }
        }
        Self { seed: size.seed, steps }
    }
}

fn step(random: &mut StdRng, tempo: &Tempo, postgres: bool, left: usize) -> Step {
    let first = strike(random, tempo, postgres);
    let mut strikes = vec![first];
    if left > 1 && random.random_bool(0.15) {
        let second = strike(random, tempo, postgres);
        if second.victim != first.victim {
            strikes.push(second);
        }
    }
    Step { calm: between(random, &tempo.calm), lead: between(random, &tempo.lead), strikes, ..Step::default() }
}

fn strike(random: &mut StdRng, tempo: &Tempo, postgres: bool) -> Strike {
    let victim = match random.random_range(0..100) {
        0..50 => Victim::Fehmarn,
        50..66 if postgres => Victim::Database,
        50..75 => Victim::MailServer,
        _ => Victim::Homeserver,
    };
    let blow = match random.random_range(0..100) {
        0..60 => Blow::Kill,
        60..80 => Blow::Terminate,
        _ => Blow::Hang,
    };
    let lasts = between(random, if blow == Blow::Hang { &tempo.hangs } else { &tempo.away });
    Strike { victim, blow, lasts }
}

fn between(random: &mut StdRng, range: &Range<u64>) -> Duration {
    Duration::from_millis(random.random_range(range.clone()))
}
