//! The connection to the server: one stream at a time, opened again whenever it ends.

mod answer;
mod hearing;
mod proof;
mod reception;
mod session;
mod stanza;
mod stream;

use super::{address::Identity, config::Server, muc::Rooms};
use crate::{
    connector::{Connection, Finding, Inbox},
    failure::{Failure, Reason},
    language::Language,
};
use hearing::Hearing;
use proof::Done;
use rand::Rng;
use reception::Reception;
use session::{End, Session};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{Mutex, mpsc, oneshot},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use xmpp_parsers::minidom::Element;

/// How many orders may wait for the stream.
const WAITING: usize = 256;
/// The server must prove within this time that it has taken a stanza, or answer a question.
const ANSWER: Duration = Duration::from_secs(60);
/// The wait before the stream is opened again: at once, then doubling.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What is to go over the stream.
enum Order {
    /// Stanzas that count as sent when that is proved. `id`: with which one of them would come back.
    Send { stanzas: Vec<Element>, id: String, done: Done },
    /// A question; the answer is a result or an error.
    Ask { question: Element, answer: oneshot::Sender<Element> },
    /// What may be lost: nobody waits for its proof.
    Pass(Element),
}

/// The one connection of this component.
pub struct Component {
    server: Server,
    identity: Arc<Identity>,
    language: Language,
    hearing: Arc<Hearing>,
    rooms: Arc<Rooms>,
    orders: mpsc::Sender<Order>,
    /// Taken by the one who runs it.
    waiting: Mutex<mpsc::Receiver<Order>>,
    connection: Arc<Connection>,
}

impl Component {
    pub fn new(server: Server, identity: Arc<Identity>, language: Language, rooms: Arc<Rooms>) -> Self {
        let (orders, waiting) = mpsc::channel(WAITING);
        let connection = Connection::new("xmpp", format!("{}:{}", server.place.host, server.place.port));
        let hearing = Arc::default();
        Self { server, identity, language, hearing, rooms, orders, waiting: Mutex::new(waiting), connection }
    }

    pub fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// Hands stanzas over. `Ok` only if the server has proved that it has all of them.
    pub async fn send(&self, stanzas: Vec<Element>, id: String) -> Result<(), Failure> {
        let (done, wait) = oneshot::channel();
        self.order(Order::Send { stanzas, id, done }, wait).await?
    }

    /// Asks; an error stanza is a failure.
    pub async fn ask(&self, question: Element) -> Result<Element, Failure> {
        let (answer, wait) = oneshot::channel();
        let answer = self.order(Order::Ask { question, answer }, wait).await?;
        if answer.attr("type") == Some("error") {
            return Err(super::convert::error::failure(&answer));
        }
        Ok(answer)
    }

    /// Writes something that may be lost: without a connection, or when much waits for it, it is.
    pub fn pass(&self, stanza: Element) {
        let _ = self.orders.try_send(Order::Pass(stanza));
    }

    /// Whether somebody wants to know that staff write.
    pub fn wants_states(&self, person: &str) -> bool {
        self.hearing.wants(person)
    }

    async fn order<T>(&self, order: Order, wait: oneshot::Receiver<T>) -> Result<T, Failure> {
        let unreachable = |what: &str| Failure::transient(Reason::Unreachable, what);
        let attempt = async {
            self.orders.send(order).await.map_err(|_| unreachable("the connection has ended"))?;
            wait.await.map_err(|_| unreachable("no connection to the XMPP server"))
        };
        timeout(ANSWER, attempt).await.map_err(|_| unreachable("the XMPP server does not answer"))?
    }

    /// Keeps a stream open until `stop`.
    pub async fn run(&self, inbox: Inbox, stop: CancellationToken) {
        let mut orders = self.waiting.lock().await;
        let (identity, hearing, rooms) = (self.identity.clone(), self.hearing.clone(), self.rooms.clone());
        let reception = Reception::new(identity, inbox.clone(), self.language, hearing, rooms);
        let mut failures = 0;
        while !stop.is_cancelled() {
            let (server, domain) = (&self.server.place.host, &self.identity.domain);
            let end = match stop.run_until_cancelled(stream::open(&self.server, &self.identity)).await {
                None => return,
                Some(Ok(stream)) => {
                    tracing::info!(server, %domain, "connected to the XMPP server");
                    self.connection.works();
                    self.rooms.begin_anew();
                    let session = Session::new(stream, &reception, &self.identity, stop.clone());
                    let ((end, worked), ()) = tokio::join!(session.run(&mut orders), send_what_waits(&inbox));
                    failures = if worked { 0 } else { failures + 1 };
                    end
                }
                Some(Err(failure)) => {
                    failures += 1;
                    End::Failed(failure)
                }
            };
            match end {
                End::Stopped => return,
                End::Failed(failure) => {
                    self.connection.is_broken();
                    tracing::warn!(server, %domain, detail = failure.detail, "no connection to the XMPP server; trying again");
                }
            }
            refuse_for(pause(failures), &mut orders, &stop).await;
        }
    }

    pub async fn check(&self) -> Finding {
        let what = format!("XMPP {}", self.server.place);
        let result = match stream::open(&self.server, &self.identity).await {
            Ok(_) => Ok(format!("knows {} as a component", self.identity.domain)),
            Err(failure) if failure.detail.contains("conflict") => {
                Ok(format!("{} is connected already, perhaps by Fehmarn itself", self.identity.domain))
            }
            Err(failure) if failure.reason == Reason::AccessDenied => Err(format!(
                "{}; the server must know {} as a component, with the same secret",
                failure.detail, self.identity.domain
            )),
            Err(failure) => Err(format!("{}; is the server's component port open for us?", failure.detail)),
        };
        Finding { what, result }
    }
}

fn pause(failures: u32) -> Duration {
    let longest = FIRST_PAUSE.saturating_mul(1 << failures.min(10)).min(LONGEST_PAUSE);
    // What was connected until now may be back at once; what fails again and again is asked less and less.
    if failures == 0 { FIRST_PAUSE } else { rand::rng().random_range(longest / 2..=longest) }
}

/// Whoever could not be reached need not wait out the pauses that grew with each attempt.
async fn send_what_waits(inbox: &Inbox) {
    if let Err(failure) = inbox.can_be_reached().await {
        tracing::warn!(%failure, "what waited for the XMPP server goes on waiting for its time");
    }
}

/// While there is no stream, whoever wants to send learns so at once, and tries again when it is their turn.
async fn refuse_for(pause: Duration, orders: &mut mpsc::Receiver<Order>, stop: &CancellationToken) {
    let refuse = async { while orders.recv().await.is_some() {} };
    tokio::select! {
        () = sleep(pause) => {}
        () = stop.cancelled() => {}
        () = refuse => {}
    }
}
