//! Whether the judge sees what is wrong: each kind of fault is made once.

use super::{
    books::{Book, Due, News, Seen, Span, Told},
    judge::Verdict,
    plan::{Plan, Size, Tempo, Victim},
    queue_id,
};
use anyhow::ensure;

const CONVERSATION: usize = 3;

/// Five messages that came, one that could not, and what people were told of it.
fn flawless() -> Book {
    let due = |number| Due { conversation: CONVERSATION, number, hopeless: number == 6 };
    Book {
        due: (1..=6).map(due).collect(),
        seen: (1..=5).map(|number| seen(number, number as i64 * 1000)).collect(),
        told: vec![told(2, News::Delivered, 2000), told(6, News::Failed, 100)],
    }
}

fn seen(number: usize, at: i64) -> Seen {
    Seen { conversation: Some(CONVERSATION), number, id: format!("<{number}>"), at }
}

fn told(number: usize, news: News, at: i64) -> Told {
    Told { number, conversation: None, news, at }
}

type Case = (&'static str, fn(&mut Book), fn(&Verdict) -> usize);

const CASES: &[Case] = &[
    ("lost", |book| drop(book.seen.remove(4)), |verdict| verdict.lost),
    ("failed without a word", |book| book.told.truncate(1), |verdict| verdict.lost),
    ("failed though it could come", |book| book.due[5].hopeless = false, |verdict| verdict.lost),
    ("a repeat after a blow", |book| book.seen.push(seen(3, 9000)), |verdict| verdict.repeated),
    ("a repeat without a blow", |book| book.seen.push(seen(5, 5100)), |verdict| verdict.repeated_without_reason),
    (
        "another id",
        |book| book.seen.push(Seen { id: "<x>".into(), ..seen(3, 9000) }),
        |verdict| verdict.doubled_under_another_id,
    ),
    ("out of order", |book| book.seen.swap(1, 2), |verdict| verdict.out_of_order),
    ("in another room", |book| book.seen.push(Seen { conversation: Some(4), ..seen(3, 9000) }), |v| v.misplaced),
    ("nowhere", |book| book.seen.push(Seen { conversation: None, ..seen(3, 9000) }), |v| v.misplaced),
    ("delivered, said too soon", |book| book.told.push(told(5, News::Delivered, 4999)), |v| v.said_delivered_wrongly),
    ("delivered, of what failed", |book| book.told.push(told(6, News::Delivered, 9999)), |v| v.said_delivered_wrongly),
    ("failed, of what came", |book| book.told.push(told(5, News::Failed, 9999)), |v| v.said_failed_wrongly),
];

pub fn run() -> anyhow::Result<()> {
    let blows = [Span { from: 7000, to: 7500 }];
    let good = Verdict::of(&flawless(), &blows);
    let wanted = Verdict { due: 6, delivered: 5, failed_and_told: 1, said_delivered: 1, ..Verdict::default() };
    ensure!(good == wanted, "faults that nobody made: {good:?}");
    for (name, spoil, count) in CASES {
        let mut book = flawless();
        spoil(&mut book);
        let verdict = Verdict::of(&book, &blows);
        ensure!(count(&verdict) == 1, "{name} was not counted once: {verdict:?}");
    }
    queue_id::selftest()?;
    plans_repeat()
}

fn plans_repeat() -> anyhow::Result<()> {
    let size = |seed| Size { messages: 500, rooms: 5, kills: 60, seed, postgres: true, tempo: Tempo::STUB };
    let [first, again, other] = [7, 7, 8].map(|seed| Plan::of(&size(seed)));
    ensure!(format!("{:?}", first.steps) == format!("{:?}", again.steps), "the same seed made another plan");
    ensure!(format!("{:?}", first.steps) != format!("{:?}", other.steps), "every seed makes the same plan");
    let strikes: Vec<_> = first.steps.iter().flat_map(|step| &step.strikes).collect();
    ensure!(strikes.len() == 60, "{} strikes", strikes.len());
    let messages: usize = first.steps.iter().map(|step| step.spread.len() + step.burst.len()).sum();
    ensure!(messages == 500, "{messages} messages");
    for victim in [Victim::Fehmarn, Victim::Database, Victim::MailServer, Victim::Homeserver] {
        ensure!(strikes.iter().any(|strike| strike.victim == victim), "{victim:?} is never struck");
    }
    Ok(())
}
