//! The same as with mail, over XMPP: bursts and a calm phase, both ways.

use super::{
    component::Component,
    fehmarn::{Fehmarn, Installation},
    homeserver,
    limits::Limits,
    report::Report,
    scenarios::{Calm, Phases, Way, Work, close, millis},
    stage::{Phase, RATES, Size, Stage},
};

pub async fn run(size: &Size, way: &Way<'_>, limits: &Limits, report: &mut Report) -> anyhow::Result<()> {
    homeserver::speak("xmpp");
    let mut folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    folder.disable_cleanup(way.keep);
    let stage = Stage::start(size).await?;
    let component = Component::start(stage.mails.clone()).await?;
    let installation = Installation::create(folder.path(), &stage.homeserver.url(), stage.sink.address)?;
    installation.speak_xmpp(component.address)?;
    stage.homeserver.register(installation.registration.clone());
    stage.homeserver.begin();
    let played = play(&stage, &component, &installation, way, limits, report).await;
    let log = installation.log();
    played.map_err(|error| error.context(format!("the last of the log:\n{log}")))
}

async fn play(
    stage: &Stage,
    component: &Component,
    installation: &Installation,
    way: &Way<'_>,
    limits: &Limits,
    report: &mut Report,
) -> anyhow::Result<()> {
    let (fehmarn, took) = Fehmarn::start(installation, way.under).await?;
    report.row("XMPP: start, empty database", "ms", millis(took), None);
    let process = fehmarn.process();
    eprintln!("bench: the process is {}", process.0);
    stage.open_rooms().await?;
    let mut phases = Phases::default();

    let work = Work::begin(process)?;
    let phase = stage.write(stage.size.burst, None).await?;
    let outcome = stage.finish(&stage.mails, &phase).await;
    report.row("to XMPP, burst: delivered", "messages/s", outcome.per_second(), Some(("rows/s", limits.rows)));
    let (used, bench) = work.end(&outcome).await?;
    report.row("to XMPP, burst: processor time", "s per 1,000", used, None);
    report.note(format!("to XMPP, burst: this program itself used {bench:.2} s per 1,000"));
    phases.add("to XMPP, burst", &stage.mails, phase);

    for rate in RATES {
        let before = stage.homeserver.requests();
        let phase = stage.write((stage.size.seconds * rate) as usize, Some(rate)).await?;
        let calm = Calm { name: format!("to XMPP, {rate}/s"), tally: &stage.mails, before };
        calm.finish(stage, phase, limits, report, &mut phases).await;
    }

    let work = Work::begin(process)?;
    let phase = hear(stage, component, stage.size.burst, None).await?;
    let outcome = stage.finish(&stage.events, &phase).await;
    report.row("from XMPP, burst: delivered", "messages/s", outcome.per_second(), Some(("sends", limits.sends)));
    let (used, bench) = work.end(&outcome).await?;
    report.row("from XMPP, burst: processor time", "s per 1,000", used, None);
    report.note(format!("from XMPP, burst: this program itself used {bench:.2} s per 1,000"));
    phases.add("from XMPP, burst", &stage.events, phase);

    for rate in RATES {
        let before = stage.homeserver.requests();
        let phase = hear(stage, component, (stage.size.seconds * rate) as usize, Some(rate)).await?;
        let calm = Calm { name: format!("from XMPP, {rate}/s"), tally: &stage.events, before };
        calm.finish(stage, phase, limits, report, &mut phases).await;
    }
    report.row("XMPP: memory, most ever", "MiB", process.peak_memory()?, None);
    fehmarn.stop().await?;
    close(stage, installation, report, &phases);
    Ok(())
}

/// People outside write; the phase is accepted when it is written, as XMPP accepts nothing.
async fn hear(stage: &Stage, component: &Component, count: usize, rate: Option<f64>) -> anyhow::Result<Phase> {
    let run = stage.events.open(count, stage.size.pairs);
    let accepted = component.send_run(&stage.events, &run, rate).await?;
    Ok(Phase { run, accepted })
}
