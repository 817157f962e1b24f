//! The connection that the IMAP crate talks over: plain or encrypted, with a bound on time and size.

use crate::{
    connectors::email::tls::{Server, Tls},
    failure::{Failure, Reason},
};
use imap::{Client, extensions::idle::SetReadTimeout};
use rustls::{ClientConnection, StreamOwned};
use std::{
    io::{self, Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// The longest silence within an answer.
pub const SOCKET_TIME: Duration = Duration::from_secs(60);
/// The answer to a command that asks for no mail. A search may name a million UIDs.
const SMALL_ANSWER: u64 = 16 << 20;
const LONGEST_LINE: usize = 8192;

pub struct Stream {
    way: Way,
    allowance: Allowance,
    /// Bytes that may still be read before the next write.
    left: u64,
}

enum Way {
    Plain(TcpStream),
    Secured(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// How many bytes may come in answer to a command.
#[derive(Clone)]
pub struct Allowance(Arc<AtomicU64>);

impl Allowance {
    pub fn small() -> Self {
        Self(Arc::new(AtomicU64::new(SMALL_ANSWER)))
    }

    /// For commands that ask for mails of this size together, as far as the server knows it; 0 for no mails.
    pub fn set(&self, size: u64) {
        self.0.store(size.saturating_mul(2).saturating_add(SMALL_ANSWER), Ordering::Relaxed);
    }

    fn has_mails(&self) -> bool {
        self.0.load(Ordering::Relaxed) > SMALL_ANSWER
    }
}

impl Stream {
    /// A client that has been greeted, is encrypted as the server's configuration asks for, and may be told a password.
    pub fn open(tcp: TcpStream, server: &Server, allowance: Allowance) -> Result<Client<Self>, Failure> {
        let mut stream = Self { way: Way::Plain(tcp), allowance, left: SMALL_ANSWER };
        if server.tls == Tls::Implicit {
            stream = stream.secure(server)?;
        }
        let greeting = stream.line().map_err(|e| server.unreachable("no greeting", e))?;
        if !greeting.starts_with("* OK") {
            return Err(Failure::transient(Reason::Busy, format!("{server}: {}", greeting.trim_end())));
        }
        if server.tls == Tls::Starttls {
            stream.ask_for_tls(server)?;
            stream = stream.secure(server)?;
        }
        if !stream.is_safe() {
            let detail = format!("{server}: the password is not sent without TLS; set tls");
            return Err(Failure::transient(Reason::AccessDenied, detail));
        }
        Ok(Client::new(stream))
    }

    /// Whether a password may be sent: encrypted, or not leaving this machine.
    fn is_safe(&self) -> bool {
        match &self.way {
            Way::Plain(tcp) => tcp.peer_addr().is_ok_and(|address| address.ip().is_loopback()),
            Way::Secured(_) => true,
        }
    }

    fn ask_for_tls(&mut self, server: &Server) -> Result<(), Failure> {
        let lost = |e| server.unreachable("connection lost", e);
        self.write_all(b"s STARTTLS\r\n").and_then(|()| self.flush()).map_err(lost)?;
        loop {
            let line = self.line().map_err(lost)?;
            if line.starts_with("s OK") {
                return Ok(());
            }
            if !line.starts_with("* ") {
                let detail = format!("{server}: no STARTTLS: {}; check port and tls", line.trim_end());
                return Err(Failure::transient(Reason::AccessDenied, detail));
            }
        }
    }

    fn secure(self, server: &Server) -> Result<Self, Failure> {
        let Way::Plain(tcp) = self.way else { return Ok(self) };
        let mut stream = server.secure_blocking(tcp)?;
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).map_err(|e| server.no_tls(e))?;
        }
        Ok(Self { way: Way::Secured(Box::new(stream)), allowance: self.allowance, left: self.left })
    }

    /// Byte by byte: what follows the line may belong to TLS.
    fn line(&mut self) -> io::Result<String> {
        let (mut line, mut byte) = (Vec::new(), [0]);
        while !line.ends_with(b"\n") {
            if line.len() > LONGEST_LINE {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a line without end"));
            }
            self.read_exact(&mut byte)?;
            line.extend(byte);
        }
        Ok(String::from_utf8_lossy(&line).into_owned())
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let room = buffer.get_mut(..most).unwrap_or_default();
        if room.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "an answer without end"));
        }
        let count = match &mut self.way {
            Way::Plain(tcp) => tcp.read(room),
            Way::Secured(tls) => tls.read(room),
        }?;
        self.left = self.left.saturating_sub(count as u64);
        if !self.allowance.has_mails() {
            // The crate takes a text for people that is not ASCII ("Anmeldung für ...") for a broken connection.
            room.iter_mut().take(count).filter(|byte| !byte.is_ascii()).for_each(|byte| *byte = b'?');
        }
        Ok(count)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.left = self.allowance.0.load(Ordering::Relaxed);
        match &mut self.way {
            Way::Plain(tcp) => tcp.write(bytes),
            Way::Secured(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.way {
            Way::Plain(tcp) => tcp.flush(),
            Way::Secured(tls) => tls.flush(),
        }
    }
}

/// The crate sets a time for IDLE, and none afterwards: then ours is back.
impl SetReadTimeout for Stream {
    fn set_read_timeout(&mut self, time: Option<Duration>) -> imap::Result<()> {
        let tcp = match &self.way {
            Way::Plain(tcp) => tcp,
            Way::Secured(tls) => &tls.sock,
        };
        tcp.set_read_timeout(Some(time.unwrap_or(SOCKET_TIME))).map_err(imap::Error::Io)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connectors::email::fixture;
    use std::{net::TcpListener, thread};

    #[test]
    fn no_password_leaves_this_machine_in_the_clear() {
        let Some(host) = fixture::own_address() else {
            return eprintln!("not tried: this machine has no other address");
        };
        let listener = TcpListener::bind((host, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let greet = thread::spawn(move || (&listener.accept().unwrap().0).write_all(b"* OK hi\r\n").unwrap());
        let server = Server::new(&host.to_string(), port, Tls::None, None).unwrap();
        let opened = Stream::open(TcpStream::connect((host, port)).unwrap(), &server, Allowance::small());
        let failure = opened.err().unwrap();
        assert_eq!((failure.reason, failure.is_permanent()), (Reason::AccessDenied, false));
        assert!(failure.detail.contains("the password is not sent without TLS"), "{failure}");
        greet.join().unwrap();
    }
}
