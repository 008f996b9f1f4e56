//! `sim`: runs seeds and says which failed.
//!
//! From the environment: `SEEDS` (how many, 100), `FIRST` (the first, 1), `TRACE=1` (print what
//! happens), `PLANT=ack-before-persist` (order a bug, to see it found).
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use millrace_shard::Plant;
use millrace_sim::scenario::{Options, run};

fn main() -> ExitCode {
    let number = |name: &str, default: u64| match std::env::var(name) {
        Ok(text) if !text.is_empty() => text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")),
        _ => default,
    };
    let plant = match std::env::var("PLANT").as_deref() {
        Err(_) | Ok("") => Plant::Nothing,
        Ok("ack-before-persist") => Plant::AckBeforePersist,
        Ok(other) => panic!("PLANT={other}: the only one is ack-before-persist"),
    };
    let (seeds, first) = (number("SEEDS", 100), number("FIRST", 1));
    let options = Options { print: number("TRACE", 0) == 1, plant };
    let mut failed: Vec<(u64, String)> = Vec::new();
    let (mut crashes, mut acked) = (0, 0);
    for seed in first..first + seeds {
        let failure = match catch_unwind(AssertUnwindSafe(|| run(seed, options))) {
            Ok(outcome) => {
                crashes += outcome.crashes;
                acked += outcome.acked;
                outcome.failure
            }
            Err(_) => Some("it panicked".to_string()),
        };
        if let Some(failure) = failure {
            println!("seed {seed}: {failure}");
            failed.push((seed, failure));
        }
    }
    println!("{crashes} crashes, {acked} records acknowledged");
    println!("{seeds} seeds, {} failed", failed.len());
    match failed.first() {
        Some((seed, _)) => {
            println!("first failing seed: {seed} (again: make sim SEEDS=1 FIRST={seed} TRACE=1)");
            ExitCode::FAILURE
        }
        None => ExitCode::SUCCESS,
    }
}
