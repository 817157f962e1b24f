//! An XMPP server that takes one component (XEP-0114): it takes every message and answers every ping, and sends what people
//! outside write.

use super::tally::{Run, Tally, marker, markers};
use anyhow::{Context, ensure};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
};

pub const DOMAIN: &str = "xmpp.bench.local";
const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' \
                      xmlns:stream='http://etherx.jabber.org/streams' from='xmpp.bench.local' id='bench'>";
/// As much as a server writes at once.
const AT_ONCE: usize = 64;

pub struct Component {
    pub address: SocketAddr,
    /// Messages of staff that have come.
    tally: Arc<Tally>,
    /// Into the stream, should there be one.
    out: Mutex<Option<mpsc::UnboundedSender<Vec<u8>>>>,
}

impl Component {
    pub async fn start(tally: Arc<Tally>) -> anyhow::Result<Arc<Self>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let component = Arc::new(Self { address: listener.local_addr()?, tally, out: Mutex::default() });
        tokio::spawn(component.clone().listen(listener));
        Ok(component)
    }

    async fn listen(self: Arc<Self>, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            // A component that hangs up is no news here.
            let _ = self.session(stream).await;
            *self.out.lock().expect("lock") = None;
        }
    }

    async fn session(&self, stream: TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let (mut reader, writer) = stream.into_split();
        let (out, orders) = mpsc::unbounded_channel();
        tokio::spawn(write(writer, orders));
        let (mut buffer, mut is_open) = (Vec::new(), false);
        while read(&mut reader, &mut buffer).await? {
            let mut answers = Vec::new();
            if !is_open {
                let Some(end) = find(&buffer, b"'>").or_else(|| find(&buffer, b"\">")) else { continue };
                buffer.drain(..end + 2);
                answers.extend_from_slice(HEADER.as_bytes());
                is_open = true;
            }
            while let Some(end) = self.take_stanza(&buffer, &mut answers) {
                buffer.drain(..end);
            }
            if find(&answers, b"<handshake/>").is_some() {
                *self.out.lock().expect("lock") = Some(out.clone());
            }
            let _ = out.send(answers);
        }
        Ok(())
    }

    /// Takes the first stanza of the buffer; where it ends.
    fn take_stanza(&self, buffer: &[u8], answers: &mut Vec<u8>) -> Option<usize> {
        let (end, name) = stanza(buffer)?;
        let text = &buffer[..end];
        let attribute = |name: &str| attribute(text, name);
        match name {
            "handshake" => answers.extend_from_slice(b"<handshake/>"),
            "message" => {
                let to = attribute("to").unwrap_or_default();
                let pair = to.strip_prefix("user").and_then(|rest| rest.split('@').next()?.parse().ok());
                for number in markers(text) {
                    self.tally.seen(number, pair);
                }
            }
            "iq" if attribute("type").as_deref() == Some("get") => {
                let [from, to, id] = ["to", "from", "id"].map(|name| attribute(name).unwrap_or_default());
                let kind = if from == DOMAIN { "result" } else { "error" };
                answers.extend_from_slice(format!("<iq type='{kind}' from='{from}' to='{to}' id='{id}'/>").as_bytes());
            }
            _ => {}
        }
        Some(end)
    }

    /// People outside write all messages of a run, at once or at a rate. Each asks for a receipt, as programs do.
    pub async fn send_run(&self, tally: &Tally, run: &Run, rate: Option<f64>) -> anyhow::Result<Duration> {
        let out = self.out.lock().expect("lock").clone().context("Fehmarn is not connected")?;
        let start = Instant::now();
        for (place, number) in run.numbers().enumerate() {
            if let Some(rate) = rate {
                tokio::time::sleep_until((start + Duration::from_secs_f64(place as f64 / rate)).into()).await;
            }
            tally.sent(number);
            let pair = run.pair(number);
            let message = format!(
                "<message type='chat' from='user{pair}@ext.example/phone' to='staff{pair}@{DOMAIN}' id='b{number}'>\
                 <body>{} ist die Nummer dieser Nachricht. Guten Tag, den Nachweis über die Größe des Grundstücks \
                 reiche ich bis Freitag nach.</body><active xmlns='http://jabber.org/protocol/chatstates'/>\
                 <request xmlns='urn:xmpp:receipts'/></message>",
                marker(number)
            );
            ensure!(out.send(message.into_bytes()).is_ok(), "Fehmarn has hung up");
        }
        Ok(start.elapsed())
    }
}

async fn write(mut writer: OwnedWriteHalf, mut orders: mpsc::UnboundedReceiver<Vec<u8>>) {
    let mut batch = Vec::new();
    while orders.recv_many(&mut batch, AT_ONCE).await > 0 {
        if writer.write_all(&batch.concat()).await.is_err() {
            return;
        }
        batch.clear();
    }
}

async fn read(reader: &mut OwnedReadHalf, buffer: &mut Vec<u8>) -> std::io::Result<bool> {
    buffer.reserve(64 << 10);
    Ok(reader.read_buf(buffer).await? > 0)
}

/// The end and the name of the first stanza, once it is there as a whole. Fehmarn writes no stanza inside another.
fn stanza(buffer: &[u8]) -> Option<(usize, &'static str)> {
    for name in ["message", "iq", "presence", "handshake"] {
        if buffer.strip_prefix(b"<").is_none_or(|rest| !rest.starts_with(name.as_bytes())) {
            continue;
        }
        let head = find(buffer, b">")?;
        if buffer.get(head - 1) == Some(&b'/') {
            return Some((head + 1, name));
        }
        let tail = format!("</{name}>");
        return find(buffer, tail.as_bytes()).map(|at| (at + tail.len(), name));
    }
    None
}

fn attribute(stanza: &[u8], name: &str) -> Option<String> {
    let head = std::str::from_utf8(&stanza[..find(stanza, b">")?]).ok()?;
    let (_, rest) = head.split_once(&format!(" {name}="))?;
    let quote = rest.chars().next()?;
    rest[1..].split(quote).next().map(str::to_owned)
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}
