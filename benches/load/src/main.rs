//! A lean load driver, so that the broker is the limit and not the client; beside Apache Kafka in one run.
//!
//! ```text
//! scenario (partitions, request size, flush) -> produce: frames encoded once, only the correlation id is patched;
//!                                                        one thread per connection, many requests in flight
//!                                            -> consume: the same topic, batches counted by their headers
//! ```
//!
//! Invariants
//! * Every answer is read and its error codes are looked at; a run with an error is no result.
//! * What is measured is the same for every broker: same frames, same topic configs, same machine, runs in turn.
//! * CPU is the broker's own (`/proc/PID/stat`), so the driver's share does not count.
mod compare;
mod consume;
mod process;
mod produce;
mod report;
mod scenario;
mod wire;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

/// Load for Kafka brokers.
#[derive(Parser)]
#[command(name = "millrace-load", after_help = "Examples:
  millrace-load one -b 127.0.0.1:9092 --pid 4711          one broker that runs already
  millrace-load compare --rounds 3                         Millrace and Apache Kafka in turn")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Every scenario against a broker that runs already
    One {
        /// The broker
        #[arg(short, long, default_value = "127.0.0.1:9092")]
        bootstrap: String,
        /// Its process, for CPU and memory
        #[arg(long)]
        pid: Option<u32>,
        #[command(flatten)]
        options: Options,
    },
    /// Starts Millrace and Apache Kafka on free ports and runs every scenario on each in turn
    Compare {
        /// The script that fetches and starts Apache Kafka
        #[arg(long, default_value = "tests/clients/compat/apache-kafka.sh")]
        kafka: std::path::PathBuf,
        /// Runs of each scenario; the best one counts
        #[arg(long, default_value_t = 2)]
        rounds: usize,
        /// Millrace only
        #[arg(long)]
        alone: bool,
        #[command(flatten)]
        options: Options,
    },
}

#[derive(clap::Args, Clone)]
struct Options {
    /// Seconds of each produce run
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Only scenarios whose name contains this
    #[arg(long)]
    only: Option<String>,
    /// Stop a run after so many megabytes
    #[arg(long, default_value_t = 4000)]
    megabytes: u64,
}

impl Options {
    fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.seconds.clamp(0.1, 600.0))
    }

    fn scenarios(&self) -> Vec<scenario::Scenario> {
        let wanted = |scenario: &scenario::Scenario| self.only.as_ref().is_none_or(|part| scenario.name().contains(part.as_str()));
        scenario::all().into_iter().filter(wanted).collect()
    }
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::One { bootstrap, pid, options } => compare::one(&bootstrap, pid, &options),
        Command::Compare { kafka, rounds, alone, options } => compare::both((!alone).then_some(&kafka), rounds, &options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("millrace-load: {error}");
            ExitCode::FAILURE
        }
    }
}
