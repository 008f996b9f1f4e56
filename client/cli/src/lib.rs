//! The `millrace` subcommands, `start` excepted: small programs over any Kafka broker, and over the views of any node.
//!
//! The binary's main adds its own `start` to [`command`], parses, and hands every other subcommand to [`run`]:
//!
//! ```text
//! let matches = millrace_cli::command().subcommand(start()).get_matches();
//! match matches.subcommand() {
//!     Some(("start", given)) => serve(given),
//!     _ => millrace_cli::run(&matches, rehearse),
//! }
//! ```
//!
//! Conventions
//! * Results go to stdout, everything else to stderr; a reader that closes the pipe early is no failure.
//! * Exit codes: 0 done, 1 the broker, the network or the data said no, 2 the command line was wrong.
//!
//! Absences: nothing here that a foreign client could not do over the wire, but for `cat` and `doctor`, which also read
//! a data directory, and never write to it.
mod cat;
mod common;
mod consume;
pub mod doctor;
mod format;
mod group;
mod produce;
mod progress;
mod sql;
mod table;
mod topic;

use std::process::ExitCode;

use clap::{FromArgMatches, Subcommand};

#[derive(Subcommand)]
enum Command {
    /// Topics: list, describe, create, delete, grow, configure, trim
    #[command(subcommand)]
    Topic(topic::Command),
    /// Send records, one per line of standard input or one per file
    Produce(produce::Args),
    /// Read records and print them
    Consume(consume::Args),
    /// Consumer groups: list, describe, reset, delete
    #[command(subcommand)]
    Group(group::Command),
    /// Ask the views: an interactive shell, or statements from -e, -f or a pipe
    Sql(sql::Args),
    /// Show what a data directory, a segment file or a topic holds, batch by batch
    Cat(cat::Args),
    /// Say what is wrong with a node, a configuration or a data directory
    Doctor(doctor::Args),
}

/// The `millrace` command with every subcommand but `start`.
pub fn command() -> clap::Command {
    let base = clap::Command::new("millrace")
        .about("A Kafka broker with materialised views built in")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true);
    Command::augment_subcommands(base)
}

/// Runs the subcommand that `matches` (of [`command`]) names.
///
/// `rehearse` is how the binary would start, for the doctor.
pub fn run(matches: &clap::ArgMatches, rehearse: doctor::Rehearse) -> ExitCode {
    let command = match Command::from_arg_matches(matches) {
        Ok(command) => command,
        Err(error) => error.exit(),
    };
    let outcome = match command {
        Command::Topic(command) => common::block_on(topic::run(command)),
        Command::Produce(args) => common::block_on(produce::run(args)),
        Command::Consume(args) => common::block_on(consume::run(args)),
        Command::Group(command) => common::block_on(group::run(command)),
        Command::Sql(args) => common::block_on(sql::run(args)),
        Command::Cat(args) => common::block_on(cat::run(args)),
        Command::Doctor(args) => common::block_on(doctor::run(args, rehearse)),
    };
    match outcome {
        Ok(code) => code,
        Err(error) if error.is_closed_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("millrace: {error}");
            error.exit_code()
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }
}
