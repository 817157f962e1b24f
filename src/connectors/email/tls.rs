//! The way to a mail server, plain or encrypted, for SMTP and IMAP alike.

use crate::failure::{Failure, Reason};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
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
    /// Plain at first; nothing but the wish for TLS is said before it is there (RFC 3207, RFC 3501 section 6.2.1).
    Starttls,
    /// From the first byte (RFC 8314).
    #[serde(rename = "tls")]
    Implicit,
}

/// A mail server as the configuration names it.
#[derive(Clone)]
pub struct Server {
    pub host: String,
    pub port: u16,
    pub tls: Tls,
    trust: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl Server {
    /// Reads the certificates to trust: those of the system, and those in `ca_file` (PEM).
    ///
    /// # Errors
    /// A sentence for an admin, without the key.
    pub fn new(host: &str, port: u16, tls: Tls, ca_file: Option<&Path>) -> Result<Self, String> {
        let trust = match tls {
            Tls::None => None,
            Tls::Starttls | Tls::Implicit => {
                let name = ServerName::try_from(host.to_owned())
                    .map_err(|_| format!("host: {host:?} is neither a host name nor an address"))?;
                Some((Arc::new(client_config(ca_file)?), name))
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

    /// Encrypts a connection, and makes sure that the server is the one that was meant.
    pub async fn secure(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>, Failure> {
        let (config, name) = self.trust()?;
        match timeout(CONNECT_TIME, TlsConnector::from(config).connect(name, stream)).await {
            Ok(result) => result.map_err(|e| self.unreachable("no TLS", e)),
            Err(_) => Err(self.unreachable("no TLS", "no answer in time")),
        }
    }

    /// The same for a blocking connection; the handshake takes place with the first read or write.
    pub fn secure_blocking<S: io::Read + io::Write>(
        &self,
        stream: S,
    ) -> Result<rustls::StreamOwned<rustls::ClientConnection, S>, Failure> {
        let (config, name) = self.trust()?;
        let connection = rustls::ClientConnection::new(config, name).map_err(|e| self.unreachable("no TLS", e))?;
        Ok(rustls::StreamOwned::new(connection, stream))
    }

    fn trust(&self) -> Result<(Arc<ClientConfig>, ServerName<'static>), Failure> {
        self.trust.clone().ok_or_else(|| Failure::transient(Reason::Internal, format!("{self}: built without TLS")))
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

fn client_config(ca_file: Option<&Path>) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    // Systems carry certificates that rustls does not read; one good one is enough to go on.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(file) = ca_file {
        add_file(&mut roots, file).map_err(|e| format!("ca_file: {}: {e}", file.display()))?;
    }
    if roots.is_empty() {
        return Err("this system has no certificates to trust: install them (ca-certificates) or set ca_file".into());
    }
    // Named here, so that it does not matter what the process has installed as its default.
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
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
