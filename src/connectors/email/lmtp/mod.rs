//! Mail on its way in: a listener for LMTP (RFC 2033). The site's own mail server, which has checked the mail, hands it
//! over here. There is no sign-in: only that server may reach the address.

mod content;
mod session;
#[cfg(test)]
mod tests;

use super::{address::Identity, door::Door};
use crate::{
    connector::Finding,
    failure::{Failure, Reason},
};
use session::Session;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

const MOST_CONNECTIONS: usize = 100;
/// How the first line of every session ends.
const GREETING: &str = " LMTP Fehmarn\r\n";
const GREETING_TIME: Duration = Duration::from_secs(3);
/// How long a transaction in flight may still take after the word to stop.
const STOP_TIME: Duration = Duration::from_secs(5);

/// How long another side may take.
#[derive(Clone, Copy)]
pub struct Times {
    /// For its next word.
    pub idle: Duration,
    /// For one mail, from MAIL to the final dot: who sends a byte now and then must come to an end.
    pub transaction: Duration,
}

pub const TIMES: Times = Times { idle: Duration::from_secs(300), transaction: Duration::from_secs(600) };

/// What the sessions share.
pub struct Service {
    pub door: Arc<dyn Door>,
    pub identity: Arc<Identity>,
    /// Largest mail, in bytes.
    pub max_size: usize,
    pub times: Times,
    pub stop: CancellationToken,
}

/// Takes the address.
///
/// # Errors
/// Permanent: an admin must act.
pub async fn bind(listen: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(listen).await.map_err(|e| {
        let mend = "stop what uses it (another Fehmarn?) or change connectors.email.lmtp.listen";
        Failure::permanent(Reason::AccessDenied, format!("LMTP cannot listen on {listen}: {e}; {mend}"))
    })
}

/// Tries whether the address is free, or has a Fehmarn listening on it.
pub async fn check(listen: SocketAddr) -> Finding {
    let result = match bind(listen).await {
        Ok(_) => Ok("free to listen on".to_owned()),
        Err(_) if is_fehmarn(listen).await => Ok("Fehmarn is listening there".to_owned()),
        Err(failure) => Err(failure.detail),
    };
    Finding { what: format!("LMTP {listen}"), result }
}

async fn is_fehmarn(listen: SocketAddr) -> bool {
    let mut greeting = Vec::new();
    let read = async { TcpStream::connect(listen).await?.take(200).read_buf(&mut greeting).await };
    matches!(timeout(GREETING_TIME, read).await, Ok(Ok(_))) && greeting.ends_with(GREETING.as_bytes())
}

/// Serves until `service.stop`; then gives what is in flight a moment.
pub async fn serve(listener: TcpListener, service: Arc<Service>) {
    serve_and_stop(listener, service, STOP_TIME).await;
}

async fn serve_and_stop(listener: TcpListener, service: Arc<Service>, stop_time: Duration) {
    let mut sessions = JoinSet::new();
    info!(listen = listener.local_addr().ok().map(tracing::field::display), "LMTP is ready");
    loop {
        tokio::select! {
            () = service.stop.cancelled() => break,
            Some(ended) = sessions.join_next() => if ended.is_err_and(|error| error.is_panic()) {
                error!("a fault in the program has ended an LMTP session; the mail server keeps its mail");
            },
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if sessions.len() < MOST_CONNECTIONS => {
                    sessions.spawn(Session::new(stream, service.clone()).run());
                }
                Ok((stream, _)) => refuse(&stream),
                Err(error) => {
                    // Out of file descriptors, most likely: there may be some in a moment.
                    warn!(%error, "LMTP cannot take a connection");
                    sleep(Duration::from_millis(100)).await;
                }
            },
        }
    }
    drop(listener);
    let drained = timeout(stop_time, async { while sessions.join_next().await.is_some() {} }).await;
    debug!(cut_off = sessions.len(), in_time = drained.is_ok(), "LMTP has stopped");
    sessions.shutdown().await;
}

fn refuse(stream: &TcpStream) {
    let _ = stream.try_write(b"421 4.3.2 too many connections, try again later\r\n");
}
