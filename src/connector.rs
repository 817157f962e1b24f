//! The port: what the bridge asks of a network, and what a network may ask of the bridge.

use crate::{
    failure::Failure,
    ids::{LocalUser, Password, RemoteRoomId, RemoteUserId},
    message::{Body, Delivery, Form, Inbound, Instructions, RawArrival, ReadMark, Sent, Typing},
    metrics,
    store::{Queue, Store},
    yaml::{self, Document},
};
use async_trait::async_trait;
use bytes::Bytes;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

pub use crate::{
    metrics::Connection,
    store::{Cursor, now},
};

/// One remote network. Built once at start, shared by all tasks.
#[async_trait]
pub trait Connector: Send + Sync + 'static {
    /// What this network can carry. The bridge degrades the rest before [`send`](Self::send).
    fn capabilities(&self) -> Capabilities;

    /// Reads an address that a person typed, in any case and spelling that people use; `None` if it is not one of
    /// this network. No I/O.
    fn parse_address(&self, text: &str) -> Option<RemoteUserId>;

    /// How people speak of this network when they type.
    fn spoken(&self) -> Spoken {
        Spoken::default()
    }

    /// What the subjects of one conversation have in common, whatever programs put before them.
    fn normal_subject(&self, subject: &str) -> String {
        subject.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ")
    }

    /// Listens until `stop`, reconnecting by itself. Acknowledges an arrival to the remote only after
    /// [`Inbox::accept`] is `Ok`. An `Err` ends Fehmarn: it is for what an admin must mend (a port that is taken).
    async fn run(&self, inbox: Inbox, stop: CancellationToken) -> Result<(), Failure>;

    /// Hands over one delivery. May be called again for the same delivery after a crash: what goes out carries an id
    /// made from [`Delivery::id`].
    async fn send(&self, delivery: &Delivery) -> Result<Sent, Failure>;

    /// Which of several servers takes the deliveries to this person, where a network has several: that one of them cannot
    /// be reached says nothing of the others. No I/O.
    fn side(&self, _to: &RemoteUserId) -> String {
        String::new()
    }

    /// Which part of the network a delivery to this address goes to, where one may be slow and the others not. No I/O.
    fn domain(&self, to: &RemoteUserId) -> String {
        to.as_str().rsplit_once('@').map_or("", |(_, domain)| domain).to_owned()
    }

    /// Largest sum of attachments of one message to this person, in bytes, as far as it is known; 0 where files cannot
    /// cross. No I/O.
    fn attachment_bytes(&self, to: &RemoteUserId) -> u64;

    /// Takes what a writer says about a message out of its first lines (`Subject: ...`). No I/O.
    fn instructions(&self, _body: &mut Body) -> Instructions {
        Instructions::default()
    }

    /// Understands what [`run`](Self::run) accepted. May ask the network who the sender is. `attempt`: from 1.
    async fn read(&self, raw: &RawArrival, attempt: u32) -> Result<Inbound, Failure>;

    /// What the network knows of a person; `None` if it says nothing. Asked for a new ghost and seldom after. Only with
    /// [`Capabilities::profiles`].
    async fn profile(&self, _user: &RemoteUserId) -> Result<Option<Profile>, Failure> {
        Ok(None)
    }

    /// Shows somebody outside that a member of staff writes to them, or has stopped. It is lost where there is no
    /// connection. Only with [`Capabilities::typing`].
    async fn show_typing(&self, _typing: &Typing) -> Result<(), Failure> {
        Ok(())
    }

    /// Tells somebody outside that a member of staff has read what they wrote; lost as well. Only with
    /// [`Capabilities::read_marks`].
    async fn show_read(&self, _mark: &ReadMark) -> Result<(), Failure> {
        Ok(())
    }

    /// Tries everything that `run` and `send` will need; one finding each.
    async fn check(&self) -> Vec<Finding>;

    /// The connections that it keeps or makes, for those who watch. Always the same ones.
    fn connections(&self) -> Vec<Arc<Connection>> {
        Vec::new()
    }

    /// Reads the address of a remote room that a person typed; `None` if it is not one of this network. No I/O.
    fn parse_room(&self, _text: &str) -> Option<RemoteRoomId> {
        None
    }

    /// Reads the id of somebody who is known only by the remote room they are in, as [`read`](Self::read) has minted it.
    /// No I/O.
    fn parse_occupant(&self, _text: &str) -> Option<RemoteUserId> {
        None
    }

    /// The remote room in which this person is, and gets all that the room gets; `None` for who is reached by themself.
    fn room_of(&self, _person: &RemoteUserId) -> Option<RemoteRoomId> {
        None
    }

    /// How the ids of all who are known only by this remote room begin, and of nobody else; `None` if nothing tells them so.
    /// No I/O.
    fn occupants_of(&self, _room: &RemoteRoomId) -> Option<String> {
        None
    }

    /// What a remote room says of itself; `None` if there is no such room.
    async fn room(&self, _room: &RemoteRoomId) -> Result<Option<RoomProfile>, Failure> {
        Ok(None)
    }

    /// Who of ours is to be in remote rooms has changed: what [`Inbox::attendance`] says counts from now on.
    fn attendance_changed(&self) {}
}

/// How people speak of a network when they type. Its name in the configuration is always one of its words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spoken {
    /// What may stand before an address, in lower case; the first one stands in the help.
    pub words: &'static [&'static str],
    /// An address as it looks there, for the help.
    pub example: &'static str,
    /// Whether people mean this network by an address that another one could have as well.
    pub first: bool,
}

/// What a network can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// How many deliveries may be under way at once.
    pub concurrency: usize,
    /// How long a message waits before it is sent. Meanwhile an edit changes it, a deletion cancels it, and quick lines
    /// of one writer become one message.
    pub hold: Duration,
    /// Whether a message that was sent can be replaced; else a correction follows it.
    pub edits: bool,
    /// Whether a message that was sent can be taken back.
    pub deletes: bool,
    /// Whether everybody's program shows reactions; else only those of whom an arrival said so.
    pub reactions: bool,
    /// Whether people can be shown that somebody is writing to them.
    pub typing: bool,
    /// Whether people can be told that what they wrote was read.
    pub read_marks: bool,
    /// Whether the network knows names and pictures of its people.
    pub profiles: bool,
    /// What people outside are shown as it was meant; the rest becomes words, links and files.
    pub forms: &'static [Form],
    /// Whether people name all those for whom a message is, so that who leaves somebody out writes past them. Else each
    /// writes to one member of staff, and what answers nothing belongs where their conversation was last.
    pub addressed: bool,
}

/// One line of `fehmarn check`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was tried: `SMTP mail.example.org:587`.
    pub what: String,
    /// What was found, or what is wrong and how to mend it.
    pub result: Result<String, String>,
}

/// One line of `connectors::KINDS`: a network that Fehmarn was built with.
pub struct Kind {
    /// The key below `connectors:` in the configuration, and the word in ghost ids.
    pub name: &'static str,
    pub network: Network,
    /// Reads the connector's own section; `env` is where secrets may also come from.
    pub build: Build,
}

/// A network as its people speak of it: for clients that ask where somebody could be found.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    /// What it is called in a client's list: `E-Mail`.
    pub title: &'static str,
    /// What a person is known by.
    pub person: Field,
    /// What a remote room is known by; `None` where there are none.
    pub room: Option<Field>,
    /// `None` where Matrix knows no such third-party identifiers.
    pub medium: Option<Medium>,
}

/// A thing that people type.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// In their own words, lower-case: `address`, `number`.
    pub name: &'static str,
    /// A regular expression for clients; what counts is [`Connector::parse_address`].
    pub pattern: &'static str,
    pub example: &'static str,
}

/// A kind of third-party identifier (Matrix specification, appendix "3PID Types").
#[derive(Clone, Copy, Debug)]
pub struct Medium {
    pub name: &'static str,
    /// What the network's own form has before Matrix's form: Matrix writes phone numbers without their `+`.
    pub prefix: &'static str,
}

impl Medium {
    /// From Matrix's form to the network's own. What people have typed may have it already.
    pub fn read(&self, text: &str) -> String {
        format!("{}{}", self.prefix, text.strip_prefix(self.prefix).unwrap_or(text))
    }

    /// From the network's own form to Matrix's.
    pub fn write<'a>(&self, address: &'a RemoteUserId) -> &'a str {
        let address = address.as_str();
        address.strip_prefix(self.prefix).unwrap_or(address)
    }
}

/// Builds a connector from its section of the configuration.
pub type Build = fn(&Document, yaml::Env<'_>) -> Result<Arc<dyn Connector>, yaml::Error>;

/// Who of ours a connector may receive for. The bridge answers; connectors know no homeserver.
#[async_trait]
pub trait Directory: Send + Sync {
    /// Whether this member of staff exists and may be written to.
    async fn knows(&self, user: &LocalUser) -> Result<bool, Failure>;

    /// What people outside may see of a member of staff; `None` for who may not be written to.
    async fn profile(&self, _user: &LocalUser) -> Result<Option<Profile>, Failure> {
        Ok(None)
    }

    /// Somebody outside writes to a member of staff, or has stopped. Returns at once.
    fn typing(&self, _connector: &'static str, _typing: Typing) {}

    /// The remote rooms of a network in which somebody of ours is to be.
    async fn attendance(&self, _connector: &str) -> Result<Vec<Attendance>, Failure> {
        Ok(Vec::new())
    }
}

/// What a remote room says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoomProfile {
    pub name: Option<String>,
    /// Whether nobody comes in without a password.
    pub needs_password: bool,
}

/// A remote room, and who of ours is to be in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attendance {
    pub room: RemoteRoomId,
    pub password: Option<Password>,
    /// Never empty.
    pub staff: Vec<Attendee>,
}

/// A member of staff in a remote room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attendee {
    pub user: LocalUser,
    /// The name that people see.
    pub name: String,
}

/// What people see of somebody on the other side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    pub name: String,
    /// The bytes of an image; empty if there is none.
    pub picture: Bytes,
}

/// The way into the bridge that a connector holds.
#[derive(Clone)]
pub struct Inbox {
    connector: &'static str,
    store: Store,
    directory: Arc<dyn Directory>,
}

impl Inbox {
    pub fn new(connector: &'static str, store: Store, directory: Arc<dyn Directory>) -> Self {
        Self { connector, store, directory }
    }

    /// Whether an arrival for this user would reach somebody. Ask before accepting.
    pub async fn knows(&self, user: &LocalUser) -> Result<bool, Failure> {
        self.directory.knows(user).await
    }

    /// What people outside may see of a member of staff.
    pub async fn profile(&self, user: &LocalUser) -> Result<Option<Profile>, Failure> {
        self.directory.profile(user).await
    }

    /// Somebody outside writes to a member of staff, or has stopped. It may be lost, and is never written down.
    pub fn typing(&self, typing: Typing) {
        self.directory.typing(self.connector, typing);
    }

    /// The remote rooms in which somebody of ours is to be, as it is now.
    pub async fn attendance(&self) -> Result<Vec<Attendance>, Failure> {
        self.directory.attendance(self.connector).await
    }

    /// Commits arrivals, and the cursor that says how far the remote was read, in one transaction. What was accepted
    /// before is not accepted twice. After `Ok` they survive a power cut.
    pub async fn accept(&self, arrivals: Vec<RawArrival>, cursor: Option<Cursor>) -> Result<(), Failure> {
        let count = arrivals.len();
        self.store.accept_arrivals(self.connector, arrivals, cursor).await?;
        metrics::arrivals(self.connector, count);
        Ok(())
    }

    /// The network can be reached again: what only waits for that is tried at once. For a connector that knows so before
    /// anything is handed to it.
    pub async fn can_be_reached(&self) -> Result<(), Failure> {
        self.store.hurry(Queue::Outbox, self.connector, |_| true).await.map(drop).map_err(Failure::from)
    }

    /// The cursor of this name, as the last `accept` left it.
    pub async fn cursor(&self, name: &str) -> Result<Option<String>, Failure> {
        self.store.cursor(self.connector, name).await.map_err(Failure::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matrix_has_phone_numbers_without_their_plus() {
        let phone = Medium { name: "msisdn", prefix: "+" };
        for typed in ["4943198812", "+4943198812"] {
            assert_eq!(phone.read(typed), "+4943198812");
        }
        assert_eq!(phone.write(&RemoteUserId::new("+4943198812")), "4943198812");
        let mail = Medium { name: "email", prefix: "" };
        assert_eq!(mail.read("bob@example.org"), "bob@example.org");
        assert_eq!(mail.write(&RemoteUserId::new("bob@example.org")), "bob@example.org");
    }
}
