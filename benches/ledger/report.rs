//! What is printed.

use super::{judge::Verdict, options::Options, plan::Plan, run::Outcome};

/// Faults that are told one by one.
const TOLD: usize = 30;

pub fn opening(options: &Options, plan: &Plan) {
    let world = if options.stub { "in memory" } else { "on real servers" };
    let database = if options.postgres { "PostgreSQL" } else { "SQLite" };
    let messages: usize = plan.steps.iter().map(|step| step.spread.len() + step.burst.len()).sum();
    let strikes: usize = plan.steps.iter().map(|step| step.strikes.len()).sum();
    println!("--seed {}: {messages} messages, {strikes} blows, {world}, Fehmarn on {database}", plan.seed);
}

pub fn plan(plan: &Plan) {
    for step in &plan.steps {
        let (calm, spread, burst) = (step.calm.as_millis(), step.spread.len(), step.burst.len());
        print!("{calm:>5} ms with {spread} messages, {burst} at once, after {} ms", step.lead.as_millis());
        for strike in &step.strikes {
            print!(" {:?} {:?} for {} ms", strike.victim, strike.blow, strike.lasts.as_millis());
        }
        println!();
    }
}

/// Prints all of it. Whether the goal is reached.
pub fn closing(outcome: &Outcome, plan: &Plan) -> bool {
    let Outcome { to_mail, to_matrix, .. } = outcome;
    println!("\n| who | how | how often |\n|---|---|---:|");
    for ((victim, blow), count) in &outcome.blows {
        println!("| {victim:?} | {blow:?} | {count} |");
    }
    println!("\n| | Matrix to mail | mail to Matrix | goal |\n|---|---:|---:|---|");
    for (what, goal, of) in ROWS {
        println!("| {what} | {} | {} | {goal} |", of(to_mail), of(to_matrix));
    }
    println!();
    for (direction, verdict) in [("Matrix to mail", to_mail), ("mail to Matrix", to_matrix)] {
        verdict.faults.iter().take(TOLD).for_each(|fault| println!("- {direction}: {fault}"));
    }
    for (complaint, count) in &outcome.complaints {
        println!("- in the log {count} times: {complaint}");
    }
    let (ends, late) = &outcome.ends;
    println!("- ends of Fehmarn that nobody asked for: {} {:?}", ends.len(), ends.first());
    println!("- SIGTERM without an end within the limit: {late}");
    println!(
        "- written while blows fell for {} s, quiet {} s later",
        outcome.writing.as_secs(),
        outcome.settling.as_secs()
    );
    println!("- rows that still wait: {:?}; not even written: {}", outcome.waiting, outcome.unwritten);
    let good = is_good(outcome);
    println!("- {}; seed {}\n", if good { "the goal is reached" } else { "THE GOAL IS MISSED" }, plan.seed);
    good
}

type Row = (&'static str, &'static str, fn(&Verdict) -> usize);

const ROWS: &[Row] = &[
    ("messages for one person each", "", |verdict| verdict.due),
    ("delivered", "", |verdict| verdict.delivered),
    ("not deliverable, and the writer knows", "", |verdict| verdict.failed_and_told),
    ("said to be delivered", "", |verdict| verdict.said_delivered),
    ("lost", "0", |verdict| verdict.lost),
    ("said to be delivered, wrongly", "0", |verdict| verdict.said_delivered_wrongly),
    ("said to have failed, wrongly", "0", |verdict| verdict.said_failed_wrongly),
    ("out of order", "0", |verdict| verdict.out_of_order),
    ("in the wrong place", "0", |verdict| verdict.misplaced),
    ("doubled under another id", "0", |verdict| verdict.doubled_under_another_id),
    ("repeated under the same id, without a blow in between", "0", |verdict| verdict.repeated_without_reason),
    ("repeated under the same id, in a blow", "0 to Matrix", |verdict| verdict.repeated),
];

fn is_good(outcome: &Outcome) -> bool {
    let is_flawless = |verdict: &Verdict| {
        let faults = ROWS.iter().filter(|(_, goal, _)| *goal == "0").map(|(_, _, of)| of(verdict));
        faults.sum::<usize>() == 0
    };
    is_flawless(&outcome.to_mail)
        && is_flawless(&outcome.to_matrix)
        && outcome.to_matrix.repeated == 0
        && outcome.unwritten == 0
        && outcome.waiting == Some(0)
}
