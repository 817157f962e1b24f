//! HTTP to the homeserver. hyper's own client: around it reqwest reads each URL three times, follows redirects that there
//! are none of, and needs four times as long for a message.

use super::{Error, client::chain};
use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Request, Response, Uri, header::USER_AGENT};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper_rustls::{HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use rustls::crypto::ring;
use std::time::Duration;
use tokio::net::TcpStream;
use tower::{BoxError, timeout::Timeout, util::BoxCloneSyncService};

/// Connection and TLS handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection is kept that nobody needs.
const IDLE: Duration = Duration::from_secs(90);
/// How often the other end of a quiet connection is asked whether it is there, and how long it may say nothing.
const PROBE: Duration = Duration::from_secs(15);
const PROBES: u32 = 3;
const SILENCE: Duration = Duration::from_secs(30);
const AGENT: HeaderValue = HeaderValue::from_static(concat!("Fehmarn/", env!("CARGO_PKG_VERSION")));

type Connector = BoxCloneSyncService<Uri, MaybeHttpsStream<TokioIo<TcpStream>>, BoxError>;

/// Connections to servers, each used again for the next request. Certificates are judged as the system does.
pub struct Transport(Client<Connector, Full<Bytes>>);

impl Transport {
    pub fn new() -> Result<Self, Error> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        tcp.set_keepalive(Some(PROBE));
        tcp.set_keepalive_interval(Some(PROBE));
        tcp.set_keepalive_retries(Some(PROBES));
        tcp.set_tcp_user_timeout(Some(SILENCE));
        let https = HttpsConnectorBuilder::new()
            .with_provider_and_platform_verifier(ring::default_provider())
            .map_err(|e| Error::Unreachable(chain(&e)))?
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(tcp);
        let connector = Connector::new(Timeout::new(https, CONNECT_TIMEOUT));
        let mut client = Client::builder(TokioExecutor::new());
        Ok(Self(client.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE).build(connector)))
    }

    /// Sends a request; the answer's body is still to be [`read`].
    pub async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Incoming>, Error> {
        request.headers_mut().insert(USER_AGENT, AGENT);
        self.0.request(request.map(Full::new)).await.map_err(|e| Error::Unreachable(chain(&e)))
    }
}

/// The answer with its body, of at most `limit` bytes.
pub async fn read(response: Response<Incoming>, limit: u64) -> Result<Response<Bytes>, Error> {
    let (head, mut body) = response.into_parts();
    if body.size_hint().lower() > limit {
        return Err(Error::TooLong(limit));
    }
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(part) = frame.map_err(|e| Error::Unreachable(chain(&e)))?.into_data() else { continue };
        if whole.len() as u64 + part.len() as u64 > limit {
            return Err(Error::TooLong(limit));
        }
        whole.extend_from_slice(&part);
    }
    Ok(Response::from_parts(head, whole.freeze()))
}
