//! `kill -9` at ten random moments, in the middle of much traffic both ways: nothing is lost, mail to Matrix never
//! doubles, Matrix to mail doubles at most what was being handed over, and every conversation keeps its order.

use crate::common::{Fehmarn, Letter, Mail, Outside, Staff, body, lmtp::Lmtp, sender};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

const KILLS: usize = 10;
/// From staff in each room, and as many from the people outside in it.
const MESSAGES: usize = 100;
/// How many people outside are in each room.
const ROOMS: [usize; 5] = [1, 1, 1, 1, 2];
const PATIENCE: Duration = Duration::from_secs(150);

struct Room {
    id: String,
    staff: Staff,
    people: Vec<Person>,
}

struct Person {
    outside: Outside,
    ghost: String,
    /// What they answer.
    first: Mail,
}

impl Room {
    async fn open(fehmarn: &Fehmarn, people: usize) -> Self {
        let staff = Staff::new("Anna Muster").await;
        let people: Vec<Outside> = (0..people).map(|_| Outside::new("Bob")).collect();
        let ghosts: Vec<String> = people.iter().map(|person| fehmarn.slot().ghost(&person.address)).collect();
        let id = staff.room("Antrag", &ghosts.iter().map(String::as_str).collect::<Vec<_>>()).await;
        staff.say(&id, "Guten Tag").await;
        let mut room = Self { id, staff, people: Vec::new() };
        for (outside, ghost) in people.into_iter().zip(ghosts) {
            let first = outside.wait_for_text("Guten Tag").await;
            room.people.push(Person { outside, ghost, first });
        }
        room
    }

    fn mails_of_each(&self) -> usize {
        MESSAGES / self.people.len()
    }

    /// What one of the people has got, in the order in which it was handed over.
    async fn mailed(person: &Person) -> Vec<Mail> {
        person.outside.mails().await.into_iter().filter(|mail| number(&mail.text(), "staff").is_some()).collect()
    }

    /// What one of the people has said in the room, in order.
    async fn heard(&self, person: &Person) -> Vec<String> {
        let messages = self.staff.messages(&self.id).await;
        messages.iter().filter(|event| sender(event) == person.ghost).map(|event| body(event).to_owned()).collect()
    }

    /// How many different messages have crossed, each way.
    async fn crossed(&self) -> (usize, usize) {
        let mut crossed = (0, 0);
        for person in &self.people {
            let texts: BTreeSet<String> = Self::mailed(person).await.iter().map(Mail::text).collect();
            crossed.0 += texts.len();
            // A ghost may say something of Fehmarn's own as well.
            let heard = self.heard(person).await.into_iter().filter(|text| number(text, "outside").is_some());
            crossed.1 += heard.collect::<BTreeSet<_>>().len();
        }
        crossed
    }
}

/// The number in `staff 7`.
fn number(text: &str, who: &str) -> Option<usize> {
    text.strip_prefix(who)?.strip_prefix(' ')?.parse().ok()
}

/// Staff write as fast as their homeserver takes it.
async fn write_in_matrix(room: Arc<Room>, fed: Arc<AtomicUsize>) {
    for n in 0..MESSAGES {
        room.staff.say(&room.id, &format!("staff {n}")).await;
        fed.fetch_add(1, Ordering::Relaxed);
    }
}

/// A mail server hands over mail after mail, each until it is accepted.
async fn write_mails(room: Arc<Room>, person: usize, port: u16, mut random: StdRng, fed: Arc<AtomicUsize>) {
    let Person { outside, first, .. } = &room.people[person];
    let to = first.from().1;
    let mut connection = None;
    for n in 0..room.mails_of_each() {
        let text = format!("outside {n}");
        // To all: what leaves somebody out is not for the room.
        let mail = Letter::answering_everybody(outside, first).text(&text).bytes();
        while !hand_over(&mut connection, port, &outside.address, &to, &mail).await {
            connection = None;
            sleep(Duration::from_millis(random.random_range(20..200))).await;
        }
        fed.fetch_add(1, Ordering::Relaxed);
        // So that there is traffic until the last crash.
        sleep(Duration::from_millis(random.random_range(0..500))).await;
    }
}

async fn hand_over(connection: &mut Option<Lmtp>, port: u16, from: &str, to: &str, mail: &[u8]) -> bool {
    if connection.is_none() {
        *connection = Lmtp::connect(port).await.ok();
    }
    let Some(lmtp) = connection else { return false };
    let answer = timeout(Duration::from_secs(60), lmtp.hand_over(from, to, mail)).await;
    answer.is_ok_and(|answer| answer.is_ok_and(|answer| answer.starts_with("250")))
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_crashes_lose_nothing_and_double_only_what_was_being_handed_over() {
    let seed = std::env::var("FEHMARN_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
    println!("FEHMARN_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut fehmarn = Fehmarn::new().await;
    let mut rooms = Vec::new();
    for people in ROOMS {
        rooms.push(Arc::new(Room::open(&fehmarn, people).await));
    }
    let (from_staff, from_outside) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut writers = JoinSet::new();
    for room in &rooms {
        writers.spawn(write_in_matrix(room.clone(), from_staff.clone()));
        for person in 0..room.people.len() {
            let random = StdRng::seed_from_u64(random.random());
            let port = fehmarn.slot().lmtp_port;
            writers.spawn(write_mails(room.clone(), person, port, random, from_outside.clone()));
        }
    }
    let began = Instant::now();
    println!("crash   at   written in Matrix   mails accepted");
    for crash in 1..=KILLS {
        sleep(Duration::from_millis(random.random_range(100..3000))).await;
        fehmarn.kill();
        let fed = [&from_staff, &from_outside].map(|count| count.load(Ordering::Relaxed));
        println!("{crash:>5}  {:>3} s  {:>16}  {:>15}", began.elapsed().as_secs(), fed[0], fed[1]);
        sleep(Duration::from_millis(random.random_range(0..300))).await;
        fehmarn.start_again_without_waiting();
    }
    while let Some(ended) = writers.join_next().await {
        ended.unwrap();
    }
    wait_until_all_has_crossed(&fehmarn, &rooms).await;
    println!("all has crossed after {} s", began.elapsed().as_secs());
    judge(&rooms).await;
}

/// All that is to come has come when both queues are empty, whatever it is.
async fn wait_until_all_has_crossed(fehmarn: &Fehmarn, rooms: &[Arc<Room>]) {
    let expected = (MESSAGES * ROOMS.iter().sum::<usize>(), MESSAGES * ROOMS.len());
    let began = Instant::now();
    loop {
        let mut crossed = (0, 0);
        for room in rooms {
            let (to_mail, to_matrix) = room.crossed().await;
            crossed = (crossed.0 + to_mail, crossed.1 + to_matrix);
        }
        let waiting = fehmarn.rows(":");
        if crossed == expected && waiting.is_empty() {
            return;
        }
        let rows = waiting.iter().take(10).map(|row| format!("\n{row}")).collect::<String>();
        assert!(began.elapsed() < PATIENCE, "of {expected:?} messages {crossed:?} have crossed; in the queues:{rows}");
        sleep(Duration::from_secs(3)).await;
    }
}

/// What became of the messages of one direction.
#[derive(Default)]
struct Tally {
    messages: usize,
    lost: usize,
    doubled: usize,
    /// Pairs that arrived the wrong way round.
    swapped: Vec<String>,
}

impl Tally {
    /// One conversation: the numbers that were read, in order.
    fn add(&mut self, who: &str, written: usize, read: &[usize]) {
        let mut known = BTreeSet::new();
        let firsts: Vec<usize> = read.iter().copied().filter(|number| known.insert(*number)).collect();
        self.messages += written;
        self.lost += (0..written).filter(|number| !known.contains(number)).count();
        self.doubled += read.len() - firsts.len();
        for (at, &first) in firsts.iter().enumerate() {
            let later = firsts[at + 1..].iter().filter(|&&second| second < first);
            self.swapped.extend(later.map(|second| format!("{who}: {first} before {second}")));
        }
    }

    fn print(&self, direction: &str) {
        let Self { messages, lost, doubled, swapped } = self;
        println!("{direction:<15}  {messages:>8}  {lost:>4}  {doubled:>7}  {:>7}", swapped.len());
    }
}

async fn judge(rooms: &[Arc<Room>]) {
    let (mut to_mail, mut to_matrix) = (Tally::default(), Tally::default());
    let mut messages: BTreeMap<String, String> = BTreeMap::new();
    for (at, room) in rooms.iter().enumerate() {
        for person in &room.people {
            let who = format!("room {at}, {}", person.outside.address);
            let mails = Room::mailed(person).await;
            let numbers: Vec<usize> = mails.iter().filter_map(|mail| number(&mail.text(), "staff")).collect();
            to_mail.add(&who, MESSAGES, &numbers);
            for mail in mails {
                let message = format!("room {at}, {}", mail.text());
                let known = messages.insert(mail.message_id(), message.clone());
                assert!(known.is_none_or(|known| known == message), "{who}: {} is the id of two", mail.message_id());
            }
            let heard = room.heard(person).await;
            let numbers: Vec<usize> = heard.iter().filter_map(|text| number(text, "outside")).collect();
            to_matrix.add(&who, room.mails_of_each(), &numbers);
        }
    }
    println!("direction        messages  lost  doubled  swapped");
    to_mail.print("Matrix to mail");
    to_matrix.print("mail to Matrix");
    for tally in [&to_mail, &to_matrix] {
        assert_eq!((tally.lost, &tally.swapped), (0, &Vec::new()));
    }
    assert_eq!(messages.len(), MESSAGES * ROOMS.len(), "a repeat came under another id");
    // Of each conversation one mail at a time is handed over.
    assert!(to_mail.doubled <= KILLS * ROOMS.iter().sum::<usize>(), "{} mails were doubled", to_mail.doubled);
    assert_eq!(to_matrix.doubled, 0);
}
