//! Mail on its way in from a mailbox (RFC 3501). The mailbox is only read: nothing in it is changed, not even a flag.
//!
//! The crate for IMAP is blocking and gives up with a panic on some answers that no server should send. So each
//! connection lives in a thread of its own, and whatever ends the thread, another one begins where the cursor stands.

mod mailbox;
mod position;
mod reader;
mod stream;
#[cfg(test)]
mod tests;

use super::{address::Identity, door::Door, tls::Server};
use crate::{
    connector::{Connection, Finding},
    failure::{Failure, Reason, back_off},
    yaml::Secret,
};
use mailbox::{Ended, Mailbox, Suspect};
use std::{net::Shutdown, sync::Arc, thread, time::Duration};
use stream::SOCKET_TIME;
use tokio::{
    runtime::Handle,
    sync::oneshot,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

const LONGEST_WAIT: Duration = Duration::from_secs(300);
const CHECK_TIME: Duration = Duration::from_secs(60);
/// How long a commit in flight may still take after the word to stop.
const STOP_TIME: Duration = Duration::from_secs(4);

/// The mailbox to read, and as whom.
pub struct Account {
    pub server: Server,
    pub username: String,
    pub password: Secret,
    /// As IMAP writes it, see [`encode`].
    pub mailbox: String,
    /// How often to look when the server does not say by itself that there is something.
    pub poll: Duration,
    /// Largest mail, in bytes.
    pub max_size: u64,
    /// Whether it is being read.
    pub connection: Arc<Connection>,
}

/// Reads what is new until `stop`, reconnecting by itself.
pub async fn run(account: Arc<Account>, identity: Arc<Identity>, door: Arc<dyn Door>, stop: CancellationToken) {
    let (mut attempts, mut suspect) = (0, None);
    while !stop.is_cancelled() {
        let ended = connection(&account, &identity, &door, suspect, &stop).await;
        if stop.is_cancelled() {
            return;
        }
        attempts = if ended.was_good { 1 } else { attempts + 1 };
        suspect = Suspect::after(suspect, &ended);
        let wait = back_off(attempts, rand::random()).min(LONGEST_WAIT);
        account.connection.is_broken();
        let (server, failure) = (&account.server, &ended.failure);
        warn!(%server, reason = %failure.reason, detail = failure.detail, ?wait, "IMAP: not connected, will try again");
        tokio::select! {
            () = sleep(wait) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Signs in and looks at the mailbox.
pub async fn check(account: Arc<Account>) -> Finding {
    let what = format!("IMAP {}", account.server);
    let talk = async {
        let (tcp, _hang_up) = dial(&account.server).await?;
        let account = account.clone();
        let look = tokio::task::spawn_blocking(move || mailbox::look(&account, tcp));
        look.await.map_err(|_| gave_up(&what))?
    };
    let result = match timeout(CHECK_TIME, talk).await {
        Ok(result) => result,
        Err(_) => Err(account.server.unreachable("no answer", format!("within {} s", CHECK_TIME.as_secs()))),
    };
    Finding { what, result: result.map_err(|failure| account.server.mend("email.imap", &failure)) }
}

/// One connection from its beginning to its end.
async fn connection(
    account: &Arc<Account>,
    identity: &Arc<Identity>,
    door: &Arc<dyn Door>,
    suspect: Option<Suspect>,
    stop: &CancellationToken,
) -> Ended {
    let dialed = tokio::select! {
        dialed = dial(&account.server) => dialed,
        () = stop.cancelled() => return Ended::stopped(),
    };
    let (tcp, hang_up) = match dialed {
        Ok(dialed) => dialed,
        Err(failure) => return failure.into(),
    };
    let reader = Mailbox {
        account: account.clone(),
        identity: identity.clone(),
        door: door.clone(),
        stop: stop.clone(),
        runtime: Handle::current(),
        suspect,
    };
    let (done, mut ended) = oneshot::channel();
    let thread = thread::Builder::new().name("imap".into()).spawn(move || done.send(reader.read(tcp)));
    if let Err(error) = thread {
        return Failure::transient(Reason::Internal, format!("no thread for IMAP: {error}")).into();
    }
    tokio::select! {
        ended = &mut ended => return ended.unwrap_or_else(|_| gave_up(&account.server.to_string()).into()),
        () = stop.cancelled() => drop(hang_up),
    }
    let in_time = timeout(STOP_TIME, ended).await.is_ok();
    info!(server = %account.server, in_time, "IMAP has stopped");
    Ended::stopped()
}

fn gave_up(server: &str) -> Failure {
    Failure::transient(Reason::Unreachable, format!("{server}: an answer that the IMAP library cannot cope with"))
}

/// Ends a connection when it is let go: a thread that waits for the other side wakes up.
struct HangUp(std::net::TcpStream);

impl Drop for HangUp {
    fn drop(&mut self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// A blocking connection on which no read and no write waits for ever.
async fn dial(server: &Server) -> Result<(std::net::TcpStream, HangUp), Failure> {
    let tcp = server.connect().await?;
    let prepare = || {
        let tcp = tcp.into_std()?;
        tcp.set_nonblocking(false)?;
        tcp.set_read_timeout(Some(SOCKET_TIME))?;
        tcp.set_write_timeout(Some(SOCKET_TIME))?;
        let hang_up = HangUp(tcp.try_clone()?);
        Ok((tcp, hang_up))
    };
    prepare().map_err(|e: std::io::Error| server.unreachable("no connection", e))
}

/// The name of a mailbox as IMAP writes it: modified UTF-7 (RFC 3501 section 5.1.3).
pub fn encode(name: &str) -> String {
    use base64::{Engine, alphabet::IMAP_MUTF7, engine::GeneralPurpose, engine::general_purpose::NO_PAD};
    let engine = GeneralPurpose::new(&IMAP_MUTF7, NO_PAD);
    let (mut out, mut rest) = (String::new(), name);
    while let Some(first) = rest.chars().next() {
        let plain = first.is_ascii();
        let end = rest.find(|c: char| c.is_ascii() != plain).unwrap_or(rest.len());
        let (run, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if plain {
            out += &run.replace('&', "&-");
        } else {
            let utf16: Vec<u8> = run.encode_utf16().flat_map(u16::to_be_bytes).collect();
            out += &format!("&{}-", engine.encode(utf16));
        }
        rest = after;
    }
    out
}
