//! The connection under lettre, which hides it: what else we must know of it and do with it goes past lettre.

use super::lines::Lines;
use crate::connectors::email::tls::Secured;
use bytes::Bytes;
use lettre::transport::smtp::client::AsyncTokioStream;
use std::{
    fmt, io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

type Stream = Either<TcpStream, TlsStream<TcpStream>>;

/// All that a server says before it is asked again. Postfix sends at most 2 KiB per answer, an EHLO answer has some
/// twenty short lines. lettre looks at the length of a line only once it has all of it.
const LONGEST_ANSWER: usize = 16 << 10;

/// One end is given to lettre, its clone is kept. Nobody waits while it is locked.
#[derive(Clone)]
pub struct Wire {
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    /// `None` once it was taken out to be encrypted.
    stream: Option<Stream>,
    lines: Lines,
    /// Of the line that is being handed out. lettre gets one line per read: so it never has more than it has asked for,
    /// and what the server said too early is still here to be seen.
    line: Bytes,
    /// What was handed out since the last command.
    heard: Vec<u8>,
    verified: bool,
    has_spoken: bool,
    has_quit: bool,
}

impl Wire {
    pub fn plain(stream: TcpStream) -> Self {
        Self::new(Either::Left(stream), false, Bytes::new())
    }

    pub fn secured(secured: Secured) -> Self {
        Self::new(Either::Right(secured.stream), secured.verified, Bytes::new())
    }

    /// After STARTTLS. No second greeting comes (RFC 3207 section 4.2), and lettre wants one.
    pub fn secured_later(secured: Secured) -> Self {
        Self::new(Either::Right(secured.stream), secured.verified, Bytes::from_static(b"220 TLS\r\n"))
    }

    fn new(stream: Stream, verified: bool, line: Bytes) -> Self {
        let (lines, heard) = (Lines::default(), Vec::new());
        let shared = Shared { stream: Some(stream), lines, line, heard, verified, has_spoken: false, has_quit: false };
        Self { shared: Arc::new(Mutex::new(shared)) }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn is_secured(&self) -> bool {
        matches!(self.shared().stream, Some(Either::Right(_)))
    }

    /// Whether it is encrypted, and the other end the one that was meant.
    pub fn is_verified(&self) -> bool {
        self.is_secured() && self.shared().verified
    }

    /// Whether the other end is this machine.
    pub fn is_local(&self) -> bool {
        self.peer_addr().is_ok_and(|address| address.ip().is_loopback())
    }

    /// Whether anything was said to the server.
    pub fn has_spoken(&self) -> bool {
        self.shared().has_spoken
    }

    /// The lines that the server has said since the last command.
    pub fn heard(&self) -> Vec<u8> {
        self.shared().heard.clone()
    }

    /// The bare connection, to be encrypted. Nothing may have been said in advance: it would count as said under the
    /// protection of TLS (CVE-2011-0411).
    pub fn take_plain(&self) -> io::Result<TcpStream> {
        let mut shared = self.shared();
        match shared.stream.take() {
            Some(Either::Left(tcp)) if shared.has_nothing_left() => Ok(tcp),
            _ => Err(invalid("the server spoke before TLS was there")),
        }
    }

    /// Whether the other side has neither closed nor said anything unasked. Does not wait.
    pub fn is_quiet(&self) -> bool {
        let mut shared = self.shared();
        shared.has_nothing_left() && shared.poll_input(&mut Context::from_waker(Waker::noop())).is_pending()
    }
}

impl Shared {
    fn stream(&mut self) -> io::Result<Pin<&mut Stream>> {
        self.stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn has_nothing_left(&self) -> bool {
        self.line.is_empty() && self.lines.is_empty()
    }

    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.heard.len() + self.lines.len() > LONGEST_ANSWER {
            return Poll::Ready(Err(invalid("an answer without end")));
        }
        let mut chunk = [0; 2048];
        let mut chunk = ReadBuf::new(&mut chunk);
        ready!(self.stream()?.poll_read(cx, &mut chunk))?;
        if chunk.filled().is_empty() {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server has hung up")));
        }
        self.lines.push(chunk.filled());
        Poll::Ready(Ok(()))
    }

    fn poll_line(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // lettre waits for the answer to a QUIT, also to the one that it sends by itself after a refusal. It matters
        // to nobody, and a server that gives none would be waited for to the end of time.
        if self.has_quit {
            return Poll::Ready(Ok(()));
        }
        while self.line.is_empty() {
            match self.lines.take() {
                Some(line) => {
                    self.heard.extend_from_slice(&line);
                    self.line = line;
                }
                None => ready!(self.poll_input(cx))?,
            }
        }
        let length = self.line.len().min(buf.remaining());
        buf.put_slice(&self.line.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.shared().poll_line(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut shared = self.shared();
        shared.heard.clear();
        shared.has_spoken = true;
        shared.has_quit |= buf == b"QUIT\r\n";
        shared.stream()?.poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shared().stream()?.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shared().stream()?.poll_shutdown(cx)
    }
}

impl AsyncTokioStream for Wire {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        match &self.shared().stream {
            Some(Either::Left(tcp)) => tcp.peer_addr(),
            Some(Either::Right(tls)) => tls.get_ref().0.peer_addr(),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

/// Says nothing of what goes over it.
impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").finish_non_exhaustive()
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        time::timeout,
    };

    async fn pair() -> (Wire, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (Wire::plain(client), listener.accept().await.unwrap().0)
    }

    async fn read(wire: &mut Wire) -> io::Result<String> {
        let mut text = vec![0; 8192];
        let length = timeout(Duration::from_secs(10), wire.read(&mut text)).await.unwrap()?;
        Ok(String::from_utf8(text[..length].to_vec()).unwrap())
    }

    #[tokio::test]
    async fn lettre_gets_no_line_that_it_has_not_asked_for() {
        let (mut wire, mut server) = pair().await;
        server.write_all(b"250-a\r\n250 b\r\n554 c\r\n").await.unwrap();
        assert_eq!(read(&mut wire).await.unwrap(), "250-a\r\n");
        assert_eq!(read(&mut wire).await.unwrap(), "250 b\r\n");
        assert_eq!(wire.heard(), b"250-a\r\n250 b\r\n");
        assert!(!wire.is_quiet() && wire.take_plain().is_err());
    }

    #[tokio::test]
    async fn a_connection_is_quiet_until_the_server_speaks_or_hangs_up() {
        for last_words in ["421 bye\r\n", "4", ""] {
            let (wire, mut server) = pair().await;
            assert!(wire.is_quiet());
            server.write_all(last_words.as_bytes()).await.unwrap();
            drop(server);
            let _ = timeout(Duration::from_millis(500), async {
                while wire.is_quiet() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            })
            .await;
            assert!(!wire.is_quiet(), "{last_words:?}");
        }
    }

    #[tokio::test]
    async fn an_answer_without_end_is_not_listened_to() {
        for line in ["250-x\r\n", "250-x"] {
            let (mut wire, mut server) = pair().await;
            let task = tokio::spawn(async move { while server.write_all(line.as_bytes()).await.is_ok() {} });
            let error = loop {
                if let Err(error) = read(&mut wire).await {
                    break error;
                }
            };
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
            assert!(wire.heard().len() <= LONGEST_ANSWER + 4096);
            drop(wire);
            task.await.unwrap();
        }
    }

    #[tokio::test]
    async fn nobody_waits_for_the_answer_to_a_goodbye() {
        let (mut wire, mut server) = pair().await;
        wire.write_all(b"QUIT\r\n").await.unwrap();
        assert_eq!(read(&mut wire).await.unwrap(), "");
        drop(wire);
        let mut said = String::new();
        server.read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "QUIT\r\n");
    }
}
