//! The pool against a mail server that plays a script.

mod secure;
mod ways;

use super::*;
use crate::{
    connectors::email::tls::Tls,
    ids::{DeliveryId, RemoteMessageId},
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use std::{path::Path, sync::atomic::AtomicUsize, sync::atomic::Ordering};
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufStream},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/connectors/email/fixtures/localhost.pem");

#[derive(Clone, Copy)]
enum Step {
    /// Says a line.
    Say(&'static str),
    /// Hears a line that begins like this.
    Hear(&'static str),
    /// Hears a content up to its final dot, which must hold this.
    Content(&'static str),
    /// From here on with TLS.
    Encrypt,
    /// Stays silent until the client goes.
    Wait,
    /// The same, whatever the client has said or says.
    Silence,
}
use Step::*;

const HELLO: [Step; 3] = [Say("220 hi"), Hear("EHLO chat.example"), Say("250-mail.example\r\n250 PIPELINING")];
/// All three commands are heard before any is answered: a client that waits after the first would wait for ever.
const ANNOUNCED: [Step; 6] = [
    Hear("MAIL FROM:<anna@chat.example>"),
    Hear("RCPT TO:<bob@example.org>"),
    Hear("DATA"),
    Say("250 ok"),
    Say("250 ok"),
    Say("354 go on"),
];
const TAKEN: [Step; 2] = [Content("Hello Bob"), Say("250 2.0.0 queued")];

/// A server that plays one script per connection, in order. Its task ends when all are played; it panics when a client
/// does something else.
async fn server(scripts: Vec<Vec<Step>>) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        for script in scripts {
            let (tcp, _) = listener.accept().await.unwrap();
            let encrypt = script.iter().position(|step| matches!(step, Encrypt));
            let (before, after) = script.split_at(encrypt.unwrap_or(script.len()));
            let tcp = play(BufStream::new(tcp), before).await;
            if encrypt.is_some() {
                play(BufStream::new(acceptor().accept(tcp).await.unwrap()), &after[1..]).await;
            }
        }
    });
    (port, task)
}

async fn play<S>(mut stream: S, script: &[Step]) -> S::Inner
where
    S: AsyncBufRead + AsyncWrite + Unpin + Inner,
{
    for step in script {
        match step {
            Say(line) => {
                stream.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
                stream.flush().await.unwrap();
            }
            Hear(start) => {
                let mut line = String::new();
                stream.read_line(&mut line).await.unwrap();
                assert!(line.starts_with(start) && line.ends_with("\r\n"), "heard {line:?} instead of {start:?}");
            }
            Content(part) => {
                let mut content = String::new();
                while !content.ends_with("\r\n.\r\n") {
                    assert!(stream.read_line(&mut content).await.unwrap() > 0, "no end: {content}");
                }
                assert!(content.contains(part), "{content}");
            }
            Wait => {
                let mut rest = String::new();
                let _ = stream.read_to_string(&mut rest).await;
                assert!(rest.is_empty() || rest == "QUIT\r\n", "{rest}");
            }
            Silence => {
                let mut rest = Vec::new();
                let _ = stream.read_to_end(&mut rest).await;
            }
            Encrypt => {}
        }
    }
    stream.into_inner()
}

trait Inner {
    type Inner;
    fn into_inner(self) -> Self::Inner;
}

impl<S: tokio::io::AsyncRead + AsyncWrite> Inner for BufStream<S> {
    type Inner = S;
    fn into_inner(self) -> S {
        self.into_inner()
    }
}

fn acceptor() -> tokio_rustls::TlsAcceptor {
    let certificates = CertificateDer::pem_file_iter(FIXTURE).unwrap().map(Result::unwrap).collect();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificates, PrivateKeyDer::from_pem_file(FIXTURE).unwrap());
    Arc::new(config.unwrap()).into()
}

fn script(parts: &[&[Step]]) -> Vec<Step> {
    parts.concat()
}

fn account(port: u16, tls: Tls, login: Option<&str>) -> Account {
    Account {
        server: Server::new("127.0.0.1", port, tls, Some(Path::new(FIXTURE))).unwrap(),
        login: login.map(|user| (user.to_owned(), Secret::new("secret"))),
        hello: "chat.example".into(),
        reports: Reports::All,
    }
}

fn pool(port: u16) -> Pool {
    pool_for(account(port, Tls::None, None))
}

fn pool_for(account: Account) -> Pool {
    Pool::with_times(account, 4, Times { rest: Duration::ZERO, ..TIMES })
}

fn mail() -> Mail {
    Mail {
        topic: "x".into(),
        envelope_from: "anna@chat.example".into(),
        to: "bob@example.org".into(),
        message: RemoteMessageId::new("1@chat.example"),
        delivery: DeliveryId::new("1"),
        bytes: b"Subject: x\r\n\r\nHello Bob\r\n".to_vec(),
        needs_utf8: false,
    }
}

async fn failure_of(pool: &Pool) -> (Reason, bool, String) {
    let failure = pool.send(&mail(), false).await.unwrap_err();
    (failure.reason, failure.is_permanent(), failure.detail)
}

#[tokio::test]
async fn a_mail_takes_two_round_trips_and_the_connection_is_kept_for_the_next() {
    let (port, task) = server(vec![script(&[&HELLO, &ANNOUNCED, &TAKEN, &ANNOUNCED, &TAKEN, &[Wait]])]).await;
    let pool = pool(port);
    pool.send(&mail(), false).await.unwrap();
    pool.send(&mail(), false).await.unwrap();
    drop(pool);
    task.await.unwrap();
}

#[tokio::test]
async fn without_pipelining_each_command_waits_for_its_answer() {
    let hello = [Say("220 hi"), Hear("EHLO"), Say("250 mail.example")];
    let one_by_one = [
        Hear("MAIL FROM:<anna@chat.example>\r\n"),
        Say("250 ok"),
        Hear("RCPT TO"),
        Say("250 ok"),
        Hear("DATA"),
        Say("354 go"),
    ];
    let refused = [Hear("MAIL"), Say("250 ok"), Hear("RCPT"), Say("550 no"), Hear("RSET"), Say("250 ok")];
    let (port, task) =
        server(vec![script(&[&hello, &one_by_one, &TAKEN, &refused, &one_by_one, &TAKEN, &[Wait]])]).await;
    let pool = pool(port);
    pool.send(&mail(), false).await.unwrap();
    assert_eq!(failure_of(&pool).await.0, Reason::UnknownRecipient);
    pool.send(&mail(), false).await.unwrap();
    drop(pool);
    task.await.unwrap();
}

#[tokio::test]
async fn a_refused_recipient_is_told_and_the_connection_begins_anew_with_rset() {
    let refused = [
        &ANNOUNCED[..3],
        &[Say("250 ok"), Say("550-5.1.1 nobody\r\n550 5.1.1 of that name"), Say("554 5.5.1 no valid recipients")],
        &[Hear("RSET")],
        &ANNOUNCED[..3],
        &[Say("250 ok")],
        &ANNOUNCED[3..],
        &TAKEN,
        &[Wait],
    ];
    let (port, task) = server(vec![script(&[&HELLO[..], &script(&refused)])]).await;
    let pool = pool(port);
    let (reason, permanent, detail) = failure_of(&pool).await;
    assert_eq!((reason, permanent), (Reason::UnknownRecipient, true));
    assert_eq!(detail, "RCPT TO: 550 5.1.1 nobody of that name");
    pool.send(&mail(), false).await.unwrap();
    drop(pool);
    task.await.unwrap();
}

#[tokio::test]
async fn a_server_that_wants_a_content_after_a_refusal_gets_none() {
    let confused = [&HELLO, &ANNOUNCED[..3], &[Say("250 ok"), Say("450 later"), Say("354 go on"), Wait]];
    let (port, task) = server(vec![script(&confused), script(&[&HELLO, &ANNOUNCED, &TAKEN, &[Wait]])]).await;
    let pool = pool(port);
    assert_eq!(failure_of(&pool).await.0, Reason::Busy);
    pool.send(&mail(), false).await.unwrap();
    drop(pool);
    task.await.unwrap();
}

#[tokio::test]
async fn an_idle_connection_that_was_closed_is_replaced_without_a_failure() {
    let once = script(&[&HELLO, &ANNOUNCED, &TAKEN]);
    let goodbye = script(&[&once, &[Hear("MAIL"), Hear("RCPT"), Hear("DATA"), Say("421 4.4.2 too long idle")]]);
    let (port, task) = server(vec![once.clone(), goodbye, script(&[&once, &[Wait]])]).await;
    let pool = pool(port);
    for _ in 0..3 {
        pool.send(&mail(), false).await.unwrap();
    }
    drop(pool);
    task.await.unwrap();
}

#[tokio::test]
async fn a_new_connection_that_is_closed_at_once_is_a_failure() {
    let closed = script(&[&HELLO, &[Hear("MAIL"), Hear("RCPT"), Hear("DATA")]]);
    let busy = script(&[&closed, &[Say("421 4.3.2 closing down")]]);
    let (port, task) =
        server(vec![closed, busy, vec![Say("554 5.7.1 not you")], vec![Say("421 full")], vec![Say("* OK IMAP")]]).await;
    let pool = pool(port);
    for (expected, words) in [
        (Reason::Unreachable, "no answer"),
        (Reason::Busy, "closing down"),
        (Reason::AccessDenied, "not you"),
        (Reason::Busy, "full"),
        (Reason::Unreachable, "not SMTP"),
    ] {
        let (reason, permanent, detail) = failure_of(&pool).await;
        assert_eq!((reason, permanent), (expected, false), "{detail}");
        assert!(detail.contains(words), "{detail}");
    }
    task.await.unwrap();
}

#[tokio::test]
async fn a_connection_lost_after_the_content_is_not_tried_again_here() {
    let lost = script(&[&HELLO, &ANNOUNCED, &TAKEN, &ANNOUNCED, &TAKEN[..1]]);
    let (port, task) = server(vec![lost, script(&[&HELLO, &ANNOUNCED, &TAKEN, &[Wait]])]).await;
    let pool = pool(port);
    pool.send(&mail(), false).await.unwrap();
    assert_eq!(failure_of(&pool).await.0, Reason::Unreachable);
    pool.send(&mail(), false).await.unwrap();
    drop(pool);
    task.await.unwrap();
}

#[tokio::test]
async fn what_the_server_would_not_take_is_not_sent() {
    let hello = [Say("220 hi"), Hear("EHLO"), Say("250-mail.example\r\n250-PIPELINING\r\n250 SIZE 25")];
    let announced = script(&[&[Hear("MAIL FROM:<anna@chat.example> SIZE=25\r\n")], &ANNOUNCED[1..]]);
    let (port, task) = server(vec![script(&[&hello, &announced, &TAKEN, &[Wait]])]).await;
    let pool = pool(port);
    let failure = pool.send(&Mail { bytes: vec![b'x'; 26], ..mail() }, false).await.unwrap_err();
    assert_eq!((failure.reason, failure.is_permanent()), (Reason::TooLarge, true));
    for to in ["bob@example.org>\r\nRCPT TO:<eve@example.org", "b ob@example.org", "b\u{f6}b@example.org"] {
        let failure = pool.send(&Mail { to: to.into(), ..mail() }, false).await.unwrap_err();
        assert_eq!((failure.reason, failure.is_permanent()), (Reason::UnknownRecipient, true));
    }
    pool.send(&mail(), false).await.unwrap();
    drop(pool);
    task.await.unwrap();
}

#[tokio::test]
async fn a_refused_content_is_told_and_the_connection_goes_on() {
    let refused = |answer: &'static str| script(&[&ANNOUNCED, &TAKEN[..1], &[Say(answer)]]);
    let (for_good, for_now) = (refused("554 5.7.1 rejected as spam"), refused("451 4.3.0 later"));
    let (port, task) = server(vec![script(&[&HELLO, &for_good, &for_now, &ANNOUNCED, &TAKEN, &[Wait]])]).await;
    let pool = pool(port);
    let (reason, permanent, detail) = failure_of(&pool).await;
    assert_eq!((reason, permanent, detail.as_str()), (Reason::Refused, true, "content: 554 5.7.1 rejected as spam"));
    let (reason, permanent, _) = failure_of(&pool).await;
    assert_eq!((reason, permanent), (Reason::Busy, false));
    pool.send(&mail(), false).await.unwrap();
    drop(pool);
    task.await.unwrap();
}
