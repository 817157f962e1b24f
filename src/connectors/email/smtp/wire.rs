//! The SMTP connection as lines: whole commands out, whole answers in.

use super::reply::Reply;
use bytes::BytesMut;
use futures_util::FutureExt;
use std::io;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

/// All lines of one answer together. Postfix sends at most 2 KiB, an EHLO answer has some twenty short lines.
const LONGEST_REPLY: usize = 16 << 10;

pub struct Wire {
    stream: Either<TcpStream, TlsStream<TcpStream>>,
    /// Read, not yet taken.
    input: BytesMut,
}

impl Wire {
    pub fn plain(stream: TcpStream) -> Self {
        Self { stream: Either::Left(stream), input: BytesMut::new() }
    }

    pub fn secured(stream: TlsStream<TcpStream>) -> Self {
        Self { stream: Either::Right(stream), input: BytesMut::new() }
    }

    pub fn is_secured(&self) -> bool {
        matches!(self.stream, Either::Right(_))
    }

    /// Whether the other end is this machine.
    pub fn is_local(&self) -> bool {
        let tcp = match &self.stream {
            Either::Left(tcp) => tcp,
            Either::Right(tls) => tls.get_ref().0,
        };
        tcp.peer_addr().is_ok_and(|address| address.ip().is_loopback())
    }

    /// The bare connection, to be encrypted. Nothing may have been said in advance: it would count as said under the
    /// protection of TLS (CVE-2011-0411).
    pub fn into_plain(self) -> io::Result<TcpStream> {
        match self.stream {
            Either::Left(tcp) if self.input.is_empty() => Ok(tcp),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "the server spoke before TLS was there")),
        }
    }

    /// Whether the other side has neither closed nor said anything unasked. Does not wait.
    pub fn is_quiet(&mut self) -> bool {
        self.input.is_empty() && self.stream.read_buf(&mut self.input).now_or_never().is_none()
    }

    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// One whole answer.
    pub async fn reply(&mut self) -> io::Result<Reply> {
        loop {
            if let Some((code, length)) = complete(&self.input)? {
                return Ok(Reply { code, raw: self.input.split_to(length).freeze() });
            }
            if self.input.len() > LONGEST_REPLY {
                return Err(invalid("an answer without end"));
            }
            self.input.reserve(2048);
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// Code and length of the answer that `input` begins with; `None` while it is not all there.
fn complete(input: &[u8]) -> io::Result<Option<(u16, usize)>> {
    let mut length = 0;
    for line in input.split_inclusive(|byte| *byte == b'\n') {
        if !line.ends_with(b"\n") {
            return Ok(None);
        }
        length += line.len();
        let (code, rest) = line.split_at_checked(3).ok_or_else(|| invalid("an answer without a code"))?;
        let code = std::str::from_utf8(code).ok().and_then(|code| code.parse().ok());
        match (code, rest) {
            (Some(_), [b'-', ..]) => {}
            (Some(code @ 200..600), [b' ' | b'\r' | b'\n', ..]) => return Ok(Some((code, length))),
            _ => return Err(invalid("an answer that is not SMTP")),
        }
    }
    Ok(None)
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_whole_and_no_more_than_it() {
        assert_eq!(complete(b"250 ok\r\n354 go\r\n").unwrap(), Some((250, 8)));
        assert_eq!(complete(b"250-a\r\n250-b\r\n250 c\r\nrest").unwrap(), Some((250, 21)));
        assert_eq!(complete(b"220\r\n").unwrap(), Some((220, 5)));
        for part in ["", "2", "250-a\r\n", "250-a\r\n250 c", "250 ok\r"] {
            assert_eq!(complete(part.as_bytes()).unwrap(), None, "{part}");
        }
    }

    #[test]
    fn what_is_not_smtp_is_an_error() {
        for text in ["HTTP/1.1 200 OK\r\n", "\r\n", "25\n", "250ok\r\n", "150 x\r\n", "+50 x\r\n", "999 x\r\n"] {
            assert!(complete(text.as_bytes()).is_err(), "{text}");
        }
    }
}
