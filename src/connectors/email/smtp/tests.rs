//! The pool against a mail server that plays a script.

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
    let (port, task) = server(vec![lost]).await;
    let pool = pool(port);
    pool.send(&mail(), false).await.unwrap();
    assert_eq!(failure_of(&pool).await.0, Reason::Unreachable);
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
async fn signing_in_is_plain_or_login_and_a_refusal_never_loses_a_mail() {
    let plain =
        [Say("220 hi"), Hear("EHLO"), Say("250-x\r\n250 AUTH LOGIN PLAIN"), Hear("AUTH PLAIN AGFubmEAc2VjcmV0\r\n")];
    let login = [
        Say("220 hi"),
        Hear("EHLO"),
        Say("250-x\r\n250 AUTH LOGIN"),
        Hear("AUTH LOGIN\r\n"),
        Say("334 VXNlcm5hbWU6"),
        Hear("YW5uYQ==\r\n"),
        Say("334 UGFzc3dvcmQ6"),
        Hear("c2VjcmV0\r\n"),
        Say("235 in"),
        Wait,
    ];
    let neither = [Say("220 hi"), Hear("EHLO"), Say("250 x"), Wait];
    let no = [Say("535 5.7.8 wrong password"), Wait];
    let (refused, login_refused) = (script(&[&plain, &no]), script(&[&login[..8], &no]));
    let scripts = vec![script(&[&plain, &[Say("235 in"), Wait]]), login.into(), refused, login_refused, neither.into()];
    let (port, task) = server(scripts).await;
    let pool = pool_for(account(port, Tls::None, Some("anna")));
    assert!(pool.check(false).await.unwrap().contains("not encrypted"));
    assert!(pool.check(false).await.is_ok());
    for words in ["535 5.7.8 wrong password", "535 5.7.8 wrong password", "neither"] {
        let (reason, permanent, detail) = failure_of(&pool).await;
        assert_eq!((reason, permanent), (Reason::AccessDenied, false));
        assert!(detail.contains(words) && !detail.contains("secret"), "{detail}");
    }
    task.await.unwrap();
}

#[tokio::test]
async fn a_refused_sign_in_is_not_tried_again_with_the_next_mail() {
    let hello = [Say("220 hi"), Hear("EHLO"), Say("250-x\r\n250 AUTH PLAIN"), Hear("AUTH PLAIN")];
    let refused = script(&[&hello, &[Say("535 5.7.8 wrong password"), Wait]]);
    let good = script(&[&hello, &[Say("235 in"), Hear("MAIL"), Say("250 ok"), Hear("RCPT"), Say("250 ok")]]);
    let good = script(&[&good, &[Hear("DATA"), Say("354 go")], &TAKEN, &[Wait]]);
    let (port, task) = server(vec![refused, good]).await;
    let rest = Duration::from_millis(300);
    let pool = Pool::with_times(account(port, Tls::None, Some("anna")), 4, Times { rest, ..TIMES });
    for _ in 0..3 {
        assert_eq!(failure_of(&pool).await.0, Reason::AccessDenied);
    }
    sleep(rest).await;
    pool.send(&mail(), false).await.unwrap();
    drop(pool);
    task.await.unwrap();
}

#[tokio::test]
async fn with_starttls_nothing_but_the_wish_for_it_is_said_in_the_clear() {
    let plain = [Say("220 hi"), Hear("EHLO"), Say("250-x\r\n250 STARTTLS"), Hear("STARTTLS\r\n")];
    let secret = [Hear("EHLO"), Say("250-x\r\n250-AUTH PLAIN\r\n250 PIPELINING"), Hear("AUTH PLAIN"), Say("235 in")];
    let good = script(&[&plain, &[Say("220 go"), Encrypt], &secret, &ANNOUNCED, &TAKEN, &[Wait]]);
    let none = script(&[&HELLO, &[Wait]]);
    let injected = script(&[&plain, &[Say("220 go\r\n250-x\r\n250 AUTH PLAIN"), Wait]]);
    let (port, task) = server(vec![none, injected, good]).await;
    let pool = pool_for(account(port, Tls::Starttls, Some("anna")));
    assert!(failure_of(&pool).await.2.contains("does not offer STARTTLS"));
    assert!(failure_of(&pool).await.2.contains("before TLS"));
    pool.send(&mail(), false).await.unwrap();
    drop(pool);
    task.await.unwrap();
}

#[tokio::test]
async fn reports_are_asked_for_without_another_round_trip() {
    let hello = [Say("220 hi"), Hear("EHLO"), Say("250-mail.example\r\n250-PIPELINING\r\n250-DSN\r\n250 SIZE")];
    let announced = [
        Hear("MAIL FROM:<anna@chat.example> SIZE=25 RET=HDRS ENVID=1\r\n"),
        Hear("RCPT TO:<bob@example.org> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;bob@example.org\r\n"),
        Hear("DATA\r\n"),
    ];
    let (port, task) = server(vec![script(&[&hello, &announced, &ANNOUNCED[3..], &TAKEN, &[Wait]])]).await;
    let pool = pool(port);
    pool.send(&mail(), false).await.unwrap();
    drop(pool);
    task.await.unwrap();
}

#[tokio::test]
async fn letters_beyond_ascii_go_only_with_a_mail_that_says_so() {
    let offer = "250-mail.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8";
    let announced = [
        Hear("MAIL FROM:<anna@chat.example> SMTPUTF8 BODY=8BITMIME\r\n"),
        Hear("RCPT TO:<j\u{f6}rg@example.org>\r\n"),
        Hear("DATA\r\n"),
    ];
    let taken = [Content("To: j\u{f6}rg@"), Say("250 ok")];
    let all = script(&[&[Say("220 hi"), Hear("EHLO"), Say(offer)], &announced, &ANNOUNCED[3..], &taken, &[Wait]]);
    let (port, task) = server(vec![all]).await;
    let pool = pool(port);
    let to = "j\u{f6}rg@example.org";
    let mail = Mail { bytes: format!("To: {to}\r\n\r\nHello\r\n").into_bytes(), ..mail() };
    let failure = pool.send(&mail, false).await.unwrap_err();
    assert_eq!((failure.reason, failure.is_permanent()), (Reason::Internal, true));
    pool.send(&Mail { to: to.into(), needs_utf8: true, ..mail }, false).await.unwrap();
    drop(pool);
    task.await.unwrap();
}

#[tokio::test]
async fn opportunistic_tls_takes_what_there_is() {
    let plain = [Say("220 hi"), Hear("EHLO"), Say("250-x\r\n250 STARTTLS"), Hear("STARTTLS\r\n")];
    let mail_taken = script(&[&HELLO[1..], &ANNOUNCED, &TAKEN, &[Wait]]);
    let encrypted = script(&[&plain, &[Say("220 go"), Encrypt], &mail_taken]);
    let not_offered = script(&[&HELLO[..1], &mail_taken]);
    let refused = script(&[&plain, &[Say("454 4.7.0 no TLS today"), Wait]]);
    let broken = script(&[&plain, &[Say("220 go")]]);
    for (scripts, words) in [
        (vec![encrypted], "encrypted, but its certificate proves nothing"),
        (vec![not_offered.clone()], "not encrypted"),
        (vec![refused, not_offered.clone()], "not encrypted"),
        (vec![broken, not_offered], "not encrypted"),
    ] {
        let (port, task) = server(scripts).await;
        let server = Server::new("127.0.0.1", port, Tls::Opportunistic, None).unwrap();
        let pool = pool_for(Account { server, ..account(port, Tls::None, None) });
        pool.send(&mail(), false).await.unwrap();
        let (session, _) = pool.shared.idle().sessions.pop().unwrap();
        assert!(session.describe().contains(words), "{} instead of {words}", session.describe());
        drop((session, pool));
        task.await.unwrap();
    }
    let known = script(&[&plain, &[Say("220 go"), Encrypt], &HELLO[1..], &[Wait]]);
    let (port, task) = server(vec![known]).await;
    let words = pool_for(account(port, Tls::Opportunistic, None)).check(false).await.unwrap();
    assert!(words.contains("encrypted, sends no"), "{words}");
    task.await.unwrap();
}

#[tokio::test]
async fn a_mail_that_must_not_go_in_the_clear_is_not_even_announced_to_who_cannot_promise_it() {
    let offer = "250-mail.example\r\n250-PIPELINING\r\n250 REQUIRETLS";
    let plain = script(&[&[Say("220 hi"), Hear("EHLO"), Say(offer)], &ANNOUNCED, &TAKEN, &[Wait]]);
    let tls = [Say("220 hi"), Hear("EHLO"), Say("250-x\r\n250 STARTTLS"), Hear("STARTTLS\r\n"), Say("220 go"), Encrypt];
    let announced = script(&[&[Hear("MAIL FROM:<anna@chat.example> REQUIRETLS\r\n")], &ANNOUNCED[1..]]);
    let promised = script(&[&tls, &[Hear("EHLO"), Say(offer)], &announced, &TAKEN, &[Wait]]);
    let (port, task) = server(vec![plain, promised]).await;
    let pool = pool(port);
    let failure = pool.send(&mail(), true).await.unwrap_err();
    assert_eq!((failure.reason, failure.is_permanent()), (Reason::AccessDenied, false));
    // Over the same connection, as nothing was said on it.
    pool.send(&mail(), false).await.unwrap();
    drop(pool);
    let pool = pool_for(account(port, Tls::Starttls, None));
    pool.send(&mail(), true).await.unwrap();
    drop(pool);
    task.await.unwrap();
}

#[tokio::test]
async fn each_mail_takes_the_way_of_its_recipient() {
    let kiel = [&[Hear("MAIL"), Hear("RCPT TO:<bob@kiel.example>\r\n"), Hear("DATA")], &ANNOUNCED[3..]].concat();
    let looked_at = script(&[&HELLO, &[Wait]]);
    let (main, main_task) = server(vec![looked_at.clone(), script(&[&HELLO, &ANNOUNCED, &TAKEN, &[Wait]])]).await;
    let (other, other_task) = server(vec![looked_at, script(&[&HELLO, &kiel, &TAKEN, &[Wait]])]).await;
    let route = |pattern: &str, pool: &Arc<Pool>, require_tls| {
        let to = Pattern::new(pattern).unwrap();
        Route { to, pool: pool.clone(), require_tls }
    };
    let (main, other) = (Arc::new(pool(main)), Arc::new(pool(other)));
    let names = [main.to_string(), other.to_string()];
    let routes = vec![route("kiel.example", &other, false), route("*.kiel.example", &other, true)];
    let routes = Routes::new(main.clone(), routes);
    let findings = routes.check().await;
    let what: Vec<&str> = findings.iter().map(|finding| finding.what.as_str()).collect();
    assert_eq!(what, [format!("SMTP {}", names[0]), format!("SMTP {} (for kiel.example, *.kiel.example)", names[1])]);
    assert!(findings[0].result.is_ok(), "{findings:?}");
    assert!(findings[1].result.as_ref().unwrap_err().contains("require_tls"), "{findings:?}");
    routes.send(&mail()).await.unwrap();
    routes.send(&Mail { to: "bob@kiel.example".into(), ..mail() }).await.unwrap();
    let failure = routes.send(&Mail { to: "bob@amt.kiel.example".into(), ..mail() }).await.unwrap_err();
    assert!(failure.detail.contains("require_tls"), "{}", failure.detail);
    drop((routes, main, other));
    main_task.await.unwrap();
    other_task.await.unwrap();
}

#[tokio::test]
async fn that_one_of_several_servers_is_away_says_nothing_of_the_others() {
    let closed = || TcpListener::bind("127.0.0.1:0");
    let (main, other) = (closed().await.unwrap(), closed().await.unwrap());
    let [main, other] = [main, other].map(|listener| Arc::new(pool(listener.local_addr().unwrap().port())));
    let route = |pool: &Arc<Pool>| {
        let to = Pattern::new("kiel.example").unwrap();
        Routes::new(main.clone(), vec![Route { to, pool: pool.clone(), require_tls: false }])
    };
    let (one, several) = (route(&main), route(&other));
    for routes in [&one, &several] {
        for to in ["bob@example.org", "bob@kiel.example"] {
            let failure = routes.send(&Mail { to: to.into(), ..mail() }).await.unwrap_err();
            assert_eq!((failure.reason, failure.is_permanent()), (Reason::Unreachable, false), "{to}");
            assert!(failure.detail.contains("no connection"), "{}", failure.detail);
        }
    }
    let sides = |routes: &Routes| ["bob@example.org", "bob@kiel.example"].map(|to| routes.side(to));
    assert_eq!(sides(&one), ["", ""]);
    let [kept, moved] = sides(&several);
    assert!(kept != moved && !kept.is_empty() && !moved.is_empty(), "{kept} {moved}");
    assert_eq!(several.side("eve@example.com"), kept);
}

#[tokio::test]
async fn there_are_never_more_connections_than_allowed_and_idle_ones_are_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (open, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counters = (open.clone(), most.clone());
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let (open, most) = counters.clone();
            tokio::spawn(async move {
                most.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                serve_for_ever(tcp).await;
                open.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    let moment = Duration::from_millis(200);
    let pool = Pool::with_times(
        account(port, Tls::None, None),
        3,
        Times { send: TIMES.send, idle: moment, tidy: moment / 4, rest: moment },
    );
    let mails = futures_util::future::join_all((0..50).map(|_| async { pool.send(&mail(), false).await.unwrap() }));
    mails.await;
    assert_eq!((most.load(Ordering::SeqCst), open.load(Ordering::SeqCst)), (3, 3));
    sleep(moment * 3).await;
    assert_eq!(open.load(Ordering::SeqCst), 0);
    pool.send(&mail(), false).await.unwrap();
}

async fn serve_for_ever(tcp: TcpStream) {
    tcp.set_nodelay(true).unwrap();
    let mut stream = BufStream::new(tcp);
    let mut line = String::new();
    stream.write_all(b"220 hi\r\n").await.unwrap();
    stream.flush().await.unwrap();
    let mut content = false;
    while stream.read_line(&mut line).await.unwrap_or(0) > 0 {
        let answer = match line.get(..4) {
            Some("EHLO") => "250-x\r\n250 PIPELINING\r\n",
            Some("DATA") => {
                content = true;
                "354 go\r\n"
            }
            _ if content && line != ".\r\n" => "",
            _ => {
                content = false;
                "250 ok\r\n"
            }
        };
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        line.clear();
    }
}

/// Whatever the step at which a server falls silent, or says something without end: the mail waits for its next attempt.
#[tokio::test]
async fn a_server_that_stops_in_the_middle_holds_a_mail_up_for_a_bounded_time() {
    let whole = script(&[&HELLO, &ANNOUNCED, &TAKEN]);
    let stops: Vec<usize> =
        whole.iter().enumerate().filter(|(_, step)| matches!(step, Say(_))).map(|(n, _)| n).collect();
    assert_eq!(stops.len(), 6);
    for stop in stops {
        let steps = [&whole[..stop], &[Silence]].concat();
        let (port, task) = server(vec![steps, whole.clone()]).await;
        let times = Times { send: Duration::from_millis(300), rest: Duration::ZERO, ..TIMES };
        let pool = Pool::with_times(account(port, Tls::None, None), 4, times);
        let (reason, permanent, detail) = failure_of(&pool).await;
        assert_eq!((reason, permanent), (Reason::Unreachable, false), "{stop}: {detail}");
        assert!(detail.contains("not in time"), "{stop}: {detail}");
        // The connection that hung is not used for the next mail.
        let pool = pool_for(account(port, Tls::None, None));
        pool.send(&mail(), false).await.unwrap();
        task.await.unwrap();
    }
}
