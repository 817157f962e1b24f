//! Whether what goes to one domain waits for what goes to others: one of them takes five seconds for each mail, and gets
//! more than all connections together could bear; from another comes no answer.

use super::{
    domains::{DEAD, SLOW},
    report::Report,
    scenarios::Phases,
    stage::{RATES, Stage},
};
use std::sync::atomic::Ordering::Relaxed;

/// Messages per second to all others, to the slow domain, and to the dead one.
const RATE: f64 = RATES[0];
const SLOW_RATE: f64 = 10.0;
const DEAD_RATE: f64 = 10.0;

pub async fn run(stage: &Stage, report: &mut Report, phases: &mut Phases) -> anyhow::Result<()> {
    let name = "to mail, 50/s beside a slow and a dead domain";
    let count = (stage.size.seconds * RATE) as usize;
    let phase = stage.write(count, Some(RATE)).await?;
    let alone = stage.finish(&stage.mails, &phase).await;
    phases.add("to mail, 50/s alone", &stage.mails, phase);

    stage.open_rooms_of(SLOW).await?;
    stage.open_rooms_of(DEAD).await?;
    let (refused, lead) = (stage.sink.refused.load(Relaxed), stage.size.slow);
    let seconds = lead.as_secs_f64() + stage.size.seconds;
    let (slow, dead, phase) = tokio::try_join!(
        stage.write_to(SLOW, (seconds * SLOW_RATE) as usize, Some(SLOW_RATE)),
        stage.write_to(DEAD, (seconds * DEAD_RATE) as usize, Some(DEAD_RATE)),
        async {
            // The first of the slow ones are under way.
            tokio::time::sleep(lead).await;
            stage.write(count, Some(RATE)).await
        },
    )?;
    let beside = stage.finish(&stage.mails, &phase).await;
    let (taken, refused) = (stage.mails.outcome(&slow.run).seen, stage.sink.refused.load(Relaxed) - refused);
    for (what, part) in [("p50", 0.5), ("p99", 0.99)] {
        let (alone, beside) = (alone.wait_ms(part), beside.wait_ms(part));
        report.row(format!("{name}: {what}"), "ms", beside, Some(("alone", alone)));
        if part > 0.5 {
            report.row(format!("{name}: delay at {what}"), "ms", beside - alone, Some(("1 s", 1000.0)));
        }
    }
    report.note(format!(
        "{name}: by then {taken} of {} slow ones were taken, {} s each; {} dead ones, refused {refused} times",
        slow.run.len(),
        stage.size.slow.as_secs_f64(),
        dead.run.len(),
    ));
    phases.add(name, &stage.mails, phase);
    stage.finish(&stage.mails, &slow).await;
    phases.add("to the slow domain", &stage.mails, slow);
    Ok(())
}
