//! The rows of a view's result for look-ups, in the order of key and window: made from what its operators keep where they can be,
//! kept beside that elsewhere.
//!
//! Windows past the retention are gone for readers at once, with the record that moved time on; their rows are removed with those that
//! come after.
use std::ops::ControlFlow;

use millrace_engine::state::{Store, StoreError, Stored, TableId, encode_windowed};
use millrace_engine::{Change, EngineError, Live, Query, Window};
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

/// A result over its state. Of a query whose operators keep its rows nothing is in [`RESULT`].
pub struct Looked<'a, S> {
    store: &'a S,
    query: &'a Query,
    kept: Option<TableId>,
    windowed: bool,
}

impl<'a, S: Store> Looked<'a, S> {
    pub fn new(store: &'a S, query: &'a Query, windowed: bool) -> Looked<'a, S> {
        Looked { store, query, kept: query.kept(), windowed }
    }

    /// The row that [`RESULT`] would hold for one that an operator keeps, under its key.
    fn made(&self, key: &[u8], kept: &Stored) -> Result<Option<(Vec<u8>, Stored)>, EngineError> {
        let told = self.query.look(key, kept)?.and_then(|change| stored_change(&change, self.windowed));
        Ok(told.and_then(|(key, row)| Some((key, row?))))
    }

    pub fn get(&self, key: &[u8]) -> Result<Option<Stored>, EngineError> {
        match self.kept {
            None => Ok(self.store.get(RESULT, key)?),
            Some(table) => match self.store.get(table, key)? {
                Some(kept) => Ok(self.made(key, &kept)?.map(|(_, row)| row)),
                None => Ok(None),
            },
        }
    }

    /// Visits the rows with `from <= key < to` in key order until told to stop.
    pub fn scan(&self, from: &[u8], to: Option<&[u8]>, visit: &mut dyn FnMut(&[u8], &Stored) -> ControlFlow<()>) -> Result<(), EngineError> {
        let Some(table) = self.kept else { return Ok(self.store.scan(RESULT, from, to, visit)?) };
        let mut failed = None;
        self.store.scan(table, from, to, &mut |key, kept| match self.made(key, kept) {
            Ok(Some((key, row))) => visit(&key, &row),
            Ok(None) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        })?;
        failed.map_or(Ok(()), Err)
    }
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
