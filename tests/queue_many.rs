//! `fehmarn queue` with more rows than anybody can name.

use crate::common::{Conversation, Fehmarn, Setup, fehmarn::program, until};
use fehmarn::{
    ids::SourceId,
    store::{NewRow, Queue, Store, now},
};
use ruma::room_id;
use sqlx::{Connection, SqliteConnection};
use std::time::{Duration, Instant};

/// A hundred thousand are as well, but take minutes on a busy machine.
const DEAD: usize = 20_000;

/// Dead rows for two domains, some live ones, and some of Fehmarn's own.
async fn crowded(setup: &Setup, dead: usize) -> Store {
    setup.write_config();
    let url = format!("sqlite:{}", setup.database_path().display());
    let store = Store::open(&url).await.unwrap();
    let row = |n: usize| NewRow {
        kind: "delivery",
        connector: if n.is_multiple_of(10) { "fax".into() } else { "email".into() },
        lane: format!("email !r:x {n}"),
        source: SourceId::new(format!("s{n}")),
        target: format!("bob{n}@{}", if n.is_multiple_of(4) { "kiel.example" } else { "example.org" }),
        room: Some(room_id!("!r:x").to_owned()),
        payload: b"{}".to_vec(),
        // So far away that nobody takes it, and not so far that a clock must have been wrong.
        due_at: now() + 3_600_000,
    };
    for chunk in (0..dead + 10).collect::<Vec<_>>().chunks(5000) {
        let mut tx = store.begin().await.unwrap();
        tx.enqueue(Queue::Outbox, chunk.iter().map(|n| row(*n)).collect());
        tx.commit().await.unwrap();
    }
    let mut database = SqliteConnection::connect(&url).await.unwrap();
    let die = "UPDATE outbox SET dead = 1, ready = 0, last_error = CASE WHEN id % 2 = 0 THEN 'refused: no' ELSE 'unreachable: gone' END
               WHERE id <= $1";
    sqlx::query(die).bind(dead as i64).execute(&mut database).await.unwrap();
    store
}

fn queue(setup: &Setup, arguments: &[&str]) -> (bool, String) {
    let done = tokio::task::block_in_place(|| setup.run(&[&["queue"], arguments].concat()));
    (done.status.success(), String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr))
}

fn numbers(list: &str) -> Vec<i64> {
    let rows = list.lines().filter_map(|line| line.strip_prefix("  outbox:")?.split_whitespace().next());
    rows.map(|number| number.parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_found_by_what_they_have_in_common_page_by_page() {
    let setup = Setup::new();
    let _store = crowded(&setup, 1000).await;
    let list = |arguments: &[&str]| {
        let (well, list) = queue(&setup, &[&["list"], arguments].concat());
        assert!(well, "{list}");
        list
    };
    let first = list(&[]);
    assert!(first.contains("outbox (to people outside): 10 waiting, 1000 dead"), "{first}");
    assert_eq!(numbers(&first), (1..=50).collect::<Vec<_>>());
    let page = list(&["--dead", "--limit", "300"]);
    assert!(page.contains("--after outbox:300"), "{page}");
    let mut all = numbers(&page);
    while let Some(last) = all.last().filter(|last| **last < 1000) {
        let page = list(&["--dead", "--limit", "300", "--after", &format!("outbox:{last}")]);
        all.extend(numbers(&page));
    }
    assert_eq!(all, (1..=1000).collect::<Vec<_>>());
    assert_eq!(numbers(&list(&["--waiting"])), (1001..=1010).collect::<Vec<_>>());
    // Numbers begin with 1 where the rows above begin with 0.
    let is = |wanted: fn(i64) -> bool| (1..=1000).filter(|n| wanted(*n)).collect::<Vec<i64>>();
    let found = |arguments: &[&str]| numbers(&list(&[&["--dead", "--limit", "5000"], arguments].concat()));
    assert_eq!(found(&["--domain", "Kiel.example"]), is(|n| (n - 1) % 4 == 0));
    assert_eq!(found(&["--domain", "iel.example"]), Vec::<i64>::new());
    assert_eq!(found(&["--domain", "kiel%"]), Vec::<i64>::new());
    assert_eq!(found(&["--connector", "fax"]), is(|n| (n - 1) % 10 == 0));
    assert_eq!(found(&["--reason", "refused"]), is(|n| n % 2 == 0));
    assert_eq!(found(&["--reason", "unreachable", "--domain", "example.org"]), is(|n| n % 2 == 1 && (n - 1) % 4 != 0));
    assert!(!list(&["--queue", "inbox"]).contains("outbox"));
    let (well, said) = queue(&setup, &["list", "--reason", "tired"]);
    assert!(!well && said.contains("known are unknown-recipient"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_dropped_only_by_whoever_is_sure() {
    let setup = Setup::new();
    let store = crowded(&setup, 1000).await;
    for arguments in [&["drop"][..], &["retry"], &["retry", "outbox:1", "--dead"]] {
        let (well, said) = queue(&setup, arguments);
        assert!(!well && said.contains("--dead"), "{said}");
    }
    let drop = ["drop", "--dead", "--domain", "kiel.example"];
    let (_, said) = queue(&setup, &drop);
    assert!(said.contains("outbox: 250 rows would be dropped; say --yes"), "{said}");
    let (_, said) =
        queue(&setup, &["drop", "--dead", "--connector", "fax", "--domain", "kiel.example", "--reason", "refused"]);
    assert!(said.contains("outbox: 0 rows would"), "{said}");
    assert_eq!(store.counts(Queue::Outbox).await.unwrap().dead, 1000);
    let (well, said) = queue(&setup, &[&drop[..], &["--yes"]].concat());
    assert!(well && said.contains("outbox: 250 rows dropped"), "{said}");
    let counts = store.counts(Queue::Outbox).await.unwrap();
    assert_eq!((counts.live, counts.dead), (10, 750));
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_dead_rows_come_back_while_the_rest_goes_on() {
    let setup = Setup::new();
    let store = crowded(&setup, DEAD).await;
    let fehmarn: Fehmarn = setup.start().await;
    let talk = Conversation::begin(fehmarn).await;
    let config = talk.fehmarn.setup().config_path().display().to_string();
    let retry = tokio::task::spawn_blocking(move || {
        let began = Instant::now();
        let done = program(&["queue", "retry", "--dead", "--domain", "kiel.example", "--config", &config]);
        let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
        assert!(said.contains("outbox: 5000 rows will be tried again now"), "{said}");
        began.elapsed()
    });
    let talking = async {
        let began = Instant::now();
        for n in 0..5 {
            talk.tell(&format!("Nachricht {n}")).await;
        }
        began.elapsed()
    };
    let (took, talked) = tokio::join!(retry, talking);
    let took = took.unwrap();
    eprintln!("5,000 rows were brought back in {took:?}; five messages took {talked:?} meanwhile");
    // They are no deliveries at all, and so they die again, each of them.
    until("the end of those that came back", async || {
        let counts = store.counts(Queue::Outbox).await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
        (counts.dead == DEAD as i64 && counts.live == 10).then_some(())
    })
    .await;
    talk.tell("Ende").await;
}
