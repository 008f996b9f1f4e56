//! What flows between operators.

use std::sync::Arc;

use millrace_sql::value::Value;

/// Values in the order of a step's schema. Shared, never changed.
pub type Row = Arc<[Value]>;

/// The key's values in the order of the schema's key columns.
pub type Key = Arc<[Value]>;

/// Bounds of a window in milliseconds: for time windows the end is exclusive, for sessions it is the last event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    pub start: i64,
    pub end: i64,
}

/// One event of a stream, or one change of a table's row.
///
/// Invariants: in a stream `old` is always absent and an absent `new` is a record with a null value; in a table an absent `new`
/// is a deletion and `old`, where a later step asks for it, is the row that stood there before. A table's key is never absent.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub key: Option<Key>,
    pub window: Option<Window>,
    pub new: Option<Row>,
    pub old: Option<Row>,
    pub timestamp: i64,
}

impl Change {
    /// The same change with other rows.
    pub fn with_rows(&self, new: Option<Row>, old: Option<Row>) -> Change {
        Change { key: self.key.clone(), window: self.window, new, old, timestamp: self.timestamp }
    }
}
