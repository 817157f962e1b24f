//! A mailbox and the bridge: signing in, how a connection ends, and what becomes of a mail.

use super::{
    Account,
    position::Position,
    reader::Reader,
    stream::{Allowance, Stream},
};
use crate::{
    connector::Cursor,
    connectors::email::{
        address::Identity,
        arrival::{arrival, recipients},
        door::Door,
        loops,
    },
    failure::{Failure, Reason},
    message::RawArrival,
};
use bytes::Bytes;
use imap::{Error, Session};
use std::{net::TcpStream, sync::Arc};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

/// So often may a mail break the connection before it is passed over.
const MOST_TRIES: u32 = 10;

/// What a connection needs.
pub struct Mailbox {
    pub account: Arc<Account>,
    pub identity: Arc<Identity>,
    pub door: Arc<dyn Door>,
    pub stop: CancellationToken,
    pub runtime: Handle,
    pub suspect: Option<Suspect>,
}

/// How a connection ended.
#[derive(Debug)]
pub struct Ended {
    pub failure: Failure,
    /// All there was had been read before.
    pub was_good: bool,
    /// The first of the mails that were just being fetched.
    pub fetching: Option<u32>,
}

/// A mail whose fetching ended a connection. Mails are then fetched one by one, until it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suspect {
    uid: u32,
    tries: u32,
}

impl Suspect {
    /// Whom to suspect after a connection has ended like this.
    pub fn after(before: Option<Self>, ended: &Ended) -> Option<Self> {
        match (ended.fetching, before) {
            (Some(uid), Some(suspect)) if suspect.uid == uid => Some(Self { uid, tries: suspect.tries + 1 }),
            (Some(uid), _) => Some(Self { uid, tries: 1 }),
            (None, _) if ended.was_good => None,
            (None, before) => before,
        }
    }
}

impl Ended {
    pub fn stopped() -> Self {
        Failure::transient(Reason::Internal, "told to stop").into()
    }
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self { failure, was_good: false, fetching: None }
    }
}

/// For `fehmarn check`: signs in, looks, and leaves.
pub fn look(account: &Account, tcp: TcpStream) -> Result<String, Failure> {
    let mut session = sign_in(account, tcp, Allowance::small())?;
    let idle = session.capabilities().map_err(|e| failed(account, "CAPABILITY", e))?.has_str("IDLE");
    let state = session.examine(&account.mailbox).map_err(|e| failed(account, "EXAMINE", e))?;
    let _ = session.logout();
    let news = if idle { "tells of new mail" } else { "is asked for new mail" };
    Ok(format!("signed in, {} mails in {}, {news}", state.exists, account.mailbox))
}

/// A session in which nothing is selected yet.
pub fn sign_in(account: &Account, tcp: TcpStream, allowance: Allowance) -> Result<Session<Stream>, Failure> {
    let client = Stream::open(tcp, &account.server, allowance)?;
    client.login(&account.username, account.password.expose()).map_err(|(e, _)| failed(account, "LOGIN", e))
}

/// What an error of the crate means. Its own texts may hold pieces of mails.
pub fn failed(account: &Account, command: &str, error: Error) -> Failure {
    let opening = matches!(command, "LOGIN" | "EXAMINE");
    let what = match command {
        "EXAMINE" => format!("{}: mailbox {}", account.server, account.mailbox),
        _ => format!("{}: {command}", account.server),
    };
    let (reason, words) = match error {
        Error::Io(e) => (Reason::Unreachable, e.to_string()),
        Error::No(no) => (if opening { Reason::AccessDenied } else { Reason::Busy }, no.information),
        Error::Bad(bad) => (if opening { Reason::AccessDenied } else { Reason::Busy }, bad.information),
        Error::Bye(bye) => (Reason::Busy, bye.information),
        Error::Validate(e) => (Reason::AccessDenied, e.to_string()),
        Error::ConnectionLost => (Reason::Unreachable, "connection lost".into()),
        _ => (Reason::Unreachable, "an answer that is not understood".into()),
    };
    let words: String = words.chars().filter(|c| !c.is_control()).take(300).collect();
    Failure::transient(reason, format!("{what}: {words}"))
}

impl Mailbox {
    /// Reads until the connection ends, for whatever reason.
    pub fn read(self, tcp: TcpStream) -> Ended {
        match Reader::new(self, tcp) {
            Ok(reader) => reader.read(),
            Err(failure) => failure.into(),
        }
    }

    /// Whether this mail has broken the connection too often.
    pub fn gives_up_on(&self, uid: u32) -> bool {
        self.suspect.is_some_and(|suspect| suspect.uid == uid && suspect.tries >= MOST_TRIES)
    }

    /// What this mail is to the bridge: one arrival for each of ours that it names.
    pub fn arrivals(&self, raw: &Bytes) -> Result<Vec<RawArrival>, Failure> {
        let mut arrivals = Vec::new();
        if let Some(why) = loops::find(&self.identity, raw) {
            // Nobody can be refused here. It stays in the mailbox, where a person can look at it.
            let (server, mailbox) = (&self.account.server, &self.account.mailbox);
            warn!(%server, mailbox, why, "IMAP: a mail goes round in circles and is left in the mailbox");
            return Ok(arrivals);
        }
        for user in recipients(&self.identity, raw) {
            if self.runtime.block_on(self.door.knows(&user))? {
                arrivals.push(arrival(&self.identity, user, raw.clone()));
            }
        }
        Ok(arrivals)
    }

    pub fn accept(&self, arrivals: Vec<RawArrival>, position: Option<Position>) -> Result<(), Failure> {
        let cursor = position.map(|position| Cursor { name: self.cursor_name(), value: position.to_string() });
        self.runtime.block_on(self.door.accept(arrivals, cursor))
    }

    /// How far the mailbox was read; `None` before the first time.
    pub fn position(&self) -> Result<Option<Position>, Failure> {
        let Some(text) = self.runtime.block_on(self.door.cursor(&self.cursor_name()))? else { return Ok(None) };
        let position = Position::parse(&text);
        if position.is_none() {
            error!(text, "IMAP: the cursor is damaged; reading begins at now");
        }
        Ok(position)
    }

    fn cursor_name(&self) -> String {
        let account = &self.account;
        format!("imap/{}@{}/{}", account.username, account.server.host, account.mailbox)
    }
}
