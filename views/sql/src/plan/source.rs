//! Streams and tables as the catalog holds them.

use std::fmt;

use crate::name::Name;
use crate::plan::{FormatInfo, QueryId};
use crate::schema::Schema;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceKind {
    Stream,
    Table,
}

impl SourceKind {
    pub fn of(table: bool) -> SourceKind {
        if table { SourceKind::Table } else { SourceKind::Stream }
    }

    /// Lower case, as it stands in sentences.
    pub fn word(self) -> &'static str {
        match self {
            SourceKind::Stream => "stream",
            SourceKind::Table => "table",
        }
    }
}

impl fmt::Display for SourceKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            SourceKind::Stream => "STREAM",
            SourceKind::Table => "TABLE",
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WindowType {
    Tumbling,
    Hopping,
    Session,
}

impl fmt::Display for WindowType {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            WindowType::Tumbling => "TUMBLING",
            WindowType::Hopping => "HOPPING",
            WindowType::Session => "SESSION",
        })
    }
}

/// The keys of the topic carry a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WindowInfo {
    pub window_type: WindowType,
    /// Unknown for sessions.
    pub size_ms: Option<i64>,
}

/// The column that gives a record's event time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TimestampColumn {
    pub column: Name,
    /// For text columns: a pattern of Java's DateTimeFormatter.
    pub format: Option<String>,
}

/// What the dialect before 0.10 said of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct LegacyKey {
    /// The key was not declared; it is called ROWKEY and is no part of `*`.
    pub implicit: bool,
    /// The value column that holds the same, as `WITH (KEY='..')` named it.
    pub same_as: Option<Name>,
}

/// A declared stream or table.
#[derive(Clone, Debug, PartialEq)]
pub struct DataSource {
    pub name: Name,
    pub kind: SourceKind,
    /// Keys, values and headers in the order declared.
    pub schema: Schema,
    pub topic: String,
    pub key_format: FormatInfo,
    pub value_format: FormatInfo,
    pub window: Option<WindowInfo>,
    pub timestamp: Option<TimestampColumn>,
    /// CREATE SOURCE ..: read-only, and a table of this kind is kept for pull queries.
    pub read_only: bool,
    /// The query that made it by CREATE .. AS SELECT.
    pub created_by: Option<QueryId>,
    /// The statement that declared it.
    pub statement: String,
    /// Declared in the dialect before 0.10, or made from such a source: results keep the key without selecting it.
    pub legacy: Option<LegacyKey>,
}

impl DataSource {
    pub fn is_table(&self) -> bool {
        self.kind == SourceKind::Table
    }

    pub fn is_stream(&self) -> bool {
        self.kind == SourceKind::Stream
    }
}
