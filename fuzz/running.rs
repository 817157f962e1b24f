//! A whole Fehmarn, as it runs, between a homeserver that says `{}` to everything and whoever connects.

use fehmarn::Fehmarn;
use std::{
    fs,
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::LazyLock,
    thread,
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// The token by which the homeserver is known.
pub const TOKEN: &str = "00000000000000000000000000000000";

pub struct Running {
    pub http: u16,
    pub lmtp: u16,
}

pub static RUNNING: LazyLock<Running> = LazyLock::new(|| start().expect("Fehmarn starts"));

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn start() -> io::Result<Running> {
    // As the program does before anything else.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // In memory where there is such a folder: each transaction waits for the disk.
    let parent = Path::new("/dev/shm");
    let parent = if parent.is_dir() { parent.to_owned() } else { std::env::temp_dir() };
    let folder = parent.join(format!("fehmarn-fuzz-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let (homeserver, http, lmtp) = (homeserver()?, free_port()?, free_port()?);
    fs::write(
        folder.join("registration.yaml"),
        format!(
            "id: fehmarn\nurl: http://127.0.0.1:{http}\nas_token: \"{TOKEN}\"\nhs_token: \"{TOKEN}\"\nsender_localpart: fehmarn\n\
             rate_limited: false\nnamespaces:\n  users: [{{ exclusive: true, regex: '@_.*:x' }}]\n  aliases: []\n  rooms: []\n"
        ),
    )?;
    let config = folder.join("config.yaml");
    fs::write(
        &config,
        format!(
            "homeserver: {{ url: 'http://127.0.0.1:{homeserver}', server_name: x }}\n\
             appservice: {{ listen: '127.0.0.1:{http}', url: 'http://127.0.0.1:{http}', registration: registration.yaml, bot: fehmarn }}\n\
             database: 'sqlite:{}/fehmarn.db'\npermissions: {{ '*': none, x: write }}\n\
             connectors:\n  email:\n    domain: amt.example\n    from: '{{localpart}}@amt.example'\n    max_size: 1MB\n    hold: 0s\n    \
             smtp: {{ host: 127.0.0.1, port: 1, tls: none }}\n    lmtp: {{ listen: '127.0.0.1:{lmtp}' }}\n",
            folder.display()
        ),
    )?;
    thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let run = async { Fehmarn::open(&config).await?.run(CancellationToken::new()).await };
        panic!("Fehmarn ended: {:?}", runtime.block_on(run).err().map(|error| error.to_string()));
    });
    for port in [http, lmtp] {
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            thread::sleep(Duration::from_millis(20));
        }
    }
    Ok(Running { http, lmtp })
}

fn homeserver() -> io::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream));
        }
    });
    Ok(port)
}

/// One request for each connection is enough.
fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_millis(200)))?;
    let mut head = [0; 4096];
    let _ = stream.read(&mut head)?;
    stream.write_all(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
    )
}

/// Says something, and hears what is answered until the other side ends or is silent.
pub fn talk(port: u16, words: &[u8]) -> Vec<u8> {
    converse(port, words, false)
}

/// The same for who says no more. In HTTP whoever asks must not: an end is to hyper somebody who went away.
pub fn talk_and_end(port: u16, words: &[u8]) -> Vec<u8> {
    converse(port, words, true)
}

fn converse(port: u16, words: &[u8], is_all: bool) -> Vec<u8> {
    let mut heard = Vec::new();
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return heard };
    // What takes too long is libFuzzer's `-timeout` to say; on a busy machine nothing is quick.
    let _ = stream.set_read_timeout(Some(Duration::from_secs(600)));
    let _ = stream.write_all(words);
    if is_all {
        let _ = stream.shutdown(std::net::Shutdown::Write);
    }
    let _ = stream.read_to_end(&mut heard);
    heard
}
