//! One connection of the mail server: its commands, and our answers.

use super::{GREETING, Service, content::Content};
use crate::{
    connectors::email::{arrival::arrival, loops, mime::headers::Headers},
    ids::LocalUser,
};
use bytes::{Bytes, BytesMut};
use smtp_proto::{Error, MailFrom, Request};
use std::{borrow::Cow, convert::Infallible, mem, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};
use tracing::{debug, warn};

const LONGEST_LINE: usize = 4096;
/// A line may be longer than that and is passed over, but not for ever.
const LONGEST_SKIP: usize = 1 << 20;
const MOST_RECIPIENTS: usize = 100;
const MOST_ERRORS: usize = 20;
const WRITE_TIME: Duration = Duration::from_secs(60);
const READ_BUFFER: usize = 32 << 10;

pub struct Session {
    service: Arc<Service>,
    stream: TcpStream,
    /// Read, not yet understood.
    input: BytesMut,
    /// Said, not yet written: one write answers all commands that came together (RFC 2920 section 3.2).
    output: Vec<u8>,
    greeted: bool,
    transaction: Option<Transaction>,
    /// Bytes passed over of a line that is too long.
    skipped: usize,
    errors: usize,
}

struct Transaction {
    /// From whom it came; empty for a machine.
    sender: String,
    /// For whom it came, as the other side wrote it.
    addresses: Vec<String>,
    recipients: Vec<LocalUser>,
    until: Instant,
}

/// Why a session ends.
enum End {
    /// The other side is gone.
    Gone,
    /// These are our last words.
    Goodbye(&'static str),
}

impl Session {
    pub fn new(stream: TcpStream, service: Arc<Service>) -> Self {
        let (input, output) = (BytesMut::with_capacity(READ_BUFFER), Vec::with_capacity(1024));
        Self { service, stream, input, output, greeted: false, transaction: None, skipped: 0, errors: 0 }
    }

    pub async fn run(mut self) {
        let _ = self.stream.set_nodelay(true);
        let greeting = format!("220 {}{GREETING}", self.service.identity.domain());
        self.output.extend_from_slice(greeting.as_bytes());
        match self.talk().await {
            Err(End::Goodbye(words)) => {
                self.say(words);
                let _ = self.flush().await;
            }
            Err(End::Gone) => debug!("LMTP connection lost"),
        }
    }

    async fn talk(&mut self) -> Result<Infallible, End> {
        loop {
            if self.transaction.is_none() && self.service.stop.is_cancelled() {
                return Err(End::Goodbye("421 4.3.2 closing down, try again later"));
            }
            match self.line() {
                Some(Ok(line)) => self.command(&line).await?,
                Some(Err(words)) => self.complain(words)?,
                None => self.fill().await?,
            }
        }
    }

    /// The next whole line of the input, or what is wrong with it.
    fn line(&mut self) -> Option<Result<BytesMut, &'static str>> {
        let end = self.input.iter().position(|byte| *byte == b'\n');
        match end {
            Some(end) => {
                let line = self.input.split_to(end + 1);
                let fits = mem::take(&mut self.skipped) + line.len() <= LONGEST_LINE;
                Some(if fits { Ok(line) } else { Err("500 5.5.2 line too long") })
            }
            None => {
                if self.input.len() > LONGEST_LINE {
                    self.skipped += self.input.len();
                    self.input.clear();
                }
                None
            }
        }
    }

    async fn fill(&mut self) -> Result<(), End> {
        self.flush().await?;
        if self.skipped > LONGEST_SKIP {
            return Err(End::Goodbye("421 4.7.0 a line without end"));
        }
        self.input.reserve(READ_BUFFER);
        let idle = Instant::now() + self.service.times.idle;
        let until = self.transaction.as_ref().map_or(idle, |transaction| transaction.until.min(idle));
        tokio::select! {
            read = timeout_at(until, self.stream.read_buf(&mut self.input)) => match read {
                Ok(Ok(1..)) => Ok(()),
                Ok(_) => Err(End::Gone),
                Err(_) => Err(End::Goodbye("421 4.4.2 too slow")),
            },
            () = self.service.stop.cancelled(), if self.transaction.is_none() => Ok(()),
        }
    }

    fn say(&mut self, words: &str) {
        self.output.extend_from_slice(words.as_bytes());
        self.output.extend_from_slice(b"\r\n");
    }

    fn complain(&mut self, words: &str) -> Result<(), End> {
        self.say(words);
        self.errors += 1;
        if self.errors >= MOST_ERRORS { Err(End::Goodbye("421 4.7.0 too many errors")) } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<(), End> {
        if !self.output.is_empty() {
            let written = timeout(WRITE_TIME, self.stream.write_all(&self.output)).await;
            written.ok().and_then(Result::ok).ok_or(End::Gone)?;
            self.output.clear();
        }
        Ok(())
    }

    async fn command(&mut self, line: &[u8]) -> Result<(), End> {
        match Request::parse(&mut line.iter()) {
            Ok(Request::Lhlo { .. }) => self.hello(),
            Ok(Request::Mail { from }) => return self.sender(&from),
            Ok(Request::Rcpt { to }) => return self.recipient(&to.address).await,
            Ok(Request::Data) => return self.data().await,
            Ok(Request::Rset) => {
                self.transaction = None;
                self.say("250 2.0.0 forgotten");
            }
            Ok(Request::Noop { .. }) => self.say("250 2.0.0 fine"),
            Ok(Request::Vrfy { .. }) => self.say("252 2.1.5 try it"),
            Ok(Request::Help { .. }) => self.say("214 2.0.0 RFC 2033"),
            Ok(Request::Quit) => return Err(End::Goodbye("221 2.0.0 bye")),
            Ok(Request::Ehlo { .. } | Request::Helo { .. }) => {
                return self.complain("500 5.5.1 this is LMTP: say LHLO");
            }
            Ok(_) => return self.complain("502 5.5.1 not offered"),
            Err(error) => return self.complain(words_of(&error)),
        }
        Ok(())
    }

    fn hello(&mut self) {
        self.greeted = true;
        self.transaction = None;
        let domain = self.service.identity.domain();
        let extensions = ["PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME", "SMTPUTF8"].join("\r\n250-");
        let words = format!("250-{domain}\r\n250-{extensions}\r\n250 SIZE {}", self.service.max_size);
        self.say(&words);
    }

    fn sender(&mut self, from: &MailFrom<Cow<'_, str>>) -> Result<(), End> {
        if !self.greeted || self.transaction.is_some() {
            return self.complain(if self.greeted { "503 5.5.1 one mail at a time" } else { "503 5.5.1 LHLO first" });
        }
        if from.size > self.service.max_size {
            self.say("552 5.3.4 too large");
            return Ok(());
        }
        let until = Instant::now() + self.service.times.transaction;
        let (sender, addresses) = (path(&from.address), Vec::new());
        self.transaction = Some(Transaction { sender, addresses, recipients: Vec::new(), until });
        self.say("250 2.1.0 ok");
        Ok(())
    }

    async fn recipient(&mut self, address: &str) -> Result<(), End> {
        let Some(transaction) = &mut self.transaction else { return self.complain("503 5.5.1 MAIL first") };
        if transaction.recipients.len() >= MOST_RECIPIENTS {
            self.say("452 4.5.3 too many recipients");
            return Ok(());
        }
        let known = match self.service.identity.user_of(address) {
            Some(user) => self.service.door.knows(&user).await.map(|known| known.then_some(user)),
            None => Ok(None),
        };
        match known {
            Ok(Some(user)) => {
                transaction.recipients.push(user);
                transaction.addresses.push(path(address));
                self.say("250 2.1.5 ok");
            }
            Ok(None) => self.say("550 5.1.1 nobody here has this address"),
            Err(failure) => {
                warn!(reason = %failure.reason, detail = failure.detail, "LMTP: it is not known who may receive");
                self.say("451 4.3.0 not known now, try again later");
            }
        }
        Ok(())
    }

    async fn data(&mut self) -> Result<(), End> {
        let head = match &self.transaction {
            Some(transaction) if !transaction.recipients.is_empty() => transaction.head(),
            _ => return self.complain("503 5.5.1 no valid recipients"),
        };
        self.say("354 go on, and end with a lone dot");
        let limit = self.service.max_size;
        let mut content = Content::new(head, limit);
        while !content.take(&mut self.input) {
            if content.over() > limit.saturating_mul(2) {
                return Err(End::Goodbye("552 5.3.4 far too large"));
            }
            self.fill().await?;
        }
        let recipients = self.transaction.take().map(|transaction| transaction.recipients).unwrap_or_default();
        // RFC 2033 section 4.2: one answer for each recipient, in their order.
        let answer = if content.over() > 0 { "552 5.3.4 too large" } else { self.judge(&recipients, content).await };
        recipients.iter().for_each(|_| self.say(answer));
        Ok(())
    }

    async fn judge(&self, recipients: &[LocalUser], content: Content) -> &'static str {
        if Headers::is_too_long(&content.bytes) {
            return "552 5.3.4 the header is too large";
        }
        if let Some(why) = loops::find(&self.service.identity, &content.bytes) {
            // The other server tells the sender: for a mail of ours that is a report to us, and so to its writer.
            warn!(why, "LMTP: a mail goes round in circles and was refused");
            return "554 5.4.6 this mail goes round in circles";
        }
        self.accept(recipients, content.bytes.into()).await
    }

    async fn accept(&self, recipients: &[LocalUser], raw: Bytes) -> &'static str {
        let mut users: Vec<&LocalUser> = recipients.iter().collect();
        users.sort();
        users.dedup();
        let arrivals =
            users.into_iter().map(|user| arrival(&self.service.identity, user.clone(), raw.clone())).collect();
        match self.service.door.accept(arrivals, None).await {
            Ok(()) => "250 2.0.0 accepted",
            Err(failure) => {
                warn!(reason = %failure.reason, detail = failure.detail, "LMTP: a mail was not accepted");
                "451 4.3.0 not stored, try again later"
            }
        }
    }
}

impl Transaction {
    /// What the last server writes on top: from whom, and for whom (RFC 5321 section 4.4). A report names its delivery by
    /// that, and comes for one. Several recipients must not read of each other: one of them may have a blind copy.
    fn head(&self) -> Vec<u8> {
        let mut head = format!("Return-Path: <{}>\r\n", self.sender);
        if let [sole] = self.addresses.as_slice() {
            head += &format!("Delivered-To: {sole}\r\n");
        }
        head.into_bytes()
    }
}

/// An address as a header field may have it: a quoted local part could hold anything.
pub fn path(address: &str) -> String {
    address.chars().filter(|c| !c.is_control() && !c.is_whitespace() && !"<>".contains(*c)).collect()
}

fn words_of(error: &Error) -> &'static str {
    match error {
        Error::InvalidSenderAddress => "501 5.1.7 not an address",
        Error::InvalidRecipientAddress => "501 5.1.3 not an address",
        Error::UnsupportedParameter { .. } => "555 5.5.4 a parameter that is not known",
        Error::SyntaxError { .. } | Error::InvalidParameter { .. } => "501 5.5.4 not understood",
        _ => "500 5.5.1 not known",
    }
}
