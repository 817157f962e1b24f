//! A name server that knows a few texts.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};
use tokio::net::UdpSocket;

const TXT: u16 = 16;
const SERVER_FAILURE: u8 = 2;
const NAME_ERROR: u8 = 3;

/// Starts one that answers with these texts, by name; `None` for a name of which it cannot say anything now.
pub async fn serve(texts: &[(&str, Option<&str>)]) -> SocketAddr {
    let texts: BTreeMap<String, Option<String>> =
        texts.iter().map(|(name, text)| (name.to_lowercase(), text.map(str::to_owned))).collect();
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let texts = Arc::new(texts);
    tokio::spawn(async move {
        let mut packet = [0; 4096];
        while let Ok((length, client)) = socket.recv_from(&mut packet).await {
            let _ = socket.send_to(&answer(&packet[..length], &texts), client).await;
        }
    });
    address
}

/// RFC 1035 section 4.1
fn answer(question: &[u8], texts: &BTreeMap<String, Option<String>>) -> Vec<u8> {
    let mut at = 12;
    let mut labels = Vec::new();
    while question[at] != 0 {
        let length = question[at] as usize;
        labels.push(String::from_utf8_lossy(&question[at + 1..at + 1 + length]).to_lowercase());
        at += length + 1;
    }
    let kind = u16::from_be_bytes([question[at + 1], question[at + 2]]);
    let end = at + 5;
    let (code, text) = match texts.get(&labels.join(".")) {
        Some(Some(text)) => (0, (kind == TXT).then_some(text)),
        Some(None) => (SERVER_FAILURE, None),
        None => (NAME_ERROR, None),
    };
    let mut answer =
        [&question[..2], &[0x81, 0x80 | code, 0, 1, 0, text.is_some().into(), 0, 0, 0, 0], &question[12..end]].concat();
    if let Some(text) = text {
        let strings: Vec<u8> =
            text.as_bytes().chunks(255).flat_map(|chunk| [&[chunk.len() as u8], chunk].concat()).collect();
        // The name is a pointer to the question's; class IN, one minute.
        answer.extend([0xc0, 12, 0, TXT as u8, 0, 1, 0, 0, 0, 60]);
        answer.extend((strings.len() as u16).to_be_bytes());
        answer.extend(strings);
    }
    answer
}
