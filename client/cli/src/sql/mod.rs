//! `millrace sql`: statements and queries against the views of any node, by hand or in scripts.
//!
//! Rows go to stdout, messages and errors to stderr where a script reads the rows. A script stops at its first error.
mod backfill;
mod commands;
mod complete;
mod render;
mod run;
mod shell;
mod text;

use std::io::{IsTerminal, Read};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use millrace_client::views::Views;

use crate::common::{CliError, Outcome, key_value};
use crate::sql::render::Format;
use crate::sql::run::{Ended, Session};

#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  millrace sql\n  millrace sql -e \"SELECT * FROM latest WHERE name='Westgate';\"\n  \
    millrace sql -f pipeline.sql --set auto.offset.reset=earliest\n  \
    millrace sql -o csv -e 'SELECT * FROM latest;' > latest.csv\n  \
    millrace sql -o json -e 'SELECT * FROM latest EMIT CHANGES;' | jq .SPACES\n  \
    echo 'LIST TABLES;' | millrace sql --server db1:8090\n\n\
    Without -e and -f, and with a terminal, it is a shell: \\? lists its commands.\n\
    Exit codes: 0 done, 1 a statement failed or the node could not be reached, 2 the command line was wrong, 130 interrupted.")]
pub(crate) struct Args {
    /// The node's gRPC listener [default: $MILLRACE_GRPC or 127.0.0.1:8090]
    #[arg(short, long, value_name = "HOST:PORT")]
    server: Option<String>,
    /// Run these statements and end; may be repeated
    #[arg(short, long, value_name = "SQL", allow_hyphen_values = true)]
    execute: Vec<String>,
    /// Run the statements of a file and end (- is standard input); may be repeated, after every -e
    #[arg(short, long, value_name = "FILE")]
    file: Vec<PathBuf>,
    /// How rows are shown
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
    /// Set a property as SET does, such as auto.offset.reset=earliest; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = key_value)]
    set: Vec<(String, String)>,
    /// Define ${NAME} as DEFINE does; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = key_value)]
    define: Vec<(String, String)>,
    /// Give up on an answer after so many milliseconds
    #[arg(long, value_name = "MS", default_value_t = 30_000, hide_short_help = true)]
    timeout_ms: u64,
}

impl Args {
    fn address(&self) -> String {
        let given = self.server.clone().or_else(|| std::env::var("MILLRACE_GRPC").ok());
        given.unwrap_or_else(|| "127.0.0.1:8090".into())
    }
}

pub(crate) async fn run(args: Args) -> Outcome {
    let address = args.address();
    let timeout = Duration::from_millis(args.timeout_ms.max(1));
    let views = Views::connect(&address).map_err(|error| CliError::Usage(error.to_string()))?.with_timeout(timeout);
    let interactive = args.execute.is_empty() && args.file.is_empty() && std::io::stdin().is_terminal();
    let mut session = Session::new(views, address, timeout, args.output, interactive);
    args.set.into_iter().for_each(|(name, value)| session.set(name, value));
    args.define.iter().for_each(|(name, value)| session.define(name, value));
    if interactive {
        return shell::run(session).await;
    }
    let mut texts = args.execute;
    for path in &args.file {
        texts.push(if path.as_os_str() == "-" { standard_input()? } else { std::fs::read_to_string(path).map_err(CliError::file(path.display()))? });
    }
    if texts.is_empty() {
        texts.push(standard_input()?);
    }
    for text in &texts {
        // What some editors put before everything.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if session.script(text).await? == Ended::Interrupted {
            return Ok(ExitCode::from(130));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn standard_input() -> Result<String, CliError> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(CliError::file("standard input"))?;
    Ok(text)
}
