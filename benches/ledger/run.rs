//! Carries out a plan, waits until nothing moves any more, and closes the books.

use super::{
    books::{Books, Span, now},
    judge::Verdict,
    plan::{Blow, Message, Plan, Strike, Victim},
    world::World,
};
use futures_util::future::try_join_all;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use tokio::time::{sleep, sleep_until};

const LOOK_EVERY: Duration = Duration::from_secs(4);
/// A repeat may come late.
const AFTERWARDS: Duration = Duration::from_secs(8);
/// A line is printed after so many blows.
const TELL_EVERY: usize = 25;

pub struct Outcome {
    pub to_mail: Verdict,
    pub to_matrix: Verdict,
    pub blows: BTreeMap<(Victim, Blow), usize>,
    /// From the first message to the last blow, and from there until all was quiet.
    pub writing: Duration,
    pub settling: Duration,
    /// Rows that still waited at the end.
    pub waiting: Option<u64>,
    pub unwritten: usize,
    /// Ends of Fehmarn that nobody asked for, and how often it did not stop in time.
    pub ends: (Vec<String>, usize),
    pub complaints: BTreeMap<String, usize>,
}

pub async fn run<W: World>(world: &W, plan: &Plan, patience: Duration) -> anyhow::Result<Outcome> {
    let began = Instant::now();
    let (mut spans, mut blows) = (Vec::new(), BTreeMap::new());
    for step in &plan.steps {
        pace(world, &step.spread, step.calm).await;
        step.burst.iter().for_each(|message| world.write(message));
        sleep(step.lead).await;
        spans.extend(try_join_all(step.strikes.iter().map(|strike| deal(world, strike))).await?);
        for strike in &step.strikes {
            *blows.entry((strike.victim, strike.blow)).or_default() += 1;
        }
        if spans.len() % TELL_EVERY < step.strikes.len() {
            println!(
                "{} blows after {} s; {} to be written",
                spans.len(),
                began.elapsed().as_secs(),
                world.unwritten()
            );
        }
    }
    let writing = began.elapsed();
    let waiting = settle(world, &spans, patience).await?;
    sleep(AFTERWARDS).await;
    let Books { to_mail, to_matrix } = world.books().await?;
    Ok(Outcome {
        to_mail: Verdict::of(&to_mail, &spans),
        to_matrix: Verdict::of(&to_matrix, &spans),
        blows,
        writing,
        settling: began.elapsed() - writing,
        waiting,
        unwritten: world.unwritten(),
        ends: world.program().ends(),
        complaints: world.program().complaints()?,
    })
}

/// Has messages written at equal distances.
async fn pace<W: World>(world: &W, messages: &[Message], over: Duration) {
    let began = tokio::time::Instant::now();
    for (n, message) in messages.iter().enumerate() {
        sleep_until(began + over.mul_f64(n as f64 / messages.len() as f64)).await;
        world.write(message);
    }
    sleep_until(began + over).await;
}

async fn deal<W: World>(world: &W, strike: &Strike) -> anyhow::Result<Span> {
    let from = now();
    let is_fehmarn = strike.victim == Victim::Fehmarn;
    if is_fehmarn {
        world.program().strike(strike).await
    } else {
        world.strike(strike).await?
    }
    sleep(strike.lasts).await;
    if is_fehmarn {
        world.program().mend(strike)
    } else {
        world.mend(strike).await?
    }
    Ok(Span { from, to: now() })
}

/// Returns when everything is written, has come, and nothing waits; or when nothing has changed for too long. How many
/// rows wait then.
async fn settle<W: World>(world: &W, spans: &[Span], patience: Duration) -> anyhow::Result<Option<u64>> {
    let mut known = None;
    let mut changed = Instant::now();
    loop {
        let began = Instant::now();
        let Books { to_mail, to_matrix } = world.books().await?;
        let open = [to_mail, to_matrix].iter().map(|book| Verdict::of(book, spans).open()).sum::<usize>();
        let waiting = world.program().waiting().await;
        let state = (world.unwritten(), open, waiting);
        if state == (0, 0, Some(0)) {
            return Ok(waiting);
        }
        if known != Some(state) {
            let waiting = waiting.map_or("unknown".to_owned(), |waiting| waiting.to_string());
            println!("to be written: {}; written and not there: {open}; rows in the queues: {waiting}", state.0);
            (known, changed) = (Some(state), Instant::now());
        }
        if changed.elapsed() > patience {
            return Ok(waiting);
        }
        // Reading a hundred thousand messages is work, and takes it from Fehmarn.
        sleep(LOOK_EVERY.max(4 * began.elapsed())).await;
    }
}
