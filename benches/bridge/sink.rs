//! A mail server that receives: takes everything, or nothing, and keeps only the markers.

use super::{
    domains::pair,
    tally::{Tally, markers},
};
use mail_parser::MessageParser;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// What is done with a mail: its recipients and its bytes. It was accepted when this returns.
pub type Taker = Box<dyn Fn(&[String], &[u8]) + Send + Sync>;

/// How a recipient is refused; `None`: not at all.
pub type Refusal = Box<dyn Fn(&str) -> Option<&'static str> + Send + Sync>;

/// How long it takes for a mail to this recipient.
pub type Pause = Box<dyn Fn(&str) -> Duration + Send + Sync>;

/// How it behaves.
pub struct Manner {
    /// Whether it offers reports on what becomes of mails (DSN, RFC 3461).
    pub reports: bool,
    pub refusal: Refusal,
    pub pause: Pause,
}

impl Default for Manner {
    fn default() -> Self {
        Self { reports: true, refusal: Box::new(|_| None), pause: Box::new(|_| Duration::ZERO) }
    }
}

pub struct Sink {
    pub address: SocketAddr,
    /// Whether every recipient gets a 451.
    pub refusing: AtomicBool,
    pub connections: AtomicUsize,
    pub mails: AtomicUsize,
    /// Recipients who were refused by its manner.
    pub refused: AtomicUsize,
    taker: Taker,
    manner: Manner,
}

impl Sink {
    pub async fn start(taker: Taker) -> anyhow::Result<Arc<Self>> {
        Self::with_manner(taker, Manner::default()).await
    }

    pub async fn with_manner(taker: Taker, manner: Manner) -> anyhow::Result<Arc<Self>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let sink = Arc::new(Self {
            address: listener.local_addr()?,
            refusing: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            mails: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
            taker,
            manner,
        });
        tokio::spawn(sink.clone().listen(listener));
        Ok(sink)
    }

    async fn listen(self: Arc<Self>, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            self.connections.fetch_add(1, Relaxed);
            let sink = self.clone();
            // A client that hangs up is no news here.
            tokio::spawn(async move { sink.session(stream).await.ok() });
        }
    }

    async fn session(&self, stream: TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let (reader, mut writer) = stream.into_split();
        let mut reader = BufReader::with_capacity(64 << 10, reader);
        let mut answers = b"220 sink.bench.local ESMTP\r\n".to_vec();
        let (mut recipients, mut line, mut lmtp) = (Vec::new(), Vec::new(), false);
        loop {
            // RFC 2920: what came in one packet may be answered in one packet.
            if reader.buffer().is_empty() {
                writer.write_all(&answers).await?;
                answers.clear();
            }
            line.clear();
            if reader.read_until(b'\n', &mut line).await? == 0 {
                return Ok(());
            }
            let verb = String::from_utf8_lossy(&line[..line.len().min(4)]).to_uppercase();
            let answer: &str = match verb.as_str() {
                "EHLO" | "LHLO" => {
                    lmtp = verb == "LHLO";
                    answers.extend_from_slice(
                        b"250-sink.bench.local\r\n250-PIPELINING\r\n250-SIZE 104857600\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n",
                    );
                    if self.manner.reports {
                        answers.extend_from_slice(b"250-DSN\r\n");
                    }
                    "250 ENHANCEDSTATUSCODES\r\n"
                }
                "MAIL" | "RSET" => {
                    recipients.clear();
                    "250 2.0.0 ok\r\n"
                }
                "RCPT" if self.refusing.load(Relaxed) => "451 4.7.1 not now\r\n",
                "RCPT" => {
                    let recipient = address(&line);
                    let refusal = (self.manner.refusal)(&recipient);
                    self.refused.fetch_add(usize::from(refusal.is_some()), Relaxed);
                    refusal.unwrap_or_else(|| {
                        recipients.push(recipient);
                        "250 2.1.5 ok\r\n"
                    })
                }
                "DATA" if recipients.is_empty() => "503 5.5.1 no valid recipients\r\n",
                "DATA" => {
                    answers.extend_from_slice(b"354 go on\r\n");
                    writer.write_all(&answers).await?;
                    answers.clear();
                    let mut data = Vec::with_capacity(4096);
                    while !data.ends_with(b"\r\n.\r\n") {
                        if reader.read_until(b'\n', &mut data).await? == 0 {
                            return Ok(());
                        }
                    }
                    let pause = recipients.iter().map(|recipient| (self.manner.pause)(recipient)).max();
                    if let Some(pause) = pause.filter(|pause| !pause.is_zero()) {
                        tokio::time::sleep(pause).await;
                    }
                    // Without the dot on a line of its own that ends it.
                    (self.taker)(&recipients, &data[..data.len() - 3]);
                    self.mails.fetch_add(1, Relaxed);
                    // RFC 2033 section 4.2: one answer for each recipient.
                    for _ in 1..if lmtp { recipients.len() } else { 1 } {
                        answers.extend_from_slice(b"250 2.0.0 taken\r\n");
                    }
                    recipients.clear();
                    "250 2.0.0 taken\r\n"
                }
                "NOOP" => "250 2.0.0 ok\r\n",
                "QUIT" => {
                    answers.extend_from_slice(b"221 2.0.0 bye\r\n");
                    return writer.write_all(&answers).await;
                }
                _ => "502 5.5.1 unknown\r\n",
            };
            answers.extend_from_slice(answer.as_bytes());
        }
    }
}

/// The address between the angle brackets of a command.
fn address(line: &[u8]) -> String {
    let line = String::from_utf8_lossy(line);
    let inner = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inner.map(|(address, _)| address.to_lowercase()).unwrap_or_default()
}

/// Counts each mail in a tally.
pub fn counting(tally: Arc<Tally>) -> Taker {
    Box::new(move |recipients, mail| {
        for number in numbers(mail) {
            for recipient in recipients {
                tally.seen(number, pair(recipient));
            }
        }
    })
}

/// The numbers that the markers of a mail's body say: a subject may repeat the first words of a conversation.
pub fn numbers(mail: &[u8]) -> Vec<usize> {
    let body = mail.windows(4).position(|four| four == b"\r\n\r\n").map_or(mail, |end| &mail[end..]);
    let numbers = markers(body);
    if numbers.is_empty() { decoded(mail) } else { numbers }
}

/// For a body in an encoding that hides the marker.
fn decoded(mail: &[u8]) -> Vec<usize> {
    let mail = MessageParser::default().parse(mail);
    mail.and_then(|mail| Some(markers(mail.body_text(0)?.as_bytes()))).unwrap_or_default()
}
