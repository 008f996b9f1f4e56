//! `sim`: runs seeds and says which failed.
//!
//! From the environment: `VIEWS=1` (views instead of storage alone), `SEEDS` (how many, 100), `FIRST` (the first, 1), `HOURS` (a whole
//! broker for so much simulated time, instead of a node of the storage for a few minutes), `TRACE=1` (print
//! what happens), `PLANT` (order a bug, to see it found: `ack-before-persist`, and for views also `cut-before-output` and
//! `torn-write`).
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use millrace_serve::run::Plant as ViewPlant;
use millrace_shard::Plant;
use millrace_sim::{day, scenario, views};

#[global_allocator]
static ALLOCATOR: millrace_harness::memory::Counting = millrace_harness::memory::Counting;

fn text(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

fn number(name: &str, default: u64) -> u64 {
    match text(name) {
        text if text.is_empty() => default,
        text => text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")),
    }
}

fn main() -> ExitCode {
    let print = number("TRACE", 0) == 1;
    if number("VIEWS", 0) == 1 {
        let mut options = views::Options { print, ..views::Options::default() };
        match text("PLANT").as_str() {
            "" => {}
            "ack-before-persist" => options.shard = Plant::AckBeforePersist,
            "cut-before-output" => options.views = ViewPlant::CutBeforeOutput,
            "torn-write" => options.tear = views::Tear::CutApart,
            other => panic!("PLANT={other}: there are ack-before-persist, cut-before-output and torn-write"),
        }
        return judge(|seed| {
            let outcome = views::run(seed, options);
            (outcome.failure, [outcome.crashes, outcome.rows, outcome.outputs, outcome.balances])
        }, ["crashes", "rows of tables checked", "records in sinks", "balances at one cut"]);
    }
    let hours = number("HOURS", 0);
    if hours > 0 {
        return judge(|seed| {
            let outcome = day::run(seed, hours, print);
            (outcome.failure, [outcome.crashes, outcome.acked, 0, 0])
        }, ["crashes", "records acknowledged", "", ""]);
    }
    let plant = match text("PLANT").as_str() {
        "" => Plant::Nothing,
        "ack-before-persist" => Plant::AckBeforePersist,
        other => panic!("PLANT={other}: without VIEWS=1 the only one is ack-before-persist"),
    };
    let options = scenario::Options { print, plant };
    judge(|seed| {
        let outcome = scenario::run(seed, options);
        (outcome.failure, [outcome.crashes, outcome.acked, 0, 0])
    }, ["crashes", "records acknowledged", "", ""])
}

/// Runs every seed; each answers what it did in numbers of these names, and what must never happen and did.
fn judge(run: impl Fn(u64) -> (Option<String>, [u64; 4]), names: [&str; 4]) -> ExitCode {
    let (seeds, first) = (number("SEEDS", 100), number("FIRST", 1));
    let mut failed: Vec<u64> = Vec::new();
    let mut sums = [0; 4];
    for seed in first..first + seeds {
        let failure = match catch_unwind(AssertUnwindSafe(|| run(seed))) {
            Ok((failure, did)) => {
                sums.iter_mut().zip(did).for_each(|(sum, did)| *sum += did);
                failure
            }
            Err(_) => Some("it panicked".to_string()),
        };
        if let Some(failure) = failure {
            println!("seed {seed}: {failure}");
            failed.push(seed);
        }
    }
    let said = sums.iter().zip(names).filter(|(_, name)| !name.is_empty()).map(|(sum, name)| format!("{sum} {name}"));
    println!("{}", said.collect::<Vec<_>>().join(", "));
    println!("{seeds} seeds, {} failed", failed.len());
    match failed.first() {
        Some(seed) => {
            let mode = if number("VIEWS", 0) == 1 { "sim-views" } else { "sim" };
            let hours = if number("HOURS", 0) > 0 { format!(" HOURS={}", text("HOURS")) } else { String::new() };
            println!("first failing seed: {seed} (again: make {mode} SEEDS=1 FIRST={seed} TRACE=1{hours})");
            ExitCode::FAILURE
        }
        None => ExitCode::SUCCESS,
    }
}
