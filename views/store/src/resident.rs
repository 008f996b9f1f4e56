//! Rows in memory over the database: those changed since the last write-back, those of that write-back, and those that were read.
//!
//! What a write-back wrote is kept as a whole until the next one, so that nothing is moved from one map to another for it.
use std::collections::VecDeque;
use std::sync::Arc;

use indexmap::IndexMap;
use millrace_engine::state::{KeyHasher, Rows, Stored, TableId};

use crate::absent::Tables;

type RowKey = (TableId, Box<[u8]>);

/// What a row costs beside its bytes: its places in the map, the key's and the row's allocations, their headers.
const OVERHEAD: usize = 160;

/// A filter of all keys takes at most this part of the memory for rows; beyond, the database is asked.
const SEEN_SHARE: usize = 8;

/// A row that was read, and whether it was read again since the hand of the clock last passed it.
struct Clean {
    stored: Stored,
    bytes: usize,
    touched: bool,
}

#[derive(Default)]
pub struct Resident {
    dirty: Rows,
    dirty_bytes: usize,
    /// Older than the dirty rows; in the database, or on its way there.
    written: Arc<Rows>,
    written_bytes: usize,
    /// As the database has them; nothing else here has the same key. A second-chance ("clock") cache.
    clean: IndexMap<TableId, IndexMap<Box<[u8]>, Clean, KeyHasher>>,
    clock: VecDeque<RowKey>,
    clean_bytes: usize,
    /// Every key that was ever put, and every prefix that was noted; nothing where they are not known, or too many.
    seen: Option<Tables>,
}

impl Resident {
    /// `empty`: the database holds nothing yet.
    pub fn new(empty: bool) -> Resident {
        Resident { seen: empty.then(Tables::default), ..Resident::default() }
    }

    /// `Some(None)`: known to be absent.
    pub fn get(&mut self, table: TableId, key: &[u8]) -> Option<Option<Stored>> {
        if let Some(known) = self.dirty.get(table, key) {
            return Some(known.clone());
        }
        if self.seen.as_mut().is_some_and(|seen| !seen.may_have(table, key)) {
            return Some(None);
        }
        if let Some(known) = self.written.get(table, key) {
            return Some(known.clone());
        }
        let clean = self.clean.get_mut(&table)?.get_mut(key)?;
        clean.touched = true;
        Some(Some(clean.stored.clone()))
    }

    pub fn note_prefix(&mut self, table: TableId, prefix: &[u8]) {
        if let Some(seen) = &mut self.seen {
            seen.add(table, prefix);
        }
    }

    pub fn may_have_prefix(&mut self, table: TableId, prefix: &[u8]) -> bool {
        self.seen.as_mut().is_none_or(|seen| seen.may_have(table, prefix))
    }

    pub fn change(&mut self, table: TableId, key: Vec<u8>, row: Option<Stored>) {
        // The clean copy would be stale; its place in the clock is found empty later.
        if let Some(clean) = self.clean.get_mut(&table).and_then(|rows| rows.swap_remove(key.as_slice())) {
            self.clean_bytes -= clean.bytes;
        }
        if let Some(seen) = &mut self.seen {
            seen.add(table, &key);
        }
        let (key_bytes, bytes) = (OVERHEAD + key.len(), row_bytes(row.as_ref()));
        match self.dirty.insert(table, key, row) {
            Some(before) => self.dirty_bytes = self.dirty_bytes + bytes - row_bytes(before.as_ref()),
            None => self.dirty_bytes += key_bytes + bytes,
        }
    }

    /// Remembers what the database said, within `room` bytes of rows that were read.
    pub fn remember(&mut self, table: TableId, key: &[u8], stored: Stored, room: usize) {
        let bytes = OVERHEAD + key.len() + row_bytes(Some(&stored));
        if bytes > room {
            return;
        }
        let rows = self.clean.entry(table).or_default();
        match rows.insert(key.into(), Clean { stored, bytes, touched: false }) {
            Some(before) => self.clean_bytes -= before.bytes,
            None => self.clock.push_back((table, key.into())),
        }
        self.clean_bytes += bytes;
        self.evict(room);
    }

    fn evict(&mut self, room: usize) {
        while self.clean_bytes > room {
            let Some((table, key)) = self.clock.pop_front() else { return };
            let Some(rows) = self.clean.get_mut(&table) else { continue };
            let Some(clean) = rows.get_mut(&key) else { continue };
            if clean.touched {
                clean.touched = false;
                self.clock.push_back((table, key));
            } else {
                self.clean_bytes -= clean.bytes;
                rows.swap_remove(&key);
            }
        }
    }

    pub fn dirty(&self) -> &Rows {
        &self.dirty
    }

    pub fn dirty_bytes(&self) -> usize {
        self.dirty_bytes
    }

    /// The rows of the last write-back, which may not have reached the database yet.
    pub fn written(&self) -> &Arc<Rows> {
        &self.written
    }

    /// What may not be evicted to make room.
    pub fn kept_bytes(&self) -> usize {
        self.dirty_bytes + self.written_bytes
    }

    pub fn bytes(&self) -> usize {
        self.kept_bytes() + self.clean_bytes + self.seen.as_ref().map_or(0, Tables::bytes)
    }

    /// The dirty rows are about to be written. Gives those of the write-back before, which nobody needs any more.
    pub fn begin_write_back(&mut self, room: usize) -> Arc<Rows> {
        let before = std::mem::replace(&mut self.written, Arc::new(std::mem::take(&mut self.dirty)));
        self.written_bytes = std::mem::take(&mut self.dirty_bytes);
        self.evict(room.saturating_sub(self.kept_bytes()));
        self.seen = self.seen.take().filter(|seen| seen.bytes() <= room / SEEN_SHARE);
        // Keys whose clean row was changed leave an entry in the clock; without this they would pile up.
        let count: usize = self.clean.values().map(IndexMap::len).sum();
        if self.clock.len() > 2 * count + 64 {
            let mut seen = std::collections::HashSet::with_capacity(count);
            let clean = &self.clean;
            self.clock.retain(|(table, key)| clean.get(table).is_some_and(|rows| rows.contains_key(key)) && seen.insert((*table, key.clone())));
        }
        before
    }
}

/// An estimate that errs on the high side for flat rows.
fn row_bytes(stored: Option<&Stored>) -> usize {
    stored.map_or(0, |stored| stored.row.iter().map(millrace_engine::state::value_bytes).sum())
}
