//! What is printed: a table for people and one line of JSON for programs.

use super::{limits::Limits, tally::Faults};
use serde_json::{Map, Value, json};
use std::time::Instant;

pub struct Report {
    started: Instant,
    quick: bool,
    rows: Vec<Row>,
    notes: Vec<String>,
    faults: Vec<(String, Faults)>,
    json: Map<String, Value>,
}

struct Row {
    what: String,
    unit: &'static str,
    value: f64,
    /// What it is compared with, and how much that is in the same unit.
    limit: Option<(&'static str, f64)>,
}

impl Report {
    pub fn start(quick: bool) -> Self {
        let mut report = Self {
            started: Instant::now(),
            quick,
            rows: Vec::new(),
            notes: Vec::new(),
            faults: Vec::new(),
            json: Map::new(),
        };
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split_whitespace().next().unwrap_or("unknown").to_owned();
        report.note(format!("{cores} cores; load before the start {load}: the less it is, the more the figures say"));
        report.json.insert("cores".into(), cores.into());
        report.json.insert("load_before".into(), load.into());
        report.json.insert("quick".into(), quick.into());
        report
    }

    pub fn limits(&mut self, limits: &Limits) {
        self.row("limit: fsync", "per s", limits.fsyncs, None);
        self.row("limit: durable SQLite commits, 1 row each", "per s", limits.commits, None);
        self.row("limit: rows in durable SQLite commits of 100", "per s", limits.rows, None);
        self.row("limit: mails from this program to its own sink", "per s", limits.sink, None);
        self.row("limit: messages from this program to its own homeserver", "per s", limits.sends, None);
    }

    /// A figure; `limit` says what this machine could do in the same run.
    pub fn row(&mut self, what: impl Into<String>, unit: &'static str, value: f64, limit: Option<(&'static str, f64)>) {
        let what = what.into();
        eprintln!("bench: {what}: {} {unit}", figure(value));
        let ratio = limit.map(|(_, limit)| value / limit);
        self.json
            .insert(what.clone(), json!({"value": value, "unit": unit, "limit": limit.map(|l| l.1), "ratio": ratio}));
        self.rows.push(Row { what, unit, value, limit });
    }

    pub fn note(&mut self, text: String) {
        eprintln!("bench: {text}");
        self.notes.push(text);
    }

    pub fn extra(&mut self, key: &str, value: Value) {
        self.json.insert(key.into(), value);
    }

    pub fn faults(&mut self, phase: &str, faults: Faults) {
        self.faults.push((phase.to_owned(), faults));
    }

    /// Prints all of it. Whether nothing went wrong.
    pub fn finish(mut self) -> bool {
        println!("\n| what | figure | unit | limit of the same run | ratio |\n|---|---:|---|---|---:|");
        for Row { what, unit, value, limit } in &self.rows {
            let compared = limit.map(|(name, limit)| format!("{} ({name})", figure(limit))).unwrap_or_default();
            let ratio = limit.map(|(_, limit)| format!("{:.2}", value / limit)).unwrap_or_default();
            println!("| {what} | {} | {unit} | {compared} | {ratio} |", figure(*value));
        }
        let mut total = Faults::default();
        println!("\n| phase | lost | duplicated | misplaced | out of order |\n|---|---:|---:|---:|---:|");
        for (phase, faults) in &self.faults {
            let Faults { lost, duplicated, misplaced, disordered } = faults;
            println!("| {phase} | {lost} | {duplicated} | {misplaced} | {disordered} |");
            total += *faults;
        }
        println!();
        self.notes.iter().for_each(|note| println!("- {note}"));
        if self.quick {
            println!("- a quick run: it shows that everything works, not how fast it is");
        }
        let seconds = self.started.elapsed().as_secs_f64();
        println!("- took {seconds:.0} s\n");
        self.json.insert("seconds".into(), rounded(seconds).into());
        self.json.insert("lost".into(), total.lost.into());
        self.json.insert("duplicated".into(), total.duplicated.into());
        self.json.insert("misplaced".into(), total.misplaced.into());
        self.json.insert("disordered".into(), total.disordered.into());
        println!("{}", Value::Object(self.json));
        total.none()
    }
}

/// Three digits that matter, and no more than people read.
fn figure(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
