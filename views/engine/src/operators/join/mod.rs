//! Joins, one file a form.

mod foreign_key;
mod stream_stream;
mod stream_table;
mod table_table;

pub use foreign_key::{Answer, Resolve, Subscribe};
pub use stream_stream::{SideTables, StreamStreamJoin};
pub use stream_table::StreamTableJoin;
pub use table_table::TableTableJoin;

use millrace_sql::plan::JoinColumn;
use millrace_sql::value::Value;

use crate::row::{Key, Row};

/// Puts the two sides' columns together.
pub struct Joiner {
    /// Where each column of the result comes from.
    pub columns: Vec<JoinColumn>,
}

impl Joiner {
    pub fn join(&self, key: Option<&Key>, left: Option<&[Value]>, right: Option<&[Value]>) -> Row {
        let at = |row: Option<&[Value]>, position: usize| row.and_then(|row| row.get(position)).cloned().unwrap_or_default();
        self.columns
            .iter()
            .map(|column| match column {
                JoinColumn::Key(position) => key.and_then(|key| key.get(*position)).cloned().unwrap_or(Value::Null),
                JoinColumn::Left(position) => at(left, *position),
                JoinColumn::Right(position) => at(right, *position),
            })
            .collect()
    }
}
