//! Mail on its way out: a pool of connections to one mail server.

mod content;
mod reply;
mod session;
#[cfg(test)]
mod tests;
mod wire;

use super::{compose::Mail, tls::Server};
use crate::{
    connector::Finding,
    failure::{Failure, Reason},
    yaml::Secret,
};
use session::{Session, Trouble};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};
use tokio::{
    sync::Semaphore,
    time::{sleep, timeout},
};

/// The bridge waits 4 minutes for a `send`. RFC 5321 section 4.5.3.2 would allow each step more than that; a mail that
/// runs out of time may have been taken all the same, and is repeated under the same Message-ID.
const SEND_TIME: Duration = Duration::from_secs(225);
const CHECK_TIME: Duration = Duration::from_secs(60);
/// Mail servers close an idle connection after some minutes; ours close first.
const IDLE_TIME: Duration = Duration::from_secs(45);
const TIDY_TIME: Duration = Duration::from_secs(15);

/// Where mail is handed over, and as whom.
pub struct Account {
    pub server: Server,
    /// User name and password.
    pub login: Option<(String, Secret)>,
    /// What Fehmarn calls itself in EHLO.
    pub hello: String,
}

/// Connections to the mail server, opened when they are needed and kept for the next mail.
pub struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    account: Account,
    slots: Semaphore,
    idle: Mutex<Idle>,
    idle_time: Duration,
    tidy_time: Duration,
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
        Self::with_times(account, connections, IDLE_TIME, TIDY_TIME)
    }

    fn with_times(account: Account, connections: usize, idle_time: Duration, tidy_time: Duration) -> Self {
        let slots = Semaphore::new(connections);
        Self { shared: Arc::new(Shared { account, slots, idle: Mutex::default(), idle_time, tidy_time }) }
    }

    /// Hands over one mail. `Ok` when the server has taken responsibility for it.
    pub async fn send(&self, mail: &Mail) -> Result<(), Failure> {
        match timeout(SEND_TIME, self.hand_over(mail)).await {
            Ok(result) => result,
            Err(_) => Err(self.shared.account.server.unreachable("no answer", "not in time")),
        }
    }

    async fn hand_over(&self, mail: &Mail) -> Result<(), Failure> {
        let slot = self.shared.slots.acquire().await;
        let _slot = slot.map_err(|e| Failure::transient(Reason::Internal, e))?;
        if let Some(session) = self.shared.take() {
            match self.use_once(session, mail).await {
                // The server has closed an idle connection, as it may. Not a failure, and nothing was handed over.
                Err(Trouble::Broken { untouched: true, .. }) => {}
                result => return result.map_err(Trouble::into_failure),
            }
        }
        let session = Session::open(&self.shared.account).await?;
        self.use_once(session, mail).await.map_err(Trouble::into_failure)
    }

    async fn use_once(&self, mut session: Session, mail: &Mail) -> Result<(), Trouble> {
        let result = session.deliver(mail).await;
        if !matches!(result, Err(Trouble::Broken { .. })) {
            self.shared.put_back(session);
        }
        result
    }

    /// Connects and signs in, and sends nothing.
    pub async fn check(&self) -> Finding {
        let server = &self.shared.account.server;
        let result = match timeout(CHECK_TIME, Session::open(&self.shared.account)).await {
            Ok(Ok(session)) => {
                let words = session.describe();
                session.quit().await;
                Ok(words)
            }
            Ok(Err(failure)) => Err(failure.detail),
            Err(_) => Err(format!("{server}: no answer within {} s", CHECK_TIME.as_secs())),
        };
        Finding { what: format!("SMTP {server}"), result }
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

    fn take(&self) -> Option<Session> {
        let mut idle = self.idle();
        while let Some((mut session, since)) = idle.sessions.pop() {
            if since.elapsed() < self.idle_time && session.is_quiet() {
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
            tokio::spawn(tidy(Arc::downgrade(self), self.tidy_time));
        }
    }

    /// Takes out the connections that are too old; `None` when there is nothing left to look after.
    fn take_old(&self) -> Option<Vec<Session>> {
        let mut idle = self.idle();
        if idle.sessions.is_empty() {
            idle.tidied = false;
            return None;
        }
        let old = idle.sessions.extract_if(.., |(_, since)| since.elapsed() >= self.idle_time);
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
