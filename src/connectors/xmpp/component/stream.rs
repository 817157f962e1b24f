//! A stream to the server: opening it as the component that we are (XEP-0114), and what goes over it.

use super::stanza::{Gauge, Stanza};
use crate::{
    connectors::xmpp::{
        address::Identity,
        config::Server,
        xml::{Build, element, ns, write},
    },
    failure::{Failure, Reason},
};
use data_encoding::HEXLOWER;
use rxml::{AsyncReader, Event, Namespace, Options};
use std::{fmt::Display, io, time::Duration};
use tokio::{
    io::{AsyncWriteExt, BufReader},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::timeout,
};
use xmpp_parsers::{
    minidom::Element,
    sha1::{Digest, Sha1},
};
use xso::{Context, FromEventsBuilder, FromXml};

const OPENING: Duration = Duration::from_secs(20);
/// The longest name or attribute, in bytes: with a longer one the stream ends.
const LONGEST_TOKEN: usize = 64 << 10;

pub struct Stream {
    reader: AsyncReader<BufReader<OwnedReadHalf>>,
    writer: OwnedWriteHalf,
    /// The stanza of which a part has come.
    begun: Option<Gauge>,
}

/// Connects and signs in.
pub async fn open(server: &Server, identity: &Identity) -> Result<Stream, Failure> {
    let place = format!("{}:{}", server.host, server.port);
    let opened = timeout(OPENING, sign_in(server, identity)).await;
    let opened = opened.unwrap_or_else(|_| Err(unreachable("does not answer")));
    opened.map_err(|failure| Failure { detail: format!("{place}: {}", failure.detail), ..failure })
}

async fn sign_in(server: &Server, identity: &Identity) -> Result<Stream, Failure> {
    let socket = TcpStream::connect((server.host.as_str(), server.port)).await.map_err(unreachable)?;
    socket.set_nodelay(true).map_err(unreachable)?;
    let (reader, writer) = socket.into_split();
    let options = Options { max_token_length: LONGEST_TOKEN, ..Options::default() };
    let reader = AsyncReader::with_options(BufReader::new(reader), options);
    let mut stream = Stream { reader, writer, begun: None };
    // A domain has no character that would have to be escaped.
    let header = format!(
        "<?xml version='1.0'?><stream:stream xmlns='{}' xmlns:stream='{}' to='{}'>",
        ns::COMPONENT,
        ns::STREAMS,
        identity.domain
    );
    stream.writer.write_all(header.as_bytes()).await.map_err(unreachable)?;
    // Without an id the server has begun with what is wrong: an unknown domain.
    if let Some(id) = stream.header().await? {
        let proof = HEXLOWER.encode(&Sha1::digest(format!("{id}{}", server.secret.expose())));
        stream.write(&[element("handshake", ns::COMPONENT).saying(&proof)]).await.map_err(unreachable)?;
    }
    let answer = stream.next().await?.element;
    if answer.is("handshake", ns::COMPONENT) { Ok(stream) } else { Err(refusal(&answer)) }
}

impl Stream {
    /// The id in the server's header.
    async fn header(&mut self) -> Result<Option<String>, Failure> {
        loop {
            match self.reader.read().await.map_err(unreachable)? {
                Some(Event::StartElement(_, (namespace, name), attrs)) => {
                    if namespace != ns::STREAMS || name != "stream" {
                        return Err(unreachable("this is no XMPP server"));
                    }
                    return Ok(attrs.get(Namespace::none(), "id").cloned());
                }
                Some(_) => {}
                None => return Err(unreachable("the server closed the connection")),
            }
        }
    }

    /// The next stanza. Nothing is lost if this is not waited for to the end.
    pub async fn next(&mut self) -> Result<Stanza, Failure> {
        loop {
            let Some(event) = self.reader.read().await.map_err(unreachable)? else {
                return Err(unreachable("the server closed the connection"));
            };
            match (&mut self.begun, event) {
                (None, Event::StartElement(_, name, attrs)) => {
                    self.begun = Some(Stanza::from_events(name, attrs, &Context::empty()).map_err(|_| strange())?);
                }
                (None, Event::EndElement(_)) => return Err(unreachable("the server ended the stream")),
                // Between stanzas, servers send spaces to keep a connection open.
                (None, _) => {}
                (Some(begun), event) => {
                    if let Some(stanza) = begun.feed(event, &Context::empty()).map_err(|_| strange())? {
                        self.begun = None;
                        return Ok(stanza);
                    }
                }
            }
        }
    }

    pub async fn write(&mut self, stanzas: &[Element]) -> io::Result<()> {
        let bytes: Vec<u8> = stanzas.iter().flat_map(write).collect();
        self.writer.write_all(&bytes).await
    }

    /// Says that nothing more will be written; what the server has still to say can be read.
    pub async fn close(&mut self) -> io::Result<()> {
        self.writer.write_all(b"</stream:stream>").await
    }
}

fn unreachable(error: impl Display) -> Failure {
    Failure::transient(Reason::Unreachable, error)
}

fn strange() -> Failure {
    unreachable("the server sent something that is no stanza")
}

/// What a server says before it ends a stream (RFC 6120 section 4.9.3).
pub fn refusal(error: &Element) -> Failure {
    let condition = error.children().next().map_or_else(|| error.name().to_owned(), |child| child.name().to_owned());
    let reason = match condition.as_str() {
        "not-authorized" | "host-unknown" | "invalid-namespace" => Reason::AccessDenied,
        _ => Reason::Unreachable,
    };
    let words = error.children().find(|child| child.name() == "text").map(Element::text).unwrap_or_default();
    Failure::transient(reason, format!("the server ended the stream: {condition} {words}").trim_end())
}
