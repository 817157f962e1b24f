//! The listener over real connections, with a bridge that remembers.

use super::*;
use crate::connectors::email::door::fake::FakeDoor;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream},
    task::JoinHandle,
};

struct Running {
    door: Arc<FakeDoor>,
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

async fn running() -> Running {
    running_with(100).await
}

async fn running_with(max_size: usize) -> Running {
    running_for(max_size, TIMES).await
}

async fn running_for(max_size: usize, times: Times) -> Running {
    let (door, stop) = (Arc::new(FakeDoor::default()), CancellationToken::new());
    let identity = Arc::new(Identity::new("chat.example", "{localpart}@chat.example").unwrap());
    let service = Arc::new(Service { door: door.clone(), identity, max_size, times, stop: stop.clone() });
    let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    Running { door, address, stop, task: tokio::spawn(serve_and_stop(listener, service, Duration::from_millis(300))) }
}

struct Client(BufStream<TcpStream>);

impl Client {
    async fn new(running: &Running) -> Self {
        let mut client = Self::silent(running).await;
        assert!(client.hear().await.starts_with("220 chat.example"));
        assert!(client.ask("LHLO mx.example", 6).await.contains("250 SIZE 100"));
        client
    }

    async fn silent(running: &Running) -> Self {
        Self(BufStream::new(TcpStream::connect(running.address).await.unwrap()))
    }

    async fn hear(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).await.unwrap();
        line
    }

    async fn say(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
        self.0.flush().await.unwrap();
    }

    /// Says a line and hears that many.
    async fn ask(&mut self, line: &str, answers: usize) -> String {
        self.say(&format!("{line}\r\n")).await;
        let mut heard = String::new();
        for _ in 0..answers {
            heard += &self.hear().await;
        }
        heard
    }

    /// Nothing more comes.
    async fn is_closed(&mut self) -> bool {
        self.0.read(&mut [0]).await.is_ok_and(|count| count == 0)
    }
}

/// The codes of the answers, one after the other.
fn codes(answers: &str) -> Vec<&str> {
    answers.lines().map(|line| line.get(..3).unwrap_or(line)).collect()
}

#[tokio::test]
async fn a_mail_is_accepted_once_for_all_and_answered_for_each_recipient() {
    let running = running().await;
    let mut client = Client::new(&running).await;
    let talk = "MAIL FROM:<bob@example.org> SIZE=30 BODY=8BITMIME\r\nRCPT TO:<Anna@chat.example>\r\n\
                RCPT TO:<nobody@chat.example>\r\nRCPT TO:<anna@elsewhere.example>\r\nRCPT TO:<maybe@chat.example>\r\n\
                RCPT TO:<otto@chat.example>\r\nDATA";
    let answers = client.ask(talk, 7).await;
    assert_eq!(codes(&answers), ["250", "250", "550", "550", "451", "250", "354"], "{answers}");
    assert!(running.door.accepted().is_empty());
    let answers = client.ask("Subject: x\r\n\r\n..\r\n.", 2).await;
    assert_eq!(codes(&answers), ["250", "250"]);
    let raw = "Return-Path: <bob@example.org>\r\nSubject: x\r\n\r\n.\r\n".to_owned();
    assert_eq!(running.door.accepted(), [("anna".into(), raw.clone()), ("otto".into(), raw)]);
}

#[tokio::test]
async fn no_mail_is_answered_with_250_that_was_not_committed() {
    let running = running().await;
    *running.door.failures.lock().unwrap() = 1;
    let mut client = Client::new(&running).await;
    for (answer, accepted) in [("451", 0), ("250", 1)] {
        client.ask("MAIL FROM:<>\r\nRCPT TO:<anna@chat.example>\r\nDATA", 3).await;
        assert_eq!(codes(&client.ask("x\r\n.", 1).await), [answer]);
        assert_eq!(running.door.accepted().len(), accepted);
    }
    assert!(running.door.accepted()[0].1.starts_with("Return-Path: <>\r\n"));
}

#[tokio::test]
async fn a_mail_for_one_says_for_which_of_his_addresses_it_came() {
    let running = running().await;
    let mut client = Client::new(&running).await;
    for recipients in
        ["RCPT TO:<Anna+mzxw@chat.example>", "RCPT TO:<anna+a@chat.example>\r\nRCPT TO:<otto+b@chat.example>"]
    {
        let count = recipients.lines().count();
        client.ask(&format!("MAIL FROM:<>\r\n{recipients}\r\nDATA"), count + 2).await;
        assert_eq!(codes(&client.ask("x: y\r\n\r\nz\r\n.", count).await), vec!["250"; count]);
    }
    let heads: Vec<String> =
        running.door.accepted().into_iter().map(|(_, raw)| raw.split("x: y").next().unwrap().to_owned()).collect();
    let alone = "Return-Path: <>\r\nDelivered-To: Anna+mzxw@chat.example\r\n";
    assert_eq!(heads, [alone, "Return-Path: <>\r\n", "Return-Path: <>\r\n"], "nobody reads who else got it");
}

#[tokio::test]
async fn an_address_brings_no_header_field_of_its_own() {
    assert_eq!(super::session::path("\"a>\rX: y\0 <b\"@example.org"), "\"aX:yb\"@example.org");
}

#[tokio::test]
async fn a_mail_that_goes_round_is_refused_for_each_recipient_and_the_connection_goes_on() {
    let running = running().await;
    let mut client = Client::new(&running).await;
    let to = "MAIL FROM:<>\r\nRCPT TO:<anna@chat.example>\r\nRCPT TO:<otto@chat.example>\r\nDATA";
    client.ask(to, 4).await;
    let answers = client.ask("Message-ID: <mzxw6ytboi2dkmbrgq4tqmzxga@chat.example>\r\n\r\nx\r\n.", 2).await;
    assert!(answers.lines().all(|line| line.starts_with("554 5.4.6")), "{answers}");
    client.ask(to, 4).await;
    assert_eq!(codes(&client.ask("Subject: x\r\n\r\nx\r\n.", 2).await), ["250", "250"]);
    assert_eq!(running.door.accepted().len(), 2);
}

#[tokio::test]
async fn a_header_without_end_is_refused() {
    let running = running_with(1 << 20).await;
    let mut client = Client::silent(&running).await;
    client.hear().await;
    client.ask("LHLO x", 6).await;
    for (lines, answer) in [(1000, "250"), (3000, "552")] {
        client.ask("MAIL FROM:<>\r\nRCPT TO:<anna@chat.example>\r\nDATA", 3).await;
        let header = format!("X: {}\r\n", "y".repeat(95)).repeat(lines);
        let answers = client.ask(&format!("{header}\r\nz\r\n."), 1).await;
        assert_eq!(codes(&answers), [answer], "{answers}");
    }
}

#[tokio::test]
async fn commands_out_of_their_order_are_refused() {
    let running = running().await;
    let mut client = Client::silent(&running).await;
    client.hear().await;
    let talk = "EHLO x\r\nMAIL FROM:<>\r\nLHLO x\r\nRCPT TO:<anna@chat.example>\r\nDATA\r\nMAIL FROM:<>\r\nMAIL FROM:<>\r\n\
                DATA\r\nRSET\r\nRCPT TO:<anna@chat.example>\r\nNOOP\r\nVRFY anna\r\nBDAT 1\r\nFROB\r\nMAIL FROM:<a@b@c>\r\nQUIT";
    let answers = client.ask(talk, 21).await;
    let expected = [
        "500", "503", "250", "250", "250", "250", "250", "250", "503", "503", "250", "503", "503", "250", "503", "250",
        "252", "502", "500", "501", "221",
    ];
    assert_eq!(codes(&answers), expected, "{answers}");
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn what_is_too_much_is_refused_and_the_connection_goes_on() {
    let running = running().await;
    let mut client = Client::new(&running).await;
    assert_eq!(codes(&client.ask("MAIL FROM:<> SIZE=101", 1).await), ["552"]);
    assert_eq!(codes(&client.ask(&format!("NOOP {}", "x".repeat(5000)), 1).await), ["500"]);
    client.ask("MAIL FROM:<>", 1).await;
    for _ in 0..100 {
        assert_eq!(codes(&client.ask("RCPT TO:<anna@chat.example>", 1).await), ["250"]);
    }
    assert_eq!(codes(&client.ask("RCPT TO:<anna@chat.example>\r\nDATA", 2).await), ["452", "354"]);
    assert_eq!(codes(&client.ask(&format!("{}\r\n.", "x".repeat(99)), 100).await), ["552"; 100]);
    client.ask("MAIL FROM:<>\r\nRCPT TO:<anna@chat.example>\r\nDATA", 3).await;
    assert_eq!(codes(&client.ask(&format!("{}\r\n.", "x".repeat(98)), 1).await), ["250"]);
    client.ask("MAIL FROM:<>\r\nRCPT TO:<anna@chat.example>\r\nDATA", 3).await;
    client.say(&"x".repeat(1000)).await;
    assert_eq!(codes(&client.hear().await), ["552"]);
    assert!(client.is_closed().await);
    assert_eq!(running.door.accepted().len(), 1);
}

#[tokio::test]
async fn who_makes_only_mistakes_or_never_ends_a_line_is_sent_away() {
    let running = running().await;
    let mut client = Client::new(&running).await;
    let answers = client.ask(&vec!["FROB"; 20].join("\r\n"), 21).await;
    assert!(answers.ends_with("421 4.7.0 too many errors\r\n"), "{answers}");
    assert!(client.is_closed().await);
    let mut client = Client::new(&running).await;
    client.say(&"x".repeat((1 << 20) + 5000)).await;
    assert_eq!(codes(&client.hear().await), ["421"]);
}

#[tokio::test]
async fn one_connection_too_many_is_told_to_come_back() {
    let running = running().await;
    let mut clients = Vec::new();
    for _ in 0..MOST_CONNECTIONS {
        clients.push(Client::new(&running).await);
    }
    let mut late = Client::silent(&running).await;
    assert_eq!(codes(&late.hear().await), ["421"]);
    clients.pop().unwrap().ask("QUIT", 1).await;
    sleep(Duration::from_millis(50)).await;
    Client::new(&running).await;
}

#[tokio::test]
async fn stopping_waits_for_the_mail_in_flight_and_for_nothing_else() {
    let running = running().await;
    let (mut idle, mut busy) = (Client::new(&running).await, Client::new(&running).await);
    busy.ask("MAIL FROM:<>\r\nRCPT TO:<anna@chat.example>\r\nDATA", 3).await;
    running.stop.cancel();
    assert_eq!(codes(&idle.hear().await), ["421"]);
    let refused = async { while TcpStream::connect(running.address).await.is_ok() {} };
    timeout(Duration::from_secs(30), refused).await.expect("it still listens");
    let answers = busy.ask("x\r\n.\r\nMAIL FROM:<>", 2).await;
    assert_eq!(codes(&answers), ["250", "421"]);
    running.task.await.unwrap();
    assert_eq!(running.door.accepted().len(), 1);
}

#[tokio::test]
async fn stopping_does_not_wait_long_for_a_mail_that_does_not_come() {
    let running = running().await;
    let mut stuck = Client::new(&running).await;
    stuck.ask("MAIL FROM:<>\r\nRCPT TO:<anna@chat.example>\r\nDATA", 3).await;
    running.stop.cancel();
    timeout(Duration::from_secs(30), running.task).await.expect("it still waits").unwrap();
    assert!(stuck.is_closed().await);
}

#[tokio::test]
async fn an_address_that_is_taken_is_named_with_the_key_to_change() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let failure = bind(address).await.unwrap_err();
    assert_eq!((failure.reason, failure.is_permanent()), (Reason::AccessDenied, true));
    assert!(failure.detail.contains(&address.to_string()) && failure.detail.contains("connectors.email.lmtp.listen"));
    assert!(check(address).await.result.is_err());
    drop(taken);
    assert!(check(address).await.result.is_ok());
}

#[tokio::test]
async fn who_falls_silent_or_never_comes_to_an_end_is_sent_away_and_nothing_is_kept() {
    let times = Times { idle: Duration::from_millis(400), transaction: Duration::from_millis(1200) };
    let running = running_for(100_000, times).await;
    let mail = ["MAIL FROM:<>", "RCPT TO:<anna@chat.example>", "DATA", "Subject: x\r\n\r\nx"];
    for steps in 0..=mail.len() {
        let mut client = Client::new(&running).await;
        for step in mail.iter().take(steps) {
            client.ask(step, usize::from(!step.starts_with("Subject"))).await;
        }
        let goodbye = timeout(Duration::from_secs(20), client.hear()).await.expect("it is waited for without end");
        assert!(goodbye.starts_with("421 4.4.2"), "after {steps}");
        assert!(client.is_closed().await);
    }
    // One byte after the other is never silence.
    let mut client = Client::new(&running).await;
    client.ask("MAIL FROM:<>\r\nRCPT TO:<anna@chat.example>\r\nDATA", 3).await;
    let dripping = async {
        while client.0.write_all(b"x").await.is_ok() && client.0.flush().await.is_ok() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(60), dripping).await.expect("it is listened to without end");
    assert!(running.door.accepted().is_empty());
}

#[tokio::test]
async fn a_zero_byte_at_the_end_of_a_line_ends_no_mail() {
    let running = running_with(1000).await;
    let mut client = Client::silent(&running).await;
    client.hear().await;
    client.ask("LHLO x", 6).await;
    client.ask("MAIL FROM:<>\r\nRCPT TO:<anna@chat.example>\r\nDATA", 3).await;
    let answers = client.ask("a\r\n\0.\r\nb\r\n.\0\r\nc\r\n.\r\0\nQUIT\r\n.", 1).await;
    assert_eq!(codes(&answers), ["250"]);
    assert_eq!(codes(&client.ask("NOOP", 1).await), ["250"]);
    assert!(running.door.accepted()[0].1.contains("QUIT"));
}
