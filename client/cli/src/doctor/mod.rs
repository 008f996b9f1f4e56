//! `millrace doctor`: what is wrong with a node, a configuration or a data directory, and what to do about it.
//!
//! Looks and never changes anything. Every finding is one line: `ok`, `warn` or `BAD`, then what was seen, then advice.
//! A configuration and a data directory are judged by the start itself, which the binary hands in as a [`Rehearse`]: so what
//! the doctor calls good is what starts. Exit codes: 0 nothing is bad, 1 something is, 2 the command line was wrong.
mod configuration;
mod files;
mod finding;
mod node;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use millrace_cluster::config::Properties;

pub use finding::{Findings, Rehearse};

use crate::common::{CliError, Connect, Outcome};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  millrace doctor                         the node at 127.0.0.1:9092
  millrace doctor server.properties       a configuration, the machine and the data directory that it names
  millrace doctor millrace-data           a data directory (every checksum is read)

Nothing is changed. The exit code is 1 where something is bad.")]
pub(crate) struct Args {
    /// A server.properties file or a data directory [default: ask the node]
    path: Option<PathBuf>,
    #[command(flatten)]
    connect: Connect,
}

pub(crate) async fn run(args: Args, rehearse: Rehearse) -> Outcome {
    let mut findings = Findings::default();
    match &args.path {
        Some(path) if path.is_dir() => directory(path, rehearse, &mut findings).await?,
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(CliError::file(path.display()))?;
            configuration(&text, rehearse, &mut findings).await?;
        }
        None => node::ask(&args.connect, &mut findings).await?,
    }
    findings.print();
    Ok(if findings.bad_ones() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn configuration(text: &str, rehearse: Rehearse, findings: &mut Findings) -> Result<(), CliError> {
    let properties = match Properties::parse(text) {
        Ok(properties) => properties,
        Err(error) => {
            findings.bad(error, "write one key=value per line");
            return Ok(());
        }
    };
    configuration::judge(&properties, findings);
    if findings.bad_ones() == 0 {
        let folder = rehearse(properties, findings).await;
        if let Some(folder) = folder.filter(|folder| folder.is_dir()) {
            files::read(&folder, findings)?;
        }
    }
    Ok(())
}

/// The folder alone, as its own node would start on it.
async fn directory(path: &Path, rehearse: Rehearse, findings: &mut Findings) -> Result<(), CliError> {
    // Kafka's name for the file in which a folder says whose it is.
    let meta = path.join("meta.properties");
    let id = std::fs::read_to_string(&meta).ok().and_then(|text| Properties::parse(&text).ok()?.values.remove("node.id"));
    let listeners = ["listeners=PLAINTEXT://127.0.0.1:0", "http.listener=", "grpc.listener="].map(str::to_owned);
    let mut properties = Properties::default();
    for one in listeners.into_iter().chain([format!("log.dirs={}", path.display())]).chain(id.map(|id| format!("node.id={id}"))) {
        if let Err(error) = properties.override_with(&one) {
            return Err(CliError::Failed(format!("{one}: {}", error.reason)));
        }
    }
    files::read(path, findings)?;
    rehearse(properties, findings).await;
    Ok(())
}
