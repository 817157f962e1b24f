//! What this machine, and this program, can do at all: no figure of Fehmarn's can be better.

use super::{
    homeserver::{Homeserver, Registration, ghost, room, segment},
    mailer::{self, Protocol},
    sink::{self, Sink},
    stage::Size,
    tally::{Run, Tally, marker},
};
use anyhow::ensure;
use sqlx::{
    ConnectOptions, Connection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use std::{
    io::Write,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

const SMTP_CONNECTIONS: usize = 16;
const SENDERS: usize = 8;
const ROW_BYTES: usize = 600;
/// A burst is over too soon to say how fast this program itself is.
const BURSTS: usize = 4;

/// All per second.
pub struct Limits {
    /// Durable commits to SQLite, of one row each.
    pub commits: f64,
    /// Rows in durable commits of 100 each.
    pub rows: f64,
    pub fsyncs: f64,
    /// Mails that the sink takes.
    pub sink: f64,
    /// Messages that the homeserver takes.
    pub sends: f64,
}

pub async fn measure(size: &Size) -> anyhow::Result<Limits> {
    // Not /tmp, which may lie in memory.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    Ok(Limits {
        fsyncs: fsyncs(folder.path(), size.probe)?,
        commits: commits(folder.path(), 1, size.probe).await?,
        rows: 100.0 * commits(folder.path(), 100, size.probe).await?,
        sink: sink_rate(size).await?,
        sends: send_rate(size).await?,
    })
}

fn fsyncs(folder: &Path, probe: Duration) -> anyhow::Result<f64> {
    let mut file = std::fs::File::create(folder.join("fsync"))?;
    let (start, mut count) = (Instant::now(), 0);
    while start.elapsed() < probe {
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        count += 1;
    }
    Ok(f64::from(count) / start.elapsed().as_secs_f64())
}

/// Commits of `batch` rows each, as a queue keeps them: a body, and a source that is recognised when it comes again.
async fn commits(folder: &Path, batch: i64, probe: Duration) -> anyhow::Result<f64> {
    let mut database = SqliteConnectOptions::new()
        .filename(folder.join(format!("commits{batch}.db")))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .connect()
        .await?;
    sqlx::query("CREATE TABLE queue (id INTEGER PRIMARY KEY, source BLOB NOT NULL UNIQUE, body BLOB NOT NULL)")
        .execute(&mut database)
        .await?;
    let body = vec![b'x'; ROW_BYTES];
    let (start, mut count) = (Instant::now(), 0);
    while start.elapsed() < probe {
        // One statement is one transaction, and one way to the thread that SQLite runs on.
        sqlx::query(
            "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < $1)
             INSERT INTO queue (source, body) SELECT randomblob(16), $2 FROM numbers",
        )
        .bind(batch)
        .bind(body.as_slice())
        .execute(&mut database)
        .await?;
        count += 1;
    }
    let rate = f64::from(count) / start.elapsed().as_secs_f64();
    database.close().await?;
    Ok(rate)
}

async fn sink_rate(size: &Size) -> anyhow::Result<f64> {
    let tally = Arc::new(Tally::default());
    let sink = Sink::start(sink::counting(tally.clone())).await?;
    let run = tally.open(BURSTS * size.burst, size.pairs);
    mailer::send_run(sink.address, Protocol::Smtp, SMTP_CONNECTIONS, &tally, &run, None).await?;
    checked(&tally, &run)
}

async fn send_rate(size: &Size) -> anyhow::Result<f64> {
    let tally = Arc::new(Tally::default());
    let homeserver = Homeserver::start(tally.clone()).await?;
    homeserver.register(Registration {
        url: String::new(),
        as_token: TOKEN.into(),
        hs_token: String::new(),
        sender_localpart: "bot".into(),
    });
    let http = reqwest::Client::builder().no_proxy().tcp_nodelay(true).build()?;
    for pair in 0..size.pairs {
        homeserver.open_room(pair);
        let url = request_url(&homeserver, pair, "join");
        http.post(url).bearer_auth(TOKEN).body("{}").send().await?.error_for_status()?;
    }
    let run = tally.open(BURSTS * size.burst, size.pairs);
    let mut senders = Vec::new();
    for lane in 0..SENDERS {
        let (homeserver, tally, run, http) = (homeserver.clone(), tally.clone(), run.clone(), http.clone());
        senders.push(tokio::spawn(async move {
            for number in run.numbers().filter(|number| run.pair(*number) % SENDERS == lane) {
                tally.sent(number);
                let url = request_url(&homeserver, run.pair(number), &format!("send/m.room.message/{number}"));
                let body = format!(r#"{{"msgtype":"m.text","body":"{}"}}"#, marker(number));
                http.put(url).bearer_auth(TOKEN).body(body).send().await?.error_for_status()?.bytes().await?;
            }
            anyhow::Ok(())
        }));
    }
    for sender in senders {
        sender.await??;
    }
    checked(&tally, &run)
}

const TOKEN: &str = "limits";

fn request_url(homeserver: &Homeserver, pair: usize, action: &str) -> String {
    let (room, ghost) = (segment(&room(pair)), segment(&ghost(pair)));
    format!("{}/_matrix/client/v3/rooms/{room}/{action}?user_id={ghost}", homeserver.url())
}

fn checked(tally: &Tally, run: &Run) -> anyhow::Result<f64> {
    let outcome = tally.outcome(run);
    ensure!(outcome.faults.none(), "the benchmark itself does not count right: {:?}", outcome.faults);
    Ok(outcome.per_second())
}
