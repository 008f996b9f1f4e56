//! The rows of a view's result, kept beside its operators' state for look-ups: in the order of key and window.
use millrace_engine::state::{Stored, TableId, encode_windowed};
use millrace_engine::{Change, Window};
use millrace_sql::value::Value;

/// The task's own table for its result.
pub const RESULT: TableId = TableId(u32::MAX - 2);

/// A row of a view as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct ViewRow {
    /// In the order of the view's columns, keys first.
    pub values: std::sync::Arc<[Value]>,
    pub window: Option<Window>,
    pub timestamp: i64,
}

/// The row that a change leaves behind, under its key. The window travels as two last values of the stored row.
pub fn stored_change(change: &Change, windowed: bool) -> Option<(Vec<u8>, Option<Stored>)> {
    let key = change.key.as_ref()?;
    let stored = change.new.as_ref().map(|row| {
        let row = if windowed {
            let window = change.window.unwrap_or(Window { start: 0, end: 0 });
            row.iter().cloned().chain([Value::BigInt(window.start), Value::BigInt(window.end)]).collect()
        } else {
            row.clone()
        };
        Stored { row, timestamp: change.timestamp }
    });
    Some((encode_windowed(key, change.window), stored))
}

pub fn view_row(stored: &Stored, windowed: bool) -> ViewRow {
    let (values, window) = match &*stored.row {
        [values @ .., Value::BigInt(start), Value::BigInt(end)] if windowed => (values.into(), Some(Window { start: *start, end: *end })),
        values => (values.into(), None),
    };
    ViewRow { values, window, timestamp: stored.timestamp }
}
