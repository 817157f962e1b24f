//! One connection to a mailbox, in a thread of its own: what is new is read, then waited for.

use super::{
    Account,
    mailbox::{Ended, Mailbox, failed, sign_in},
    position::{Position, day},
    stream::{Allowance, SOCKET_TIME, Stream},
};
use crate::{
    connectors::email::{left, mime::headers::HEADER},
    failure::{Failure, Reason},
};
use bytes::Bytes;
use imap::{Session, types::UnsolicitedResponse};
use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::TcpStream,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::time::timeout;
use tracing::{error, info, warn};

/// UIDs of which the size is asked at once.
const GROUP: usize = 50;
/// Mails fetched at once have this many bytes together, or there is only one.
const BATCH_BYTES: u64 = 8 << 20;
/// The crate passes over everything that comes between IDLE and its `+`, and then waits for what has come already.
const IDLE_START_TIME: Duration = Duration::from_secs(10);
/// Between the mail server's clock and ours, in seconds.
const CLOCK_SLACK: i64 = 3600;
const DAY: i64 = 86_400;

pub struct Reader {
    mailbox: Mailbox,
    /// The socket below `session`, for its timeouts.
    socket: TcpStream,
    allowance: Allowance,
    session: Session<Stream>,
    position: Position,
    /// Set while a mailbox made anew is read again: mail that came before this, in seconds since 1970, is history.
    history: Option<i64>,
    was_good: bool,
    fetching: Option<u32>,
}

impl Reader {
    pub fn new(mailbox: Mailbox, tcp: TcpStream) -> Result<Self, Failure> {
        let allowance = Allowance::small();
        let socket = tcp.try_clone().map_err(|e| mailbox.account.server.unreachable("no connection", e))?;
        let session = sign_in(&mailbox.account, tcp, allowance.clone())?;
        let position = Position { validity: 0, last: 0, seen: now() };
        Ok(Self { mailbox, socket, allowance, session, position, history: None, was_good: false, fetching: None })
    }

    pub fn read(mut self) -> Ended {
        let Err(failure) = self.run();
        Ended { failure, was_good: self.was_good, fetching: self.fetching }
    }

    fn run(&mut self) -> Result<Infallible, Failure> {
        let idle = self.talk("CAPABILITY", Session::capabilities)?.has_str("IDLE");
        self.begin()?;
        let account = &self.mailbox.account;
        info!(server = %account.server, mailbox = account.mailbox, idle, "IMAP is ready");
        self.mailbox.account.connection.works();
        loop {
            self.catch_up()?;
            self.was_good = true;
            self.wait(idle)?;
            self.may_go_on()?;
            self.talk("NOOP", Session::noop)?;
            drop(self.session.take_all_unsolicited());
        }
    }

    fn talk<T>(
        &mut self,
        command: &str,
        say: impl FnOnce(&mut Session<Stream>) -> imap::Result<T>,
    ) -> Result<T, Failure> {
        say(&mut self.session).map_err(|e| failed(&self.mailbox.account, command, e))
    }

    fn may_go_on(&self) -> Result<(), Failure> {
        if self.mailbox.stop.is_cancelled() {
            return Err(Failure::transient(Reason::Internal, "told to stop"));
        }
        Ok(())
    }

    /// Opens the mailbox read-only, and finds out where to begin: a mailbox that was never read begins at now.
    fn begin(&mut self) -> Result<(), Failure> {
        let name = self.mailbox.account.mailbox.clone();
        let state = self.talk("EXAMINE", |session| session.examine(name))?;
        let no_uids = || Failure::transient(Reason::Unreadable, "the mailbox has no UIDVALIDITY");
        let validity = state.uid_validity.ok_or_else(no_uids)?;
        let last = match state.uid_next {
            Some(next) => next.saturating_sub(1),
            None => self.search("UID *")?.pop().unwrap_or(0),
        };
        let fresh = Position { validity, last, seen: now() };
        match self.mailbox.position()? {
            Some(before) if before.validity == validity => self.position = before,
            Some(before) => self.read_again(fresh, before.seen)?,
            None => self.settle(fresh)?,
        }
        Ok(())
    }

    /// A mailbox with a new UIDVALIDITY: no UID is what it was. What came since the last reading may be unread, so it
    /// is read (once more: what was accepted before is not accepted twice); what is older is history.
    ///
    /// The cursor moves only when all of it is read, so that an interruption begins from the start.
    fn read_again(&mut self, fresh: Position, seen: i64) -> Result<(), Failure> {
        warn!(server = %self.mailbox.account.server, "IMAP: the mailbox was made anew; what came lately is read again");
        let since = seen.saturating_sub(CLOCK_SLACK);
        self.history = Some(since);
        // SINCE knows days only, in the time zone of the mail server.
        let uids = self.search(&format!("SINCE {}", day(since.saturating_sub(DAY))))?;
        self.read_groups(&uids)?;
        self.history = None;
        self.settle(fresh)
    }

    fn catch_up(&mut self) -> Result<(), Failure> {
        let last = self.position.last;
        let mut uids = self.search(&format!("UID {}:*", last.saturating_add(1)))?;
        // "n:*" is the same as "*:n": the last mail is always in it (RFC 3501 section 6.4.8).
        uids.retain(|uid| *uid > last);
        self.read_groups(&uids)
    }

    /// UIDs in ascending order.
    fn search(&mut self, query: &str) -> Result<Vec<u32>, Failure> {
        let mut uids: Vec<u32> = self.talk("UID SEARCH", |session| session.uid_search(query))?.into_iter().collect();
        uids.sort_unstable();
        Ok(uids)
    }

    fn read_groups(&mut self, uids: &[u32]) -> Result<(), Failure> {
        uids.chunks(GROUP).try_for_each(|group| self.read_group(group))
    }

    fn read_group(&mut self, uids: &[u32]) -> Result<(), Failure> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for (uid, size) in self.wanted(uids)? {
            let is_large = self.is_too_large(size);
            let full = bytes + size > BATCH_BYTES || self.mailbox.suspect.is_some() || is_large;
            if full && !batch.is_empty() {
                self.read_batch(&batch, bytes)?;
                batch.clear();
                bytes = 0;
            }
            if is_large {
                self.read_header(uid, size)?;
                continue;
            }
            batch.push(uid);
            bytes += size;
        }
        if !batch.is_empty() {
            self.read_batch(&batch, bytes)?;
        }
        match uids.last() {
            Some(last) if *last > self.position.last => self.advance(Vec::new(), *last),
            _ => Ok(()),
        }
    }

    /// UIDs and sizes of those that are to be fetched, in ascending order.
    fn wanted(&mut self, uids: &[u32]) -> Result<BTreeMap<u32, u64>, Failure> {
        let found = self.talk("UID FETCH", |session| session.uid_fetch(set(uids), "(UID RFC822.SIZE INTERNALDATE)"))?;
        let mut wanted = BTreeMap::new();
        for mail in found.iter() {
            let (Some(uid), Some(size)) = (mail.uid.filter(|uid| uids.contains(uid)), mail.size) else { continue };
            let came = mail.internal_date().map(|date| date.timestamp());
            let is_history = self.history.zip(came).is_some_and(|(history, came)| came < history);
            if !is_history && self.can_be_read(uid) {
                wanted.insert(uid, size.into());
            }
        }
        Ok(wanted)
    }

    fn is_too_large(&self, size: u64) -> bool {
        size > self.mailbox.account.max_size
    }

    /// What cannot be read is left in the mailbox, for a person to look at.
    fn can_be_read(&self, uid: u32) -> bool {
        let account = &self.mailbox.account;
        let (server, mailbox) = (&account.server, &account.mailbox);
        if self.mailbox.gives_up_on(uid) {
            error!(%server, mailbox, uid, "IMAP: a mail could not be fetched in many tries and stays in the mailbox");
            return false;
        }
        true
    }

    /// Fetches mails and commits them together with the way to the last of them.
    fn read_batch(&mut self, uids: &[u32], bytes: u64) -> Result<(), Failure> {
        self.may_go_on()?;
        self.fetching = uids.first().copied();
        self.allowance.set(bytes);
        let found = self.talk("UID FETCH", |session| session.uid_fetch(set(uids), "(UID BODY.PEEK[])"));
        self.allowance.set(0);
        let found = found?;
        self.fetching = None;
        let mut mails = BTreeMap::new();
        for mail in found.iter() {
            if let (Some(uid), Some(body)) = (mail.uid.filter(|uid| uids.contains(uid)), mail.body()) {
                mails.insert(uid, Bytes::copy_from_slice(body));
            }
        }
        drop(found);
        let mut arrivals = Vec::new();
        for (uid, raw) in &mails {
            let size = raw.len() as u64;
            // The server has named another size.
            let cut = self.is_too_large(size).then(|| self.left_behind(*uid, raw, size));
            arrivals.extend(self.mailbox.arrivals(cut.as_ref().unwrap_or(raw))?);
        }
        self.advance(arrivals, uids.last().copied().unwrap_or(0))
    }

    /// Of a mail that is too large people are told who has written and what about.
    fn read_header(&mut self, uid: u32, size: u64) -> Result<(), Failure> {
        self.may_go_on()?;
        self.fetching = Some(uid);
        self.allowance.set(HEADER as u64);
        let query = format!("(UID BODY.PEEK[HEADER]<0.{HEADER}>)");
        let found = self.talk("UID FETCH", |session| session.uid_fetch(set(&[uid]), query));
        self.allowance.set(0);
        let found = found?;
        self.fetching = None;
        let header = found.iter().filter(|mail| mail.uid == Some(uid)).find_map(|mail| mail.header());
        let raw = header.map(|header| self.left_behind(uid, header, size));
        drop(found);
        let arrivals = match raw {
            Some(raw) => self.mailbox.arrivals(&raw)?,
            None => Vec::new(),
        };
        self.advance(arrivals, uid)
    }

    fn left_behind(&self, uid: u32, beginning: &[u8], size: u64) -> Bytes {
        let Account { server, mailbox, max_size: limit, .. } = &*self.mailbox.account;
        warn!(%server, mailbox, uid, size, limit, "IMAP: a mail is too large and stays in the mailbox");
        left::mark(beginning, size)
    }

    fn advance(&mut self, arrivals: Vec<crate::message::RawArrival>, last: u32) -> Result<(), Failure> {
        if self.history.is_some() {
            return self.mailbox.accept(arrivals, None);
        }
        self.position = Position { last: last.max(self.position.last), seen: now(), ..self.position };
        self.mailbox.accept(arrivals, Some(self.position))
    }

    fn settle(&mut self, position: Position) -> Result<(), Failure> {
        self.position = position;
        self.mailbox.accept(Vec::new(), Some(position))
    }

    /// Until there is news, or the time to look has come.
    fn wait(&mut self, idle: bool) -> Result<(), Failure> {
        let poll = self.mailbox.account.poll;
        if !idle {
            let stop = &self.mailbox.stop;
            let _ = self.mailbox.runtime.block_on(async { timeout(poll, stop.cancelled()).await });
            return Ok(());
        }
        self.patience(IDLE_START_TIME)?;
        let result = self.talk("IDLE", |session| {
            let mut idle = session.idle();
            idle.timeout(poll).keepalive(false);
            idle.wait_while(|news| !matches!(news, UnsolicitedResponse::Exists(_) | UnsolicitedResponse::Bye { .. }))
        });
        self.patience(SOCKET_TIME)?;
        result.map(|_| ())
    }

    fn patience(&self, time: Duration) -> Result<(), Failure> {
        let result = self.socket.set_read_timeout(Some(time));
        result.map_err(|e| self.mailbox.account.server.unreachable("connection lost", e))
    }
}

fn set(uids: &[u32]) -> String {
    uids.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}

#[expect(clippy::disallowed_methods, reason = "the time of a look into the mailbox")]
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
}
