//! A stream to the server: opening it as the component that we are (XEP-0114), and what goes over it.

use super::stanza::{Gauge, Stanza};
use crate::{
    connectors::xmpp::{
        address::Identity,
        config::Server,
        xml::{Build, element, ns, write},
    },
    failure::{Failure, Reason},
    tls::Tls,
};
use data_encoding::HEXLOWER;
use rxml::{AsyncReader, Event, Namespace, Options};
use std::{fmt::Display, io, time::Duration};
use tokio::{
    io::{AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;
use xmpp_parsers::{
    minidom::Element,
    sha1::{Digest, Sha1},
};
use xso::{Context, FromEventsBuilder, FromXml};

const OPENING: Duration = Duration::from_secs(20);
/// The longest name or attribute, in bytes: with a longer one the stream ends.
const LONGEST_TOKEN: usize = 64 << 10;

/// A connection, without TLS or with it.
type Socket = Either<TcpStream, TlsStream<TcpStream>>;

pub struct Stream {
    reader: AsyncReader<BufReader<Socket>>,
    /// The stanza of which a part has come.
    begun: Option<Gauge>,
}

/// What the server's header says.
struct Header {
    /// Without one the server has begun with what is wrong: an unknown domain.
    id: Option<String>,
    /// Whether it says what it offers before anything else (RFC 6120 section 4.3.2).
    has_features: bool,
}

/// Connects and signs in.
pub async fn open(server: &Server, identity: &Identity) -> Result<Stream, Failure> {
    let opened = timeout(OPENING, connect(server, identity)).await;
    let opened = opened.unwrap_or_else(|_| Err(unreachable("does not answer")));
    let place = &server.place;
    opened.map_err(|failure| match failure.detail.strip_prefix(&format!("{place}: ")) {
        Some(_) => failure,
        None => Failure { detail: format!("{place}: {}", failure.detail), ..failure },
    })
}

async fn connect(server: &Server, identity: &Identity) -> Result<Stream, Failure> {
    let socket = server.place.connect().await?;
    let socket = match server.place.tls {
        Tls::None => Either::Left(socket),
        Tls::Implicit => Either::Right(server.place.secure(socket).await?.stream),
        Tls::Starttls | Tls::Opportunistic => return ask_for_tls(socket, server, identity).await,
    };
    let mut stream = Stream::new(socket);
    let header = stream.begin(identity, "").await?;
    sign_in(stream, header, server).await
}

/// STARTTLS, if it is offered (RFC 6120 section 5.4). A component's stream has no version of its own; only to one with a
/// version a server says what it offers.
async fn ask_for_tls(socket: TcpStream, server: &Server, identity: &Identity) -> Result<Stream, Failure> {
    let mut stream = Stream::new(Either::Left(socket));
    let header = stream.begin(identity, " version='1.0'").await?;
    if !stream.starts_tls(&header).await? {
        return match server.place.tls {
            Tls::Starttls => Err(server.place.no_tls("the server offers no STARTTLS")),
            _ => sign_in(stream, header, server).await,
        };
    }
    let reader = stream.reader.into_inner().0;
    // What came unprotected behind the answer may be anybody's.
    let (true, Either::Left(socket)) = (reader.buffer().is_empty(), reader.into_inner()) else {
        return Err(server.place.no_tls("something came behind the answer to STARTTLS"));
    };
    let mut stream = Stream::new(Either::Right(server.place.secure(socket).await?.stream));
    let header = stream.begin(identity, "").await?;
    sign_in(stream, header, server).await
}

async fn sign_in(mut stream: Stream, header: Header, server: &Server) -> Result<Stream, Failure> {
    if let Some(id) = header.id {
        let proof = HEXLOWER.encode(&Sha1::digest(format!("{id}{}", server.secret.expose())));
        stream.write(&[element("handshake", ns::COMPONENT).saying(&proof)]).await.map_err(unreachable)?;
    }
    let answer = stream.next().await?.element;
    if answer.is("handshake", ns::COMPONENT) { Ok(stream) } else { Err(refusal(&answer)) }
}

impl Stream {
    fn new(socket: Socket) -> Self {
        let options = Options { max_token_length: LONGEST_TOKEN, ..Options::default() };
        Self { reader: AsyncReader::with_options(BufReader::new(socket), options), begun: None }
    }

    fn socket(&mut self) -> &mut Socket {
        self.reader.inner_mut().get_mut()
    }

    /// Sends our header, and reads the server's.
    async fn begin(&mut self, identity: &Identity, version: &str) -> Result<Header, Failure> {
        // A domain has no character that would have to be escaped.
        let header = format!(
            "<?xml version='1.0'?><stream:stream xmlns='{}' xmlns:stream='{}' to='{}'{version}>",
            ns::COMPONENT,
            ns::STREAMS,
            identity.domain
        );
        self.socket().write_all(header.as_bytes()).await.map_err(unreachable)?;
        self.socket().flush().await.map_err(unreachable)?;
        self.header().await
    }

    async fn header(&mut self) -> Result<Header, Failure> {
        loop {
            match self.reader.read().await.map_err(unreachable)? {
                Some(Event::StartElement(_, (namespace, name), attrs)) => {
                    if namespace != ns::STREAMS || name != "stream" {
                        return Err(unreachable("this is no XMPP server"));
                    }
                    let attribute = |name: &str| attrs.get(Namespace::none(), name).cloned();
                    return Ok(Header { id: attribute("id"), has_features: attribute("version").is_some() });
                }
                Some(_) => {}
                None => return Err(unreachable("the server closed the connection")),
            }
        }
    }

    /// Whether the server waits for TLS to begin.
    async fn starts_tls(&mut self, header: &Header) -> Result<bool, Failure> {
        if header.id.is_none() || !header.has_features {
            return Ok(false);
        }
        let features = self.next().await?.element;
        if !features.is("features", ns::STREAMS) {
            return Err(refusal(&features));
        }
        if !features.has_child("starttls", ns::TLS) {
            return Ok(false);
        }
        self.write(&[element("starttls", ns::TLS)]).await.map_err(unreachable)?;
        let answer = self.next().await?.element;
        if answer.is("proceed", ns::TLS) { Ok(true) } else { Err(refusal(&answer)) }
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
        self.socket().write_all(&bytes).await?;
        self.socket().flush().await
    }

    /// Says that nothing more will be written; what the server has still to say can be read.
    pub async fn close(&mut self) -> io::Result<()> {
        self.socket().write_all(b"</stream:stream>").await?;
        self.socket().flush().await
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

#[cfg(test)]
mod tests;
