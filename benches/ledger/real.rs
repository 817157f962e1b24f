//! Synapse, Postfix, Dovecot and PostgreSQL, which must be nobody else's: they are struck.
//!
//! Postfix keeps no order between mails that it has at the same time. So whoever writes to staff sends the next mail when
//! Postfix has handed the last one over, and the order in Matrix can be judged.

use super::{
    books::{Books, Due, News, Seen, Told},
    mail::hand_over,
    people::{Room, say_patiently},
    plan::{Direction, Message, Size, Strike, Victim},
    program::Program,
    queue_id, services,
    stub::news,
    world::World,
};
use crate::{
    bridge::{
        mailer::{Mail, Protocol},
        tally::{marker, markers},
    },
    common::{
        Setup, body,
        events::{event_id, text},
        sender, servers,
    },
};
use anyhow::ensure;
use serde_json::Value;
use std::{
    collections::HashMap,
    fs,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::{
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
    time::sleep,
};

const PAUSE: Duration = Duration::from_millis(200);
/// A line of the log can be lost with Postfix; then the room says whether a mail is there.
const LOG_LIMIT: Duration = Duration::from_secs(45);
/// With fewer rooms than this, all people get their mail.
const WITH_HOPELESS: usize = 5;

pub struct Real {
    setup: Setup,
    program: Program,
    rooms: Vec<Arc<Room>>,
    /// To each room's staff, and to each person outside who can write.
    staff: Vec<UnboundedSender<usize>>,
    outside: Vec<(usize, UnboundedSender<usize>)>,
    /// What is to be written in Matrix: what nobody finds there is lost already.
    said: Mutex<usize>,
    written: Mutex<Vec<Due>>,
    unwritten: Arc<AtomicUsize>,
}

impl Real {
    /// Everybody has written once.
    pub async fn start(size: &Size) -> anyhow::Result<Self> {
        let setup = if size.postgres { Setup::with_postgres().await } else { Setup::new() };
        setup.write_config();
        let listen = SocketAddr::from(([127, 0, 0, 1], setup.listen_port));
        let program = Program::start(setup.config_path(), None, listen);
        program.wait_until_ready().await?;
        let rooms = open_rooms(&setup, size.rooms).await;
        let unwritten = Arc::<AtomicUsize>::default();
        let (mut staff, mut outside) = (Vec::new(), Vec::new());
        for room in &rooms {
            let (sender, numbers) = mpsc::unbounded_channel();
            tokio::spawn(write_in_matrix(room.clone(), numbers, unwritten.clone()));
            staff.push(sender);
            for person in 0..if room.hopeless { 0 } else { room.people.len() } {
                let (sender, numbers) = mpsc::unbounded_channel();
                tokio::spawn(write_mails(room.clone(), person, numbers, unwritten.clone()));
                outside.push((room.people[person].conversation, sender));
            }
        }
        let (said, written) = Default::default();
        Ok(Self { setup, program, rooms, staff, outside, said, written, unwritten })
    }
}

/// In every third one there are two people; in the last two nobody gets anything.
async fn open_rooms(setup: &Setup, count: usize) -> Vec<Arc<Room>> {
    let ghost = |address: &str| setup.slot.ghost(address);
    let (mut rooms, mut next) = (Vec::new(), 0);
    let hopeless: &[&str] = if count < WITH_HOPELESS { &[] } else { &["reject@example.org", "bounce@example.org"] };
    for n in 0..count - hopeless.len() {
        rooms.push(Arc::new(Room::open(if n % 3 == 0 { 2 } else { 1 }, ghost, &mut next).await));
    }
    for address in hopeless {
        rooms.push(Arc::new(Room::open_in_vain(address, ghost(address), &mut next).await));
    }
    rooms
}

async fn write_in_matrix(room: Arc<Room>, mut numbers: UnboundedReceiver<usize>, unwritten: Arc<AtomicUsize>) {
    let http = reqwest::Client::new();
    while let Some(number) = numbers.recv().await {
        let words = format!("{} ist die Nummer dieser Nachricht.", marker(number));
        say_patiently(&http, room.staff.token(), &room.id, number, &words).await;
        unwritten.fetch_sub(1, Relaxed);
    }
}

async fn write_mails(
    room: Arc<Room>,
    person: usize,
    mut numbers: UnboundedReceiver<usize>,
    unwritten: Arc<AtomicUsize>,
) {
    let person = &room.people[person];
    let postfix = SocketAddr::from(([127, 0, 0, 1], servers().mail_ports.smtp));
    let mut connection = None;
    while let Some(number) = numbers.recv().await {
        let (to, mut data) = person.letter(&format!("{} is the number of this mail.", marker(number)));
        data.extend_from_slice(b"\r\n.\r\n");
        let mail = Mail { from: person.outside.address.clone(), to, data };
        let queued = loop {
            match hand_over(postfix, Protocol::Smtp, &mut connection, &mail).await {
                Ok(answer) => break answer.rsplit(' ').next().unwrap_or_default().to_owned(),
                Err(_) => connection = None,
            }
            sleep(PAUSE).await;
        };
        wait_until_handed_over(&room, number, &queued).await;
        unwritten.fetch_sub(1, Relaxed);
    }
}

/// Waits until Postfix has nothing to do with this mail any more.
async fn wait_until_handed_over(room: &Room, number: usize, queue_id: &str) {
    let since = Instant::now();
    let removed = format!("{queue_id}: removed");
    while !fs::read_to_string(servers().dir.join("log/postfix.log")).is_ok_and(|log| log.contains(&removed)) {
        sleep(PAUSE).await;
        if since.elapsed() > LOG_LIMIT && is_in_room(room, number).await {
            return;
        }
    }
}

/// `false` also while the homeserver does not answer.
async fn is_in_room(room: &Room, number: usize) -> bool {
    let url = format!("{}/_matrix/client/v3/rooms/{}/messages?dir=b&limit=100", servers().synapse.url, room.id);
    let request = reqwest::Client::new().get(url).bearer_auth(room.staff.token()).timeout(LOG_LIMIT);
    let Ok(answer) = request.send().await else { return false };
    answer.text().await.is_ok_and(|text| text.contains(&marker(number)))
}

impl World for Real {
    fn program(&self) -> &Program {
        &self.program
    }

    fn write(&self, message: &Message) {
        self.unwritten.fetch_add(1, Relaxed);
        let number = message.number;
        // The tasks behind these end with the program.
        match message.direction {
            Direction::ToMail => {
                *self.said.lock().expect("lock") += 1;
                let _ = self.staff[message.pick % self.staff.len()].send(number);
            }
            Direction::ToMatrix => {
                let (conversation, sender) = &self.outside[message.pick % self.outside.len()];
                let due = Due { conversation: *conversation, number, hopeless: false };
                self.written.lock().expect("lock").push(due);
                let _ = sender.send(number);
            }
        }
    }

    fn unwritten(&self) -> usize {
        self.unwritten.load(Relaxed)
    }

    async fn strike(&self, strike: &Strike) -> anyhow::Result<()> {
        services::strike(servers(), service(strike.victim), strike).await
    }

    async fn mend(&self, strike: &Strike) -> anyhow::Result<()> {
        services::mend(servers(), service(strike.victim), strike).await
    }

    async fn books(&self) -> anyhow::Result<Books> {
        let mut books = Books::default();
        books.to_matrix.due = self.written.lock().expect("lock").clone();
        let (wanted, unwritten) = (*self.said.lock().expect("lock"), self.unwritten());
        let mut said = 0;
        for room in &self.rooms {
            said += read_room(&mut books, room).await?;
        }
        ensure!(unwritten > 0 || said == wanted, "Synapse took {wanted} messages of staff and has {said}");
        Ok(books)
    }

    fn keep(&self, seed: u64) -> anyhow::Result<PathBuf> {
        let kept = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("ledger-{seed}"));
        fs::create_dir_all(&kept)?;
        for file in fs::read_dir(self.setup.folder())? {
            let file = file?;
            fs::copy(file.path(), kept.join(file.file_name()))?;
        }
        Ok(kept)
    }
}

fn service(victim: Victim) -> &'static str {
    match victim {
        Victim::Database => "postgres",
        Victim::MailServer => "postfix",
        Victim::Homeserver | Victim::Fehmarn => "synapse",
    }
}

/// Enters what was written in a room, what people were told there, and what came to their mailboxes. How many messages of
/// staff there are.
async fn read_room(books: &mut Books, room: &Room) -> anyhow::Result<usize> {
    let mut numbers: HashMap<String, usize> = HashMap::new();
    for event in room.staff.events(&room.id).await {
        let at = event["origin_server_ts"].as_i64().unwrap_or_default();
        let id = event_id(&event).to_owned();
        let number = markers(body(&event).as_bytes()).first().copied();
        match (text(&event, "/type"), text(&event, "/content/msgtype"), number) {
            ("m.room.message", "m.text", Some(number)) if sender(&event) == room.staff.id => {
                // A client that hears no answer repeats itself; Synapse knows it by the transaction id.
                numbers.insert(id, number);
                let due = room.people.iter().map(|person| person.conversation);
                books.to_mail.due.extend(due.map(|conversation| Due { conversation, number, hopeless: room.hopeless }));
            }
            ("m.room.message", "m.text", Some(number)) => {
                let conversation = room.person(&event).map(|person| person.conversation);
                books.to_matrix.seen.push(Seen { conversation, number, id, at });
            }
            ("com.beeper.message_send_status", ..) => books.to_mail.told.extend(told(&event, &numbers, at)),
            _ => {}
        }
    }
    for (conversation, event, at) in room.read().await {
        let told =
            |number: &usize| Told { number: *number, conversation: Some(conversation), news: News::Delivered, at };
        books.to_mail.told.extend(numbers.get(&event).map(told));
    }
    for person in &room.people {
        let mut known = Vec::new();
        for mail in person.outside.mails().await {
            let (accepted, number) = (mail.accepted(), markers(mail.text().as_bytes()).first().copied());
            // What Postfix itself has handed to Dovecot twice is one mail. What another person has written is relayed.
            let Some(number) = number.filter(|_| !known.contains(&accepted)) else { continue };
            if numbers.values().any(|said| *said == number) {
                let (conversation, at) = (Some(person.conversation), queue_id::time(&accepted)?);
                books.to_mail.seen.push(Seen { conversation, number, id: mail.message_id(), at });
            }
            known.push(accepted);
        }
    }
    Ok(numbers.len())
}

fn told(event: &Value, numbers: &HashMap<String, usize>, at: i64) -> Option<Told> {
    let number = *numbers.get(text(event, "/content/m.relates_to/event_id"))?;
    Some(Told { number, conversation: None, news: news(text(event, "/content/status"))?, at })
}
