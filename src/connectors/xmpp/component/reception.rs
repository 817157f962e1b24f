//! What has come over the stream: what is an arrival, and what is answered.

use super::{
    answer::{self, Asked},
    hearing::Hearing,
};
use crate::{
    connector::{Inbox, Profile},
    connectors::xmpp::{
        address::Identity,
        convert::{
            error::Refusal,
            incoming::{self, Sort},
            passing::{self, State},
        },
        muc::{self, Rooms},
        xml::{Build, element, ns, stanza},
    },
    failure::{Failure, Reason},
    ids::{LocalUser, RemoteUserId},
    language::Language,
    message::{RawArrival, Typing},
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::time::timeout;
use xmpp_parsers::{jid::Jid, minidom::Element};

/// Meanwhile nothing is read.
const PATIENCE: Duration = Duration::from_secs(5);

pub struct Reception {
    identity: Arc<Identity>,
    inbox: Inbox,
    language: Language,
    hearing: Arc<Hearing>,
    rooms: Arc<Rooms>,
}

/// What follows from a stanza.
#[derive(Default)]
pub struct Received {
    pub arrivals: Vec<RawArrival>,
    /// Written once the arrivals are committed.
    pub answers: Vec<Element>,
}

impl Received {
    fn answer(answers: impl IntoIterator<Item = Element>) -> Self {
        Self { arrivals: Vec::new(), answers: answers.into_iter().collect() }
    }
}

impl Reception {
    pub fn new(
        identity: Arc<Identity>,
        inbox: Inbox,
        language: Language,
        hearing: Arc<Hearing>,
        rooms: Arc<Rooms>,
    ) -> Self {
        Self { identity, inbox, language, hearing, rooms }
    }

    /// Commits arrivals; with those of a room, up to when it was heard.
    pub async fn accept(&self, arrivals: &[RawArrival]) -> Result<(), Failure> {
        let mut by_room: BTreeMap<Option<&str>, Vec<RawArrival>> = BTreeMap::new();
        for arrival in arrivals {
            by_room.entry(muc::room_of_lane(&arrival.lane)).or_default().push(arrival.clone());
        }
        for (room, arrivals) in by_room {
            let room = room.filter(|room| self.rooms.is_up_to_date(room));
            self.inbox.accept(arrivals, room.map(muc::cursor)).await?;
        }
        Ok(())
    }

    /// `cut`: nothing but the outermost tag is left of it.
    pub async fn receive(&self, stanza: &Element, cut: bool) -> Received {
        let address = |name: &str| stanza.attr(name).and_then(|text| Jid::new(text).ok());
        let (Some(from), Some(to)) = (address("from"), address("to")) else { return Received::default() };
        // What one of ours writes to another goes through Matrix.
        if from.domain() == self.identity.domain.domain() {
            return Received::default();
        }
        if cut {
            return Received::answer(Refusal::TooLarge.of(stanza, Some(&self.say("xmpp-too-large"))));
        }
        let user = self.identity.user_of(&to);
        if let Some(user) = &user
            && self.is_of_room(stanza, &from)
        {
            let muc::Taken { earlier, arrival, answers } = self.rooms.take(stanza, &from, user);
            return Received { arrivals: earlier.into_iter().chain(arrival).collect(), answers };
        }
        match (stanza.name(), user) {
            ("message", Some(user)) => self.message(stanza, &from, user).await,
            ("presence", Some(user)) => self.presence(stanza, &from, user).await,
            ("presence", None) => Received::answer(answer::gateway_presence(&self.identity, stanza, &from)),
            ("iq", user) => self.question(stanza, user).await,
            _ => Received::default(),
        }
    }

    /// Whether a room says it. What somebody in it writes to one of ours alone is an ordinary message.
    fn is_of_room(&self, stanza: &Element, from: &Jid) -> bool {
        let is_private =
            stanza.name() == "message" && stanza.attr("type") != Some("groupchat") && from.resource().is_some();
        stanza.name() != "iq" && !is_private && self.rooms.knows(&from.to_bare())
    }

    fn say(&self, key: &str) -> String {
        self.language.look_up(key, &[])
    }

    async fn message(&self, message: &Element, from: &Jid, user: LocalUser) -> Received {
        let sort = incoming::sort(message);
        self.note_state(message, from, &user, sort);
        if sort == Sort::Passing {
            return Received::default();
        }
        if sort == Sort::Sealed {
            return Received::answer(Refusal::Sealed.of(message, Some(&self.say("xmpp-sealed"))));
        }
        match self.knows(&user).await {
            Ok(true) => {}
            Ok(false) => return Received::answer(Refusal::Unknown.of(message, Some(&self.say("xmpp-unknown")))),
            Err(failure) => {
                tracing::warn!(detail = failure.detail, "cannot ask who is there; the message goes back");
                return Received::answer(Refusal::NotNow.of(message, None));
            }
        }
        let wants_receipt = sort == Sort::Words && message.has_child("request", ns::RECEIPTS);
        let receipt = message.attr("id").filter(|_| wants_receipt).and_then(|id| self.receipt(&user, from, id));
        let arrival = match self.rooms.knows(&from.to_bare()) {
            true => muc::private(message, from.as_str(), user),
            false => incoming::arrival(message, from.to_bare().as_str(), user),
        };
        Received { arrivals: vec![arrival], answers: receipt.into_iter().collect() }
    }

    /// Whether somebody is writing. Whoever has said something has stopped, whether or not their program says so.
    fn note_state(&self, message: &Element, from: &Jid, user: &LocalUser, sort: Sort) {
        let (state, remote) = (passing::state(message), from.to_bare());
        let is_word = sort == Sort::Words && message.has_child("body", ns::COMPONENT);
        if is_word {
            self.hearing.note(remote.as_str(), state != State::Unsaid);
        }
        if is_word || state != State::Unsaid {
            let active = state == State::Writing && !is_word;
            self.inbox.typing(Typing { remote: RemoteUserId::new(remote.as_str()), local: user.clone(), active });
        }
    }

    /// XEP-0184. It is never asked for in a message without an id, and never answered itself.
    fn receipt(&self, user: &LocalUser, to: &Jid, id: &str) -> Option<Element> {
        let from = self.identity.full_address_of(user)?;
        let received = element("received", ns::RECEIPTS).with("id", id);
        Some(stanza("message", "chat", &from, to.as_str()).with("id", &format!("receipt-{id}")).holding(received))
    }

    /// Everybody may know that staff can be reached, as they could write to them. More is not said.
    async fn presence(&self, presence: &Element, from: &Jid, user: LocalUser) -> Received {
        let kind = presence.attr("type").unwrap_or_default();
        if !matches!(kind, "subscribe" | "unsubscribe" | "probe") {
            return Received::default();
        }
        let known = match self.knows(&user).await {
            Ok(known) => known,
            Err(_) => return Received::answer(Refusal::NotNow.of(presence, None)),
        };
        let photo = match known && kind != "unsubscribe" {
            true => self.profile(&user).await.and_then(|profile| answer::photo_hash(&profile)),
            false => None,
        };
        Received::answer(answer::presence(&self.identity, kind, from, &user, known, photo.as_deref()))
    }

    async fn knows(&self, user: &LocalUser) -> Result<bool, Failure> {
        in_time(self.inbox.knows(user)).await
    }

    async fn profile(&self, user: &LocalUser) -> Option<Profile> {
        match in_time(self.inbox.profile(user)).await {
            Ok(profile) => profile,
            Err(failure) => {
                tracing::warn!(detail = failure.detail, "cannot ask for a profile");
                None
            }
        }
    }

    async fn question(&self, iq: &Element, user: Option<LocalUser>) -> Received {
        let answer = match answer::asked(iq) {
            Asked::Nothing => None,
            Asked::VCard => match &user {
                Some(user) => match self.profile(user).await {
                    Some(profile) => answer::vcard(iq, &profile),
                    None => Refusal::Unknown.of(iq, None),
                },
                None => Refusal::NotOffered.of(iq, None),
            },
            asked => answer::to(iq, asked, &self.identity, user.as_ref(), self.language),
        };
        Received::answer(answer)
    }
}

async fn in_time<T>(asking: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let late = || Err(Failure::transient(Reason::Unreachable, "no answer in time about a member of staff"));
    timeout(PATIENCE, asking).await.unwrap_or_else(|_| late())
}
