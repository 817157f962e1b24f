//! What becomes of messages, shown as an event for each: for clients that put a mark beside the message.
//!
//! Nothing waits for the good news. They are kept in memory only, and left out when there are too many: a client that
//! hears nothing shows a message as sent. Bad news go the durable way, with the notice that tells them in words.

use super::{Bridge, inbox::own_row, notice::txn_id, outgoing::Outgoing, texts::Sentence, worker::Done};
use crate::{
    failure::{Failure, Reason},
    ids::SourceId,
    matrix::{
        Error,
        status::{Cause, SendState, SendStatus},
    },
    message::Sent,
    store::{Message, MessageState, NewRow, Row},
};
use futures_util::{FutureExt, StreamExt, stream};
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UserId};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Good news that wait.
const WAITING: usize = 4096;
/// Requests at once: messages go first.
const AT_ONCE: usize = 2;

/// A delivery that its network has taken, and of which it will say no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    pub room: OwnedRoomId,
    /// A ghost that is in the room.
    pub ghost: OwnedUserId,
    pub network: String,
    pub events: Vec<OwnedEventId>,
    /// Whether others were to get the same. Then these are good news only when they have it too.
    pub others: bool,
}

/// The good news on their way.
pub struct Statuses {
    to_show: mpsc::Sender<Accepted>,
    shown: Mutex<Option<mpsc::Receiver<Accepted>>>,
}

impl Default for Statuses {
    fn default() -> Self {
        let (to_show, shown) = mpsc::channel(WAITING);
        Self { to_show, shown: Mutex::new(Some(shown)) }
    }
}

impl Statuses {
    pub(super) fn add(&self, accepted: Accepted) {
        // Too many wait: this one is left out.
        let _ = self.to_show.try_send(accepted);
    }
}

/// Whether no more will be heard of this, and nothing bad was.
pub(super) fn is_settled(state: MessageState) -> bool {
    matches!(state, MessageState::Relayed | MessageState::Delivered | MessageState::Read)
}

/// The payload of an inbox row of the kind `status`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Shown {
    pub room: OwnedRoomId,
    /// A ghost that is in the room.
    pub ghost: OwnedUserId,
    pub status: SendStatus,
    /// What it says in words; `None` in a row of an older Fehmarn, whose state has them.
    #[serde(default)]
    pub text: Option<Sentence>,
}

impl Shown {
    pub(super) fn row(&self) -> NewRow {
        let (lane, source) = (format!("notice {}", self.room), format!("status {}", self.status.event));
        own_row("status", lane, source, &self.room, self)
    }
}

/// Why it failed, as clients are told.
pub(super) fn cause(reason: Reason) -> Cause {
    match reason {
        Reason::UnknownRecipient
        | Reason::NobodyThere
        | Reason::AddressLetters
        | Reason::MailboxFull
        | Reason::Refused
        | Reason::Unreachable
        | Reason::Busy
        | Reason::NotInRoom => Cause::Network,
        Reason::TooLarge | Reason::Unreadable => Cause::Content,
        Reason::AccessDenied | Reason::Internal => Cause::Bridge,
    }
}

/// The state of each event of a delivery.
pub(super) fn statuses(outgoing: &Outgoing, network: &str, state: SendState) -> Vec<SendStatus> {
    let status =
        |event: &OwnedEventId| SendStatus { event: event.clone(), network: network.to_owned(), state, words: None };
    outgoing.parts.iter().map(|part| status(&part.event)).collect()
}

/// Shows the good news until `stop`.
pub(super) async fn run(bridge: Arc<Bridge>, stop: CancellationToken) {
    let taken = bridge.statuses.shown.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(mut news) = taken else { return };
    let news = stream::poll_fn(move |context| news.poll_recv(context));
    let showing = news.for_each_concurrent(AT_ONCE, |accepted| {
        let bridge = bridge.clone();
        async move {
            match AssertUnwindSafe(bridge.show_accepted(&accepted)).catch_unwind().await {
                Ok(Ok(())) => {}
                Ok(Err(failure)) => tracing::debug!(%failure, room = %accepted.room, "a state is not shown"),
                Err(_) => tracing::error!(room = %accepted.room, "a fault in the program: a state is not shown"),
            }
        }
    });
    stop.run_until_cancelled(showing).await;
}

impl Bridge {
    /// What is to be shown of a delivery that went out. Where the network will report of it, the report is shown.
    pub(super) fn accepted(&self, row: &Row, outgoing: &Outgoing, sent: &Sent) -> Option<Accepted> {
        // Whoever wrote what is passed on does not look into Matrix.
        if sent.receipt_follows || !self.status_events || outgoing.author.is_some() {
            return None;
        }
        Some(Accepted {
            room: outgoing.room.clone(),
            ghost: outgoing.ghost.clone(),
            network: row.connector.clone(),
            events: outgoing.parts.iter().map(|part| part.event.clone()).collect(),
            others: outgoing.recipients() > 1,
        })
    }

    async fn show_accepted(&self, accepted: &Accepted) -> Result<(), Failure> {
        let mut events = accepted.events.clone();
        if accepted.others {
            // The last of several says it for all; should one have failed, nobody does.
            let gone = self.gone_to_all(events.iter(), |message| is_settled(message.state)).await?;
            events.retain(|event| gone.get(event) == Some(&true));
        }
        if events.is_empty() || !self.bot_attends(&accepted.room, &accepted.ghost).await? {
            return Ok(());
        }
        for event in events {
            let source = SourceId::new(format!("accepted {event}"));
            let status = SendStatus { event, network: accepted.network.clone(), state: SendState::Sent, words: None };
            self.send_status(&source, &accepted.room, &self.bot, 0, &status).await?;
        }
        Ok(())
    }

    /// Of each of these events that is known to have gone out: whether it has gone as far as `has` says with everybody who
    /// was to get it.
    pub(super) async fn gone_to_all(
        &self,
        events: impl Iterator<Item = &OwnedEventId>,
        has: impl Fn(&Message) -> bool,
    ) -> Result<HashMap<OwnedEventId, bool>, Failure> {
        let crossed = self.store.crossed(&events.map(|event| &**event).collect::<Vec<_>>()).await?;
        // How many were to get it, and how many have it.
        let mut people: HashMap<OwnedEventId, (u32, u32)> = HashMap::new();
        for message in crossed.into_iter().filter(|message| message.recipients > 0) {
            let has_it = u32::from(has(&message));
            let (wanted, served) = people.entry(message.event_id).or_default();
            (*wanted, *served) = ((*wanted).max(message.recipients), *served + has_it);
        }
        Ok(people.into_iter().map(|(event, (wanted, served))| (event, served >= wanted)).collect())
    }

    /// Shows a state durably: by the bot, else by a ghost.
    pub(super) async fn show(&self, source: &SourceId, shown: &Shown) -> Result<Done, Failure> {
        let Shown { room, ghost, status, text } = shown;
        let mut status = status.clone();
        if let Some(text) = text {
            let language = self.language_in(room, &self.homeserver.intent(ghost), Some(&status.event)).await?;
            status.words = Some(text.in_language(language).to_owned());
        }
        self.show_all(source, room, ghost, &[status]).await?;
        Ok(Done::default())
    }

    pub(super) async fn show_all(
        &self,
        source: &SourceId,
        room: &RoomId,
        ghost: &UserId,
        statuses: &[SendStatus],
    ) -> Result<(), Failure> {
        if statuses.is_empty() {
            return Ok(());
        }
        let speaker = if self.bot_attends(room, ghost).await? { &self.bot } else { ghost };
        for (n, status) in statuses.iter().enumerate() {
            self.send_status(source, room, speaker, n + 1, status).await?;
        }
        Ok(())
    }

    async fn send_status(
        &self,
        source: &SourceId,
        room: &RoomId,
        speaker: &UserId,
        n: usize,
        status: &SendStatus,
    ) -> Result<(), Failure> {
        let txn = txn_id(source, speaker, n);
        match self.homeserver.intent(speaker).send_status(room, &txn, status).await {
            Err(Error::Refused { status: 403 | 404, .. }) if *speaker == self.bot => self.note_bot(room, false).await,
            // Nobody is there any more to show it to.
            Err(Error::Refused { status: 403 | 404, .. }) => Ok(()),
            result => Ok(result.map(drop)?),
        }
    }
}
