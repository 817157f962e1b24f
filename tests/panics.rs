//! A fault in the program ends one step, and is told; everything else goes on, and the part that it has ended is begun anew.

use crate::common::{Letter, Outside, Setup, Staff, homeserver::Homeserver, metrics::Page, slot::Slot, until};
use async_trait::async_trait;
use fehmarn::{
    Fehmarn,
    config::Config,
    connector::{Capabilities, Connector, Finding, Inbox, Spoken},
    connectors::KINDS,
    failure::Failure,
    ids::RemoteUserId,
    log::{self, Format},
    matrix::Registration,
    message::{Body, Delivery, Inbound, Instructions, RawArrival, Sent},
    store::Store,
};
use reqwest::StatusCode;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A connector that has faults.
struct Faulty {
    inner: Arc<dyn Connector>,
    runs: AtomicUsize,
    sends: AtomicUsize,
    reads: AtomicUsize,
}

/// Whether it is the first time.
fn first(count: &AtomicUsize) -> bool {
    count.fetch_add(1, Ordering::SeqCst) == 0
}

#[async_trait]
impl Connector for Faulty {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn spoken(&self) -> Spoken {
        self.inner.spoken()
    }

    fn attachment_bytes(&self, to: &RemoteUserId) -> u64 {
        self.inner.attachment_bytes(to)
    }

    fn parse_address(&self, text: &str) -> Option<RemoteUserId> {
        assert!(!text.starts_with("fault@"), "a fault in reading an address");
        self.inner.parse_address(text)
    }

    fn instructions(&self, body: &mut Body) -> Instructions {
        assert!(!body.text.contains("Fehler beim Lesen"), "a fault in reading words");
        self.inner.instructions(body)
    }

    async fn run(&self, inbox: Inbox, stop: CancellationToken) -> Result<(), Failure> {
        assert!(!first(&self.runs), "a fault in listening");
        self.inner.run(inbox, stop).await
    }

    async fn send(&self, delivery: &Delivery) -> Result<Sent, Failure> {
        if delivery.body.text.contains("Fehler beim Senden") {
            assert!(!first(&self.sends), "a fault in sending");
        }
        self.inner.send(delivery).await
    }

    async fn read(&self, raw: &RawArrival, attempt: u32) -> Result<Inbound, Failure> {
        if String::from_utf8_lossy(&raw.raw).contains("Fehler beim Empfang") {
            assert!(!first(&self.reads), "a fault in reading a mail");
        }
        self.inner.read(raw, attempt).await
    }

    async fn check(&self) -> Vec<Finding> {
        self.inner.check().await
    }
}

/// A Fehmarn in this process, with a faulty connector.
struct Running {
    _setup: Setup,
    slot: Slot,
    metrics: u16,
    stop: CancellationToken,
    task: JoinHandle<Result<(), fehmarn::Error>>,
}

async fn start() -> Running {
    log::start(Format::Text);
    let mut setup = Setup::new();
    let (slot, metrics) = (setup.slot.clone(), setup.slot.spare_ports[0]);
    setup.core.push(format!("metrics: {{ listen: \"127.0.0.1:{metrics}\" }}"));
    setup.database = format!("sqlite:{}", setup.database_path().display());
    setup.write_config();
    let mut config = Config::open(&setup.config_path(), KINDS, &|_| None).unwrap();
    let inner = config.connectors["email"].clone();
    let faulty = Faulty { inner, runs: 0.into(), sends: 0.into(), reads: 0.into() };
    config.connectors.insert("email", Arc::new(faulty));
    let registration = Registration::open(&config.registration).unwrap();
    let store = Store::open(config.database.expose()).await.unwrap();
    let program = Fehmarn::assemble(config, registration, store).unwrap();
    let stop = CancellationToken::new();
    let task = tokio::spawn(program.run(stop.clone()));
    let ready = format!("{}/ready", slot.listen_url());
    until("a Fehmarn that is ready", async || {
        let answer = reqwest::get(&ready).await.ok()?;
        (answer.status() == StatusCode::OK).then_some(())
    })
    .await;
    Running { _setup: setup, slot, metrics, stop, task }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_anywhere_ends_one_step_and_all_goes_on() {
    let running = start().await;
    let page = async || Page::of(running.metrics).await;
    let restarts = async || page().await.value("fehmarn_restarts_total", &[("part", "email")]);
    until("the connector to be begun anew", async || (restarts().await == Some(1.0)).then_some(())).await;

    let (anna, bob) = (Staff::new("Anna Muster").await, Outside::new("Bob"));
    let ghost = running.slot.ghost(&bob.address);
    let room = anna.direct_chat(&ghost).await;
    anna.say(&room, "Guten Tag").await;
    let mail = bob.wait_for_text("Guten Tag").await;
    // In sending: it is tried again, and arrives.
    anna.say(&room, "Fehler beim Senden").await;
    bob.wait_for_text("Fehler beim Senden").await;
    // In reading a mail: the same, by the other way.
    bob.send(Letter::answering(&bob, &mail).text("Fehler beim Empfang")).await;
    anna.wait_for_words(&room, &ghost, "Fehler beim Empfang").await;
    // In what the homeserver asks: that one question.
    let homeserver = Homeserver::of(&running.slot);
    let asked = |address: &str| format!("/_matrix/app/v1/thirdparty/user/email?address={address}");
    let answer = homeserver.get(&asked("fault%40example.org")).await;
    assert_eq!(answer, (StatusCode::INTERNAL_SERVER_ERROR, "M_UNKNOWN".into()));
    assert_eq!(homeserver.get(&asked("bob%40example.org")).await.0, StatusCode::OK);
    // In an event, each time: it is left out in the end, and holds up nobody for ever.
    anna.say(&room, "Fehler beim Lesen").await;
    anna.say(&room, "Danach").await;
    bob.wait_for_text("Danach").await;
    let otto = Staff::new("Otto").await;
    let eve = Outside::new("Eve");
    let other = otto.direct_chat(&running.slot.ghost(&eve.address)).await;
    otto.say(&other, "Und anderswo").await;
    eve.wait_for_text("Und anderswo").await;

    let texts: Vec<String> = bob.mails().await.iter().map(crate::common::Mail::text).collect();
    assert_eq!(texts, ["Guten Tag", "Fehler beim Senden", "Danach"], "each once");
    let page = page().await;
    assert_eq!(page.value("fehmarn_events_left_out_total", &[]), Some(1.0));
    let retries = |queue| {
        page.value("fehmarn_retries_total", &[("queue", queue), ("connector", "email"), ("reason", "internal")])
    };
    assert_eq!((retries("outbox"), retries("inbox")), (Some(1.0), Some(1.0)));
    assert!(page.value("fehmarn_panics_total", &[]).unwrap() >= 7.0, "{}", page.text);
    running.stop.cancel();
    running.task.await.unwrap().unwrap();
}
