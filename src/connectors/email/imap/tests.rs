//! The reader against a small mail server, with a bridge that remembers.

use super::*;
use crate::connectors::email::{door::fake::FakeDoor, tls::Tls};
use std::{
    sync::Mutex,
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufStream},
    net::{TcpListener, TcpStream},
    sync::Notify,
};

/// A mail server with one mailbox.
#[derive(Default)]
struct FakeServer {
    state: Mutex<State>,
    news: Notify,
}

struct State {
    validity: u32,
    next: u32,
    /// UID, seconds since 1970, text.
    mails: Vec<(u32, i64, String)>,
    idle: bool,
    password: &'static str,
    /// The connection breaks when this mail is fetched.
    broken: Option<u32>,
    /// All that was said to it.
    heard: Vec<String>,
}

impl Default for State {
    fn default() -> Self {
        let (mails, heard) = (Vec::new(), Vec::new());
        Self { validity: 7, next: 1, mails, idle: true, password: "secret", broken: None, heard }
    }
}

fn seconds() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

impl FakeServer {
    fn put(&self, text: &str) {
        self.put_at(seconds(), text);
    }

    fn put_at(&self, time: i64, text: &str) {
        let mut state = self.state.lock().unwrap();
        let uid = state.next;
        state.mails.push((uid, time, text.into()));
        state.next += 1;
        // Also for whoever is just about to wait.
        self.news.notify_one();
    }

    fn heard(&self, part: &str) -> Vec<String> {
        self.state.lock().unwrap().heard.iter().filter(|line| line.contains(part)).cloned().collect()
    }

    async fn serve(self: Arc<Self>, tcp: TcpStream) -> Option<()> {
        let mut stream = BufStream::new(tcp);
        stream.write_all(b"* OK hi\r\n").await.ok()?;
        loop {
            stream.flush().await.ok()?;
            let mut line = String::new();
            stream.read_line(&mut line).await.ok().filter(|count| *count > 0)?;
            let (tag, command) = line.trim_end().split_once(' ')?;
            self.state.lock().unwrap().heard.push(command.into());
            if command == "IDLE" {
                self.idle(&mut stream, tag).await?;
                continue;
            }
            let answer = self.answer(tag, command)?;
            stream.write_all(&answer).await.ok()?;
        }
    }

    async fn idle(&self, stream: &mut BufStream<TcpStream>, tag: &str) -> Option<()> {
        stream.write_all(b"+ idling\r\n").await.ok()?;
        stream.flush().await.ok()?;
        let mut line = String::new();
        loop {
            tokio::select! {
                read = stream.read_line(&mut line) => {
                    read.ok().filter(|count| *count > 0)?;
                    break;
                }
                () = self.news.notified() => {
                    let count = self.state.lock().unwrap().mails.len();
                    stream.write_all(format!("* {count} EXISTS\r\n").as_bytes()).await.ok()?;
                    stream.flush().await.ok()?;
                }
            }
        }
        assert_eq!(line, "DONE\r\n");
        stream.write_all(format!("{tag} OK done\r\n").as_bytes()).await.ok()
    }

    fn answer(&self, tag: &str, command: &str) -> Option<Vec<u8>> {
        let state = self.state.lock().unwrap();
        let words: Vec<&str> = command.split(' ').collect();
        let mut out = Vec::new();
        match words[..] {
            ["CAPABILITY"] => out.extend(if state.idle {
                &b"* CAPABILITY IMAP4rev1 IDLE\r\n"[..]
            } else {
                b"* CAPABILITY IMAP4rev1\r\n"
            }),
            ["LOGIN", _, password] if password != format!("\"{}\"", state.password) => {
                return Some(format!("{tag} NO [AUTHENTICATIONFAILED] wrong password\r\n").into());
            }
            ["LOGIN", ..] | ["NOOP"] => {}
            ["LOGOUT"] => out.extend(b"* BYE\r\n"),
            ["EXAMINE", _] => {
                let (exists, validity, next) = (state.mails.len(), state.validity, state.next);
                out.extend(
                    format!("* {exists} EXISTS\r\n* OK [UIDVALIDITY {validity}] x\r\n* OK [UIDNEXT {next}] x\r\n")
                        .bytes(),
                );
            }
            ["UID", "SEARCH", "UID", range] => {
                let from: u32 = range.strip_suffix(":*").unwrap().parse().unwrap();
                let last = state.mails.last().map(|mail| mail.0);
                let found = state.mails.iter().map(|mail| mail.0).filter(|uid| *uid >= from || Some(*uid) == last);
                out.extend(format!("* SEARCH{}\r\n", found.map(|uid| format!(" {uid}")).collect::<String>()).bytes());
            }
            ["UID", "SEARCH", "SINCE", _] => {
                let found = state.mails.iter().map(|mail| format!(" {}", mail.0));
                out.extend(format!("* SEARCH{}\r\n", found.collect::<String>()).bytes());
            }
            ["UID", "FETCH", set, ..] => {
                let uids: Vec<u32> = set.split(',').map(|uid| uid.parse().unwrap()).collect();
                assert!(uids.len() <= 50, "{command}");
                for (number, (uid, time, text)) in
                    state.mails.iter().enumerate().filter(|(_, mail)| uids.contains(&mail.0))
                {
                    let number = number + 1;
                    if command.contains("RFC822.SIZE") {
                        let (day, size) = (position::day(*time), text.len());
                        let date = format!(
                            "{}{day} {:02}:{:02}:{:02} +0000",
                            if day.len() < 11 { "0" } else { "" },
                            time / 3600 % 24,
                            time / 60 % 60,
                            time % 60
                        );
                        out.extend(
                            format!("* {number} FETCH (UID {uid} RFC822.SIZE {size} INTERNALDATE \"{date}\")\r\n")
                                .bytes(),
                        );
                    } else if state.broken == Some(*uid) {
                        return None;
                    } else if command.contains("[HEADER]<0.") {
                        let header = text.split_inclusive("\r\n\r\n").next().unwrap();
                        let length = header.len();
                        out.extend(
                            format!("* {number} FETCH (UID {uid} BODY[HEADER]<0> {{{length}}}\r\n{header})\r\n")
                                .bytes(),
                        );
                    } else {
                        out.extend(
                            format!("* {number} FETCH (UID {uid} BODY[] {{{}}}\r\n{text})\r\n", text.len()).bytes(),
                        );
                    }
                }
            }
            _ => panic!("what is {command:?}?"),
        }
        let words = if command.contains("BODY") { "done" } else { "erledigt für dich" };
        out.extend(format!("{tag} OK {words}\r\n").bytes());
        Some(out)
    }
}

struct Scene {
    server: Arc<FakeServer>,
    door: Arc<FakeDoor>,
    account: Arc<Account>,
}

async fn scene(poll: Duration) -> Scene {
    let server = Arc::new(FakeServer::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = server.clone();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            tcp.set_nodelay(true).unwrap();
            tokio::spawn(serving.clone().serve(tcp));
        }
    });
    let account = Account {
        server: Server::new("127.0.0.1", port, Tls::None, None).unwrap(),
        username: "bridge".into(),
        password: Secret::new("secret"),
        mailbox: "INBOX".into(),
        poll,
        max_size: 100,
        connection: Connection::new("imap", "test"),
    };
    Scene { server, door: Arc::default(), account: Arc::new(account) }
}

impl Scene {
    /// One connection, ended when `until` holds, or by itself.
    async fn connect(&self, suspect: Option<Suspect>, until: impl Fn(&FakeDoor) -> bool) -> Ended {
        let stop = CancellationToken::new();
        let identity = Arc::new(Identity::new("chat.example", "{localpart}@chat.example").unwrap());
        let door: Arc<dyn Door> = self.door.clone();
        let watch = async {
            while !until(&self.door) {
                sleep(Duration::from_millis(5)).await;
            }
            stop.cancel();
            std::future::pending().await
        };
        let connection = connection(&self.account, &identity, &door, suspect, &stop);
        let ended = async {
            tokio::select! { ended = connection => ended, () = watch => unreachable!() }
        };
        timeout(Duration::from_secs(20), ended).await.expect("the connection neither ended nor came to its goal")
    }

    /// The first connection, which reads nothing.
    async fn begin(&self) {
        self.connect(None, |door| door.cursor_value().is_some()).await;
    }

    fn users(&self) -> Vec<String> {
        self.door.accepted().into_iter().map(|(user, _)| user).collect()
    }

    /// Cursor without its time.
    fn cursor(&self) -> String {
        let value = self.door.cursor_value().unwrap();
        value.rsplit_once(':').unwrap().0.to_owned()
    }
}

const POLL: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_mailbox_begins_at_now_and_what_comes_later_is_read_without_a_trace() {
    let scene = scene(POLL).await;
    scene.server.put("To: anna@chat.example\r\n\r\nbefore\r\n");
    scene.begin().await;
    assert_eq!((scene.cursor().as_str(), scene.users().len()), ("7:1", 0));
    let server = scene.server.clone();
    let put = tokio::spawn(async move {
        while server.heard("IDLE").len() < 2 {
            sleep(Duration::from_millis(5)).await;
        }
        server.put("To: anna@chat.example\r\nTo: nobody@chat.example\r\n\r\nGrüße\r\n");
        while server.heard("IDLE").len() < 3 {
            sleep(Duration::from_millis(5)).await;
        }
        server.put("To: x@elsewhere.example\r\n\r\nnot for us\r\n");
    });
    scene.connect(None, |door| door.cursor_value().is_some_and(|value| value.starts_with("7:3"))).await;
    put.await.unwrap();
    let hello = "To: anna@chat.example\r\nTo: nobody@chat.example\r\n\r\nGrüße\r\n";
    assert_eq!(scene.door.accepted(), [("anna".to_owned(), hello.to_owned())]);
    for fetched in scene.server.heard("BODY") {
        assert!(fetched.ends_with("(UID BODY.PEEK[])"), "{fetched}");
    }
    assert!(scene.server.heard("SELECT").is_empty() && scene.server.heard("STORE").is_empty());
}

#[tokio::test]
async fn without_idle_the_mailbox_is_looked_at_now_and_then() {
    let scene = scene(Duration::from_millis(50)).await;
    scene.server.state.lock().unwrap().idle = false;
    scene.begin().await;
    let server = scene.server.clone();
    tokio::spawn(async move {
        sleep(Duration::from_millis(200)).await;
        server.put("To: anna@chat.example\r\n\r\nhello\r\n");
    });
    scene.connect(None, |door| !door.accepted().is_empty()).await;
    assert!(scene.server.heard("IDLE").len() < 2);
}

#[tokio::test]
async fn a_mail_that_could_not_be_committed_is_read_again() {
    let scene = scene(POLL).await;
    scene.begin().await;
    scene.server.put("To: anna@chat.example\r\n\r\nhello\r\n");
    scene.server.put("To: maybe@chat.example\r\n\r\nhello\r\n");
    *scene.door.failures.lock().unwrap() = 1;
    let ended = scene.connect(None, |_| false).await;
    assert_eq!(ended.failure.reason, Reason::Unreachable, "nobody knows whether maybe is one of us");
    scene.server.state.lock().unwrap().mails.pop();
    let ended = scene.connect(None, |_| false).await;
    assert_eq!((ended.failure.reason, scene.cursor().as_str()), (Reason::Internal, "7:0"));
    scene.connect(None, |door| !door.accepted().is_empty()).await;
    assert_eq!((scene.cursor().as_str(), scene.users()), ("7:1", vec!["anna".to_owned()]));
}

#[tokio::test]
async fn many_mails_come_in_groups_and_in_order_and_of_one_that_is_too_large_the_header() {
    let scene = scene(POLL).await;
    scene.begin().await;
    for number in 0..120 {
        let text = if number == 60 { "x".repeat(200) } else { number.to_string() };
        scene.server.put(&format!("To: anna@chat.example\r\n\r\n{text}\r\n"));
    }
    scene.connect(None, |door| door.accepted().len() >= 120).await;
    let texts = scene.door.accepted().into_iter().map(|(_, raw)| raw.split_whitespace().last().unwrap().to_owned());
    let expected = (0..120).map(|number| if number == 60 { "anna@chat.example".into() } else { number.to_string() });
    assert_eq!(texts.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    assert!(scene.door.accepted()[60].1.starts_with("X-Fehmarn-Left-In-Mailbox: 2"));
    assert_eq!(scene.cursor(), "7:120");
}

#[tokio::test]
async fn a_mail_that_goes_round_stays_in_the_mailbox_and_the_next_one_is_read() {
    let scene = scene(POLL).await;
    scene.begin().await;
    scene.server.put("To: anna@chat.example\r\nMessage-ID: <mzxw6ytboi2dkmbrgq4tqmzxga@chat.example>\r\n\r\nround\r\n");
    scene.server.put("To: anna@chat.example\r\n\r\nnext\r\n");
    scene.connect(None, |door| !door.accepted().is_empty()).await;
    assert!(scene.door.accepted().len() == 1 && scene.door.accepted()[0].1.ends_with("next\r\n"));
    assert_eq!(scene.cursor(), "7:2");
}

#[tokio::test]
async fn a_mailbox_made_anew_loses_nothing_and_brings_no_history() {
    let scene = scene(POLL).await;
    scene.begin().await;
    {
        let mut state = scene.server.state.lock().unwrap();
        (state.validity, state.next) = (8, 100);
    }
    scene.server.put_at(seconds() - 2 * 3600, "To: anna@chat.example\r\n\r\nlong ago\r\n");
    scene.server.put_at(seconds(), "To: anna@chat.example\r\n\r\nnew\r\n");
    *scene.door.failures.lock().unwrap() = 1;
    scene.connect(None, |_| false).await;
    assert_eq!(scene.cursor(), "7:0");
    scene.connect(None, |door| door.cursor_value().is_some_and(|value| value.starts_with("8:101"))).await;
    assert_eq!(scene.door.accepted().len(), 1);
    assert!(scene.door.accepted()[0].1.ends_with("new\r\n"));
}

#[tokio::test]
async fn a_mail_that_always_breaks_the_connection_is_passed_over_in_the_end() {
    let scene = scene(POLL).await;
    scene.begin().await;
    for text in ["one", "two", "three"] {
        scene.server.put(&format!("To: anna@chat.example\r\n\r\n{text}\r\n"));
    }
    scene.server.state.lock().unwrap().broken = Some(2);
    let mut suspect = None;
    for tries in 0.. {
        assert!(tries < 15, "it never ends: {suspect:?}");
        let ended = scene.connect(suspect, |door| door.accepted().len() >= 2).await;
        suspect = Suspect::after(suspect, &ended);
        if scene.door.accepted().len() >= 2 {
            break;
        }
    }
    let accepted = scene.door.accepted();
    assert!(accepted[0].1.ends_with("one\r\n") && accepted[1].1.ends_with("three\r\n"));
    assert_eq!(scene.cursor(), "7:3");
    assert!(scene.server.heard("BODY").len() >= 10);
}

#[tokio::test]
async fn a_refused_password_is_for_an_admin_to_mend_and_not_repeated_in_words() {
    let scene = scene(POLL).await;
    let found = check(scene.account.clone()).await;
    assert_eq!(found.result.unwrap(), "signed in, 0 mails in INBOX, tells of new mail");
    scene.server.state.lock().unwrap().password = "other";
    let ended = scene.connect(None, |_| false).await;
    assert_eq!(ended.failure.reason, Reason::AccessDenied);
    assert!(ended.failure.detail.contains("wrong password") && !ended.failure.detail.contains("secret"));
    let found = check(scene.account.clone()).await;
    assert!(found.result.unwrap_err().contains("wrong password"));
}

#[tokio::test]
async fn stopping_does_not_wait_for_news() {
    let scene = scene(POLL).await;
    let stop = CancellationToken::new();
    let identity = Arc::new(Identity::new("chat.example", "{localpart}@chat.example").unwrap());
    let task = tokio::spawn(run(scene.account.clone(), identity, scene.door.clone(), stop.clone()));
    while scene.server.heard("IDLE").is_empty() {
        sleep(Duration::from_millis(5)).await;
    }
    stop.cancel();
    timeout(Duration::from_secs(2), task).await.expect("it waits").unwrap();
}

#[test]
fn a_mailbox_is_named_as_imap_writes_it() {
    assert_eq!(encode("INBOX"), "INBOX");
    assert_eq!(encode("Büro & Ämter"), "B&APw-ro &- &AMQ-mter");
    assert_eq!(encode("台北/日本"), "&U,BTFw-/&ZeVnLA-");
}
