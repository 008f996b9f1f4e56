//! The rows of a view's result, kept beside its operators' state for look-ups: in the order of key and window.
//!
//! Windows past the retention are gone for readers at once, with the record that moved time on; their rows are removed with those that
//! come after.
use millrace_engine::state::{Store, StoreError, Stored, TableId, encode_windowed};
use millrace_engine::{Change, Live, Window};
use millrace_sql::value::Value;

/// The task's own table for its result.
pub const RESULT: TableId = TableId(u32::MAX - 2);

/// The task's own table for which windows of its result are left: one row.
pub const LIVE: TableId = TableId(u32::MAX - 5);
const LIVE_KEY: &[u8] = b"live";

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

pub fn stored_live(live: Live) -> (Vec<u8>, Stored) {
    (LIVE_KEY.to_vec(), Stored { row: [Value::Boolean(live.by_end)].into(), timestamp: live.from })
}

/// Which windows are left; all of them where none has gone yet.
pub fn live_of(store: &impl Store) -> Result<Option<Live>, StoreError> {
    let stored = store.get(LIVE, LIVE_KEY)?;
    Ok(stored.map(|stored| Live { from: stored.timestamp, by_end: matches!(*stored.row, [Value::Boolean(true)]) }))
}
