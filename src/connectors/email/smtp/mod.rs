//! Mail on its way out: a pool of connections to each mail server, and which of them takes a mail.

mod content;
mod envelope;
mod lines;
mod opening;
mod reply;
mod routes;
mod session;
mod status;
#[cfg(test)]
mod tests;
mod wire;

pub use envelope::Reports;
pub use routes::{Pattern, Route, Routes};

use super::{compose::Mail, tls::Server};
use crate::{
    connector::Connection,
    failure::{Failure, Reason},
    yaml::Secret,
};
use session::{Session, Trouble};
use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    sync::Semaphore,
    time::{sleep, timeout},
};

const CHECK_TIME: Duration = Duration::from_secs(60);
const TIMES: Times = Times {
    send: Duration::from_secs(225),
    idle: Duration::from_secs(45),
    tidy: Duration::from_secs(15),
    rest: Duration::from_secs(15),
};

struct Times {
    /// For a whole mail: the bridge waits 4 minutes for a `send`. RFC 5321 section 4.5.3.2 would allow each step more than
    /// that; a mail that runs out of time may have been taken all the same, and is repeated under the same Message-ID.
    send: Duration,
    /// How long a connection is kept for the next mail. Mail servers close it after some minutes; ours closes first.
    idle: Duration,
    /// How often to look for those that are too old.
    tidy: Duration,
    /// After a refused sign-in nobody tries again for this long: a queue full of mails would get the account locked.
    rest: Duration,
}

/// Where mail is handed over, and as whom.
pub struct Account {
    pub server: Server,
    /// User name and password.
    pub login: Option<(String, Secret)>,
    /// What Fehmarn calls itself in EHLO.
    pub hello: String,
    pub reports: Reports,
}

/// Connections to the mail server, opened when they are needed and kept for the next mail.
pub struct Pool {
    shared: Arc<Shared>,
    connection: Arc<Connection>,
}

struct Shared {
    account: Account,
    slots: Semaphore,
    idle: Mutex<Idle>,
    denied: Mutex<Option<(Failure, Instant)>>,
    /// The largest mail that the server took when it was last asked; 0 before that.
    size_limit: AtomicUsize,
    times: Times,
}

#[derive(Default)]
struct Idle {
    /// The one used last is used next, so that those not needed grow old.
    sessions: Vec<(Session, Instant)>,
    tidied: bool,
}

impl Pool {
    /// At most `connections` at a time.
    pub fn new(account: Account, connections: usize) -> Self {
        Self::with_times(account, connections, TIMES)
    }

    fn with_times(account: Account, connections: usize, times: Times) -> Self {
        let (idle, denied) = (Mutex::default(), Mutex::default());
        let (slots, size_limit) = (Semaphore::new(connections), AtomicUsize::new(0));
        let connection = Connection::new("smtp", &account.server);
        let shared = Shared { account, slots, idle, denied, size_limit, times };
        Self { shared: Arc::new(shared), connection }
    }

    #[cfg(test)]
    pub fn account(&self) -> &Account {
        &self.shared.account
    }

    /// The largest mail that the server takes, in bytes; `None` if it has not said so.
    pub fn size_limit(&self) -> Option<u64> {
        let limit = self.shared.size_limit.load(Ordering::Relaxed);
        u64::try_from(limit).ok().filter(|_| (1..usize::MAX).contains(&limit))
    }

    /// Hands over one mail. `Ok` when the server has taken responsibility for it; with `require_tls` only if it promises
    /// that the mail never goes in the clear (RFC 8689). Whether it will report what becomes of the mail.
    pub async fn send(&self, mail: &Mail, require_tls: bool) -> Result<bool, Failure> {
        let result = match timeout(self.shared.times.send, self.hand_over(mail, require_tls)).await {
            Ok(result) => result,
            Err(_) => Err(self.shared.account.server.unreachable("no answer", "not in time")),
        };
        self.connection.note(&result);
        result
    }

    pub fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    async fn hand_over(&self, mail: &Mail, require_tls: bool) -> Result<bool, Failure> {
        let slot = self.shared.slots.acquire().await;
        let _slot = slot.map_err(|e| Failure::transient(Reason::Internal, e))?;
        if let Some(session) = self.shared.take() {
            match self.use_once(session, mail, require_tls).await {
                // The server has closed an idle connection, as it may. Not a failure, and nothing was handed over.
                Err(Trouble::Broken { untouched: true, .. }) => {}
                result => return result.map_err(Trouble::into_failure),
            }
        }
        let session = self.shared.open().await?;
        self.use_once(session, mail, require_tls).await.map_err(Trouble::into_failure)
    }

    async fn use_once(&self, mut session: Session, mail: &Mail, require_tls: bool) -> Result<bool, Trouble> {
        let result = session.deliver(mail, require_tls).await.map(|()| session.reports());
        if !matches!(result, Err(Trouble::Broken { .. })) {
            self.shared.put_back(session);
        }
        result
    }

    /// Connects and signs in, and sends nothing.
    pub async fn check(&self, require_tls: bool) -> Result<String, String> {
        let server = &self.shared.account.server;
        let session = match timeout(CHECK_TIME, Session::open(&self.shared.account)).await {
            Ok(result) => result,
            Err(_) => Err(server.unreachable("no answer", format!("within {} s", CHECK_TIME.as_secs()))),
        };
        let session = session.map_err(|failure| server.mend("email.smtp", &failure))?;
        let (words, can_require_tls) = (session.describe(), session.can_require_tls());
        session.quit().await;
        match can_require_tls {
            Err(why) if require_tls => Err(format!("{words}; but a route has require_tls, and {why}")),
            _ => Ok(words),
        }
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.account.server.fmt(f)
    }
}

impl Trouble {
    fn into_failure(self) -> Failure {
        match self {
            Self::Answered(failure) | Self::Broken { failure, .. } => failure,
        }
    }
}

impl Shared {
    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn denied(&self) -> MutexGuard<'_, Option<(Failure, Instant)>> {
        self.denied.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn open(&self) -> Result<Session, Failure> {
        if let Some((failure, since)) = &*self.denied()
            && let Some(left) = self.times.rest.checked_sub(since.elapsed())
        {
            return Err(failure.clone().after(left));
        }
        let result = Session::open(&self.account).await;
        match &result {
            Ok(session) => self.size_limit.store(session.size_limit().unwrap_or(usize::MAX), Ordering::Relaxed),
            Err(failure) if failure.reason == Reason::AccessDenied => {
                *self.denied() = Some((failure.clone(), Instant::now()));
            }
            Err(_) => {}
        }
        result
    }

    fn take(&self) -> Option<Session> {
        let mut idle = self.idle();
        while let Some((session, since)) = idle.sessions.pop() {
            if since.elapsed() < self.times.idle && session.is_quiet() {
                return Some(session);
            }
        }
        None
    }

    fn put_back(self: &Arc<Self>, session: Session) {
        let mut idle = self.idle();
        idle.sessions.push((session, Instant::now()));
        if !idle.tidied {
            idle.tidied = true;
            tokio::spawn(tidy(Arc::downgrade(self), self.times.tidy));
        }
    }

    /// Takes out the connections that are too old; `None` when there is nothing left to look after.
    fn take_old(&self) -> Option<Vec<Session>> {
        let mut idle = self.idle();
        if idle.sessions.is_empty() {
            idle.tidied = false;
            return None;
        }
        let old = idle.sessions.extract_if(.., |(_, since)| since.elapsed() >= self.times.idle);
        Some(old.map(|(session, _)| session).collect())
    }
}

/// Closes connections that nobody has used for a while, as long as there are any.
async fn tidy(shared: Weak<Shared>, pause: Duration) {
    loop {
        sleep(pause).await;
        let Some(old) = shared.upgrade().and_then(|shared| shared.take_old()) else { return };
        for session in old {
            let _ = timeout(pause, session.quit()).await;
        }
    }
}
