//! State in memory.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

use crate::state::{Cut, Rows, Store, StoreError, Stored, TableId};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct MemoryStore {
    tables: BTreeMap<TableId, BTreeMap<Vec<u8>, Stored>>,
    cut: Cut,
}

impl MemoryStore {
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    /// All rows, for comparing whole states.
    pub fn rows(&self) -> impl Iterator<Item = (TableId, &[u8], &Stored)> {
        self.tables.iter().flat_map(|(table, rows)| rows.iter().map(|(key, stored)| (*table, key.as_slice(), stored)))
    }
}

impl Store for MemoryStore {
    fn get(&self, table: TableId, key: &[u8]) -> Result<Option<Stored>, StoreError> {
        Ok(self.tables.get(&table).and_then(|rows| rows.get(key)).cloned())
    }

    fn scan(
        &self,
        table: TableId,
        from: &[u8],
        to: Option<&[u8]>,
        visit: &mut dyn FnMut(&[u8], &Stored) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        if to.is_some_and(|to| to <= from) {
            return Ok(());
        }
        let end = to.map_or(Bound::Unbounded, Bound::Excluded);
        let Some(rows) = self.tables.get(&table) else { return Ok(()) };
        for (key, stored) in rows.range::<[u8], _>((Bound::Included(from), end)) {
            if visit(key, stored).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn cut(&self) -> Result<Cut, StoreError> {
        Ok(self.cut.clone())
    }

    fn commit(&mut self, rows: &mut Rows, cut: &Cut) -> Result<(), StoreError> {
        for (table, changes) in rows.iter_mut() {
            let rows = self.tables.entry(table).or_default();
            for (key, change) in changes.drain() {
                match change {
                    Some(stored) => {
                        rows.insert(key, stored);
                    }
                    None => {
                        rows.remove(&key);
                    }
                }
            }
        }
        self.tables.retain(|_, rows| !rows.is_empty());
        self.cut = cut.clone();
        Ok(())
    }
}
