//! Closes a book: what is lost, doubled, out of order, misplaced, or told wrongly. Pure.

use super::books::{Book, Due, News, Seen, Span};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Times are taken by several processes, and a span begins before its signal.
const SLACK: i64 = 50;

/// What became of one direction.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    pub due: usize,
    pub delivered: usize,
    /// Not deliverable, and its writer knows.
    pub failed_and_told: usize,
    pub lost: usize,
    /// Repeats with the same id, after a blow between the two.
    pub repeated: usize,
    /// Repeats with the same id without any blow that explains them.
    pub repeated_without_reason: usize,
    pub doubled_under_another_id: usize,
    pub out_of_order: usize,
    pub misplaced: usize,
    pub said_delivered_wrongly: usize,
    pub said_failed_wrongly: usize,
    /// How many were said to be delivered, rightly or not.
    pub said_delivered: usize,
    /// The first of whatever is wrong, in words.
    pub faults: Vec<String>,
}

type Key = (usize, usize);

impl Verdict {
    pub fn of(book: &Book, blows: &[Span]) -> Self {
        let mut verdict = Self { due: book.due.len(), ..Self::default() };
        let copies = copies(book);
        verdict.count(book, &copies, blows);
        verdict.place(book);
        verdict.order(book);
        verdict.news(book, &copies);
        verdict
    }

    /// Messages of which nothing is known yet.
    pub fn open(&self) -> usize {
        self.lost
    }

    fn fault(&mut self, text: String) {
        if self.faults.len() < 60 {
            self.faults.push(text);
        }
    }

    fn count(&mut self, book: &Book, copies: &HashMap<Key, Vec<&Seen>>, blows: &[Span]) {
        let failed = told(book, News::Failed);
        for Due { conversation, number, hopeless } in &book.due {
            let copies = copies.get(&(*conversation, *number)).map(Vec::as_slice).unwrap_or_default();
            match (copies, hopeless) {
                ([], true) if failed.contains(number) => self.failed_and_told += 1,
                ([], true) => {
                    self.lost += 1;
                    self.fault(format!("{number} in {conversation} failed, and nobody was told"));
                }
                ([], false) => {
                    self.lost += 1;
                    let told = if failed.contains(number) { ", its writer was told that it failed" } else { "" };
                    self.fault(format!("{number} in {conversation} is lost{told}"));
                }
                ([first, more @ ..], _) => {
                    self.delivered += 1;
                    self.repeats(*conversation, first, more, blows);
                }
            }
        }
    }

    fn repeats(&mut self, conversation: usize, first: &Seen, more: &[&Seen], blows: &[Span]) {
        let mut last = BTreeMap::from([(first.id.as_str(), first.at)]);
        for copy in more {
            let Seen { number, id, .. } = copy;
            match last.insert(id, copy.at) {
                None => {
                    self.doubled_under_another_id += 1;
                    self.fault(format!("{number} in {conversation} came again under another id: {} {id}", first.id));
                }
                Some(before) if blows.iter().any(|blow| explains(blow, before, copy.at)) => self.repeated += 1,
                Some(before) => {
                    self.repeated_without_reason += 1;
                    self.fault(format!("{number} in {conversation} was repeated without a blow: {before} {}", copy.at));
                }
            }
        }
    }

    fn place(&mut self, book: &Book) {
        let due: HashSet<Key> = book.due.iter().map(|due| (due.conversation, due.number)).collect();
        for Seen { conversation, number, id, .. } in &book.seen {
            if !conversation.is_some_and(|conversation| due.contains(&(conversation, *number))) {
                self.misplaced += 1;
                self.fault(format!("{number} does not belong where it came, {conversation:?}: {id}"));
            }
        }
    }

    /// Each first copy that comes after one that was written later.
    fn order(&mut self, book: &Book) {
        let place: HashMap<Key, usize> =
            book.due.iter().enumerate().map(|(n, due)| ((due.conversation, due.number), n)).collect();
        let mut known = HashSet::new();
        let mut newest: HashMap<usize, (usize, usize)> = HashMap::new();
        for seen in &book.seen {
            let Some(conversation) = seen.conversation else { continue };
            let Some(&place) = place.get(&(conversation, seen.number)) else { continue };
            if !known.insert((conversation, seen.number)) {
                continue;
            }
            let (latest, number) = newest.get(&conversation).copied().unwrap_or((place, seen.number));
            if latest > place {
                self.out_of_order += 1;
                self.fault(format!("{} in {conversation} came after {number}, at {}", seen.number, seen.at));
            } else {
                newest.insert(conversation, (place, seen.number));
            }
        }
    }

    fn news(&mut self, book: &Book, copies: &HashMap<Key, Vec<&Seen>>) {
        let mut due: HashMap<usize, Vec<&Due>> = HashMap::new();
        for one in &book.due {
            due.entry(one.number).or_default().push(one);
        }
        for told in &book.told {
            let of_number = due.get(&told.number).map(Vec::as_slice).unwrap_or_default();
            let due: Vec<_> = of_number
                .iter()
                .filter(|one| told.conversation.is_none_or(|c| c == one.conversation))
                .copied()
                .collect();
            let first = |one: &&Due| copies.get(&(one.conversation, one.number)).and_then(|copies| copies.first());
            match told.news {
                News::Delivered => {
                    self.said_delivered += 1;
                    if due.is_empty() || due.iter().any(|one| first(one).is_none_or(|seen| seen.at > told.at)) {
                        self.said_delivered_wrongly += 1;
                        let came: Vec<_> =
                            due.iter().map(|one| (one.conversation, first(one).map(|it| it.at))).collect();
                        self.fault(format!(
                            "{} was said to be delivered at {}; it came {came:?}",
                            told.number, told.at
                        ));
                    }
                }
                News::Failed => {
                    if due.iter().all(|one| first(one).is_some()) {
                        self.said_failed_wrongly += 1;
                        self.fault(format!("{} was said to have failed at {}, and is there", told.number, told.at));
                    }
                }
            }
        }
    }
}

/// Of each message of each conversation what was seen of it, in order.
fn copies(book: &Book) -> HashMap<Key, Vec<&Seen>> {
    let mut copies: HashMap<Key, Vec<&Seen>> = HashMap::new();
    for seen in &book.seen {
        if let Some(conversation) = seen.conversation {
            copies.entry((conversation, seen.number)).or_default().push(seen);
        }
    }
    copies
}

fn told(book: &Book, news: News) -> BTreeSet<usize> {
    book.told.iter().filter(|told| told.news == news).map(|told| told.number).collect()
}

/// Whether a blow fell between the two times at which a message was accepted.
fn explains(blow: &Span, first: i64, second: i64) -> bool {
    blow.to + SLACK >= first && blow.from - SLACK <= second
}
