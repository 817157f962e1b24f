//! One connection to the mail server: opened, signed in, and then one mail after the other.

use super::{
    Account, content,
    reply::{Reply, Stage},
    wire::Wire,
};
use crate::{
    connectors::email::{compose::Mail, tls::Tls},
    failure::{Failure, Reason},
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use smtp_proto::{AUTH_LOGIN, AUTH_PLAIN, EXT_PIPELINING, EXT_SIZE, EXT_START_TLS, EhloResponse};
use std::io::{self, Write};

/// Buffers that one huge mail has blown up are given back.
const KEPT_BUFFER: usize = 256 << 10;

pub struct Session {
    wire: Wire,
    server: String,
    hello: EhloResponse<String>,
    /// A transaction was begun and not ended: RSET comes before the next.
    open: bool,
    buffer: Vec<u8>,
}

/// Why a mail was not handed over.
pub enum Trouble {
    /// The server said so; the connection is as good as before.
    Answered(Failure),
    /// Nobody knows what the connection is good for. `untouched`: the server has not answered anything of this mail.
    Broken { failure: Failure, untouched: bool },
}

impl Session {
    /// Connects, encrypts and signs in, as the account asks for.
    pub async fn open(account: &Account) -> Result<Self, Failure> {
        let server = &account.server;
        let tcp = server.connect().await?;
        let wire =
            if server.tls == Tls::Implicit { Wire::secured(server.secure(tcp).await?) } else { Wire::plain(tcp) };
        let mut opening = Opening { wire, account };
        opening.expect(Stage::Greeting, 220).await?;
        let mut hello = opening.hello().await?;
        if server.tls == Tls::Starttls {
            opening = opening.start_tls(&hello).await?;
            hello = opening.hello().await?;
        }
        opening.sign_in(&hello).await?;
        Ok(Self { wire: opening.wire, server: server.to_string(), hello, open: false, buffer: Vec::new() })
    }

    /// For `fehmarn check`.
    pub fn describe(&self) -> String {
        let mut words = vec![format!("connected to {}", self.hello.hostname)];
        words.push(if self.wire.is_secured() { "encrypted".into() } else { "not encrypted".into() });
        if let Some(limit) = self.size_limit() {
            words.push(format!("takes mails up to {limit} bytes"));
        }
        words.join(", ")
    }

    /// Whether the connection may be used again after having been idle.
    pub fn is_quiet(&mut self) -> bool {
        self.wire.is_quiet()
    }

    /// Says goodbye and does not wait for the answer.
    pub async fn quit(mut self) {
        let _ = self.wire.write(b"QUIT\r\n").await;
    }

    /// Hands over one mail. `Ok` only after the server has answered 250 to its content.
    pub async fn deliver(&mut self, mail: &Mail) -> Result<(), Trouble> {
        self.refuse_too_large(mail)?;
        check_address(&mail.envelope_from, Reason::Internal)?;
        check_address(&mail.to, Reason::UnknownRecipient)?;
        self.announce(mail).await?;
        self.buffer.clear();
        self.buffer.reserve(mail.bytes.len() + mail.bytes.len() / 64 + 16);
        content::append(&mail.bytes, &mut self.buffer);
        self.write_buffer(false).await?;
        let reply = self.read(Stage::Content, false).await?;
        self.open = false;
        if reply.is_positive() { Ok(()) } else { Err(self.refused(Stage::Content, &reply)) }
    }

    /// Everything up to the go-ahead for the content; in one write where the server allows it (RFC 2920).
    async fn announce(&mut self, mail: &Mail) -> Result<(), Trouble> {
        let stages = [Stage::Reset, Stage::Sender, Stage::Recipient, Stage::Data];
        let stages = if self.open { &stages[..] } else { &stages[1..] };
        self.open = true;
        if self.hello.has_capability(EXT_PIPELINING) {
            self.buffer.clear();
            stages.iter().for_each(|stage| self.put_command(*stage, mail));
            self.write_buffer(true).await?;
            return self.read_announced(stages).await;
        }
        for stage in stages {
            self.buffer.clear();
            self.put_command(*stage, mail);
            let untouched = Some(stage) == stages.first();
            self.write_buffer(untouched).await?;
            let reply = self.read(*stage, untouched).await?;
            if !is_hoped_for(*stage, &reply) {
                return Err(self.refused(*stage, &reply));
            }
        }
        Ok(())
    }

    /// Reads the answer to each command of the group. The first refusal is the reason; the later ones follow from it.
    async fn read_announced(&mut self, stages: &[Stage]) -> Result<(), Trouble> {
        let mut refused: Option<Trouble> = None;
        for stage in stages {
            let reply = match (self.read(*stage, Some(stage) == stages.first()).await, refused.take()) {
                (Ok(reply), None) => reply,
                (Err(trouble), None) => return Err(trouble),
                (Ok(reply), Some(trouble)) if !(*stage == Stage::Data && is_hoped_for(*stage, &reply)) => {
                    refused = Some(trouble);
                    continue;
                }
                // The connection is lost, or the server waits for a content that must not come. RFC 2920 section 3.1
                // would end it with a lone dot; but a server that says "go on" after a refusal may take that for a mail.
                (_, Some(trouble)) => return Err(trouble.broken()),
            };
            if !is_hoped_for(*stage, &reply) {
                let trouble = self.refused(*stage, &reply);
                if matches!(trouble, Trouble::Broken { .. }) {
                    return Err(trouble);
                }
                refused = Some(trouble);
            }
        }
        refused.map_or(Ok(()), Err)
    }

    fn put_command(&mut self, stage: Stage, mail: &Mail) {
        let out = &mut self.buffer;
        // Writing into a Vec cannot fail.
        let _ = match stage {
            Stage::Reset => out.write_all(b"RSET\r\n"),
            Stage::Sender if self.hello.has_capability(EXT_SIZE) => {
                write!(out, "MAIL FROM:<{}> SIZE={}\r\n", mail.envelope_from, mail.bytes.len())
            }
            Stage::Sender => write!(out, "MAIL FROM:<{}>\r\n", mail.envelope_from),
            Stage::Recipient => write!(out, "RCPT TO:<{}>\r\n", mail.to),
            _ => out.write_all(b"DATA\r\n"),
        };
    }

    async fn write_buffer(&mut self, untouched: bool) -> Result<(), Trouble> {
        let result = self.wire.write(&self.buffer).await;
        if self.buffer.capacity() > KEPT_BUFFER {
            self.buffer = Vec::new();
        }
        result.map_err(|e| self.lost("connection lost", e, untouched))
    }

    async fn read(&mut self, stage: Stage, untouched: bool) -> Result<Reply, Trouble> {
        let reply = self.wire.reply().await.map_err(|e| self.lost("no answer", e, untouched))?;
        if reply.is_goodbye() {
            return Err(Trouble::Broken { failure: reply.refusal(stage), untouched });
        }
        Ok(reply)
    }

    fn lost(&self, what: &str, error: io::Error, untouched: bool) -> Trouble {
        let detail = format!("{}: {what}: {error}", self.server);
        Trouble::Broken { failure: Failure::transient(Reason::Unreachable, detail), untouched }
    }

    fn refused(&self, stage: Stage, reply: &Reply) -> Trouble {
        let failure = reply.refusal(stage);
        if stage != Stage::Reset && (400..600).contains(&reply.code) {
            return Trouble::Answered(failure);
        }
        Trouble::Broken { failure, untouched: stage == Stage::Reset }
    }

    fn size_limit(&self) -> Option<usize> {
        // RFC 1870 section 4: 0 is "no fixed limit".
        Some(self.hello.size).filter(|limit| self.hello.has_capability(EXT_SIZE) && *limit > 0)
    }

    fn refuse_too_large(&self, mail: &Mail) -> Result<(), Trouble> {
        let size = mail.bytes.len();
        match self.size_limit() {
            Some(limit) if size > limit => {
                let detail = format!("{} takes at most {limit} bytes, the mail has {size}", self.server);
                Err(Trouble::Answered(Failure::permanent(Reason::TooLarge, detail)))
            }
            _ => Ok(()),
        }
    }
}

impl Trouble {
    fn broken(self) -> Self {
        match self {
            Self::Answered(failure) | Self::Broken { failure, .. } => Self::Broken { failure, untouched: false },
        }
    }
}

fn is_hoped_for(stage: Stage, reply: &Reply) -> bool {
    if stage == Stage::Data { reply.code == 354 } else { reply.is_positive() }
}

/// Only what can stand between angle brackets without being read as something else.
fn check_address(address: &str, reason: Reason) -> Result<(), Trouble> {
    if address.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>')) {
        return Ok(());
    }
    Err(Trouble::Answered(Failure::permanent(reason, "an address that SMTP cannot carry")))
}

/// A connection that is not yet ready for mail.
struct Opening<'a> {
    wire: Wire,
    account: &'a Account,
}

impl Opening<'_> {
    async fn expect(&mut self, stage: Stage, code: u16) -> Result<Reply, Failure> {
        let reply = self.wire.reply().await.map_err(|e| self.lost(e))?;
        if reply.code == code { Ok(reply) } else { Err(self.named(reply.refusal(stage))) }
    }

    async fn ask(&mut self, stage: Stage, command: &str, code: u16) -> Result<Reply, Failure> {
        self.wire.write(command.as_bytes()).await.map_err(|e| self.lost(e))?;
        self.expect(stage, code).await
    }

    fn lost(&self, error: io::Error) -> Failure {
        self.account.server.unreachable("connection lost", error)
    }

    fn named(&self, mut failure: Failure) -> Failure {
        failure.detail = format!("{}: {}", self.account.server, failure.detail);
        failure
    }

    async fn hello(&mut self) -> Result<EhloResponse<String>, Failure> {
        let command = format!("EHLO {}\r\n", self.account.hello);
        let reply = self.ask(Stage::Hello, &command, 250).await?;
        EhloResponse::parse(&mut reply.raw.iter()).map_err(|e| self.account.server.unreachable("answer to EHLO", e))
    }

    async fn start_tls(mut self, hello: &EhloResponse<String>) -> Result<Self, Failure> {
        if !hello.has_capability(EXT_START_TLS) {
            return Err(self.denied("does not offer STARTTLS; check port and tls"));
        }
        self.ask(Stage::StartTls, "STARTTLS\r\n", 220).await?;
        let server = &self.account.server;
        let tcp = self.wire.into_plain().map_err(|e| server.unreachable("no TLS", e))?;
        Ok(Self { wire: Wire::secured(server.secure(tcp).await?), account: self.account })
    }

    async fn sign_in(&mut self, hello: &EhloResponse<String>) -> Result<(), Failure> {
        let Some((user, password)) = &self.account.login else { return Ok(()) };
        if !self.wire.is_secured() && !self.wire.is_local() {
            return Err(self.denied("the password is not sent without TLS; set tls"));
        }
        if hello.auth() & AUTH_PLAIN != 0 {
            let token = BASE64.encode(format!("\0{user}\0{}", password.expose()));
            self.ask(Stage::SignIn, &format!("AUTH PLAIN {token}\r\n"), 235).await?;
        } else if hello.auth() & AUTH_LOGIN != 0 {
            self.ask(Stage::SignIn, "AUTH LOGIN\r\n", 334).await?;
            self.ask(Stage::SignIn, &format!("{}\r\n", BASE64.encode(user)), 334).await?;
            self.ask(Stage::SignIn, &format!("{}\r\n", BASE64.encode(password.expose())), 235).await?;
        } else {
            return Err(self.denied("offers neither AUTH PLAIN nor AUTH LOGIN; check username, port and tls"));
        }
        Ok(())
    }

    fn denied(&self, what: &str) -> Failure {
        Failure::transient(Reason::AccessDenied, format!("{}: {what}", self.account.server))
    }
}
