//! One connection to the mail server: opened, signed in, and then one mail after the other.

use super::{
    Account,
    content::Content,
    opening::Opening,
    reply::{Reply, Stage, cause},
    wire::Wire,
};
use crate::{
    connectors::email::compose::Mail,
    failure::{Failure, Reason},
};
use lettre::transport::smtp::{
    Error,
    client::AsyncSmtpConnection,
    commands::{Data, Quit, Rset},
    response::Response,
};
use smtp_proto::{EXT_PIPELINING, EXT_SIZE, EhloResponse};
use std::fmt;

pub struct Session {
    connection: AsyncSmtpConnection,
    /// The other handle to what `connection` reads and writes.
    wire: Wire,
    server: String,
    hello: EhloResponse<String>,
    /// A transaction was begun and not ended: RSET comes before the next.
    open: bool,
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
        let mut opening = Opening::begin(account).await?;
        opening.sign_in().await?;
        let Opening { connection, wire, hello, .. } = opening;
        Ok(Self { connection, wire, server: account.server.to_string(), hello, open: false })
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
    pub fn is_quiet(&self) -> bool {
        self.wire.is_quiet()
    }

    /// Says goodbye and does not wait for the answer.
    pub async fn quit(mut self) {
        let _ = self.connection.command(Quit).await;
    }

    /// Hands over one mail. `Ok` only after the server has answered 250 to its content.
    pub async fn deliver(&mut self, mail: &Mail) -> Result<(), Trouble> {
        self.refuse_too_large(mail)?;
        check_address(&mail.envelope_from, Reason::Internal)?;
        check_address(&mail.to, Reason::UnknownRecipient)?;
        let content = std::str::from_utf8(&mail.bytes).map_err(|e| {
            Trouble::Answered(Failure::permanent(Reason::Internal, format!("a mail that is not 7-bit ASCII: {e}")))
        })?;
        self.announce(mail).await?;
        let result = self.connection.command(Content(content)).await;
        let reply = self.understand(Stage::Content, result, false)?;
        self.open = false;
        if reply.is_positive() { Ok(()) } else { Err(self.refused(Stage::Content, &reply)) }
    }

    /// Everything up to the go-ahead for the content; in one write where the server allows it (RFC 2920).
    async fn announce(&mut self, mail: &Mail) -> Result<(), Trouble> {
        let stages = [Stage::Reset, Stage::Sender, Stage::Recipient, Stage::Data];
        let [_, unopened @ ..] = &stages;
        let stages: &[Stage] = if self.open { &stages } else { unopened };
        self.open = true;
        let at_once = if self.hello.has_capability(EXT_PIPELINING) { stages.len() } else { 1 };
        let size = self.hello.has_capability(EXT_SIZE).then_some(mail.bytes.len());
        let mut untouched = true;
        for stages in stages.chunks(at_once) {
            self.announce_together(&Commands { stages, mail, size }, untouched).await?;
            untouched = false;
        }
        Ok(())
    }

    /// Reads the answer to each command of the group. The first refusal is the reason; the later ones follow from it.
    async fn announce_together(&mut self, commands: &Commands<'_>, mut untouched: bool) -> Result<(), Trouble> {
        let mut refused: Option<Trouble> = None;
        let mut first = Some(self.connection.command(commands).await);
        for &stage in commands.stages {
            let result = match first.take() {
                Some(result) => result,
                None => self.connection.read_response().await,
            };
            let answer = self.understand(stage, result, untouched);
            untouched = false;
            let reply = match (answer, refused.take()) {
                (Ok(reply), None) => reply,
                (Err(trouble), None) => return Err(trouble),
                (Ok(reply), Some(trouble)) if !(stage == Stage::Data && is_hoped_for(stage, &reply)) => {
                    refused = Some(trouble);
                    continue;
                }
                // The connection is lost, or the server waits for a content that must not come. RFC 2920 section 3.1
                // would end it with a lone dot; but a server that says "go on" after a refusal may take that for a mail.
                (_, Some(trouble)) => return Err(trouble.broken()),
            };
            if !is_hoped_for(stage, &reply) {
                let trouble = self.refused(stage, &reply);
                if matches!(trouble, Trouble::Broken { .. }) {
                    return Err(trouble);
                }
                refused = Some(trouble);
            }
        }
        refused.map_or(Ok(()), Err)
    }

    fn understand(&self, stage: Stage, result: Result<Response, Error>, untouched: bool) -> Result<Reply, Trouble> {
        let reply = Reply::of(result).map_err(|e| self.lost(&e, untouched))?;
        if reply.is_goodbye() {
            return Err(Trouble::Broken { failure: reply.refusal(stage), untouched });
        }
        Ok(reply)
    }

    fn lost(&self, error: &Error, untouched: bool) -> Trouble {
        let detail = format!("{}: no answer: {}", self.server, cause(error));
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

/// The commands of a mail up to its content, as they are sent together.
struct Commands<'a> {
    stages: &'a [Stage],
    mail: &'a Mail,
    /// Told to servers that ask for it (RFC 1870).
    size: Option<usize>,
}

impl fmt::Display for Commands<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stages.iter().try_for_each(|stage| match (stage, self.size) {
            (Stage::Reset, _) => Rset.fmt(f),
            (Stage::Sender, Some(size)) => write!(f, "MAIL FROM:<{}> SIZE={size}\r\n", self.mail.envelope_from),
            (Stage::Sender, None) => write!(f, "MAIL FROM:<{}>\r\n", self.mail.envelope_from),
            (Stage::Recipient, _) => write!(f, "RCPT TO:<{}>\r\n", self.mail.to),
            _ => Data.fmt(f),
        })
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
