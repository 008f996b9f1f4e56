//! What the subcommands share: the broker's address, errors with exit codes, a runtime.
use std::future::Future;
use std::process::ExitCode;

use millrace_client::{Client, ClientConfig, ClientError};

/// Why a subcommand stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    Failed(String),
    #[error("{what}: {error}")]
    File { what: String, error: std::io::Error },
    #[error(transparent)]
    Output(#[from] std::io::Error),
}

impl CliError {
    /// True when whoever read our output has had enough.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        matches!(self, CliError::Output(error) if error.kind() == std::io::ErrorKind::BrokenPipe)
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            CliError::Usage(_) | CliError::Client(ClientError::Misuse(_)) => ExitCode::from(2),
            _ => ExitCode::FAILURE,
        }
    }

    pub(crate) fn file(what: impl std::fmt::Display) -> impl FnOnce(std::io::Error) -> CliError {
        move |error| CliError::File { what: what.to_string(), error }
    }
}

pub(crate) type Outcome = Result<ExitCode, CliError>;

/// Where the cluster is.
#[derive(clap::Args, Debug, Clone)]
pub(crate) struct Connect {
    /// Brokers to ask first, `host:port,...` [default: $MILLRACE_BOOTSTRAP or 127.0.0.1:9092]
    // Kafka's tools call it so.
    #[arg(short, long, alias = "bootstrap-server", value_name = "HOST:PORT")]
    pub bootstrap: Option<String>,
    /// Give up on an answer after so many milliseconds
    #[arg(long, value_name = "MS", default_value_t = 30_000, hide_short_help = true)]
    pub timeout_ms: u64,
}

impl Connect {
    pub(crate) fn address(&self) -> String {
        let given = self.bootstrap.clone().or_else(|| std::env::var("MILLRACE_BOOTSTRAP").ok());
        given.unwrap_or_else(|| "127.0.0.1:9092".into())
    }

    pub(crate) async fn client(&self) -> Result<Client, CliError> {
        let mut config = ClientConfig::new(&self.address());
        config.client_id = "millrace-cli".into();
        config.request_timeout = std::time::Duration::from_millis(self.timeout_ms.max(1));
        config.patience = config.request_timeout * 2;
        Ok(Client::connect(config).await?)
    }
}

/// Runs one subcommand on a runtime of its own.
pub(crate) fn block_on(work: impl Future<Output = Outcome>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(CliError::file("cannot start threads"))?;
    let outcome = runtime.block_on(work);
    // Do not wait for a thread that sits in a read of standard input.
    runtime.shutdown_background();
    outcome
}

/// Splits `key=value`.
pub(crate) fn key_value(given: &str) -> Result<(String, String), String> {
    given.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())).ok_or_else(|| format!("{given:?} is not key=value"))
}

/// Reads a delimiter: text with \n, \t, \r, \0, \\ and \xHH.
pub(crate) fn unescape(given: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut rest = given.chars();
    while let Some(letter) = rest.next() {
        if letter != '\\' {
            bytes.extend(letter.to_string().as_bytes());
            continue;
        }
        match rest.next() {
            Some('n') => bytes.push(b'\n'),
            Some('t') => bytes.push(b'\t'),
            Some('r') => bytes.push(b'\r'),
            Some('0') => bytes.push(0),
            Some('\\') => bytes.push(b'\\'),
            Some('x') => {
                let digits: String = rest.by_ref().take(2).collect();
                bytes.push(u8::from_str_radix(&digits, 16).map_err(|_| format!("\\x{digits} is not a byte"))?);
            }
            other => return Err(format!("\\{} means nothing here", other.map_or(String::new(), String::from))),
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiters_read_escapes() {
        assert_eq!(unescape(r"a\n\t\x41\\").unwrap(), b"a\n\tA\\");
        assert!(unescape(r"\q").is_err());
        assert!(unescape(r"\xzz").is_err());
        assert!(unescape("\\").is_err());
    }
}
