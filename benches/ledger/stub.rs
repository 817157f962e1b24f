//! A homeserver and mail servers in this program, for volume. Each room has one member of staff and one person outside.
//!
//! They are struck by cutting their connections and by what they forget then: [`crate::bridge::homeserver::Power`].

use super::{
    books::{Book, Books, Due, News, Seen, Told, now},
    mail::{self, header},
    plan::{Blow, Direction, Message, Size, Strike, Victim},
    program::Program,
    services,
    world::World,
};
use crate::{
    bridge::{
        domains,
        fehmarn::{Installation, free_address},
        homeserver::{Homeserver, Power, ghost, room, staff},
        mailer::Mail,
        sink::{self, Manner, Sink, Taker},
        tally::{Tally, marker, markers},
    },
    common::{
        gate::Gate,
        servers::{self, Servers},
    },
};
use anyhow::ensure;
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::Value;
use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::sync::{
    Mutex as AsyncMutex,
    mpsc::{self, UnboundedReceiver, UnboundedSender},
    watch,
};

const LANES: usize = 10;
/// Every so many rooms there is one whose person no mail server knows.
const HOPELESS_EVERY: usize = 20;
/// One in so many recipients is told to come later.
const BUSY_EVERY: u32 = 300;
const START_LIMIT: Duration = Duration::from_secs(120);

pub struct Stub {
    rooms: usize,
    homeserver: Arc<Homeserver>,
    program: Program,
    /// Before the homeserver, and before the mail server that takes mails.
    gates: AsyncMutex<(Gate, Gate)>,
    mail_power: watch::Sender<Power>,
    servers: Option<&'static Servers>,
    /// What the mail server has taken.
    mails: Arc<Mutex<Vec<Seen>>>,
    /// What people outside have written.
    written: Mutex<Vec<Due>>,
    unwritten: Arc<AtomicUsize>,
    to_say: UnboundedSender<(usize, usize)>,
    to_mail: Vec<UnboundedSender<Mail>>,
    folder: TempDir,
}

impl Stub {
    /// Every ghost has joined its room.
    pub async fn start(size: &Size) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let mails = Arc::<Mutex<Vec<Seen>>>::default();
        let homeserver = Homeserver::start(Arc::new(Tally::default())).await?;
        let sink = Sink::with_manner(taking(mails.clone()), manner(size.seed)).await?;
        let mut gates = (gate(homeserver.address.port())?, gate(sink.address.port())?);
        gates.0.open().await;
        gates.1.open().await;
        let smtp = ([127, 0, 0, 1], gates.1.port).into();
        let installation = Installation::create(&folder.path().join("fehmarn"), &gates.0.url(), smtp)?;
        homeserver.register(installation.registration.clone());
        homeserver.begin();
        let database = if size.postgres { Some(servers::new_database().await) } else { None };
        let program = Program::start(installation.folder.join("config.yaml"), database, installation.listen);
        let (unwritten, mail_power) = (Arc::<AtomicUsize>::default(), watch::Sender::new(Power::Up));
        let mut to_mail = Vec::new();
        for _ in 0..LANES {
            let (sender, mails) = mpsc::unbounded_channel();
            tokio::spawn(mail::lane(installation.lmtp, mails, mail_power.subscribe(), unwritten.clone()));
            to_mail.push(sender);
        }
        let (to_say, sayings) = mpsc::unbounded_channel();
        tokio::spawn(say(homeserver.clone(), sayings, unwritten.clone()));
        let stub = Self {
            rooms: size.rooms,
            homeserver,
            program,
            gates: AsyncMutex::new(gates),
            mail_power,
            servers: size.postgres.then(servers::servers),
            mails,
            written: Mutex::default(),
            unwritten,
            to_say,
            to_mail,
            folder,
        };
        stub.open_rooms().await?;
        Ok(stub)
    }

    async fn open_rooms(&self) -> anyhow::Result<()> {
        self.program.wait_until_ready().await?;
        (0..self.rooms).for_each(|pair| self.homeserver.open_room(pair));
        let since = Instant::now();
        while let Some(pair) = (0..self.rooms).find(|pair| !self.homeserver.has_joined(*pair)) {
            ensure!(since.elapsed() < START_LIMIT, "the ghost of room {pair} does not join");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.homeserver.be_forgetful();
        Ok(())
    }
}

fn gate(target: u16) -> anyhow::Result<Gate> {
    Ok(Gate::new(free_address()?.port(), target))
}

fn is_hopeless(pair: usize) -> bool {
    pair % HOPELESS_EVERY == HOPELESS_EVERY - 1
}

/// Without reports of delivery: so Fehmarn itself says what has been delivered.
fn manner(seed: u64) -> Manner {
    let random = Mutex::new(StdRng::seed_from_u64(seed));
    let refusal = move |recipient: &str| match domains::pair(recipient) {
        Some(pair) if is_hopeless(pair) => Some("550 5.1.1 no such user here\r\n"),
        _ => random.lock().expect("lock").random_ratio(1, BUSY_EVERY).then_some("451 4.7.1 come back later\r\n"),
    };
    Manner { reports: false, refusal: Box::new(refusal), ..Manner::default() }
}

fn taking(mails: Arc<Mutex<Vec<Seen>>>) -> Taker {
    Box::new(move |recipients, mail| {
        let id = header(mail, "message-id").unwrap_or_default();
        let mut mails = mails.lock().expect("lock");
        for number in sink::numbers(mail) {
            for recipient in recipients {
                mails.push(Seen { conversation: domains::pair(recipient), number, id: id.clone(), at: now() });
            }
        }
    })
}

/// Staff write while their homeserver is up.
async fn say(homeserver: Arc<Homeserver>, mut sayings: UnboundedReceiver<(usize, usize)>, unwritten: Arc<AtomicUsize>) {
    while let Some((pair, number)) = sayings.recv().await {
        homeserver.wait_until_up().await;
        homeserver.say(pair, &format!("{} ist die Nummer dieser Nachricht.", marker(number)));
        unwritten.fetch_sub(1, Relaxed);
    }
}

fn letter(pair: usize, number: usize) -> Mail {
    let (from, to) = (format!("user{pair}@ext.example"), format!("staff{pair}@chat.bench.local"));
    let data = format!(
        "From: User {pair} <{from}>\r\nTo: <{to}>\r\nSubject: Application\r\nMessage-ID: <{number}@ext.example>\r\n\
         Date: Mon, 23 Nov 2026 09:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\
         {} is the number of this mail.\r\n.\r\n",
        marker(number)
    );
    Mail { from, to, data: data.into_bytes() }
}

impl World for Stub {
    fn program(&self) -> &Program {
        &self.program
    }

    fn write(&self, message: &Message) {
        let (pair, number) = (message.pick % self.rooms, message.number);
        self.unwritten.fetch_add(1, Relaxed);
        // The tasks behind these end with the program.
        match message.direction {
            Direction::ToMail => {
                let _ = self.to_say.send((pair, number));
            }
            Direction::ToMatrix => {
                self.written.lock().expect("lock").push(Due { conversation: pair, number, hopeless: false });
                let _ = self.to_mail[pair % LANES].send(letter(pair, number));
            }
        }
    }

    fn unwritten(&self) -> usize {
        self.unwritten.load(Relaxed)
    }

    async fn strike(&self, strike: &Strike) -> anyhow::Result<()> {
        let power = if strike.blow == Blow::Hang { Power::Hung } else { Power::Down };
        let mut gates = self.gates.lock().await;
        match strike.victim {
            Victim::Homeserver => {
                self.homeserver.set_power(power);
                shut(&mut gates.0, power).await;
            }
            Victim::MailServer => {
                self.mail_power.send_replace(power);
                shut(&mut gates.1, power).await;
            }
            Victim::Database => {
                drop(gates);
                services::strike(self.servers.expect("with PostgreSQL"), "postgres", strike).await?;
            }
            Victim::Fehmarn => {}
        }
        Ok(())
    }

    async fn mend(&self, strike: &Strike) -> anyhow::Result<()> {
        let mut gates = self.gates.lock().await;
        match strike.victim {
            Victim::Homeserver => {
                gates.0.open().await;
                self.homeserver.set_power(Power::Up);
            }
            Victim::MailServer => {
                gates.1.open().await;
                self.mail_power.send_replace(Power::Up);
            }
            Victim::Database => {
                drop(gates);
                services::mend(self.servers.expect("with PostgreSQL"), "postgres", strike).await?;
            }
            Victim::Fehmarn => {}
        }
        Ok(())
    }

    async fn books(&self) -> anyhow::Result<Books> {
        let mut books = Books::default();
        books.to_mail.seen = self.mails.lock().expect("lock").clone();
        books.to_matrix.due = self.written.lock().expect("lock").clone();
        for (id, history) in self.homeserver.histories() {
            read_room(&mut books, &id, &history)?;
        }
        Ok(books)
    }

    fn keep(&self, seed: u64) -> anyhow::Result<PathBuf> {
        let kept = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("ledger-{seed}"));
        if kept.exists() {
            std::fs::remove_dir_all(&kept)?;
        }
        std::fs::rename(self.folder.path(), &kept)?;
        Ok(kept)
    }
}

async fn shut(gate: &mut Gate, power: Power) {
    match power {
        Power::Hung => gate.stall().await,
        _ => gate.close().await,
    }
}

/// Enters what was written in a room and what people were told there.
fn read_room(books: &mut Books, id: &str, history: &[Arc<str>]) -> anyhow::Result<()> {
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let Books { to_mail: Book { due, told, .. }, to_matrix: Book { seen, .. } } = books;
    let pair = |sender: &str| {
        let pair = id.strip_prefix("!pair")?.split(':').next()?.parse().ok()?;
        (id == room(pair) && [ghost(pair), staff(pair)].iter().any(|user| user == sender)).then_some(pair)
    };
    for event in history.iter().filter(|event| event.contains("tok") || event.contains("message_send_status")) {
        let event: Value = serde_json::from_str(event)?;
        let text = |path: &str| event.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let (at, sender) = (event["origin_server_ts"].as_i64().unwrap_or_default(), text("/sender"));
        match (text("/type"), text("/content/msgtype"), markers(text("/content/body").as_bytes()).first()) {
            ("m.room.message", "m.text", Some(&number)) if sender.starts_with("@staff") => {
                let conversation = pair(sender).unwrap_or(usize::MAX);
                numbers.insert(text("/event_id").to_owned(), number);
                due.push(Due { conversation, number, hopeless: is_hopeless(conversation) });
            }
            ("m.room.message", "m.text", Some(&number)) => {
                seen.push(Seen { conversation: pair(sender), number, id: text("/event_id").to_owned(), at });
            }
            ("com.beeper.message_send_status", ..) => {
                let number = numbers.get(text("/content/m.relates_to/event_id")).copied();
                if let Some((news, number)) = news(text("/content/status")).zip(number) {
                    told.push(Told { number, conversation: None, news, at });
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// `PENDING` says nothing yet.
pub fn news(status: &str) -> Option<News> {
    match status {
        "SUCCESS" => Some(News::Delivered),
        status if status.starts_with("FAIL_") => Some(News::Failed),
        _ => None,
    }
}
