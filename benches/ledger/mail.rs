//! A mail server that hands mails over, one after the other, until each is accepted; and may itself be struck.

use crate::bridge::{
    homeserver::Power,
    mailer::{Connection, Mail, Protocol},
};
use anyhow::Context;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    sync::{mpsc::UnboundedReceiver, watch},
    time::{sleep, timeout},
};

/// No answer means no.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(100);

/// Hands over what comes, in order, over one connection at a time. `unwritten` counts what is not accepted.
pub async fn lane(
    to: SocketAddr,
    mut mails: UnboundedReceiver<Mail>,
    mut power: watch::Receiver<Power>,
    unwritten: Arc<AtomicUsize>,
) {
    let mut connection = None;
    let mut down = power.clone();
    while let Some(mail) = mails.recv().await {
        loop {
            if power.wait_for(|power| *power == Power::Up).await.is_err() {
                return;
            }
            tokio::select! {
                sent = hand_over(to, Protocol::Lmtp, &mut connection, &mail) => if sent.is_ok() { break },
                _ = down.wait_for(|power| *power == Power::Down) => {}
            }
            connection = None;
            sleep(PAUSE).await;
        }
        unwritten.fetch_sub(1, Relaxed);
    }
}

/// One attempt; what was answered.
pub async fn hand_over(
    to: SocketAddr,
    protocol: Protocol,
    connection: &mut Option<Connection>,
    mail: &Mail,
) -> anyhow::Result<String> {
    let tried = async {
        let open = match connection {
            Some(open) => open,
            None => connection.insert(Connection::open(to, protocol).await?),
        };
        open.send(mail).await
    };
    timeout(PATIENCE, tried).await.context("no answer").flatten()
}

/// The first value of a header field, by its name in lower case. Folded lines are not needed here.
pub fn header(mail: &[u8], name: &str) -> Option<String> {
    let text = String::from_utf8_lossy(mail);
    let head = text.split("\r\n\r\n").next()?;
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}
