//! What those who watch over Fehmarn can count and measure: one set of numbers for the process. Each is counted where it
//! arises; `http/metrics` shows them.
//!
//! Labels have few values, all of them out of the program or the configuration: never an address, a room or an event. The
//! names stand in docs/operations.md; a test holds the two together.

mod connection;
mod process;

pub use connection::Connection;
pub use process::{Process, process};

use crate::failure::Reason;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram, info::Info},
    registry::Registry,
};
use std::{sync::LazyLock, time::Duration};

/// Of requests over a network: from a neighbour's answer to what only a timeout ends.
const NETWORK: [f64; 13] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 240.0];
/// Of commits: from a good disk to one that is about to fail.
const DISK: [f64; 10] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0];

static NUMBERS: LazyLock<Numbers> = LazyLock::new(Numbers::default);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Delivery {
    connector: &'static str,
    outcome: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Row {
    queue: &'static str,
    connector: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    connector: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HandedOver {
    connector: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Part {
    part: &'static str,
}

struct Numbers {
    deliveries: Family<Delivery, Counter>,
    retries: Family<Row, Counter>,
    given_up: Family<Row, Counter>,
    hand_overs: Family<HandedOver, Histogram, fn() -> Histogram>,
    arrivals: Family<Of, Counter>,
    transactions: Family<Ended, Histogram, fn() -> Histogram>,
    events: Counter,
    reconciled: Counter,
    left_out: Counter,
    requests: Family<Ended, Histogram, fn() -> Histogram>,
    commits: Histogram,
    restarts: Family<Part, Counter>,
    panics: Counter,
}

impl Default for Numbers {
    fn default() -> Self {
        let network: fn() -> Histogram = || Histogram::new(NETWORK);
        Self {
            deliveries: Family::default(),
            retries: Family::default(),
            given_up: Family::default(),
            hand_overs: Family::new_with_constructor(network),
            arrivals: Family::default(),
            transactions: Family::new_with_constructor(network),
            events: Counter::default(),
            reconciled: Counter::default(),
            left_out: Counter::default(),
            requests: Family::new_with_constructor(network),
            commits: Histogram::new(DISK),
            restarts: Family::default(),
            panics: Counter::default(),
        }
    }
}

/// Begins to count for these connectors at 0: of what is not there before it is 1, Prometheus sees no increase.
pub fn begin(connectors: impl Iterator<Item = &'static str>) {
    for connector in connectors {
        drop(NUMBERS.arrivals.get_or_create(&Of { connector }));
        drop(NUMBERS.deliveries.get_or_create(&Delivery { connector, outcome: "sent", reason: "" }));
        for (queue, reason) in ["outbox", "inbox"].into_iter().flat_map(|queue| Reason::ALL.map(|it| (queue, it.key())))
        {
            drop(NUMBERS.retries.get_or_create(&Row { queue, connector, reason }));
            drop(NUMBERS.given_up.get_or_create(&Row { queue, connector, reason }));
        }
    }
    for outcome in ["taken", "refused"] {
        drop(NUMBERS.transactions.get_or_create(&Ended { outcome }));
    }
}

/// What became of a delivery: `sent`, and what the network says later: `delivered`, `read`, `failed`.
pub fn delivery(connector: &'static str, outcome: &'static str, reason: &'static str) {
    NUMBERS.deliveries.get_or_create(&Delivery { connector, outcome, reason }).inc();
}

/// An attempt that did not work and will be made again.
pub fn retry(queue: &'static str, connector: &'static str, reason: &'static str) {
    NUMBERS.retries.get_or_create(&Row { queue, connector, reason }).inc();
}

/// A row that is dead now.
pub fn given_up(queue: &'static str, connector: &'static str, reason: &'static str) {
    NUMBERS.given_up.get_or_create(&Row { queue, connector, reason }).inc();
}

/// How long a network took for a delivery; `outcome`: `ok`, `transient`, `permanent`.
pub fn handed_over(connector: &'static str, outcome: &'static str, took: Duration) {
    NUMBERS.hand_overs.get_or_create(&HandedOver { connector, outcome }).observe(took.as_secs_f64());
}

/// What was taken in from a network, durably.
pub fn arrivals(connector: &'static str, count: usize) {
    NUMBERS.arrivals.get_or_create(&Of { connector }).inc_by(count as u64);
}

/// A transaction of the homeserver; `outcome`: `taken`, or `refused` if it has to come again.
pub fn transaction(outcome: &'static str, took: Duration) {
    NUMBERS.transactions.get_or_create(&Ended { outcome }).observe(took.as_secs_f64());
}

/// New events in a transaction.
pub fn events(count: usize) {
    NUMBERS.events.inc_by(count as u64);
}

/// Events that were found by reading back.
pub fn reconciled(count: usize) {
    NUMBERS.reconciled.inc_by(count as u64);
}

/// An event that the program could not cope with.
pub fn left_out() {
    NUMBERS.left_out.inc();
}

/// A request to the homeserver; `outcome`: `ok`, `refused`, `unreachable`.
pub fn request(outcome: &'static str, took: Duration) {
    NUMBERS.requests.get_or_create(&Ended { outcome }).observe(took.as_secs_f64());
}

/// A durable commit.
pub fn commit(took: Duration) {
    NUMBERS.commits.observe(took.as_secs_f64());
}

/// A part of Fehmarn that a fault has ended, and that was begun anew.
pub fn restart(part: &'static str) {
    NUMBERS.restarts.get_or_create(&Part { part }).inc();
}

/// A fault in the program, wherever it was.
pub fn panicked() {
    NUMBERS.panics.inc();
}

/// All that is counted, under the names that operators know.
pub fn registry() -> Registry {
    let mut registry = Registry::default();
    let numbers = &*NUMBERS;
    let version = vec![("version", env!("CARGO_PKG_VERSION"))];
    registry.register("fehmarn_build", "Which Fehmarn this is", Info::new(version));
    registry.register("fehmarn_deliveries", "Deliveries by what became of them", numbers.deliveries.clone());
    registry.register("fehmarn_retries", "Attempts that did not work and are made again", numbers.retries.clone());
    registry.register("fehmarn_given_up", "Rows that are dead since", numbers.given_up.clone());
    let help = "How long a network took for a delivery";
    registry.register("fehmarn_hand_over_seconds", help, numbers.hand_overs.clone());
    registry.register("fehmarn_arrivals", "What was taken in from a network", numbers.arrivals.clone());
    let help = "Transactions of the homeserver, and how long they took";
    registry.register("fehmarn_transaction_seconds", help, numbers.transactions.clone());
    registry.register("fehmarn_events", "New events in transactions", numbers.events.clone());
    registry.register("fehmarn_events_reconciled", "Events found by reading rooms back", numbers.reconciled.clone());
    let help = "Events that the program could not cope with";
    registry.register("fehmarn_events_left_out", help, numbers.left_out.clone());
    let help = "Requests to the homeserver, and how long they took";
    registry.register("fehmarn_homeserver_request_seconds", help, numbers.requests.clone());
    registry.register("fehmarn_commit_seconds", "How long the database took to commit", numbers.commits.clone());
    registry.register("fehmarn_restarts", "Parts begun anew after a fault", numbers.restarts.clone());
    registry.register("fehmarn_panics", "Faults in the program", numbers.panics.clone());
    registry
}
