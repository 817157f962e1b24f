//! `kill -9` of Fehmarn and restarts of Prosody in the middle of a group chat: nothing is lost, nobody who looks at ids sees
//! anything twice, and the order is kept.

use crate::{
    common::{
        ChatRoom, Contact, Setup, Staff, body,
        hall::{ANNA, BOB, Hall},
        sender, until,
    },
    xmpp_kill::restart_server,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};
use tokio::time::sleep;

const MESSAGES: usize = 100;
const KILLS: usize = 4;
/// After these the service ends as well, and begins again.
const RESTARTS_AFTER: [usize; 2] = [2, 4];
const PATIENCE: Duration = Duration::from_secs(150);

/// What Bob's client shows of Anna: it knows each message by its id.
fn read_outside(bob: &Contact, there: &ChatRoom) -> Vec<String> {
    let (at, mut seen) = (there.occupant(ANNA), BTreeSet::new());
    let mut told = bob.told();
    told.retain(|it| {
        it["type"] == "groupchat" && it["sender"] == *at && it["body"].is_string() && seen.insert(it["id"].to_string())
    });
    told.iter().map(|it| it["body"].as_str().unwrap().to_owned()).collect()
}

async fn read_in_matrix(anna: &Staff, room: &str, ghost: &str) -> Vec<String> {
    let messages = anna.messages(room).await;
    messages.iter().filter(|event| sender(event) == ghost).map(|event| body(event).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn crashes_on_either_side_of_a_group_chat_lose_nothing_double_nothing_and_keep_the_order() {
    let seed = std::env::var("FEHMARN_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
    println!("FEHMARN_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let bob = Contact::new("Bob").await;
    let there = ChatRoom::new(&bob, BOB).await;
    // So that Bob's client, which only knows what the room tells, can see all of it when it comes back.
    there.configure(&bob, &[("muc#roomconfig_historylength", "1000"), ("muc#roomconfig_persistentroom", "1")]).await;
    let hall = Hall::pair(Setup::with_xmpp().start().await, bob, there).await;
    let Hall { mut fehmarn, anna, bob, there, room, ghost, .. } = hall;
    bob.stay_in(&there.occupant(BOB));
    let pauses: Vec<u64> = (0..MESSAGES).map(|_| random.random_range(0..250)).collect();
    let write = async {
        for (n, pause) in pauses.into_iter().enumerate() {
            anna.say(&room, &format!("staff {n}")).await;
            sleep(Duration::from_millis(pause)).await;
        }
    };
    let began = Instant::now();
    let crash = async {
        let say = |n: usize| bob.say_surely_to_all(&there.address, &format!("outside {n}"));
        let each = MESSAGES / (KILLS + 1);
        for crash in 1..=KILLS {
            ((crash - 1) * each..crash * each).for_each(say);
            sleep(Duration::from_millis(random.random_range(100..2500))).await;
            fehmarn.kill();
            println!("crash {crash} at {} s", began.elapsed().as_secs());
            fehmarn.start_again_without_waiting();
            if RESTARTS_AFTER.contains(&crash) {
                sleep(Duration::from_millis(random.random_range(300..1500))).await;
                tokio::task::block_in_place(restart_server);
                println!("Prosody restarted at {} s", began.elapsed().as_secs());
            }
        }
        (KILLS * each..MESSAGES).for_each(say);
    };
    tokio::join!(write, crash);
    let since = Instant::now();
    loop {
        let crossed = (read_outside(&bob, &there).len(), read_in_matrix(&anna, &room, &ghost).await.len());
        if crossed.0 >= MESSAGES && crossed.1 >= MESSAGES {
            break;
        }
        assert!(since.elapsed() < PATIENCE, "of {MESSAGES} each way {crossed:?} have crossed");
        sleep(Duration::from_secs(1)).await;
    }
    println!("all has crossed after {} s", began.elapsed().as_secs());
    until("the end of the work", async || fehmarn.rows("xmpp").is_empty().then_some(())).await;
    let written = |who: &str| (0..MESSAGES).map(|n| format!("{who} {n}")).collect::<Vec<_>>();
    assert_eq!(read_outside(&bob, &there), written("staff"));
    assert_eq!(read_in_matrix(&anna, &room, &ghost).await, written("outside"));
}
