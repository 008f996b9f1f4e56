//! Rows in memory: dirty ones until they are written back, clean ones until the room is needed.
use std::collections::btree_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use millrace_engine::state::{Rows, Stored, TableId};

pub type RowKey = (TableId, Vec<u8>);

/// What a row costs beside its bytes: the map's node, the Arc, the values' headers.
const OVERHEAD: usize = 160;

/// A clean row, and whether it was read since the hand of the clock last passed it.
struct Clean {
    stored: Option<Stored>,
    bytes: usize,
    touched: bool,
}

/// Second-chance ("clock") cache of clean rows beside the ordered map of dirty ones.
#[derive(Default)]
pub struct Resident {
    dirty: Rows,
    dirty_bytes: usize,
    clean: HashMap<Arc<RowKey>, Clean>,
    clock: VecDeque<Arc<RowKey>>,
    clean_bytes: usize,
}

impl Resident {
    /// `Some(None)`: known to be absent.
    pub fn get(&mut self, table: TableId, key: &[u8]) -> Option<Option<Stored>> {
        if let Some(change) = self.dirty.get(&table).and_then(|rows| rows.get(key)) {
            return Some(change.clone());
        }
        let clean = self.clean.get_mut(&(table, key.to_vec()))?;
        clean.touched = true;
        Some(clean.stored.clone())
    }

    pub fn change(&mut self, (table, key): RowKey, row: Option<Stored>) {
        self.dirty_bytes += cost(&key, row.as_ref());
        match self.dirty.entry(table).or_default().entry(key) {
            // A dirty row has no clean copy.
            Entry::Occupied(mut entry) => {
                self.dirty_bytes -= cost(entry.key(), entry.get().as_ref());
                entry.insert(row);
            }
            Entry::Vacant(entry) => {
                // The clean copy would be stale; its place in the clock is found empty later.
                if let Some(clean) = self.clean.remove(&(table, entry.key().clone())) {
                    self.clean_bytes -= clean.bytes;
                }
                entry.insert(row);
            }
        }
    }

    /// Remembers what the database said, within `room` bytes of clean rows.
    pub fn remember(&mut self, key: RowKey, stored: Option<Stored>, room: usize) {
        let bytes = cost(&key.1, stored.as_ref());
        if bytes > room {
            return;
        }
        let key = Arc::new(key);
        if let Some(before) = self.clean.insert(key.clone(), Clean { stored, bytes, touched: false }) {
            self.clean_bytes -= before.bytes;
        } else {
            self.clock.push_back(key);
        }
        self.clean_bytes += bytes;
        self.evict(room);
    }

    fn evict(&mut self, room: usize) {
        while self.clean_bytes > room {
            let Some(key) = self.clock.pop_front() else { return };
            let Some(clean) = self.clean.get_mut(&key) else { continue };
            if clean.touched {
                clean.touched = false;
                self.clock.push_back(key);
            } else {
                self.clean_bytes -= clean.bytes;
                self.clean.remove(&key);
            }
        }
    }

    pub fn dirty(&self) -> &Rows {
        &self.dirty
    }

    pub fn dirty_bytes(&self) -> usize {
        self.dirty_bytes
    }

    pub fn bytes(&self) -> usize {
        self.dirty_bytes + self.clean_bytes
    }

    /// The dirty rows have been written: they stay as clean ones, as far as there is room.
    pub fn written(&mut self, room: usize) {
        self.dirty_bytes = 0;
        for (table, rows) in std::mem::take(&mut self.dirty) {
            for (key, stored) in rows {
                self.remember((table, key), stored, room);
            }
        }
        // Keys whose clean row was changed leave an entry in the clock; without this they would pile up.
        if self.clock.len() > 2 * self.clean.len() + 64 {
            let clean = &self.clean;
            self.clock.retain(|key| clean.contains_key(key));
            let mut seen = std::collections::HashSet::with_capacity(self.clock.len());
            self.clock.retain(|key| seen.insert(key.clone()));
        }
    }
}

/// An estimate that errs on the high side for flat rows.
fn cost(key: &[u8], stored: Option<&Stored>) -> usize {
    OVERHEAD + key.len() + stored.map_or(0, |stored| stored.row.iter().map(millrace_engine::state::value_bytes).sum())
}
