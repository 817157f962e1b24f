//! Opening a stream, against a server that answers as it is told: no server of our own machine offers STARTTLS to components.

use super::*;
use crate::{tls, yaml::Secret};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use std::{path::Path, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    net::TcpListener,
    task::JoinHandle,
};

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/connectors/xmpp/fixtures/localhost.pem");
const HEADER: &str = "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' \
                      from='m.test' id='7'";
const STARTTLS: &str = "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>\
                        </stream:features>";
const PROCEED: &str = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";

/// What the server says behind its header, and behind the wish for TLS.
#[derive(Clone, Copy)]
struct Script {
    version: &'static str,
    features: &'static str,
    answer: &'static str,
}

const OFFERS: Script = Script { version: " version='1.0'", features: STARTTLS, answer: PROCEED };
const OLD: Script = Script { version: "", features: "", answer: "" };

fn acceptor() -> tokio_rustls::TlsAcceptor {
    let certificates = CertificateDer::pem_file_iter(FIXTURE).unwrap().map(Result::unwrap).collect();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificates, PrivateKeyDer::from_pem_file(FIXTURE).unwrap());
    Arc::new(config.unwrap()).into()
}

/// Reads until this stands there.
async fn read_until(socket: &mut (impl AsyncRead + Unpin), end: &str) -> String {
    let mut text = Vec::new();
    while !String::from_utf8_lossy(&text).ends_with(end) {
        let byte = socket.read_u8().await;
        let Ok(byte) = byte else { break };
        text.push(byte);
    }
    String::from_utf8(text).unwrap()
}

async fn take_component(mut socket: impl AsyncRead + AsyncWrite + Unpin) -> String {
    let mut heard = read_until(&mut socket, "</handshake>").await;
    let _ = socket.write_all(b"<handshake/>").await;
    heard.push_str(&read_until(&mut socket, "never").await);
    heard
}

/// One connection; what was heard over TLS, or without it if there was none.
async fn serve(listener: TcpListener, script: Script) -> (bool, String) {
    let (mut socket, _) = listener.accept().await.unwrap();
    read_until(&mut socket, "'>").await;
    let first = format!("<?xml version='1.0'?>{HEADER}{}>{}", script.version, script.features);
    socket.write_all(first.as_bytes()).await.unwrap();
    if script.answer.is_empty() {
        return (false, take_component(socket).await);
    }
    read_until(&mut socket, "/>").await;
    socket.write_all(script.answer.as_bytes()).await.unwrap();
    if script.answer != PROCEED {
        return (false, read_until(&mut socket, "never").await);
    }
    let Ok(mut secured) = acceptor().accept(socket).await else { return (false, "no TLS".into()) };
    read_until(&mut secured, "'>").await;
    secured.write_all(format!("<?xml version='1.0'?>{HEADER}>").as_bytes()).await.unwrap();
    (true, take_component(secured).await)
}

struct Outcome {
    opened: Result<(), String>,
    over_tls: bool,
    heard: String,
}

async fn open_against(script: Script, tls: Tls, ca_file: Option<&str>) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving: JoinHandle<_> = tokio::spawn(serve(listener, script));
    let place = tls::Server::new("127.0.0.1", port, tls, ca_file.map(Path::new)).unwrap();
    let server = Server { place, secret: Secret::new("s") };
    let opened = open(&server, &Identity::new("m.test").unwrap()).await;
    let opened = opened.map(drop).map_err(|failure| failure.detail);
    let (over_tls, heard) = serving.await.unwrap();
    Outcome { opened, over_tls, heard }
}

#[tokio::test]
async fn tls_that_is_offered_is_used_before_anything_is_said() {
    for tls in [Tls::Starttls, Tls::Opportunistic] {
        let outcome = open_against(OFFERS, tls, Some(FIXTURE)).await;
        assert_eq!(outcome.opened, Ok(()));
        assert!(outcome.over_tls && outcome.heard.contains("handshake"), "{}", outcome.heard);
    }
}

#[tokio::test]
async fn where_tls_must_be_nobody_else_learns_our_proof() {
    let unknown = open_against(OFFERS, Tls::Starttls, None).await;
    assert!(unknown.opened.unwrap_err().contains("no TLS") && unknown.heard == "no TLS");
    let old = open_against(OLD, Tls::Starttls, Some(FIXTURE)).await;
    assert!(old.opened.unwrap_err().contains("offers no STARTTLS"));
    assert!(!old.heard.contains("handshake"), "{}", old.heard);
    let others = Script { features: "<stream:features/>", answer: "", ..OFFERS };
    let others = open_against(others, Tls::Starttls, Some(FIXTURE)).await;
    assert!(others.opened.unwrap_err().contains("offers no STARTTLS") && !others.heard.contains("handshake"));
    let failed = Script { answer: "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", ..OFFERS };
    assert!(open_against(failed, Tls::Starttls, Some(FIXTURE)).await.opened.is_err());
}

#[tokio::test]
async fn where_tls_may_be_an_old_server_is_as_good_as_ever() {
    for script in [OLD, Script { features: "<stream:features/>", answer: "", ..OFFERS }] {
        let outcome = open_against(script, Tls::Opportunistic, None).await;
        assert_eq!(outcome.opened, Ok(()));
        assert!(!outcome.over_tls && outcome.heard.contains("handshake"), "{}", outcome.heard);
    }
    assert!(open_against(OFFERS, Tls::Opportunistic, None).await.over_tls, "with whatever certificate");
}

#[tokio::test]
async fn what_is_put_behind_the_answer_to_starttls_is_not_taken_for_the_servers() {
    let injected = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><handshake/>";
    let outcome = open_against(Script { answer: injected, ..OFFERS }, Tls::Starttls, Some(FIXTURE)).await;
    assert!(outcome.opened.unwrap_err().contains("behind the answer"));
}
