//! Whether the benchmark counts right, tried on a stand-in whose mistakes are known.

use super::{
    domains::{DEAD, SLOW, domain},
    limits,
    mailer::{Connection, Mail, Protocol},
    sink::counting,
    stage::{Size, Stage},
    stand_in::{Mistakes, StandIn},
    tally::{Faults, Outcome, Tally, marker},
};
use anyhow::ensure;
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

/// In no message.
const NEVER: usize = usize::MAX;
const FLAWLESS: Mistakes = Mistakes { lose: NEVER, repeat: NEVER, misplace: NEVER };

/// Whether all is as it should be; says what is not.
pub async fn run() -> anyhow::Result<bool> {
    let size = Size {
        burst: 200,
        pairs: 20,
        connections: 10,
        seconds: 0.4,
        probe: Duration::from_millis(20),
        patience: Duration::from_secs(2),
        slow: Duration::from_millis(100),
    };
    let limits = limits::measure(&size).await?;
    ensure!(limits.commits > 0.0 && limits.rows > limits.commits, "a commit of 100 rows is no faster than one of 1");
    bodies_in_any_encoding_are_counted()?;
    order_is_watched();
    a_slow_domain_and_a_dead_one_are_what_they_are_called(&size).await?;
    let (mails, events) = bridge(&size, FLAWLESS).await?;
    ensure!(
        mails.faults.none() && events.faults.none(),
        "faults that nobody made: {:?} {:?}",
        mails.faults,
        events.faults
    );
    ensure!(mails.per_second() > 0.0 && mails.wait_ms(0.5) <= mails.wait_ms(0.99), "times make no sense");
    let (mails, events) = bridge(&size, Mistakes { lose: 7, repeat: 8, misplace: 9 }).await?;
    let made = Faults { lost: 1, duplicated: 1, misplaced: 1, disordered: 0 };
    ensure!(mails.faults == made, "to mail: made {made:?}, counted {:?}", mails.faults);
    ensure!(events.faults == made, "to Matrix: made {made:?}, counted {:?}", events.faults);
    eprintln!("bench: the self-test passed");
    Ok(true)
}

/// One burst in each direction through a stand-in.
async fn bridge(size: &Size, mistakes: Mistakes) -> anyhow::Result<(Outcome, Outcome)> {
    let stage = Stage::start(size).await?;
    let stand_in = StandIn::start(stage.homeserver.clone(), counting(stage.mails.clone()), mistakes).await?;
    stage.homeserver.begin();
    stage.open_rooms().await?;
    let phase = stage.write(size.burst, None).await?;
    let mails = stage.finish(&stage.mails, &phase).await;
    let phase = stage.mail(size.burst, None, stand_in.lmtp).await?;
    let events = stage.finish(&stage.events, &phase).await;
    let seen = stand_in.seen.lock().expect("lock");
    ensure!(seen.largest <= 100, "a transaction of {} events", seen.largest);
    let again = seen.ids.iter().filter(|id| Some(*id) == seen.refused.as_ref()).count();
    ensure!(again == 2, "a refused transaction came {again} times");
    ensure!(stage.homeserver.transactions().failed == 1, "{:?}", stage.homeserver.transactions().failed);
    Ok((mails, events))
}

fn bodies_in_any_encoding_are_counted() -> anyhow::Result<()> {
    let tally = Arc::new(Tally::default());
    let run = tally.open(1, 1);
    let take = counting(tally.clone());
    let head = "Subject: tok000000kot\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n";
    take(&["user0@ext.example".into()], format!("{head}SGVsbG8gdG9rMDAwMDAwa290IQ==\r\n").as_bytes());
    ensure!(tally.outcome(&run).faults.none(), "{:?}", tally.outcome(&run).faults);
    Ok(())
}

/// By the mail server of the stage, with no Fehmarn between.
async fn a_slow_domain_and_a_dead_one_are_what_they_are_called(size: &Size) -> anyhow::Result<()> {
    let stage = Stage::start(size).await?;
    for (pairs, least, there) in [(0..3, Duration::ZERO, 3), (SLOW, size.slow, 3), (DEAD, Duration::ZERO, 0)] {
        let run = stage.mails.open_for(pairs, 3);
        let mut connection = Connection::open(stage.sink.address, Protocol::Smtp).await?;
        for number in run.numbers() {
            stage.mails.sent(number);
            let pair = run.pair(number);
            let mail = Mail {
                from: format!("staff{pair}@chat.bench.local"),
                to: format!("user{pair}@{}", domain(pair)),
                data: format!("Subject: x\r\n\r\n{}\r\n.\r\n", marker(number)).into_bytes(),
            };
            ensure!(connection.send(&mail).await.is_ok() == (there > 0), "{}", mail.to);
            if there == 0 {
                connection = Connection::open(stage.sink.address, Protocol::Smtp).await?;
            }
        }
        let outcome = stage.mails.outcome(&run);
        ensure!(outcome.seen == there && outcome.faults.misplaced == 0, "{there}: {:?}", outcome.faults);
        let quick = outcome.wait_ms(0.0) / 1000.0 < size.slow.as_secs_f64();
        ensure!(there == 0 || quick == least.is_zero(), "{} ms", outcome.wait_ms(0.0));
    }
    ensure!(stage.sink.refused.load(Relaxed) == 3, "refusals are not counted");
    Ok(())
}

fn order_is_watched() {
    let tally = Tally::default();
    let run = tally.open(4, 2);
    for number in [0, 3, 2, 1] {
        tally.seen(number, Some(run.pair(number)));
    }
    assert_eq!(tally.outcome(&run).faults.disordered, 1);
}
