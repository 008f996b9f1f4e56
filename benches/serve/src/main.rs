//! What the views of one broker do for their readers while they ingest.
//!
//! ```text
//! pulls        a key's row over gRPC and over REST, at a steady rate: idle, and while a view reads a long topic at full rate
//! freshness    a record's way from its acknowledgement into an answer, and to a subscriber
//! fan-out      the same changes to a thousand subscribers
//! ```
//!
//! Invariants
//! * The load is open: a request is due at its time whatever became of the ones before, and is timed from when it was due, so a
//!   stall counts for every request that fell into it.
//! * Every answer is read and looked at; a failure ends the run.
//! * Broker and driver share the machine: the broker's CPU seconds are told beside. The driver's threads come first in line, so that
//!   what is timed is what the broker takes, while it and its views have only the rest of the processors.
mod fanout;
mod first;
mod fresh;
mod pace;
mod pulls;
mod setup;
mod tick;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

/// Load for views.
#[derive(Parser)]
#[command(name = "millrace-serve-bench", after_help = "Example:\n  MILLRACE_BIN=target/release/millrace millrace-serve-bench --seconds 5")]
pub struct Options {
    /// Of each measurement
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Look-ups a second
    #[arg(long, default_value_t = 10_000)]
    rate: u64,
    /// Records that a view reads at full rate while it is asked
    #[arg(long, default_value_t = 4_000_000)]
    records: u64,
    /// Of the fan-out
    #[arg(long, default_value_t = 1000)]
    subscribers: usize,
    /// Changes a second, each to every subscriber
    #[arg(long, default_value_t = 50)]
    changes: u64,
}

impl Options {
    fn time(&self) -> Duration {
        Duration::from_secs(self.seconds.max(1))
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    // Not this thread yet: the broker is made of it.
    let first = || {
        first::first_in_line();
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).on_thread_start(first).enable_all().build().expect("a runtime");
    match runtime.block_on(all(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("millrace-serve-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn all(options: &Options) -> Result<(), Failure> {
    let place = setup::Place::prepare(options).await?;
    // The broker is there and has this thread's place in line; from here on it only measures.
    if !first::first_in_line() {
        eprintln!("the measuring threads could not be put first in line (CAP_SYS_NICE): latencies hold what they wait for processors");
    }
    println!("| measurement | asked /s | done /s | p50 ms | p99 ms | p99.9 ms | max ms | broker CPU | beside |");
    println!("|---|--:|--:|--:|--:|--:|--:|--:|---|");
    pulls::run(&place, options)?;
    fresh::run(&place, options).await?;
    fanout::run(&place, options).await
}

type Failure = Box<dyn std::error::Error + Send + Sync>;
