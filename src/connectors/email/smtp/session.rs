//! One connection to the mail server: opened, signed in, and then one mail after the other.

use super::{
    Account,
    content::Content,
    envelope::{Envelope, Peer, Reports},
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
use smtp_proto::{EXT_DSN, EXT_PIPELINING};
use std::fmt;

pub struct Session {
    connection: AsyncSmtpConnection,
    /// The other handle to what `connection` reads and writes.
    wire: Wire,
    peer: Peer,
    reports: Reports,
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
        let peer = Peer { name: account.server.to_string(), hello, verified: wire.is_verified() };
        Ok(Self { connection, wire, peer, reports: account.reports, open: false })
    }

    /// For `fehmarn check`.
    pub fn describe(&self) -> String {
        let mut words = vec![format!("connected to {}", self.peer.hello.hostname)];
        words.push(match (self.wire.is_secured(), self.wire.is_verified()) {
            (true, true) => "encrypted".into(),
            (true, false) => "encrypted, but its certificate proves nothing".into(),
            (false, _) => "not encrypted".into(),
        });
        if let Some(limit) = self.peer.size_limit() {
            words.push(format!("takes mails up to {limit} bytes"));
        }
        if !self.peer.hello.has_capability(EXT_DSN) {
            words.push("sends no reports of mails that have arrived".into());
        }
        words.join(", ")
    }

    /// See [`Peer::size_limit`].
    pub fn size_limit(&self) -> Option<usize> {
        self.peer.size_limit()
    }

    /// See [`Peer::can_require_tls`].
    pub fn can_require_tls(&self) -> Result<(), &'static str> {
        self.peer.can_require_tls()
    }

    /// Whether the connection may be used again after having been idle.
    pub fn is_quiet(&self) -> bool {
        self.wire.is_quiet()
    }

    /// Says goodbye and does not wait for the answer.
    pub async fn quit(mut self) {
        let _ = self.connection.command(Quit).await;
    }

    /// Whether the server has promised a report of each mail, whatever becomes of it (RFC 3461 section 5.2).
    pub fn reports(&self) -> bool {
        self.reports == Reports::All && self.peer.hello.has_capability(EXT_DSN)
    }

    /// Hands over one mail. `Ok` only after the server has answered 250 to its content.
    pub async fn deliver(&mut self, mail: &Mail, require_tls: bool) -> Result<(), Trouble> {
        let content = std::str::from_utf8(&mail.bytes).ok().filter(|text| mail.needs_utf8 || text.is_ascii());
        let content = content.ok_or_else(|| {
            Trouble::Answered(Failure::permanent(Reason::Internal, "a mail with bytes that it may not have"))
        })?;
        self.announce(mail, require_tls).await?;
        let result = self.connection.command(Content(content)).await;
        let reply = self.understand(Stage::Content, result, false)?;
        self.open = false;
        if reply.is_positive() { Ok(()) } else { Err(self.refused(Stage::Content, &reply)) }
    }

    /// Everything up to the go-ahead for the content; in one write where the server allows it (RFC 2920).
    async fn announce(&mut self, mail: &Mail, require_tls: bool) -> Result<(), Trouble> {
        let envelope = Envelope::new(mail, &self.peer, self.reports, require_tls).map_err(Trouble::Answered)?;
        let stages = [Stage::Reset, Stage::Sender, Stage::Recipient, Stage::Data];
        let [_, unopened @ ..] = &stages;
        let stages: &[Stage] = if self.open { &stages } else { unopened };
        self.open = true;
        let at_once = if self.peer.hello.has_capability(EXT_PIPELINING) { stages.len() } else { 1 };
        let mut untouched = true;
        for stages in stages.chunks(at_once) {
            self.announce_together(&Commands { stages, envelope: &envelope }, untouched).await?;
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
        let detail = format!("{}: no answer: {}", self.peer.name, cause(error));
        Trouble::Broken { failure: Failure::transient(Reason::Unreachable, detail), untouched }
    }

    fn refused(&self, stage: Stage, reply: &Reply) -> Trouble {
        let failure = reply.refusal(stage);
        if stage != Stage::Reset && (400..600).contains(&reply.code) {
            return Trouble::Answered(failure);
        }
        Trouble::Broken { failure, untouched: stage == Stage::Reset }
    }
}

/// The commands of a mail up to its content, as they are sent together.
struct Commands<'a> {
    stages: &'a [Stage],
    envelope: &'a Envelope,
}

impl fmt::Display for Commands<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stages.iter().try_for_each(|stage| match stage {
            Stage::Reset => Rset.fmt(f),
            Stage::Sender => f.write_str(&self.envelope.sender),
            Stage::Recipient => f.write_str(&self.envelope.recipient),
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
