//! Signing in, reports, TLS.

use super::*;
use crate::connectors::email::fixture;

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
async fn no_password_leaves_this_machine_in_the_clear() {
    let Some(host) = fixture::own_address() else { return eprintln!("not tried: this machine has no other address") };
    let listener = TcpListener::bind((host, 0)).await.unwrap();
    let server = Server::new(&host.to_string(), listener.local_addr().unwrap().port(), Tls::None, None).unwrap();
    let task = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        play(BufStream::new(tcp), &[Say("220 hi"), Hear("EHLO"), Say("250-x\r\n250 AUTH PLAIN")]).await;
    });
    let pool = pool_for(Account { server, ..account(0, Tls::None, Some("anna")) });
    let (reason, permanent, detail) = failure_of(&pool).await;
    assert_eq!((reason, permanent), (Reason::AccessDenied, false));
    assert!(detail.contains("the password is not sent without TLS"), "{detail}");
    task.await.unwrap();
}
