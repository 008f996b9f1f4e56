//! The shell: a line editor with history and completion around a session.
use std::path::PathBuf;
use std::process::ExitCode;

use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};

use crate::common::{CliError, Outcome};
use crate::sql::commands::{self, After, HELP};
use crate::sql::complete::Words;
use crate::sql::run::{Ended, Session, failed};

const HISTORY_MAX: usize = 10_000;

/// `MILLRACE_HISTORY`, or a file in the home folder; none where there is no home.
fn history() -> Option<PathBuf> {
    let given = std::env::var_os("MILLRACE_HISTORY").map(PathBuf::from);
    given.or_else(|| std::env::home_dir().map(|home| home.join(".millrace_history"))).filter(|path| !path.as_os_str().is_empty())
}

pub(crate) async fn run(mut session: Session) -> Outcome {
    // The first question finds out whether there is a node at all.
    session.views.execute("LIST STREAMS;").await.map_err(failed)?;
    println!("Connected to {}. \\? for help, \\q to leave.", session.address);
    let config = Config::builder().max_history_size(HISTORY_MAX).map_err(editor)?.completion_type(CompletionType::List).auto_add_history(true).build();
    let mut editor_of: Editor<Words, FileHistory> = Editor::with_config(config).map_err(editor)?;
    let mut words = Words::default();
    words.learn(&session.views).await;
    editor_of.set_helper(Some(words));
    let file = history();
    if let Some(file) = &file {
        // The first time there is none.
        let _ = editor_of.load_history(file);
    }
    loop {
        let line = tokio::task::block_in_place(|| editor_of.readline("sql> "));
        let line = match line {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(editor(error)),
        };
        match one(&mut session, line.trim()).await {
            Ok(After::Go) => {}
            Ok(After::Leave) => break,
            Err(error) => eprintln!("{error}"),
        }
        if changes_names(&line)
            && let Some(words) = editor_of.helper_mut()
        {
            words.learn(&session.views).await;
        }
    }
    if let Some(file) = &file
        && let Err(error) = editor_of.save_history(file)
    {
        eprintln!("the history is not kept: {}: {error}", file.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn editor(error: ReadlineError) -> CliError {
    CliError::Failed(format!("the terminal: {error}"))
}

async fn one(session: &mut Session, line: &str) -> Result<After, CliError> {
    match line.to_lowercase().trim_end_matches(';') {
        "" => return Ok(After::Go),
        "exit" | "quit" => return Ok(After::Leave),
        "help" => {
            print!("{HELP}");
            return Ok(After::Go);
        }
        _ => {}
    }
    if line.starts_with('\\') {
        return commands::run(session, line).await;
    }
    if session.script(line).await? == Ended::Interrupted {
        println!();
    }
    Ok(After::Go)
}

fn changes_names(line: &str) -> bool {
    let line = line.to_uppercase();
    ["CREATE", "DROP", "ALTER", "\\C", "\\I", "RUN"].iter().any(|word| line.contains(word))
}
