//! E-mail: SMTP out, LMTP and IMAP in.
//!
//! | folder or file | what |
//! |---|---|
//! | `config` | the section of the configuration |
//! | `address`, `text` | pure: addresses, and words in the forms of mail |
//! | `compose`, `dkim` | pure: a delivery becomes a mail, and is signed |
//! | `mime`, `fields`, `parse`, `quote`, `report`, `arrival` | pure: a mail becomes an arrival or a receipt |
//! | `automatic`, `loops`, `left` | pure: mail that a machine wrote, that goes round, that is too large to be fetched |
//! | `authentication` | whether a mail is from whom it says; pure, but for its `check` |
//! | `smtp`, `lmtp`, `imap` | the sockets |
//! | `door` | what the listening half needs of the bridge |

mod address;
mod arrival;
mod authentication;
mod automatic;
mod compose;
mod config;
mod dkim;
mod door;
mod fields;
#[cfg(test)]
mod fixture;
mod imap;
mod left;
mod lmtp;
mod loops;
mod mime;
mod parse;
mod quote;
mod report;
mod smtp;
mod text;

use crate::{
    connector::{Capabilities, Connection, Connector, Field, Finding, Inbox, Kind, Medium, Network, Spoken},
    failure::{Failure, Reason},
    ids::RemoteUserId,
    language::Language,
    message::{Body, Delivery, Form, Inbound, Instructions, RawArrival, Sent},
    tls,
    yaml::{self, Document},
};
use address::Identity;
use async_trait::async_trait;
use authentication::Senders;
use config::{Config, FullMessage};
use fields::Fields;
use mime::Part;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

pub const KIND: Kind = Kind { name: "email", network: NETWORK, build };

const NETWORK: Network = Network {
    title: "E-Mail",
    person: Field { name: "address", pattern: r"[^\s@]+@[^\s@]+\.[^\s@]+", example: "bob@example.org" },
    room: None,
    medium: Some(Medium { name: "email", prefix: "" }),
};

/// What a mail needs besides its attachments: headers, words in two forms, the borders between parts.
const REST_OF_MAIL: u64 = 64 << 10;
/// What a mail server may add to a mail on its way in.
const TRACE_HEADERS: u64 = 64 << 10;

struct Email {
    identity: Arc<Identity>,
    language: Language,
    smtp: smtp::Routes,
    connections: usize,
    dkim: dkim::Signers,
    lmtp: Option<(SocketAddr, Arc<Connection>)>,
    imap: Option<Arc<imap::Account>>,
    senders: Senders,
    hold: Duration,
    max_size: u64,
    full_message: FullMessage,
}

fn build(document: &Document, env: yaml::Env<'_>) -> Result<Arc<dyn Connector>, yaml::Error> {
    let Config { language, identity, smtp, connections, dkim, lmtp, imap, senders, hold, max_size, full_message } =
        Config::read(document, env)?;
    let (identity, imap) = (Arc::new(identity), imap.map(Arc::new));
    let lmtp = lmtp.map(|listen| (listen, Connection::new("lmtp", listen)));
    Ok(Arc::new(Email {
        identity,
        language,
        smtp,
        connections,
        dkim,
        lmtp,
        imap,
        senders,
        hold,
        max_size,
        full_message,
    }))
}

#[async_trait]
impl Connector for Email {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            concurrency: self.connections,
            hold: self.hold,
            edits: false,
            deletes: false,
            reactions: false,
            typing: false,
            read_marks: false,
            profiles: false,
            forms: &[Form::Thread],
            addressed: true,
        }
    }

    fn attachment_bytes(&self, to: &RemoteUserId) -> u64 {
        let limit = self.smtp.size_limit(to.address()).map_or(self.max_size, |limit| limit.min(self.max_size));
        // Base64 in lines of 76 characters: 57 bytes become 78 (RFC 2045 section 6.8).
        (limit / 78 * 57).saturating_sub(REST_OF_MAIL)
    }

    fn parse_address(&self, text: &str) -> Option<RemoteUserId> {
        address::person(text)
    }

    fn spoken(&self) -> Spoken {
        Spoken { words: &["mail", "e-mail", "email"], example: "bob@example.org", first: true }
    }

    async fn run(&self, inbox: Inbox, stop: CancellationToken) -> Result<(), Failure> {
        let door: Arc<dyn door::Door> = Arc::new(inbox);
        let listener = match &self.lmtp {
            Some((listen, connection)) => {
                let bound = lmtp::bind(*listen).await;
                connection.note(&bound);
                Some(bound?)
            }
            None => None,
        };
        let lmtp = async {
            if let Some(listener) = listener {
                let (door, identity, stop) = (door.clone(), self.identity.clone(), stop.clone());
                let max_size = usize::try_from(self.max_size).unwrap_or(usize::MAX);
                let service = lmtp::Service { door, identity, max_size, times: lmtp::TIMES, stop };
                lmtp::serve(listener, Arc::new(service)).await;
            }
        };
        let imap = async {
            if let Some(account) = &self.imap {
                imap::run(account.clone(), self.identity.clone(), door.clone(), stop.clone()).await;
            }
        };
        tokio::join!(lmtp, imap);
        Ok(())
    }

    async fn send(&self, delivery: &Delivery) -> Result<Sent, Failure> {
        let mut mail = compose::compose(&self.identity, delivery)?;
        mail.bytes = self.dkim.sign(mail.bytes, delivery.written_at)?;
        let limit_was_known = self.smtp.size_limit(&mail.to).is_some();
        let receipt_follows = self.smtp.send(&mail).await.map_err(|failure| {
            // The server has said its limit only now: what is too large stays here, and the writer is told the limit.
            let is_news = !limit_was_known && self.smtp.size_limit(&mail.to).is_some();
            let can_shrink = failure.reason == Reason::TooLarge && is_news && !delivery.attachments.is_empty();
            if can_shrink { Failure::transient(failure.reason, failure.detail) } else { failure }
        })?;
        Ok(Sent { message: mail.message, subject: Some(mail.topic), receipt_follows, said_as: None })
    }

    fn side(&self, to: &RemoteUserId) -> String {
        self.smtp.side(to.address())
    }

    fn normal_subject(&self, subject: &str) -> String {
        text::subject::normal(subject)
    }

    fn instructions(&self, body: &mut Body) -> Instructions {
        compose::instructions::take(body)
    }

    async fn read(&self, raw: &RawArrival, attempt: u32) -> Result<Inbound, Failure> {
        let (fields, mail) = (Fields::of_mail(&raw.raw), Part::parse(&raw.raw));
        // A report may return a mail of any size; nothing large is read of it.
        if let Some(receipt) = report::read(&mail, &fields, &self.identity) {
            return Ok(Inbound::Receipt(receipt));
        }
        let max_size = self.max_size + TRACE_HEADERS;
        let reader = parse::Reader { identity: &self.identity, language: self.language, max_size };
        let mut arrival = reader.read(&mail, raw);
        arrival.automatic |= automatic::is_marked(&fields);
        self.senders.judge(&mail.headers, &raw.raw, &fields, &mut arrival, attempt).await?;
        if let Some(original) = &mut arrival.original {
            original.at_once = self.full_message == FullMessage::Attach;
        }
        Ok(Inbound::Message(Box::new(arrival)))
    }

    fn connections(&self) -> Vec<Arc<Connection>> {
        let lmtp = self.lmtp.iter().map(|(_, connection)| connection.clone());
        let imap = self.imap.iter().map(|account| account.connection.clone());
        self.smtp.connections().chain(lmtp).chain(imap).collect()
    }

    async fn check(&self) -> Vec<Finding> {
        let lmtp = async {
            match &self.lmtp {
                Some((listen, _)) => Some(lmtp::check(*listen).await),
                None => None,
            }
        };
        let imap = async {
            match &self.imap {
                Some(account) => Some(imap::check(account.clone()).await),
                None => None,
            }
        };
        let (smtp, lmtp, imap, senders) = tokio::join!(self.smtp.check(), lmtp, imap, self.senders.finding());
        smtp.into_iter().chain(self.dkim.check()).chain(lmtp).chain(imap).chain([senders]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Attachment;
    use std::path::Path;
    use tokio::{
        io::{AsyncBufReadExt, AsyncWriteExt, BufStream},
        net::TcpListener,
    };

    fn email(port: u16, key: &str) -> Arc<dyn Connector> {
        let section = format!(
            "connectors:\n  email:\n    domain: amt.example\n    smtp: {{ host: 127.0.0.1, port: {port}, tls: none }}\n    \
             lmtp: {{ listen: '127.0.0.1:0' }}\n{key}"
        );
        build(&Document::new(Path::new("config.yaml"), section), &|_| None).unwrap()
    }

    async fn shown_at_once(key: &str) -> bool {
        let connector = email(25, key);
        match connector.read(&fixture::raw("outlook-reply"), 1).await.unwrap() {
            Inbound::Message(arrival) => arrival.original.unwrap().at_once,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn the_configuration_says_when_the_whole_mail_is_shown() {
        assert!(!shown_at_once("").await);
        assert!(!shown_at_once("    full_message: on_demand\n").await);
        assert!(shown_at_once("    full_message: attach\n").await);
    }

    /// Says what it takes, and takes nothing.
    async fn greet_with_limit(listener: TcpListener) {
        while let Ok((tcp, _)) = listener.accept().await {
            let mut stream = BufStream::new(tcp);
            stream.write_all(b"220 hi\r\n").await.unwrap();
            stream.flush().await.unwrap();
            stream.read_line(&mut String::new()).await.unwrap();
            stream.write_all(b"250-mail.example\r\n250 SIZE 100000\r\n").await.unwrap();
            stream.flush().await.unwrap();
        }
    }

    #[tokio::test]
    async fn what_a_server_turns_out_not_to_take_is_tried_again_and_no_more_once_its_limit_is_known() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connector = email(listener.local_addr().unwrap().port(), "");
        tokio::spawn(greet_with_limit(listener));
        let (media_type, location) = ("image/png".into(), String::new());
        let plan = Attachment { name: "plan.png".into(), media_type, location, bytes: vec![0; 200_000].into() };
        let delivery = Delivery { attachments: vec![plan], ..compose::tests::delivery("Der Plan") };
        assert!(connector.attachment_bytes(&delivery.to) > 200_000);
        let failure = connector.send(&delivery).await.unwrap_err();
        assert_eq!((failure.reason, failure.is_permanent()), (Reason::TooLarge, false), "{failure}");
        // 57 of 78 bytes, but for the rest of the mail.
        assert_eq!(connector.attachment_bytes(&delivery.to), 100_000 / 78 * 57 - REST_OF_MAIL);
        assert!(connector.send(&delivery).await.unwrap_err().is_permanent(), "it would be tried for ever");
    }
}
