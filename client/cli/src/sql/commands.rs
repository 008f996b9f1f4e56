//! The shell's own commands: a backslash and a word.
use std::io::{self, Write};

use clap::ValueEnum;
use millrace_client::views::Description;

use crate::common::CliError;
use crate::sql::render::Format;
use crate::sql::run::{Ended, Session, failed};

pub(crate) const HELP: &str = "\
Statements end with a semicolon and may go over several lines. Tab completes.

  \\d [NAME]        streams and tables; or the columns, queries and progress of one
  \\ds  \\dt         streams; tables
  \\dq              queries
  \\dT              topics
  \\df [NAME]       functions; or how one is called
  \\x               one value a line, or back to a table
  \\o FORMAT        table, vertical, json or csv
  \\timing          shows how long each statement took, or no longer
  \\i FILE          runs a file
  \\c [HOST:PORT]   says which node is asked, or asks another
  \\q               leaves, as Ctrl-D does

SET 'auto.offset.reset'='earliest';   queries from now on begin at the start of their streams
SELECT .. EMIT CHANGES;               follows changes; Ctrl-C ends the query, not the shell
";

pub(crate) enum After {
    Go,
    Leave,
}

/// Runs one line that begins with a backslash.
pub(crate) async fn run(session: &mut Session, line: &str) -> Result<After, CliError> {
    let mut words = line.split_whitespace();
    let command = words.next().unwrap_or_default();
    let argument = words.next().map(|word| word.trim_end_matches(';'));
    match (command, argument) {
        ("\\?" | "\\h" | "\\help", _) => io::stdout().lock().write_all(HELP.as_bytes())?,
        ("\\q", _) => return Ok(After::Leave),
        ("\\d", Some(name)) => describe(&session.views.describe(name).await.map_err(failed)?)?,
        ("\\d", None) => ask(session, "LIST STREAMS; LIST TABLES;").await?,
        ("\\ds", _) => ask(session, "LIST STREAMS;").await?,
        ("\\dt", _) => ask(session, "LIST TABLES;").await?,
        ("\\dq", _) => ask(session, "LIST QUERIES;").await?,
        ("\\dT", _) => ask(session, "LIST TOPICS;").await?,
        ("\\df", Some(name)) => ask(session, &format!("DESCRIBE FUNCTION {name};")).await?,
        ("\\df", None) => ask(session, "LIST FUNCTIONS;").await?,
        ("\\x", _) => session.format = if session.format == Format::Vertical { Format::Table } else { Format::Vertical },
        ("\\o", Some(format)) => session.format = Format::from_str(format, true).map_err(|_| CliError::Failed("formats are table, vertical, json and csv".into()))?,
        ("\\timing", _) => session.timing = !session.timing,
        ("\\i", Some(path)) => {
            let script = std::fs::read_to_string(path).map_err(CliError::file(path))?;
            session.script(&script).await?;
        }
        ("\\c", Some(address)) => session.connect(address)?,
        ("\\c", None) => writeln!(io::stdout().lock(), "{}", session.address)?,
        _ => return Err(CliError::Failed(format!("{command} is no command, or lacks its argument; \\? lists them"))),
    }
    Ok(After::Go)
}

async fn ask(session: &mut Session, statements: &str) -> Result<(), CliError> {
    session.script(statements).await.map(|_: Ended| ())
}

fn describe(view: &Description) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    let kind = if view.table { "Table" } else { "Stream" };
    let window = if view.window.is_empty() { String::new() } else { format!(", {} windows", view.window) };
    writeln!(out, "{kind} {} over topic {} (key {}, value {}){window}", view.name, view.topic, view.formats.0, view.formats.1)?;
    let widest = view.columns.iter().map(|column| column.name.chars().count()).max().unwrap_or(0);
    for column in &view.columns {
        writeln!(out, "  {:<widest$}  {}{}", column.name, column.sql_type, if column.key { "  key" } else { "" })?;
    }
    for (what, queries) in [("written by", &view.written_by), ("read by", &view.read_by)] {
        if !queries.is_empty() {
            writeln!(out, "{what} {}", queries.join(", "))?;
        }
    }
    if !view.cut.is_empty() {
        let behind: i64 = view.end.iter().map(|(at, end)| (end - view.cut.next(at).unwrap_or(end)).max(0)).sum();
        writeln!(out, "{} behind its inputs; cut {}", if behind == 1 { "1 record".into() } else { format!("{behind} records") }, view.cut)?;
    }
    if !view.trouble.is_empty() {
        writeln!(out, "trouble: {}", view.trouble)?;
    }
    Ok(())
}
