//! What is measured, in which order.

use super::{
    fehmarn::{Fehmarn, Installation},
    filling,
    homeserver::Requests,
    limits::Limits,
    neighbours,
    process::Process,
    report::Report,
    stage::{Phase, RATES, Size, Stage},
    tally::{Outcome, Tally},
};
use serde_json::json;
use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

/// How long Fehmarn is left alone before something of it is read: work that follows a message counts too.
const SETTLE: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
pub enum Direction {
    ToMail,
    ToMatrix,
    /// To mail, beside a slow domain and a dead one.
    Neighbours,
}

/// How Fehmarn is run.
pub struct Way<'a> {
    pub only: Option<Direction>,
    pub under: Option<&'a str>,
    /// How many ghosts and waiting messages there are before.
    pub filled: Option<i64>,
    pub keep: bool,
}

/// All scenarios. What was lost or repeated goes into the report.
pub async fn run(size: &Size, way: &Way<'_>, limits: &Limits, report: &mut Report) -> anyhow::Result<()> {
    let mut folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    folder.disable_cleanup(way.keep);
    let stage = Stage::start(size).await?;
    let installation = Installation::create(folder.path(), &stage.homeserver.url(), stage.sink.address)?;
    stage.homeserver.register(installation.registration.clone());
    stage.homeserver.begin();
    let played = play(&stage, &installation, way, limits, report).await;
    let log = installation.log();
    if way.keep {
        report.note(format!("kept: {}", folder.path().display()));
    }
    played.map_err(|error| error.context(format!("the last of the log:\n{log}")))
}

async fn play(
    stage: &Stage,
    installation: &Installation,
    way: &Way<'_>,
    limits: &Limits,
    report: &mut Report,
) -> anyhow::Result<()> {
    let (mut fehmarn, took) = Fehmarn::start(installation, way.under).await?;
    report.row("start, empty database", "ms", millis(took), None);
    if let Some(count) = way.filled {
        fehmarn.stop().await?;
        filling::fill(&installation.database(), count).await?;
        let (filled, took) = Fehmarn::start(installation, way.under).await?;
        report.row(format!("start, {count} ghosts and {count} waiting messages"), "ms", millis(took), None);
        fehmarn = filled;
    }
    let process = fehmarn.process();
    eprintln!("bench: the process is {}", process.0);
    tokio::time::sleep(SETTLE).await;
    report.row("memory, idle after the start", "MiB", process.memory()?, None);
    report.row("memory, idle after the start: its own", "MiB", process.own_memory()?, None);
    let took = stage.open_rooms().await?;
    report.row("ghosts registered and joined", "per s", stage.size.pairs as f64 / took.as_secs_f64(), None);

    let mut phases = Phases::default();
    if matches!(way.only, None | Some(Direction::ToMail)) {
        to_mail(stage, process, limits, report, &mut phases).await?;
    }
    if matches!(way.only, None | Some(Direction::ToMatrix)) {
        to_matrix(stage, process, installation.lmtp, limits, report, &mut phases).await?;
    }
    if way.only.is_none() {
        fehmarn = outage(stage, installation, fehmarn, limits, report, &mut phases).await?;
    }
    if matches!(way.only, None | Some(Direction::Neighbours)) {
        neighbours::run(stage, report, &mut phases).await?;
    }
    fehmarn.stop().await?;
    close(stage, installation, report, &phases);
    Ok(())
}

/// Phases whose faults are read at the very end, since a message may be repeated late.
#[derive(Default)]
pub struct Phases(Vec<(String, Arc<Tally>, Phase)>);

impl Phases {
    pub fn add(&mut self, name: &str, tally: &Arc<Tally>, phase: Phase) {
        self.0.push((name.to_owned(), tally.clone(), phase));
    }
}

/// Processor time of a phase, of Fehmarn and of this program.
pub struct Work {
    process: Process,
    fehmarn: Duration,
    bench: Duration,
}

impl Work {
    pub fn begin(process: Process) -> anyhow::Result<Self> {
        Ok(Self { process, fehmarn: process.cpu()?, bench: Process::own().cpu()? })
    }

    /// Seconds per 1,000 messages: of Fehmarn, and of this program.
    pub async fn end(self, outcome: &Outcome) -> anyhow::Result<(f64, f64)> {
        tokio::time::sleep(SETTLE).await;
        let per_thousand = 1000.0 / outcome.seen.max(1) as f64;
        let fehmarn = self.process.cpu()? - self.fehmarn;
        let bench = Process::own().cpu()? - self.bench;
        Ok((fehmarn.as_secs_f64() * per_thousand, bench.as_secs_f64() * per_thousand))
    }
}

async fn to_mail(
    stage: &Stage,
    process: Process,
    limits: &Limits,
    report: &mut Report,
    phases: &mut Phases,
) -> anyhow::Result<()> {
    let (work, connections) = (Work::begin(process)?, stage.sink.connections.load(Relaxed));
    let phase = stage.write(stage.size.burst, None).await?;
    let outcome = stage.finish(&stage.mails, &phase).await;
    let accepted = phase.run.len() as f64 / phase.accepted.as_secs_f64();
    report.row("to mail, burst: accepted", "messages/s", accepted, Some(("rows/s", limits.rows)));
    report.row("to mail, burst: delivered", "messages/s", outcome.per_second(), Some(("sink", limits.sink)));
    let (fehmarn, bench) = work.end(&outcome).await?;
    report.row("to mail, burst: processor time", "s per 1,000", fehmarn, None);
    let connections = stage.sink.connections.load(Relaxed) - connections;
    report.note(format!(
        "to mail, burst: {connections} SMTP connections; this program itself used {bench:.2} s per 1,000"
    ));
    phases.add("to mail, burst", &stage.mails, phase);

    for rate in RATES {
        let before = stage.homeserver.requests();
        let phase = stage.write((stage.size.seconds * rate) as usize, Some(rate)).await?;
        let calm = Calm { name: format!("to mail, {rate}/s"), tally: &stage.mails, before };
        calm.finish(stage, phase, limits, report, phases).await;
    }
    Ok(())
}

async fn to_matrix(
    stage: &Stage,
    process: Process,
    lmtp: SocketAddr,
    limits: &Limits,
    report: &mut Report,
    phases: &mut Phases,
) -> anyhow::Result<()> {
    let work = Work::begin(process)?;
    let phase = stage.mail(stage.size.burst, None, lmtp).await?;
    let outcome = stage.finish(&stage.events, &phase).await;
    let accepted = phase.run.len() as f64 / phase.accepted.as_secs_f64();
    report.row("to Matrix, burst: accepted", "messages/s", accepted, Some(("rows/s", limits.rows)));
    report.row("to Matrix, burst: delivered", "messages/s", outcome.per_second(), Some(("sends", limits.sends)));
    let (fehmarn, bench) = work.end(&outcome).await?;
    report.row("to Matrix, burst: processor time", "s per 1,000", fehmarn, None);
    report.note(format!("to Matrix, burst: this program itself used {bench:.2} s per 1,000"));
    phases.add("to Matrix, burst", &stage.events, phase);

    for rate in RATES {
        let before = stage.homeserver.requests();
        let phase = stage.mail((stage.size.seconds * rate) as usize, Some(rate), lmtp).await?;
        let calm = Calm { name: format!("to Matrix, {rate}/s"), tally: &stage.events, before };
        calm.finish(stage, phase, limits, report, phases).await;
    }
    Ok(())
}

/// A phase in which messages come one by one.
pub struct Calm<'a> {
    pub name: String,
    pub tally: &'a Arc<Tally>,
    /// What was asked of the homeserver before it.
    pub before: Requests,
}

impl Calm<'_> {
    pub async fn finish(self, stage: &Stage, phase: Phase, limits: &Limits, report: &mut Report, phases: &mut Phases) {
        let Self { name, tally, before } = self;
        let outcome = stage.finish(tally, &phase).await;
        tokio::time::sleep(SETTLE).await;
        // One commit stands between a message and where it goes.
        let commit = ("1 commit", 1000.0 / limits.commits);
        report.row(format!("{name}: p50"), "ms", outcome.wait_ms(0.5), Some(commit));
        report.row(format!("{name}: p99"), "ms", outcome.wait_ms(0.99), Some(commit));
        let requests = requests_per_message(&before, &stage.homeserver.requests(), &outcome, &name, report);
        report.row(format!("{name}: requests to the homeserver"), "per message", requests, None);
        phases.add(&name, tally, phase);
    }
}

/// The mail server takes nothing, messages pile up, Fehmarn is restarted, the mail server is well again.
async fn outage(
    stage: &Stage,
    installation: &Installation,
    fehmarn: Fehmarn,
    limits: &Limits,
    report: &mut Report,
    phases: &mut Phases,
) -> anyhow::Result<Fehmarn> {
    stage.sink.refusing.store(true, Relaxed);
    let phase = stage.write(stage.size.burst, None).await?;
    tokio::time::sleep(2 * SETTLE).await;
    report.row("memory, a burst in the queue", "MiB", fehmarn.process().memory()?, None);
    report.row("memory, a burst in the queue: its own", "MiB", fehmarn.process().own_memory()?, None);
    report.row("memory, most ever", "MiB", fehmarn.process().peak_memory()?, None);
    let took = fehmarn.stop().await?;
    report.row("stop, a burst in the queue", "ms", millis(took), None);
    let (fehmarn, took) = Fehmarn::start(installation, None).await?;
    report.row("start, filled database", "ms", millis(took), None);

    stage.sink.refusing.store(false, Relaxed);
    let open = std::time::Instant::now();
    let outcome = stage.finish(&stage.mails, &phase).await;
    let all = open.elapsed().as_secs_f64();
    report.row("after the outage: until the last mail, back-off included", "s", all, None);
    let rate = outcome.seen as f64 / outcome.drained.as_secs_f64().max(1e-9);
    report.row("after the outage: first mail to last", "messages/s", rate, Some(("sink", limits.sink)));
    tokio::time::sleep(SETTLE).await;
    phases.add("outage and restart", &stage.mails, phase);
    Ok(fehmarn)
}

pub fn close(stage: &Stage, installation: &Installation, report: &mut Report, phases: &Phases) {
    for (name, tally, phase) in &phases.0 {
        report.faults(name, tally.outcome(&phase.run).faults);
    }
    let transactions = stage.homeserver.transactions();
    report.note(format!("transactions: {} accepted, {} failed", transactions.accepted, transactions.failed));
    let (rooms, complaints) = (stage.homeserver.further_rooms(), installation.complaints());
    report.note(format!("rooms that Fehmarn opened: {rooms}; warnings and errors in its log: {complaints}"));
    let requests = stage.homeserver.requests();
    report.extra("requests", json!(requests.by_kind));
    for unknown in requests.unknown.iter().take(20) {
        report.note(format!("the benchmark's homeserver does not know {unknown}"));
    }
}

fn requests_per_message(
    before: &Requests,
    after: &Requests,
    outcome: &Outcome,
    direction: &str,
    report: &mut Report,
) -> f64 {
    let messages = outcome.seen.max(1) as f64;
    let mut total = 0;
    let mut kinds = Vec::new();
    for (kind, count) in &after.by_kind {
        let more = count - before.by_kind.get(kind).copied().unwrap_or_default();
        total += more;
        if more > 0 {
            kinds.push(format!("{kind} {:.2}", more as f64 / messages));
        }
    }
    report.note(format!("{direction}, requests per message: {}", kinds.join(", ")));
    total as f64 / messages
}

pub fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
