//! Whoever connects and never comes to an end of what they ask.

use crate::common::{Conversation, Fehmarn, homeserver::Homeserver};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Longer than a request may take, shorter than the test.
const PATIENCE: Duration = Duration::from_secs(100);

async fn begin(port: u16, words: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(words.as_bytes()).await.unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_never_end_hold_nobody_up_and_come_to_an_end() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let (port, token) = (talk.fehmarn.slot().listen_port, Homeserver::of(talk.fehmarn.slot()).token);
    let head = format!(
        "PUT /_matrix/app/v1/transactions/never HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: 1000\r\n"
    );
    let (mut heads, mut bodies) = (Vec::new(), Vec::new());
    for _ in 0..50 {
        heads.push(begin(port, &head).await);
        bodies.push(begin(port, &format!("{head}\r\n{{\"events\":[")).await);
    }
    talk.tell("Hin").await;
    talk.hear("Her").await;
    for stream in &mut bodies {
        let mut heard = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut heard)).await.expect("it does not end");
        assert!(heard.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&heard));
    }
    drop(heads);
    talk.tell("Ende").await;
    assert_eq!(talk.mailed().await, ["Guten Tag", "Hin", "Ende"]);
    assert_eq!(talk.heard().await, ["Her"]);
}
