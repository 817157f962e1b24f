//! One stream, from its opening to its end.

use super::{
    Order,
    proof::Proofs,
    reception::{Received, Reception},
    stanza::Stanza,
    stream::{Stream, refusal},
};
use crate::{
    connectors::xmpp::{
        address::Identity,
        convert::{error, incoming::own_id},
        xml::{Build, element, ns, stanza},
    },
    failure::{Failure, Reason},
    message::RawArrival,
};
use futures_util::FutureExt;
use std::{collections::HashMap, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use xmpp_parsers::minidom::Element;

/// Orders that one ping proves, and arrivals that one commit takes.
const AT_ONCE: usize = 64;
/// A server that takes nothing for so long is not there.
const WRITING: Duration = Duration::from_secs(30);
/// After so long without a word from the server it is asked whether it is there, and has as long to answer.
const SILENCE: Duration = Duration::from_secs(30);
const CLOSING: Duration = Duration::from_secs(4);
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(1);

/// Why a stream has ended.
pub enum End {
    Stopped,
    Failed(Failure),
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

pub struct Session<'a> {
    stream: Stream,
    reception: &'a Reception,
    identity: &'a Identity,
    proofs: Proofs,
    questions: HashMap<String, oneshot::Sender<Element>>,
    asked: u64,
    /// What tells our pings from those of an earlier stream.
    mark: String,
    /// When something came last, and whether anything ever did.
    heard: Instant,
    worked: bool,
    /// The server was asked whether it is there.
    waits: bool,
    stop: CancellationToken,
}

impl<'a> Session<'a> {
    pub fn new(stream: Stream, reception: &'a Reception, identity: &'a Identity, stop: CancellationToken) -> Self {
        let mark = format!("fehmarn-{:x}", rand::random::<u64>());
        let (proofs, questions) = (Proofs::default(), HashMap::new());
        let (heard, worked, waits) = (Instant::now(), false, false);
        Self { stream, reception, identity, proofs, questions, asked: 0, mark, heard, worked, waits, stop }
    }

    /// Works until the stream ends; whether anything came over it.
    pub async fn run(mut self, orders: &mut mpsc::Receiver<Order>) -> (End, bool) {
        let end = loop {
            let silence = self.heard + SILENCE * if self.waits { 2 } else { 1 };
            let step = tokio::select! {
                () = self.stop.cancelled() => break self.close().await,
                Some(order) = orders.recv() => self.write_orders(order, orders).await,
                read = self.stream.next() => self.take(read).await,
                () = sleep_until(silence) => self.ask_whether_there().await,
            };
            if let Err(end) = step {
                break end;
            }
        };
        (end, self.worked)
    }

    /// Ends the stream, and takes what the server has sent before it knew.
    async fn close(&mut self) -> End {
        let rest = async {
            if self.stream.close().await.is_ok() {
                let mut read = self.stream.next().await;
                while self.take(read).await.is_ok() {
                    read = self.stream.next().await;
                }
            }
        };
        let _ = timeout(CLOSING, rest).await;
        End::Stopped
    }

    async fn ask_whether_there(&mut self) -> Result<(), End> {
        if self.waits {
            return Err(Failure::transient(Reason::Unreachable, "the server says nothing any more").into());
        }
        self.waits = true;
        let ping = self.ping();
        self.write(vec![ping]).await
    }

    async fn write_orders(&mut self, first: Order, orders: &mut mpsc::Receiver<Order>) -> Result<(), End> {
        let more = std::iter::from_fn(|| orders.try_recv().ok()).take(AT_ONCE);
        let (mut stanzas, mut is_awaited) = (Vec::new(), false);
        for order in std::iter::once(first).chain(more) {
            is_awaited |= !matches!(order, Order::Pass(_));
            match order {
                Order::Pass(stanza) => stanzas.push(stanza),
                Order::Send { stanzas: more, id, done } => {
                    stanzas.extend(more);
                    self.proofs.written(id, done);
                }
                Order::Ask { question, answer } => {
                    self.asked += 1;
                    let id = format!("{}-ask-{}", self.mark, self.asked);
                    stanzas.push(question.with("id", &id));
                    self.questions.retain(|_, waiting| !waiting.is_closed());
                    self.questions.insert(id, answer);
                }
            }
        }
        if is_awaited {
            stanzas.push(self.ping());
        }
        self.write(stanzas).await
    }

    /// To ourselves: the server has to read all that stands before it, and bring it back.
    fn ping(&mut self) -> Element {
        let (domain, number) = (self.identity.domain.as_str(), self.proofs.ping());
        stanza("iq", "get", domain, domain)
            .with("id", &format!("{}-ping-{number}", self.mark))
            .holding(element("ping", ns::PING))
    }

    async fn write(&mut self, stanzas: Vec<Element>) -> Result<(), End> {
        let unreachable = |detail: String| Failure::transient(Reason::Unreachable, detail);
        match timeout(WRITING, self.stream.write(&stanzas)).await {
            Ok(written) => Ok(written.map_err(|e| unreachable(format!("writing failed: {e}")))?),
            Err(_) => Err(unreachable("the server takes nothing any more".into()).into()),
        }
    }

    /// Takes what has come, and what has come with it: all of it is committed before anything more is read, and only
    /// then confirmed.
    async fn take(&mut self, first: Result<Stanza, Failure>) -> Result<(), End> {
        let (mut arrivals, mut answers) = (Vec::new(), Vec::new());
        let mut next = Some(first);
        let mut end = Ok(());
        while let Some(read) = next.take() {
            match self.sort(read).await {
                Ok(Received { arrivals: new, answers: more }) => {
                    arrivals.extend(new);
                    answers.extend(more);
                }
                Err(failed) => {
                    end = Err(failed);
                    break;
                }
            }
            if arrivals.len() < AT_ONCE && answers.len() < AT_ONCE {
                next = self.stream.next().now_or_never();
            }
        }
        self.commit(arrivals).await?;
        // After the end of our stream nothing can be said; whoever waits for a receipt asks again.
        if !answers.is_empty() && end.is_ok() && !self.stop.is_cancelled() {
            self.write(answers).await?;
        }
        end
    }

    /// Nothing is read while this does not work: what has come would be lost.
    async fn commit(&self, arrivals: Vec<RawArrival>) -> Result<(), End> {
        if arrivals.is_empty() {
            return Ok(());
        }
        while let Err(failure) = self.reception.accept(&arrivals).await {
            tracing::error!(detail = failure.detail, "cannot write down what has come; trying again");
            if self.stop.run_until_cancelled(sleep(PAUSE_AFTER_ERROR)).await.is_none() {
                return Err(End::Stopped);
            }
        }
        Ok(())
    }

    async fn sort(&mut self, read: Result<Stanza, Failure>) -> Result<Received, End> {
        let Stanza { element, cut } = read?;
        if element.has_ns(ns::STREAMS) {
            return Err(refusal(&element).into());
        }
        (self.heard, self.worked, self.waits) = (Instant::now(), true, false);
        if self.is_expected(&element) {
            return Ok(Received::default());
        }
        Ok(self.reception.receive(&element, cut).await)
    }

    /// Whether it concerns something that we have written ourselves.
    fn is_expected(&mut self, stanza: &Element) -> bool {
        let id = stanza.attr("id").unwrap_or_default();
        if stanza.name() == "message" {
            let received = stanza.get_child("received", ns::RECEIPTS).and_then(|it| it.attr("id"));
            if let Some(id) = received {
                // It is a state of the message as well.
                self.proofs.settle(id, &Ok(()));
                return false;
            }
            let given_back = stanza.attr("type") == Some("error");
            let failure = || Err(error::failure(stanza));
            return given_back && own_id(stanza).is_some_and(|id| self.proofs.settle(id, &failure()));
        }
        let ours = |kind: &str| id.strip_prefix(&self.mark)?.strip_prefix(kind);
        if let Some(number) = ours("-ping-").and_then(|number| number.parse().ok()) {
            self.proofs.answered(number);
            return true;
        }
        let is_answer = matches!(stanza.attr("type"), Some("result" | "error"));
        match self.questions.remove(id).filter(|_| is_answer) {
            Some(waiting) => {
                let _ = waiting.send(stanza.clone());
                true
            }
            None => false,
        }
    }
}
