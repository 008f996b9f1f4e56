//! A session: what was SET and DEFINEd, and statements one after another, each sent where it belongs.
use std::io::{self, Write};
use std::time::{Duration, Instant};

use millrace_client::views::{Code, Statement as Done, Views, ViewsError};
use millrace_sql::ast::{Located, Statement};
use millrace_sql::parser::{Limits, RawStatement, Variables, parse_raw, split};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::common::CliError;
use crate::sql::backfill;
use crate::sql::render::{Format, Renderer};

/// How a statement or a script ended, if not with an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Done,
    /// By Ctrl-C.
    Interrupted,
}

pub(crate) struct Session {
    pub(crate) views: Views,
    pub(crate) address: String,
    timeout: Duration,
    properties: Vec<(String, String)>,
    pub(crate) variables: Variables,
    pub(crate) format: Format,
    pub(crate) timing: bool,
    pub(crate) interactive: bool,
}

impl Session {
    pub(crate) fn new(views: Views, address: String, timeout: Duration, format: Format, interactive: bool) -> Session {
        Session { views, address, timeout, properties: Vec::new(), variables: Variables::default(), format, timing: false, interactive }
    }

    /// As SET does.
    pub(crate) fn set(&mut self, name: String, value: String) {
        self.properties.retain(|(known, _)| *known != name);
        self.properties.push((name, value));
        self.renew();
    }

    pub(crate) fn define(&mut self, name: &str, value: &str) {
        self.variables.define(name, value);
    }

    /// Asks another node from now on.
    pub(crate) fn connect(&mut self, address: &str) -> Result<(), CliError> {
        Views::connect(address).map_err(failed)?;
        self.address = address.to_owned();
        self.renew();
        Ok(())
    }

    fn renew(&mut self) {
        if let Ok(views) = Views::connect(&self.address) {
            let views = views.with_timeout(self.timeout);
            self.views = self.properties.iter().fold(views, |views, (name, value)| views.with_property(name, value));
        }
    }

    /// All statements of a text, up to the first error.
    pub(crate) async fn script(&mut self, script: &str) -> Result<Ended, CliError> {
        for raw in split(script, &Limits::STANDARD).map_err(|error| CliError::Failed(error.to_string()))? {
            let began = Instant::now();
            if self.statement(&raw).await? == Ended::Interrupted {
                return Ok(Ended::Interrupted);
            }
            if self.timing {
                eprintln!("Time: {:.3} ms", began.elapsed().as_secs_f64() * 1e3);
            }
        }
        Ok(Ended::Done)
    }

    async fn statement(&mut self, raw: &RawStatement<'_>) -> Result<Ended, CliError> {
        let Located { statement, text, .. } = parse_raw(raw, &self.variables, &Limits::STANDARD).map_err(|error| CliError::Failed(error.to_string()))?;
        match statement {
            Statement::Set { property, value } => self.set(property, value),
            Statement::Unset { property } => {
                self.properties.retain(|(known, _)| *known != property);
                self.renew();
            }
            Statement::Define { variable, value } => self.define(&variable, &value),
            Statement::Undefine { variable } => self.variables.undefine(&variable),
            Statement::List { kind: millrace_sql::ast::ListKind::Variables, .. } => {
                let mut out = io::stdout().lock();
                for (name, value) in self.variables.iter() {
                    writeln!(out, "{name} = {value}")?;
                }
            }
            Statement::RunScript { path } => {
                let script = std::fs::read_to_string(&path).map_err(CliError::file(&path))?;
                return Box::pin(self.script(&script)).await;
            }
            Statement::Query(query) if query.emit.is_some() => return self.follow(&text).await,
            Statement::Query(_) => return self.look(&text).await,
            other => {
                let done = tokio::select! {
                    done = self.views.execute(&text) => done.map_err(failed)?,
                    _ = tokio::signal::ctrl_c() => return Ok(Ended::Interrupted),
                };
                done.iter().try_for_each(|done| self.show(done))?;
                if let (true, Statement::CreateSourceAs(create)) = (self.interactive, &other) {
                    backfill::watch(&self.views, create.name.as_str()).await;
                }
            }
        }
        Ok(Ended::Done)
    }

    fn show(&self, done: &Done) -> Result<(), CliError> {
        for warning in &done.warnings {
            eprintln!("warning: {warning}");
        }
        let mut out = io::stdout().lock();
        // A script that wants rows in a format of programs gets nothing else.
        let for_people = matches!(self.format, Format::Table | Format::Vertical);
        if for_people && !done.message.is_empty() {
            writeln!(out, "{}", done.message)?;
        }
        if !done.columns.is_empty() && (for_people || done.written.is_none()) {
            let mut renderer = Renderer::new(self.format, &done.columns, false);
            renderer.write(&mut out, done.rows.iter().map(|row| (row, false)))?;
            renderer.end(&mut out)?;
        }
        Ok(())
    }

    /// A pull query.
    async fn look(&self, sql: &str) -> Result<Ended, CliError> {
        let asked = async {
            let mut rows = self.views.query(sql).rows().await.map_err(failed)?;
            let mut renderer = Renderer::new(self.format, rows.columns(), false);
            while let Some(more) = rows.next().await.map_err(failed)? {
                renderer.write(&mut io::stdout().lock(), more.iter().map(|row| (row, false)))?;
            }
            Ok::<_, CliError>(renderer.end(&mut io::stdout().lock())?)
        };
        tokio::select! {
            done = asked => done.map(|()| Ended::Done),
            _ = tokio::signal::ctrl_c() => Ok(Ended::Interrupted),
        }
    }

    /// A push query, until its LIMIT or Ctrl-C.
    async fn follow(&self, sql: &str) -> Result<Ended, CliError> {
        let followed = async {
            let mut subscription = self.views.subscribe(sql).open().await.map_err(failed)?;
            if self.interactive {
                eprintln!("Following; Ctrl-C ends the query.");
            }
            let mut renderer = Renderer::new(self.format, subscription.columns(), true);
            let mut resumed = 0;
            while let Some(batch) = subscription.next().await.map_err(failed)? {
                if subscription.resumed() > resumed {
                    resumed = subscription.resumed();
                    eprintln!("The connection broke; the query goes on behind the last change.");
                }
                if !batch.changes.is_empty() {
                    renderer.write(&mut io::stdout().lock(), batch.changes.iter().map(|change| (&change.row, change.deleted)))?;
                }
            }
            if self.interactive {
                eprintln!("Limit reached: {} rows.", renderer.rows());
            }
            Ok::<_, CliError>(())
        };
        tokio::select! {
            done = followed => done.map(|()| Ended::Done),
            _ = tokio::signal::ctrl_c() => Ok(Ended::Interrupted),
            () = reader_gone() => Err(CliError::Output(io::ErrorKind::BrokenPipe.into())),
        }
    }
}

/// Resolves when standard output is a pipe whose reader has left: a query without changes would never find out by writing.
async fn reader_gone() {
    // SAFETY: standard output stays open, and the same, as long as the process lives.
    let stdout = unsafe { AsyncFd::register_with_interest(io::stdout(), Interest::ERROR) };
    // A file cannot be waited for in this way, and has no reader to lose.
    match stdout {
        Ok(stdout) => drop(stdout.ready(Interest::ERROR).await),
        Err(_) => std::future::pending().await,
    }
}

/// What the node said, with what to do where the node could not be asked.
pub(crate) fn failed(error: ViewsError) -> CliError {
    match error.code() {
        Some(Code::Unavailable) if error.reason().is_empty() => {
            CliError::Failed(format!("{error}; is the node up, and is this its grpc.listener? (--server HOST:PORT or MILLRACE_GRPC)"))
        }
        _ => CliError::Failed(error.to_string()),
    }
}
