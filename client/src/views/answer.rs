//! Answers: columns, rows, the cut that they are of.
use std::sync::Arc;

use millrace_proto as proto;

use crate::views::{Cut, FromValue, Result, Value, ViewsError};

/// A column of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name as the catalog has it: upper case unless it was quoted.
    pub name: String,
    /// As in SQL: `BIGINT`, `ARRAY<STRING>`.
    pub sql_type: String,
    /// Part of the key.
    pub key: bool,
}

impl Column {
    pub(crate) fn of(column: proto::Column) -> Column {
        Column { name: column.name, sql_type: column.r#type, key: column.key }
    }

    pub(crate) fn all(columns: Vec<proto::Column>) -> Arc<[Column]> {
        columns.into_iter().map(Column::of).collect()
    }
}

/// Milliseconds since the epoch. A session's end is its last event; other windows end before `end_ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    /// The first millisecond.
    pub start_ms: i64,
    /// See above.
    pub end_ms: i64,
}

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    columns: Arc<[Column]>,
    values: Vec<Value>,
    /// Of a windowed view.
    pub window: Option<Window>,
}

impl Row {
    pub(crate) fn of(columns: &Arc<[Column]>, row: proto::Row) -> Result<Row> {
        if row.values.len() != columns.len() {
            return Err(ViewsError::Malformed("a row has another number of values than there are columns"));
        }
        let window = row.window.map(|window| Window { start_ms: window.start_ms, end_ms: window.end_ms });
        Ok(Row { columns: columns.clone(), values: row.values.into_iter().map(Value::of).collect(), window })
    }

    pub(crate) fn all(columns: &Arc<[Column]>, rows: Vec<proto::Row>) -> Result<Vec<Row>> {
        rows.into_iter().map(|row| Row::of(columns, row)).collect()
    }

    /// A column's value as a type of Rust; the name may be in any case. Null only fits an `Option`.
    pub fn get<T: FromValue>(&self, column: &str) -> Result<T> {
        let value = self.value(column).ok_or_else(|| ViewsError::NoColumn(column.to_owned()))?;
        T::from_value(value).ok_or_else(|| ViewsError::Type { column: column.to_owned(), found: value.kind().to_owned(), wanted: T::WANTED })
    }

    /// A column's value.
    pub fn value(&self, column: &str) -> Option<&Value> {
        let exact = self.columns.iter().position(|known| known.name == column);
        let at = exact.or_else(|| self.columns.iter().position(|known| known.name.eq_ignore_ascii_case(column)))?;
        self.values.get(at)
    }

    /// In the order of the columns.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// What the values are.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }
}

/// Rows of one cut.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// What the values of each row are.
    pub columns: Arc<[Column]>,
    /// The rows.
    pub rows: Vec<Row>,
    /// What they were read at.
    pub cut: Cut,
}

impl Answer {
    /// The first row: the only one, for a key of a view without windows.
    pub fn row(&self) -> Option<&Row> {
        self.rows.first()
    }
}

/// The rows of several keys, all of one cut.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// What the values of each row are.
    pub columns: Arc<[Column]>,
    /// In the order of the keys asked for: the rows of each.
    pub found: Vec<Vec<Row>>,
    /// What they were read at.
    pub cut: Cut,
}

/// What became of one statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// Its text.
    pub statement: String,
    /// For people; empty where the rows say it all.
    pub message: String,
    /// The query that it started.
    pub query_id: String,
    /// Of statements that list or describe.
    pub columns: Arc<[Column]>,
    /// Of statements that list or describe.
    pub rows: Vec<Row>,
    /// Of INSERT .. VALUES: give it as `at_or_after` to read the row back.
    pub written: Option<Cut>,
    /// What is not wrong, but worth knowing.
    pub warnings: Vec<String>,
}

impl Statement {
    pub(crate) fn of(result: proto::StatementResult) -> Result<Statement> {
        let columns = Column::all(result.columns);
        Ok(Statement {
            rows: Row::all(&columns, result.rows)?,
            columns,
            statement: result.statement,
            message: result.message,
            query_id: result.query_id,
            written: result.written.map(|cut| Cut::of(Some(cut))),
            warnings: result.warnings,
        })
    }
}

/// One change of a push query.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The row is gone: only its key has values.
    pub deleted: bool,
    /// The row as it is now.
    pub row: Row,
    /// Of the record that caused it.
    pub timestamp_ms: i64,
}
