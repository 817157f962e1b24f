//! Remote to Matrix: a message from outside becomes events in a room.

use super::{
    Bridge, Text,
    ghost::Met,
    original,
    portal::Place,
    relay::{Relay, Spoken},
    worker::Done,
};
use crate::{
    failure::{Failure, Reason},
    matrix::{
        self, format,
        incoming::{self, Incoming, Kept},
    },
    message::{Arrival, Attachment},
    store::{Message, MessageState, NewRow, Original, Queue, Row, ThreadState, now},
};
use ruma::{
    OwnedEventId, RoomId, UserId,
    events::{reaction::ReactionEventContent, relation::Annotation},
};

/// An arrival on its way into its room.
struct Posting<'a> {
    bridge: &'a Bridge,
    row: &'a Row,
    arrival: &'a Arrival,
    ghost: &'a UserId,
    place: &'a Place,
    events: Vec<OwnedEventId>,
    /// For those outside who do not have it yet.
    spoken: Vec<Spoken>,
    notices: Vec<NewRow>,
}

impl Bridge {
    pub(super) async fn deliver_arrival(&self, row: &Row, arrival: &Arrival) -> Result<Done, Failure> {
        let nobody = || Failure::permanent(Reason::UnknownRecipient, "the addressed member of staff cannot exist");
        let staff = self.staff_id(&arrival.to).ok_or_else(nobody)?;
        let name = self.shown_name(arrival);
        let Met { ghost, is_renamed } = self.meet(&row.connector, &arrival.from, name.as_deref()).await?;
        if arrival.shows_reactions {
            self.note_peer(&row.connector, arrival).await?;
        }
        let again = row.attempts > 1;
        let Some(place) = self.place_for(&row.connector, arrival, &staff, &ghost, again).await? else {
            return Ok(Done::default());
        };
        if is_renamed {
            self.show_new_name(&place.room, &ghost).await?;
        }
        self.post(row, arrival, &ghost, &place).await
    }

    /// Posts an arrival as this ghost, where it belongs.
    pub(super) async fn post(
        &self,
        row: &Row,
        arrival: &Arrival,
        ghost: &UserId,
        place: &Place,
    ) -> Result<Done, Failure> {
        let (events, spoken, notices) = (Vec::new(), Vec::new(), Vec::new());
        let mut posting = Posting { bridge: self, row, arrival, ghost, place, events, spoken, notices };
        posting.post().await?;
        Ok(posting.done())
    }

    /// Homeservers tell rooms of a new name when they have the time, one after the other. Here it stands before the words.
    async fn show_new_name(&self, room: &RoomId, ghost: &UserId) -> Result<(), Failure> {
        match self.homeserver.intent(ghost).join(room).await {
            // It was sent away meanwhile: the words find that out.
            Err(matrix::Error::Refused { status: 403 | 404, .. }) => Ok(()),
            result => Ok(result?),
        }
    }

    async fn note_peer(&self, connector: &str, arrival: &Arrival) -> Result<(), Failure> {
        let mut tx = self.store.begin().await?;
        if !tx.shows_reactions(connector, &arrival.from).await? {
            tx.note_peer(connector, &arrival.from, true).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// What the sender is called; who could not be verified is called so.
    fn shown_name(&self, arrival: &Arrival) -> Option<String> {
        if arrival.verified {
            return arrival.from_name.clone();
        }
        let name = arrival.from_name.as_deref().unwrap_or(arrival.from.address());
        Some(self.language.say(&Text::UnverifiedName { name }))
    }
}

impl Posting<'_> {
    /// Sends the words and then the files. Each has its own transaction id, so that an attempt after a crash goes on
    /// where the one before stopped.
    async fn post(&mut self) -> Result<(), Failure> {
        if let (Some(key), Some(answered)) = (&self.arrival.reaction, &self.place.answered) {
            let content = ReactionEventContent::new(Annotation::new(answered.clone(), key.clone()));
            return self.send(0, Incoming::Reaction(content)).await;
        }
        let (mut words, overflow) = format::incoming(&self.arrival.body);
        let late = self.bridge.late_line(self.row, self.arrival, &self.place.room, self.ghost).await?;
        if let Some(line) = &late {
            words = incoming::marked(words, line);
        }
        if self.arrival.automatic {
            let reader = self.bridge.homeserver.intent(self.ghost);
            let language = self.bridge.language_in(&self.place.room, &reader, None).await?;
            words = incoming::automatic(words, &language.say(&Text::Automatic));
        }
        if !self.arrival.body.text.is_empty() || self.arrival.attachments.is_empty() || late.is_some() {
            let words = match self.replaced().await? {
                Some(event) => incoming::replacing(words, &event),
                None => incoming::answering(words, self.place.thread.as_ref(), self.place.answered.as_ref()),
            };
            let on_demand = self.upload_large_original().await?;
            self.send(0, Incoming::Message(Box::new(words), on_demand)).await?;
        }
        let original = self.arrival.original.as_ref().filter(|original| original.at_once);
        let mut count = 0;
        for file in overflow.iter().chain(&self.arrival.attachments) {
            count += 1;
            self.send_file(count, file).await?;
        }
        if let Some(original) = original {
            // It quotes what others have said, to whoever was to read that.
            let spoken = std::mem::take(&mut self.spoken);
            self.send_file(count + 1, &original.file).await?;
            self.spoken = spoken;
        }
        self.explain().await
    }

    async fn send_file(&mut self, n: usize, file: &Attachment) -> Result<(), Failure> {
        match self.upload(n, file).await? {
            Some(uri) => self.send(n, Incoming::Message(Box::new(format::incoming_file(file, uri)), None)).await,
            None => Ok(()),
        }
    }

    /// The event of which these are the new words. Nobody changes what another has said.
    async fn replaced(&self) -> Result<Option<OwnedEventId>, Failure> {
        let Some(id) = &self.arrival.replaces else { return Ok(None) };
        let said = self.bridge.said_by(self.row, &self.arrival.from, id).await?;
        Ok(said.into_iter().find(|message| message.room_id == self.place.room).map(|message| message.event_id))
    }

    /// The whole message, if it is shown only when somebody asks for it.
    fn on_demand(&self) -> Option<&Attachment> {
        self.arrival.original.as_ref().filter(|original| !original.at_once).map(|original| &original.file)
    }

    async fn upload_large_original(&mut self) -> Result<Option<Kept>, Failure> {
        let Some(file) = self.on_demand().filter(|file| original::is_large(file)).cloned() else { return Ok(None) };
        let uri = self.upload(0, &file).await?;
        Ok(uri.map(|uri| Kept::new(&file, uri)))
    }

    /// `None`: the homeserver takes no file of this size, and staff are told.
    async fn upload(&mut self, n: usize, file: &Attachment) -> Result<Option<ruma::OwnedMxcUri>, Failure> {
        match self.bridge.homeserver.intent(self.ghost).upload(&file.name, &file.media_type, &file.bytes).await {
            Ok(uri) => Ok(Some(uri)),
            Err(matrix::Error::Refused { status: 413, .. }) => {
                let source = format!("{} {n}", self.row.source);
                self.notices.push(self.notice(source, &Text::FileTooLarge { name: &file.name }));
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn send(&mut self, n: usize, content: Incoming) -> Result<(), Failure> {
        let txn = super::notice::txn_id(&self.row.source, self.ghost, n);
        let intent = self.bridge.homeserver.intent(self.ghost);
        match intent.send_incoming(&self.place.room, &txn, &content).await {
            Ok(event) => {
                self.bridge.reconcile.echoes.expect(&event);
                self.keep_for_others(&event, &content);
                self.events.push(event);
                Ok(())
            }
            // The ghost was sent away and nobody told us: next time the arrival finds another room.
            Err(error @ matrix::Error::Refused { status: 403, .. }) => {
                let mut tx = self.bridge.store.begin().await?;
                tx.remove_member(&self.place.room, self.ghost).await?;
                tx.commit().await?;
                Err(Failure::transient(Reason::Refused, error))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Nobody answers a machine, and nobody gets its words as if a person had written to them.
    fn keep_for_others(&mut self, event: &OwnedEventId, content: &Incoming) {
        if let Incoming::Message(message, _) = content
            && self.place.has_others
            && !self.arrival.automatic
            && let Ok(content) = serde_json::to_string(&**message)
        {
            self.spoken.push(Spoken::Words { event: event.clone(), content });
        }
    }

    /// What staff should know of the message.
    async fn explain(&mut self) -> Result<(), Failure> {
        let Place { room, meant_for, .. } = self.place;
        if let Some(person) = meant_for {
            let source = format!("meant for {}", self.row.source);
            self.notices.push(self.notice(source, &Text::AnswersForSomebodyElse { person: person.address() }));
        }
        if !self.arrival.verified {
            self.say_once(format!("unverified {room} {}", self.ghost), &Text::UnverifiedSender).await?;
        }
        if self.on_demand().is_some() {
            self.say_once(format!("original {room}"), &Text::OriginalOnDemand { key: original::KEY }).await?;
        }
        Ok(())
    }

    /// What staff need to be told once in a room.
    async fn say_once(&self, once: String, text: &Text<'_>) -> Result<(), Failure> {
        let (store, said) = (&self.bridge.store, &self.bridge.said);
        if said.recall(&once).is_some() {
            return Ok(());
        }
        if store.was_seen(&once).await? {
            said.remember(once, ());
            return Ok(());
        }
        let mut tx = store.begin().await?;
        let row = self.bridge.notice_once(&mut tx, once, &self.place.room, self.ghost, None, text).await?;
        tx.enqueue(Queue::Inbox, row.into_iter().collect());
        Ok(tx.commit().await?)
    }

    fn notice(&self, source: String, text: &Text<'_>) -> NewRow {
        let (room, about) = (self.place.room.clone(), self.events.first().cloned());
        self.bridge.notice(source, room, self.ghost.to_owned(), about, text)
    }

    fn done(self) -> Done {
        let small = self.on_demand().filter(|file| !original::is_large(file));
        let originals = small
            .zip(self.events.first())
            .map(|(file, event)| Original { event_id: event.clone(), file: file.clone() });
        let Self { bridge, row, arrival, ghost, place, spoken, mut notices, events, .. } = self;
        if let Some(staff) = bridge.staff_id(&arrival.to).filter(|_| !spoken.is_empty()) {
            let (room, author, served) = (place.room.clone(), ghost.to_owned(), arrival.others.clone());
            notices.push(Relay { room, author, staff, served, at: now(), spoken }.row(row));
        }
        let message = |event_id: OwnedEventId| Message {
            event_id,
            room_id: place.room.clone(),
            thread: place.thread.clone(),
            connector: row.connector.clone(),
            remote_user: arrival.from.clone(),
            remote_message: arrival.message.clone(),
            state: MessageState::Received,
            recipients: 0,
        };
        let thread = ThreadState {
            room_id: place.room.clone(),
            thread: place.thread.clone(),
            connector: row.connector.clone(),
            subject: arrival.subject.clone(),
            root: arrival.answers.last().unwrap_or(&arrival.message).clone(),
            last: arrival.message.clone(),
            previous: None,
            anew: false,
        };
        Done {
            messages: events.into_iter().map(message).collect(),
            // What nobody answers is nothing to go on from.
            thread: (!arrival.automatic && arrival.reaction.is_none()).then_some(thread),
            originals: originals.into_iter().collect(),
            versions: Vec::new(),
            follow_up: notices,
            accepted: None,
        }
    }
}
