//! A connection that is not yet ready for mail: greeted, encrypted, signed in.

use super::{
    Account,
    reply::{Reply, Stage, cause},
    wire::Wire,
};
use crate::{
    connectors::email::tls::Tls,
    failure::{Failure, Reason},
};
use lettre::transport::smtp::{
    Error,
    authentication::{Credentials, Mechanism},
    client::AsyncSmtpConnection,
    commands::Starttls,
    extension::ClientId,
};
use smtp_proto::{EXT_START_TLS, EhloResponse};
use tokio::net::TcpStream;
use tracing::warn;

const MECHANISMS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];

/// A connection whose server has greeted us and said what it can do.
pub struct Opening<'a> {
    pub connection: AsyncSmtpConnection,
    pub wire: Wire,
    pub hello: EhloResponse<String>,
    account: &'a Account,
}

impl<'a> Opening<'a> {
    /// Connects and encrypts, as the account asks for.
    pub async fn begin(account: &'a Account) -> Result<Self, Failure> {
        let server = &account.server;
        let tcp = server.connect().await?;
        match server.tls {
            Tls::None => Self::greet(account, Wire::plain(tcp)).await,
            Tls::Implicit => Self::greet(account, Wire::secured(server.secure(tcp).await?)).await,
            Tls::Starttls => {
                let plain = Self::greet(account, Wire::plain(tcp)).await?;
                let wire = plain.encrypt().await?;
                Self::greet(account, wire).await
            }
            Tls::Opportunistic => Self::with_what_there_is(account, tcp).await,
        }
    }

    /// What TLS cannot protect goes in the clear (RFC 7435 section 3): over a new connection, as nobody knows what the
    /// one with the failed handshake is good for.
    async fn with_what_there_is(account: &'a Account, tcp: TcpStream) -> Result<Self, Failure> {
        let plain = Self::greet(account, Wire::plain(tcp)).await?;
        if !plain.hello.has_capability(EXT_START_TLS) {
            return Ok(plain);
        }
        let wire = match plain.encrypt().await {
            Ok(wire) => wire,
            Err(failure) => {
                warn!(server = %account.server, detail = failure.detail, "SMTP: TLS has failed, going on without");
                Wire::plain(account.server.connect().await?)
            }
        };
        Self::greet(account, wire).await
    }

    /// lettre keeps of the answer to EHLO only what it uses itself; the rest is read from what was heard.
    async fn greet(account: &'a Account, wire: Wire) -> Result<Self, Failure> {
        let name = ClientId::Domain(account.hello.clone());
        let result = AsyncSmtpConnection::connect_with_transport(Box::new(wire.clone()), &name).await;
        let stage = if wire.has_spoken() { Stage::Hello } else { Stage::Greeting };
        let connection = result.map_err(|e| failure(account, stage, e))?;
        let hello = EhloResponse::parse(&mut wire.heard().iter())
            .map_err(|e| account.server.unreachable("answer to EHLO", e))?;
        Ok(Self { connection, wire, hello, account })
    }

    /// What the server said until now is forgotten with lettre's half of the connection, as RFC 3207 section 4.2 wants it.
    async fn encrypt(mut self) -> Result<Wire, Failure> {
        let account = self.account;
        if !self.hello.has_capability(EXT_START_TLS) {
            return Err(self.denied("does not offer STARTTLS; check port and tls"));
        }
        let result = self.connection.command(Starttls).await;
        let reply = Reply::of(result).map_err(|e| failure(account, Stage::StartTls, e))?;
        if reply.code != 220 {
            return Err(named(account, reply.refusal(Stage::StartTls)));
        }
        let tcp = self.wire.take_plain().map_err(|e| account.server.no_tls(e))?;
        Ok(Wire::secured_later(account.server.secure(tcp).await?))
    }

    pub async fn sign_in(&mut self) -> Result<(), Failure> {
        let Some((user, password)) = &self.account.login else { return Ok(()) };
        if !self.wire.is_verified() && !self.wire.is_local() {
            return Err(self.denied("the password is not sent without TLS and a good certificate; set tls"));
        }
        if self.connection.server_info().get_auth_mechanism(&MECHANISMS).is_none() {
            return Err(self.denied("offers neither AUTH PLAIN nor AUTH LOGIN; check username, port and tls"));
        }
        let credentials = Credentials::new(user.clone(), password.expose().to_owned());
        match Reply::of(self.connection.auth(&MECHANISMS, &credentials).await) {
            Ok(reply) if reply.code == 235 => Ok(()),
            Ok(reply) => Err(named(self.account, reply.refusal(Stage::SignIn))),
            // It did not understand what the server asked, or nothing that it could answer was asked.
            Err(error) if error.is_client() => Err(self.denied(&format!("AUTH: {}", cause(&error)))),
            Err(error) => Err(failure(self.account, Stage::SignIn, error)),
        }
    }

    fn denied(&self, what: &str) -> Failure {
        Failure::transient(Reason::AccessDenied, format!("{}: {what}", self.account.server))
    }
}

fn failure(account: &Account, stage: Stage, error: Error) -> Failure {
    match Reply::of(Err(error)) {
        Ok(reply) => named(account, reply.refusal(stage)),
        Err(error) => account.server.unreachable("connection lost", cause(&error)),
    }
}

fn named(account: &Account, mut failure: Failure) -> Failure {
    failure.detail = format!("{}: {}", account.server, failure.detail);
    failure
}
