//! A mail server that sends: SMTP to the sink, LMTP to Fehmarn.

use super::tally::{Run, Tally, marker};
use anyhow::{Context, bail, ensure};
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// How long a mail is tried again before the generator gives it up, as a mail server would after days.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(200);

#[derive(Clone, Copy, PartialEq)]
pub enum Protocol {
    Smtp,
    Lmtp,
}

/// One connection.
pub struct Connection {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    pipelining: bool,
}

impl Connection {
    pub async fn open(to: SocketAddr, protocol: Protocol) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        let (reader, writer) = stream.into_split();
        let mut connection = Self { reader: BufReader::new(reader), writer, pipelining: false };
        connection.expect(220).await?;
        let hello = if protocol == Protocol::Smtp { "EHLO" } else { "LHLO" };
        connection.command(&format!("{hello} bench.example\r\n"), 250).await?;
        Ok(connection)
    }

    /// Hands a mail over; what was answered to it.
    pub async fn send(&mut self, mail: &Mail) -> anyhow::Result<String> {
        let (from, to) = (format!("MAIL FROM:<{}>\r\n", mail.from), format!("RCPT TO:<{}>\r\n", mail.to));
        if self.pipelining {
            self.writer.write_all(format!("{from}{to}DATA\r\n").as_bytes()).await?;
            self.expect(250).await?;
            // RFC 2920 section 3.1: the answer to DATA comes even after a refused RCPT, and must be read.
            let recipient = self.expect(250).await;
            let data = self.expect(354).await;
            recipient.and(data)?;
        } else {
            self.command(&from, 250).await?;
            self.command(&to, 250).await?;
            self.command("DATA\r\n", 354).await?;
        }
        self.writer.write_all(&mail.data).await?;
        self.expect(250).await
    }

    async fn command(&mut self, line: &str, wanted: u16) -> anyhow::Result<String> {
        self.writer.write_all(line.as_bytes()).await?;
        self.expect(wanted).await
    }

    async fn expect(&mut self, wanted: u16) -> anyhow::Result<String> {
        let mut line = String::new();
        loop {
            line.clear();
            ensure!(self.reader.read_line(&mut line).await? > 0, "the other side hung up");
            self.pipelining |= line.trim_end().ends_with("PIPELINING");
            if line.as_bytes().get(3) == Some(&b'-') {
                continue;
            }
            if line.get(..3).and_then(|code| code.parse().ok()) != Some(wanted) {
                bail!("wanted {wanted}, got {}", line.trim_end());
            }
            return Ok(line.trim_end().to_owned());
        }
    }
}

/// One mail on the wire; `data` has its final dot.
pub struct Mail {
    pub from: String,
    pub to: String,
    pub data: Vec<u8>,
}

/// The mail of a message of a run: by LMTP from the person outside to the member of staff, by SMTP the other way.
/// Every second one answers the one before, with a quote below, as people write.
fn mail(run: &Run, number: usize, protocol: Protocol) -> Mail {
    let pair = run.pair(number);
    let (outside, inside) = (format!("user{pair}@ext.example"), format!("staff{pair}@chat.bench.local"));
    let (from, to) = if protocol == Protocol::Lmtp { (outside, inside) } else { (inside, outside) };
    let round = (number - run.numbers().start) / run.pairs();
    let (mut thread, mut quote) = (String::new(), "");
    if round % 2 == 1 {
        let id = message_id(number - run.pairs());
        thread = format!("In-Reply-To: {id}\r\nReferences: {id}\r\n");
        quote = "\r\nOn Mon, 23 Nov 2026 at 09:00, Staff wrote:\r\n> Thank you for your application.\r\n> We will answer soon.\r\n";
    }
    let data = format!(
        "From: User {pair} <{from}>\r\nTo: <{to}>\r\nSubject: Application of user {pair}\r\nMessage-ID: {}\r\n{thread}\
         Date: Mon, 23 Nov 2026 09:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: 8bit\r\n\r\n{} is the number of this mail.\r\nDie Unterlagen für das Bürgerbüro \
         sind vollständig und liegen bei der Post.\r\nI would like to know when they have arrived, since the office \
         is closed on Friday.\r\n{quote}.\r\n",
        message_id(number),
        marker(number)
    );
    Mail { from, to, data: data.into_bytes() }
}

fn message_id(number: usize) -> String {
    format!("<bench{number:06}@ext.example>")
}

/// Sends a run. A number always goes over the same connection, so that the mails of a pair have an order. `rate` is
/// in mails per second; as fast as possible without it. Returns how long it took until the last one was acknowledged.
pub async fn send_run(
    to: SocketAddr,
    protocol: Protocol,
    connections: usize,
    tally: &Arc<Tally>,
    run: &Run,
    rate: Option<f64>,
) -> anyhow::Result<Duration> {
    let start = Instant::now();
    let mut senders = Vec::new();
    for lane in 0..connections.min(run.pairs()) {
        let (tally, run, lanes) = (tally.clone(), run.clone(), connections.min(run.pairs()));
        senders.push(tokio::spawn(async move {
            let mut connection = None;
            for (place, number) in run.numbers().enumerate() {
                if run.pair(number) % lanes != lane {
                    continue;
                }
                if let Some(rate) = rate {
                    tokio::time::sleep_until((start + Duration::from_secs_f64(place as f64 / rate)).into()).await;
                }
                tally.sent(number);
                patiently(to, protocol, &mut connection, &mail(&run, number, protocol)).await?;
            }
            anyhow::Ok(())
        }));
    }
    for sender in senders {
        sender.await??;
    }
    Ok(start.elapsed())
}

async fn patiently(
    to: SocketAddr,
    protocol: Protocol,
    connection: &mut Option<Connection>,
    mail: &Mail,
) -> anyhow::Result<()> {
    let end = Instant::now() + PATIENCE;
    loop {
        let tried = async {
            let open = match connection {
                Some(open) => open,
                None => connection.insert(Connection::open(to, protocol).await?),
            };
            open.send(mail).await
        };
        match tokio::time::timeout(PATIENCE, tried).await.context("no answer").flatten() {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() > end => return Err(error.context(format!("a mail to {to} was given up"))),
            Err(_) => *connection = None,
        }
        tokio::time::sleep(PAUSE).await;
    }
}
