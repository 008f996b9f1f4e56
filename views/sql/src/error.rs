//! Errors of the language: what is refused, why, and where.
//!
//! The words are ksqlDB's where tools match on them. `Display` gives the whole message; the server also needs the parts.

use std::fmt;

use crate::ast::Position;

/// What stage refused the text. The names in brackets are the classes of ksqlDB that clients see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The text is not SQL (ParseFailedException).
    Syntax,
    /// The statement does not fit what it refers to (KsqlStatementException).
    Statement,
    /// A definition or a state of the catalog forbids it (KsqlException).
    Definition,
    /// A bound on size or depth was hit; the message names its setting.
    Limit,
    /// Understood, and not done by this engine; the message names the statement or feature.
    Unsupported,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SqlError {
    pub kind: ErrorKind,
    /// Without the statement's text.
    pub message: String,
    pub position: Option<Position>,
    /// The statement (or expression) that the message speaks of, when it should be quoted.
    pub statement: Option<String>,
}

pub type Result<T> = std::result::Result<T, SqlError>;

impl SqlError {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> SqlError {
        SqlError { kind, message: message.into(), position: None, statement: None }
    }

    pub fn statement(message: impl Into<String>) -> SqlError {
        SqlError::new(ErrorKind::Statement, message)
    }

    pub fn definition(message: impl Into<String>) -> SqlError {
        SqlError::new(ErrorKind::Definition, message)
    }

    pub fn unsupported(message: impl Into<String>) -> SqlError {
        SqlError::new(ErrorKind::Unsupported, message)
    }

    pub fn limit(message: impl Into<String>) -> SqlError {
        SqlError::new(ErrorKind::Limit, message)
    }

    /// Puts `Line: l, Col: c: ` before the message when the place is known.
    pub fn located(mut self, position: Position) -> SqlError {
        if position.is_known() {
            self.message = format!("Line: {}, Col: {}: {}", position.line, position.column, self.message);
            self.position = Some(position);
        }
        self
    }

    pub fn prefixed(mut self, prefix: &str) -> SqlError {
        self.message = format!("{prefix}{}", self.message);
        self
    }

    pub fn suffixed(mut self, suffix: &str) -> SqlError {
        self.message.push_str(suffix);
        self
    }

    /// Names the statement, unless an inner one was already named.
    pub fn with_statement(mut self, text: impl FnOnce() -> String) -> SqlError {
        if self.statement.is_none() {
            self.statement = Some(text());
        }
        self
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)?;
        match &self.statement {
            Some(statement) => write!(out, "\nStatement: {statement}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for SqlError {}
