//! XMPP, as an external component of a server (XEP-0114).
//!
//! | folder or file | what |
//! |---|---|
//! | `config` | the section of the configuration |
//! | `address`, `xml` | pure: JIDs and ids, and building XML |
//! | `convert` | pure: a delivery becomes stanzas, a stanza becomes an arrival or a receipt |
//! | `component` | the socket: one stream, what is written and proved, what is read, committed and answered |
//! | `muc` | group chats: who is in which, and what is said there |
//! | `files` | uploads to the server, and what others have uploaded |
//! | `profile` | names and pictures of people outside |

mod address;
mod component;
mod config;
mod convert;
mod files;
mod muc;
mod profile;
mod xml;

use crate::{
    connector::{
        Capabilities, Connection, Connector, Field, Finding, Inbox, Kind, Network, Profile, RoomProfile, Spoken, now,
    },
    failure::Failure,
    ids::{RemoteMessageId, RemoteRoomId, RemoteUserId},
    language::Language,
    message::{Delivery, Inbound, Moderation, RawArrival, ReadMark, Sent, Typing, Writer},
    yaml::{self, Document},
};
use address::Identity;
use async_trait::async_trait;
use component::Component;
use config::Config;
use convert::{incoming, outgoing, passing};
use files::Files;
use muc::Rooms;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

pub const KIND: Kind = Kind { name: "xmpp", network: NETWORK, build };

const NETWORK: Network = Network {
    title: "XMPP",
    person: Field { name: "jid", pattern: r"[^\s@/]+@[^\s@/]+", example: "bob@example.org" },
    room: Some(Field { name: "room", pattern: r"[^\s@/]+@[^\s@/]+", example: "office@conference.example.org" }),
    medium: None,
};

/// Deliveries that wait for their proof at the same time; one ping proves many.
const AT_ONCE: usize = 64;

struct Xmpp {
    identity: Arc<Identity>,
    component: Component,
    rooms: Arc<Rooms>,
    language: Language,
    files: Files,
    max_file: u64,
}

fn build(document: &Document, env: yaml::Env<'_>) -> Result<Arc<dyn Connector>, yaml::Error> {
    let Config { language, identity, server, upload, files_from, max_file } = Config::read(document, env)?;
    let identity = Arc::new(identity);
    let rooms = Arc::new(Rooms::new(identity.clone()));
    let component = Component::new(server, identity.clone(), language, rooms.clone());
    let files = Files::new(upload, files_from, max_file);
    Ok(Arc::new(Xmpp { identity, component, rooms, language, files, max_file }))
}

impl Xmpp {
    async fn moderate(
        &self,
        delivery: &Delivery,
        room: &RemoteRoomId,
        moderation: &Moderation,
    ) -> Result<Sent, Failure> {
        let user = &delivery.writer.user;
        muc::moderate(&self.rooms, &self.component, &self.identity, user, room, moderation).await?;
        let message = RemoteMessageId::new(delivery.id.as_str());
        Ok(Sent { message, subject: None, receipt_follows: false, said_as: None })
    }

    /// Takes away what a colleague of the writer has said: as a moderator, where the writer is one there. Everywhere else
    /// only its author can take it back, so it is done in their name.
    async fn take_away(
        &self,
        delivery: &Delivery,
        message: &RemoteMessageId,
        author: &Writer,
    ) -> Result<Sent, Failure> {
        if let Some(room) = delivery.to.room() {
            let moderation = Moderation::TakeAway { message: message.clone() };
            match self.moderate(delivery, &room, &moderation).await {
                Err(failure) if failure.is_permanent() => {
                    tracing::debug!(detail = failure.detail, "no moderator there; the author takes it back");
                }
                result => return result,
            }
        }
        self.send(&Delivery { writer: author.clone(), written_by: None, ..delivery.clone() }).await
    }
}

#[async_trait]
impl Connector for Xmpp {
    fn spoken(&self) -> Spoken {
        Spoken { words: &["xmpp", "jabber"], example: "bob@example.org", first: false }
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            concurrency: AT_ONCE,
            hold: Duration::ZERO,
            edits: true,
            deletes: true,
            reactions: true,
            typing: true,
            read_marks: true,
            profiles: true,
            forms: &[],
            addressed: false,
        }
    }

    fn attachment_bytes(&self, _to: &RemoteUserId) -> u64 {
        if self.files.can_upload() { self.max_file } else { 0 }
    }

    fn parse_address(&self, text: &str) -> Option<RemoteUserId> {
        self.identity.person(text)
    }

    async fn run(&self, inbox: Inbox, stop: CancellationToken) -> Result<(), Failure> {
        let keep = muc::keep(&self.rooms, &self.component, &self.identity, &inbox, &stop);
        tokio::join!(self.component.run(inbox.clone(), stop.clone()), keep);
        Ok(())
    }

    async fn send(&self, delivery: &Delivery) -> Result<Sent, Failure> {
        if let (Some(moderation), Some(room)) = (&delivery.moderates, delivery.to.room()) {
            return self.moderate(delivery, &room, moderation).await;
        }
        if let (Some(message), Some(author)) = (&delivery.takes_back, &delivery.written_by) {
            return self.take_away(delivery, message, author).await;
        }
        let uploads = self.files.upload(&self.component, &self.identity, delivery).await?;
        let composed = outgoing::compose(&self.identity, delivery, &uploads, now())?;
        let user = &delivery.writer.user;
        if let Some(room) = delivery.to.room() {
            return muc::say(&self.rooms, &self.component, &self.identity, user, &room, composed).await;
        }
        let message = match self.room_of(&delivery.to) {
            Some(room) => {
                muc::say_privately(&self.rooms, &self.component, &self.identity, user, &room, composed).await?
            }
            None => {
                self.component.send(composed.stanzas, composed.message.to_string()).await?;
                composed.message
            }
        };
        Ok(Sent { message, subject: None, receipt_follows: false, said_as: None })
    }

    async fn read(&self, raw: &RawArrival, attempt: u32) -> Result<Inbound, Failure> {
        let mut read = match muc::is_written_down(&raw.raw) {
            true => muc::read(&self.identity, self.language, raw)?,
            false => incoming::read(&self.identity, raw)?,
        };
        if let (Some(arrival), Some(url)) = (read.inbound.arrival_mut(), &read.file) {
            self.files.fetch(url, attempt, arrival).await?;
        }
        Ok(read.inbound)
    }

    fn connections(&self) -> Vec<Arc<Connection>> {
        vec![self.component.connection().clone()]
    }

    async fn profile(&self, user: &RemoteUserId) -> Result<Option<Profile>, Failure> {
        profile::of(&self.component, &self.identity, user).await
    }

    async fn show_typing(&self, typing: &Typing) -> Result<(), Failure> {
        if self.component.wants_states(typing.remote.address()) {
            passing::typing(&self.identity, typing).into_iter().for_each(|stanza| self.component.pass(stanza));
        }
        Ok(())
    }

    async fn show_read(&self, mark: &ReadMark) -> Result<(), Failure> {
        passing::read(&self.identity, mark).into_iter().for_each(|stanza| self.component.pass(stanza));
        Ok(())
    }

    async fn check(&self) -> Vec<Finding> {
        vec![self.component.check().await]
    }

    fn parse_room(&self, text: &str) -> Option<RemoteRoomId> {
        muc::names::room(&self.identity, text)
    }

    fn parse_occupant(&self, text: &str) -> Option<RemoteUserId> {
        muc::names::occupant(&self.identity, text)
    }

    fn room_of(&self, person: &RemoteUserId) -> Option<RemoteRoomId> {
        muc::names::room_of(person)
    }

    fn occupants_of(&self, room: &RemoteRoomId) -> Option<String> {
        Some(muc::names::beginning(room))
    }

    async fn room(&self, room: &RemoteRoomId) -> Result<Option<RoomProfile>, Failure> {
        muc::profile(&self.component, &self.identity, room).await
    }

    fn attendance_changed(&self) {
        self.rooms.look();
    }
}
