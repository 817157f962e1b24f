//! Everything around Fehmarn: the homeserver, the mail server, and what they have seen.

use super::{
    homeserver::Homeserver,
    mailer::{self, Protocol},
    sink::{self, Manner, Sink},
    tally::{Outcome, Run, Tally, marker},
};
use anyhow::ensure;
use std::{
    net::SocketAddr,
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

/// How much is done.
#[derive(Clone)]
pub struct Size {
    pub burst: usize,
    pub pairs: usize,
    /// LMTP connections at once.
    pub connections: usize,
    /// Seconds of each calm phase.
    pub seconds: f64,
    /// How long each limit of the machine is measured.
    pub probe: Duration,
    /// How long the last message of a burst may take.
    pub patience: Duration,
    /// How long a slow mail server takes for a mail.
    pub slow: Duration,
}

impl Size {
    pub const FULL: Self = Self {
        burst: 5000,
        pairs: 100,
        connections: POSTFIX_CONNECTIONS,
        seconds: 15.0,
        probe: Duration::from_millis(1500),
        patience: Duration::from_secs(120),
        slow: Duration::from_secs(5),
    };
    pub const QUICK: Self = Self {
        burst: 500,
        pairs: 20,
        connections: POSTFIX_CONNECTIONS,
        seconds: 2.0,
        probe: Duration::from_millis(200),
        patience: Duration::from_secs(30),
        slow: Duration::from_secs(1),
    };
}

/// Messages per second of the calm phases.
pub const RATES: [f64; 2] = [50.0, 500.0];
/// What Postfix opens to one destination if nobody says otherwise (`default_destination_concurrency_limit`).
const POSTFIX_CONNECTIONS: usize = 20;

pub struct Stage {
    pub homeserver: Arc<Homeserver>,
    pub sink: Arc<Sink>,
    /// Messages of staff, seen when the sink has taken the mail.
    pub mails: Arc<Tally>,
    /// Mails of people outside, seen when the homeserver has taken the event.
    pub events: Arc<Tally>,
    pub size: Size,
}

/// A phase that is over, and how long it took until Fehmarn had accepted everything.
pub struct Phase {
    pub run: Run,
    pub accepted: Duration,
}

impl Stage {
    pub async fn start(size: &Size) -> anyhow::Result<Self> {
        let (mails, events) = (Arc::new(Tally::default()), Arc::new(Tally::default()));
        let homeserver = Homeserver::start(events.clone()).await?;
        let sink = Sink::with_manner(sink::counting(mails.clone()), manner(size.slow)).await?;
        Ok(Self { homeserver, sink, mails, events, size: size.clone() })
    }

    /// Every member of staff opens a room and invites somebody. Returns how long it took until all have joined.
    pub async fn open_rooms(&self) -> anyhow::Result<Duration> {
        self.open_rooms_of(0..self.size.pairs).await
    }

    pub async fn open_rooms_of(&self, pairs: Range<usize>) -> anyhow::Result<Duration> {
        let start = Instant::now();
        for pair in pairs.clone() {
            self.homeserver.open_room(pair);
        }
        let joined = || pairs.clone().filter(|pair| self.homeserver.has_joined(*pair)).count();
        while joined() < pairs.len() {
            let (joined, all) = (joined(), pairs.len());
            ensure!(start.elapsed() < self.size.patience, "{joined} of {all} ghosts have joined");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(start.elapsed())
    }

    /// Staff write `count` messages, all at once or at a rate. Returns when all are accepted.
    pub async fn write(&self, count: usize, rate: Option<f64>) -> anyhow::Result<Phase> {
        self.write_to(0..self.size.pairs, count, rate).await
    }

    /// The same among these pairs.
    pub async fn write_to(&self, pairs: Range<usize>, count: usize, rate: Option<f64>) -> anyhow::Result<Phase> {
        let run = self.mails.open_for(pairs, count);
        let start = Instant::now();
        for (place, number) in run.numbers().enumerate() {
            if let Some(rate) = rate {
                tokio::time::sleep_until((start + Duration::from_secs_f64(place as f64 / rate)).into()).await;
            }
            self.mails.sent(number);
            self.homeserver.say(run.pair(number), &words(number));
        }
        while self.homeserver.unaccepted() > 0 {
            let left = self.homeserver.unaccepted();
            ensure!(start.elapsed() < self.size.patience, "{left} events were not accepted");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(Phase { run, accepted: start.elapsed() })
    }

    /// People outside write `count` mails. Returns when all are accepted.
    pub async fn mail(&self, count: usize, rate: Option<f64>, lmtp: SocketAddr) -> anyhow::Result<Phase> {
        let run = self.events.open(count, self.size.pairs);
        let connections = self.size.connections;
        let accepted = mailer::send_run(lmtp, Protocol::Lmtp, connections, &self.events, &run, rate).await?;
        Ok(Phase { run, accepted })
    }

    /// Waits until a phase came out at the other end.
    pub async fn finish(&self, tally: &Tally, phase: &Phase) -> Outcome {
        tally.all_seen(&phase.run, self.size.patience).await;
        tally.outcome(&phase.run)
    }
}

/// Quick and well, except where a domain is known not to be.
fn manner(slow: Duration) -> Manner {
    Manner {
        refusal: Box::new(|to| to.ends_with("@dead.example").then_some("451 4.4.1 no answer from there\r\n")),
        pause: Box::new(move |to| if to.ends_with("@slow.example") { slow } else { Duration::ZERO }),
        ..Manner::default()
    }
}

fn words(number: usize) -> String {
    format!(
        "{} ist die Nummer dieser Nachricht.\nGuten Tag, vielen Dank für Ihren Antrag. Uns fehlt noch der Nachweis \
         über die Größe des Grundstücks; bitte schicken Sie ihn bis Freitag an das Bürgerbüro.",
        marker(number)
    )
}
