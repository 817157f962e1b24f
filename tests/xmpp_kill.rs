//! `kill -9` of Fehmarn at ten random moments, and Prosody restarted five times, in the middle of traffic both ways over
//! XMPP: nothing is lost, nobody who looks at ids sees anything twice, and every conversation keeps its order.

use crate::common::{Contact, Setup, Staff, body, sender, servers, until};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::{
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{task::JoinSet, time::sleep};

const KILLS: usize = 10;
/// Every second crash is followed by a restart of Prosody.
const RESTART_EVERY: usize = 2;
const PAIRS: usize = 5;
/// Of each pair, each way.
const MESSAGES: usize = 100;
const PATIENCE: Duration = Duration::from_secs(180);

struct Pair {
    staff: Staff,
    contact: Contact,
    ghost: String,
    room: String,
    address: String,
}

impl Pair {
    /// What the contact's client has shown.
    fn read_outside(&self) -> Vec<String> {
        let messages = self.contact.messages_from(&self.address);
        messages.iter().skip(1).map(|told| told["body"].as_str().unwrap().to_owned()).collect()
    }

    async fn read_in_matrix(&self) -> Vec<String> {
        let messages = self.staff.messages(&self.room).await;
        messages.iter().filter(|event| sender(event) == self.ghost).map(|event| body(event).to_owned()).collect()
    }
}

pub fn restart_server() {
    let servers = servers();
    let (program, arguments) = servers.command.split_first().unwrap();
    let done = Command::new(program)
        .args(arguments)
        .args(["restart", &servers.xmpp.service, "--dir"])
        .arg(&servers.dir)
        .output();
    let done = done.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
}

#[tokio::test(flavor = "multi_thread")]
async fn crashes_on_either_side_lose_nothing_double_nothing_and_keep_the_order() {
    let seed = std::env::var("FEHMARN_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
    println!("FEHMARN_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut fehmarn = Setup::with_xmpp().start().await;
    let mut pairs = Vec::new();
    for _ in 0..PAIRS {
        let (staff, contact) = (Staff::new("Anna Muster").await, Contact::new("Bob").await);
        let ghost = fehmarn.slot().ghost_of("xmpp", &contact.address);
        let room = staff.direct_chat(&ghost).await;
        staff.say(&room, "Guten Tag").await;
        contact.wait_for_words("Guten Tag").await;
        let address = staff.address(&fehmarn.slot().xmpp_domain);
        pairs.push(Arc::new(Pair { staff, contact, ghost, room, address }));
    }
    let mut writers = JoinSet::new();
    for pair in &pairs {
        let (pair, mut random) = (pair.clone(), StdRng::seed_from_u64(random.random()));
        writers.spawn(async move {
            for n in 0..MESSAGES {
                pair.contact.say_surely(&pair.address, &format!("outside {n}"));
                pair.staff.say(&pair.room, &format!("staff {n}")).await;
                // So that there is traffic until the last crash.
                sleep(Duration::from_millis(random.random_range(0..400))).await;
            }
        });
    }
    let began = Instant::now();
    for crash in 1..=KILLS {
        sleep(Duration::from_millis(random.random_range(100..2500))).await;
        fehmarn.kill();
        println!("crash {crash} at {} s", began.elapsed().as_secs());
        fehmarn.start_again_without_waiting();
        if crash % RESTART_EVERY == 0 {
            sleep(Duration::from_millis(random.random_range(300..1500))).await;
            tokio::task::block_in_place(restart_server);
            println!("Prosody restarted at {} s", began.elapsed().as_secs());
        }
    }
    while let Some(ended) = writers.join_next().await {
        ended.unwrap();
    }
    let since = Instant::now();
    loop {
        let mut crossed = (0, 0);
        for pair in &pairs {
            crossed = (crossed.0 + pair.read_outside().len(), crossed.1 + pair.read_in_matrix().await.len());
        }
        if crossed.0 >= PAIRS * MESSAGES && crossed.1 >= PAIRS * MESSAGES {
            break;
        }
        assert!(since.elapsed() < PATIENCE, "of {} each way {crossed:?} have crossed", PAIRS * MESSAGES);
        sleep(Duration::from_secs(2)).await;
    }
    println!("all has crossed after {} s", began.elapsed().as_secs());
    until("the end of the work", async || fehmarn.rows("xmpp").is_empty().then_some(())).await;
    for pair in &pairs {
        let written = |who: &str| (0..MESSAGES).map(|n| format!("{who} {n}")).collect::<Vec<_>>();
        assert_eq!(pair.read_outside(), written("staff"));
        assert_eq!(pair.read_in_matrix().await, written("outside"));
    }
}
