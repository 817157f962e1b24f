//! The way to a network's server, plain or encrypted, the same for all that speak over TCP.

use crate::failure::{Failure, Reason};
use rustls::{
    ClientConfig, RootCertStore,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use serde::Deserialize;
use std::{fmt, io, path::Path, sync::Arc, time::Duration};
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// One address of a server gets this long, so that a dead one leaves time for the next.
const ADDRESS_TIME: Duration = Duration::from_secs(10);
/// Name, connection and, separately, the TLS handshake.
pub const CONNECT_TIME: Duration = Duration::from_secs(30);

/// How a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    None,
    /// STARTTLS where it is offered, with whatever certificate; else plain (RFC 7435).
    Opportunistic,
    /// Plain at first; nothing but the wish for TLS is said before it is there (RFC 3207, RFC 3501 section 6.2.1).
    Starttls,
    /// From the first byte (RFC 8314).
    #[serde(rename = "tls")]
    Implicit,
}

/// A server as the configuration names it.
#[derive(Clone)]
pub struct Server {
    pub host: String,
    pub port: u16,
    pub tls: Tls,
    trust: Option<Trust>,
}

#[derive(Clone)]
struct Trust {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    /// Asked about the certificate after the handshake, where `config` lets any pass; without certificates to trust
    /// there is none to ask.
    judge: Option<Arc<WebPkiServerVerifier>>,
}

/// A connection with TLS.
pub struct Secured {
    pub stream: TlsStream<TcpStream>,
    /// Whether the server has shown that it is the one that was meant.
    pub verified: bool,
}

impl Server {
    /// Reads the certificates to trust: those of the system, and those in `ca_file` (PEM).
    ///
    /// # Errors
    /// A sentence for an admin, without the key.
    pub fn new(host: &str, port: u16, tls: Tls, ca_file: Option<&Path>) -> Result<Self, String> {
        let trust = match tls {
            Tls::None => None,
            Tls::Opportunistic | Tls::Starttls | Tls::Implicit => {
                let name = ServerName::try_from(host.to_owned())
                    .map_err(|_| format!("host: {host:?} is neither a host name nor an address"))?;
                let (config, judge) = client_config(ca_file, tls == Tls::Opportunistic)?;
                Some(Trust { config: Arc::new(config), name, judge })
            }
        };
        Ok(Self { host: host.to_owned(), port, tls, trust })
    }

    /// A TCP connection without delay for small writes.
    pub async fn connect(&self) -> Result<TcpStream, Failure> {
        let connection = match timeout(CONNECT_TIME, self.first_that_answers()).await {
            Ok(result) => result,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        };
        connection.map_err(|e| self.unreachable("no connection", e))
    }

    async fn first_that_answers(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in lookup_host((self.host.as_str(), self.port)).await? {
            match timeout(ADDRESS_TIME, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Ok(Err(error)) => last = error,
                Err(_) => last = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(last)
    }

    /// Encrypts a connection, and makes sure that the server is the one that was meant; see [`Secured::verified`] for
    /// [`Tls::Opportunistic`].
    pub async fn secure(&self, stream: TcpStream) -> Result<Secured, Failure> {
        let Trust { config, name, judge } = self.trust()?;
        let handshake = TlsConnector::from(config).connect(name.clone(), stream);
        let stream = match timeout(CONNECT_TIME, handshake).await {
            Ok(result) => result.map_err(|e| self.no_tls(e))?,
            Err(_) => return Err(self.no_tls("no answer in time")),
        };
        let verified = self.tls != Tls::Opportunistic || judge.is_some_and(|judge| is_good(&judge, &name, &stream));
        Ok(Secured { stream, verified })
    }

    /// The same for a blocking connection; the handshake takes place with the first read or write.
    pub fn secure_blocking<S: io::Read + io::Write>(
        &self,
        stream: S,
    ) -> Result<rustls::StreamOwned<rustls::ClientConnection, S>, Failure> {
        let Trust { config, name, .. } = self.trust()?;
        let connection = rustls::ClientConnection::new(config, name).map_err(|e| self.no_tls(e))?;
        Ok(rustls::StreamOwned::new(connection, stream))
    }

    fn trust(&self) -> Result<Trust, Failure> {
        self.trust.clone().ok_or_else(|| Failure::transient(Reason::Internal, format!("{self}: built without TLS")))
    }

    pub fn no_tls(&self, why: impl fmt::Display) -> Failure {
        self.unreachable("no TLS", format!("{why}; check host, port, tls and ca_file"))
    }

    /// What `fehmarn check` says of a failure, with the keys of this section of `connectors` to look at.
    pub fn mend(&self, section: &str, failure: &Failure) -> String {
        let keys = match failure.reason {
            Reason::AccessDenied => "username and password_file",
            _ => "host, port and tls",
        };
        let problem = failure.detail.strip_prefix(&format!("{self}: ")).unwrap_or(&failure.detail);
        format!("{problem}; see {keys} in connectors.{section}")
    }

    pub fn unreachable(&self, what: &str, why: impl fmt::Display) -> Failure {
        Failure::transient(Reason::Unreachable, format!("{self}: {what}: {why}"))
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// The judge is there where `lenient` lets any certificate pass the handshake, and anything is trusted at all.
fn client_config(
    ca_file: Option<&Path>,
    lenient: bool,
) -> Result<(ClientConfig, Option<Arc<WebPkiServerVerifier>>), String> {
    let mut roots = RootCertStore::empty();
    // Systems carry certificates that rustls does not read; one good one is enough to go on.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(file) = ca_file {
        add_file(&mut roots, file).map_err(|e| format!("ca_file: {}: {e}", file.display()))?;
    }
    // Named here, so that it does not matter what the process has installed as its default.
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?;
    if lenient {
        let any = Arc::new(AnyCertificate(provider.clone()));
        let config = builder.dangerous().with_custom_certificate_verifier(any).with_no_client_auth();
        // Its only error is that there is nothing to trust.
        let judge = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().ok();
        return Ok((config, judge));
    }
    if roots.is_empty() {
        return Err("this system has no certificates to trust: install them (ca-certificates) or set ca_file".into());
    }
    Ok((builder.with_root_certificates(roots).with_no_client_auth(), None))
}

fn is_good(judge: &WebPkiServerVerifier, name: &ServerName<'_>, stream: &TlsStream<TcpStream>) -> bool {
    let certificates = stream.get_ref().1.peer_certificates().and_then(<[_]>::split_first);
    certificates.is_some_and(|(own, others)| judge.verify_server_cert(own, others, name, &[], UnixTime::now()).is_ok())
}

/// Whoever it names. Only that the other end holds its key is checked: else a certificate that was copied from another
/// server would look good afterwards.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _own: &CertificateDer<'_>,
        _others: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

fn add_file(roots: &mut RootCertStore, file: &Path) -> Result<(), String> {
    let mut found = false;
    for certificate in CertificateDer::pem_file_iter(file).map_err(|e| e.to_string())? {
        roots.add(certificate.map_err(|e| e.to_string())?).map_err(|e| e.to_string())?;
        found = true;
    }
    if found { Ok(()) } else { Err("has no certificate (PEM) in it".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_file_that_is_none_is_named_with_what_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("ca.pem");
        std::fs::write(&empty, "").unwrap();
        let error = Server::new("mail.example.org", 587, Tls::Starttls, Some(&empty)).err().unwrap();
        assert!(error.contains("ca.pem") && error.contains("no certificate"), "{error}");
        let missing =
            Server::new("mail.example.org", 587, Tls::Implicit, Some(Path::new("/nowhere/ca.pem"))).err().unwrap();
        assert!(missing.contains("/nowhere/ca.pem"), "{missing}");
        assert!(Server::new("mail.example.org", 25, Tls::None, Some(Path::new("/nowhere/ca.pem"))).is_ok());
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_unreachable_for_now() {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let failure = Server::new("127.0.0.1", port, Tls::None, None).unwrap().connect().await.unwrap_err();
        assert_eq!((failure.reason, failure.is_permanent()), (Reason::Unreachable, false));
    }
}
