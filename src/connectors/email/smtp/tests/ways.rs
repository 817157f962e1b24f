//! Several servers, and how many connections there are.

use super::*;

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

#[tokio::test]
async fn of_several_servers_the_limit_of_that_counts_which_takes_the_mail() {
    let hello = |size: &'static str| [Say("220 hi"), Hear("EHLO"), Say(size)];
    let small = hello("250-mail.example\r\n250-PIPELINING\r\n250 SIZE 1000");
    let kiel = [&[Hear("MAIL"), Hear("RCPT TO:<bob@kiel.example>\r\n"), Hear("DATA")], &ANNOUNCED[3..]].concat();
    let (main, main_task) = server(vec![script(&[&HELLO, &ANNOUNCED, &TAKEN, &[Wait]])]).await;
    let (other, other_task) = server(vec![script(&[&small, &kiel, &TAKEN, &[Wait]])]).await;
    let (main, other) = (Arc::new(pool(main)), Arc::new(pool(other)));
    let route = Route { to: Pattern::new("kiel.example").unwrap(), pool: other.clone(), require_tls: false };
    let routes = Routes::new(main.clone(), vec![route]);
    let limits = || ["bob@example.org", "bob@kiel.example"].map(|to| routes.size_limit(to));
    assert_eq!(limits(), [None, None], "nobody has said anything yet");
    routes.send(&Mail { to: "bob@kiel.example".into(), ..mail() }).await.unwrap();
    assert_eq!(limits(), [None, Some(1000)]);
    routes.send(&mail()).await.unwrap();
    assert_eq!(limits(), [None, Some(1000)], "it has no limit");
    drop((routes, main, other));
    main_task.await.unwrap();
    other_task.await.unwrap();
}
