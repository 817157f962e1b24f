//! A mail server that hands a mail over by LMTP (RFC 2033), and hears what is answered.

use std::io;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufStream},
    net::TcpStream,
};

pub struct Lmtp(BufStream<TcpStream>);

impl Lmtp {
    pub async fn connect(port: u16) -> io::Result<Self> {
        let mut lmtp = Self(BufStream::new(TcpStream::connect(("127.0.0.1", port)).await?));
        lmtp.answer().await?;
        lmtp.ask("LHLO mail.example.org").await?;
        Ok(lmtp)
    }

    /// Hands over one mail for one recipient; the first answer that is no success, else the last.
    pub async fn hand_over(&mut self, from: &str, to: &str, mail: &[u8]) -> io::Result<String> {
        for command in [&format!("MAIL FROM:<{from}>"), &format!("RCPT TO:<{to}>"), "DATA"] {
            let answer = self.ask(command).await?;
            if !answer.starts_with(['2', '3']) {
                self.ask("RSET").await?;
                return Ok(answer);
            }
        }
        let mail = mail.strip_suffix(b"\n").unwrap_or(mail);
        for line in mail.split(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.starts_with(b".") {
                self.0.write_all(b".").await?;
            }
            self.0.write_all(line).await?;
            self.0.write_all(b"\r\n").await?;
        }
        self.ask(".").await
    }

    /// Says these bytes, as they are.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes).await
    }

    /// Says a line; the last line of the answer.
    pub async fn ask(&mut self, line: &str) -> io::Result<String> {
        self.0.write_all(format!("{line}\r\n").as_bytes()).await?;
        self.0.flush().await?;
        self.answer().await
    }

    /// The last line of an answer.
    async fn answer(&mut self) -> io::Result<String> {
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(line.trim_end().to_owned());
            }
        }
    }
}

/// Hands over one mail on a connection of its own.
pub async fn hand_over(port: u16, from: &str, to: &str, mail: &[u8]) -> io::Result<String> {
    Lmtp::connect(port).await?.hand_over(from, to, mail).await
}
