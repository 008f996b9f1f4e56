//! A unit of work: a store seen through the changes made since the last commit.

use std::ops::ControlFlow;

use millrace_sql::value::Value;

use crate::state::key::after_prefix;
use crate::state::{Rows, Store, StoreError, Stored, TableId};

const DELETED_AT_ONCE: usize = 1024;

/// Reads see the unit's own writes. Dropping it forgets them.
pub struct Unit<'a> {
    base: &'a dyn Store,
    pending: Pending,
}

/// What has changed since the last commit.
#[derive(Default)]
pub struct Pending {
    rows: Rows,
    registers: Vec<Register>,
}

/// A number that an operator keeps between records, such as its stream time. Read and written with every record, so it lives beside
/// the rows and becomes one only when they are written.
struct Register {
    table: TableId,
    name: &'static [u8],
    number: Option<i64>,
    dirty: bool,
}

impl Pending {
    /// Puts a row, or deletes it.
    pub fn put(&mut self, table: TableId, key: Vec<u8>, row: Option<Stored>) {
        self.rows.insert(table, key, row);
    }

    /// The changed rows, to be taken out and written; the registers stay known.
    pub fn rows(&mut self) -> &mut Rows {
        for register in self.registers.iter_mut().filter(|register| register.dirty) {
            register.dirty = false;
            let row: [Value; 0] = [];
            let stored = register.number.map(|number| Stored { row: row.into(), timestamp: number });
            self.rows.insert(register.table, register.name.to_vec(), stored);
        }
        &mut self.rows
    }
}

impl<'a> Unit<'a> {
    pub fn new(base: &'a dyn Store) -> Unit<'a> {
        Unit::resume(base, Pending::default())
    }

    /// A unit that goes on where another ended.
    pub fn resume(base: &'a dyn Store, pending: Pending) -> Unit<'a> {
        Unit { base, pending }
    }

    pub fn into_pending(self) -> Pending {
        self.pending
    }

    pub fn register(&mut self, table: TableId, name: &'static [u8]) -> Result<Option<i64>, StoreError> {
        let known = self.pending.registers.iter().find(|register| register.table == table && register.name == name);
        if let Some(register) = known {
            return Ok(register.number);
        }
        let number = self.get(table, name)?.map(|stored| stored.timestamp);
        self.pending.registers.push(Register { table, name, number, dirty: false });
        Ok(number)
    }

    pub fn set_register(&mut self, table: TableId, name: &'static [u8], number: i64) {
        let mut known = self.pending.registers.iter_mut();
        match known.find(|register| register.table == table && register.name == name) {
            Some(register) => (register.number, register.dirty) = (Some(number), true),
            None => self.pending.registers.push(Register { table, name, number: Some(number), dirty: true }),
        }
    }

    pub fn get(&self, table: TableId, key: &[u8]) -> Result<Option<Stored>, StoreError> {
        match self.pending.rows.get(table, key) {
            Some(change) => Ok(change.clone()),
            None => self.base.get(table, key),
        }
    }

    /// Puts a row whose key begins with `prefix`. Where all rows of a table are put so, [`Unit::begins`] is quick to say that there is none.
    pub fn put_under(&mut self, prefix: &[u8], table: TableId, key: Vec<u8>, stored: Stored) {
        debug_assert!(key.starts_with(prefix));
        self.base.note_prefix(table, prefix);
        self.put(table, key, stored);
    }

    /// `false`: no row that was put under the prefix is there.
    pub fn begins(&self, table: TableId, prefix: &[u8]) -> bool {
        self.base.may_have_prefix(table, prefix)
    }

    pub fn put(&mut self, table: TableId, key: Vec<u8>, stored: Stored) {
        self.pending.put(table, key, Some(stored));
    }

    pub fn delete(&mut self, table: TableId, key: Vec<u8>) {
        self.pending.put(table, key, None);
    }

    /// The rows with `from <= key < to`, in key order, at most `limit` of them.
    pub fn range(
        &self,
        table: TableId,
        from: &[u8],
        to: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Stored)>, StoreError> {
        if to.is_some_and(|to| to <= from) {
            return Ok(Vec::new());
        }
        let own = self.pending.rows.table(table).into_iter();
        let mut own = own.flat_map(|rows| rows.range(from, to)).peekable();
        let mut found = Vec::new();
        self.base.scan(table, from, to, &mut |key, stored| {
            while let Some((own_key, change)) = own.next_if(|(own_key, _)| *own_key <= key) {
                if let Some(changed) = change {
                    found.push((own_key.to_vec(), changed.clone()));
                }
                if own_key == key {
                    return if found.len() >= limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
                }
            }
            found.push((key.to_vec(), stored.clone()));
            if found.len() >= limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        let rest = own.filter_map(|(key, change)| change.as_ref().map(|changed| (key.to_vec(), changed.clone())));
        if found.len() < limit {
            found.extend(rest);
        }
        found.truncate(limit);
        Ok(found)
    }

    /// Deletes the rows with `from <= key < to` a few at a time, so that a great leap of time costs no great memory; `each` sees
    /// every key.
    pub fn delete_range(
        &mut self,
        table: TableId,
        from: &[u8],
        to: &[u8],
        mut each: impl FnMut(&mut Unit<'a>, &[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut from = from.to_vec();
        loop {
            let some = self.range(table, &from, Some(to), DELETED_AT_ONCE)?;
            let Some((last, _)) = some.last() else { return Ok(()) };
            // The next key after the last one: what lies before needs no second look.
            from.clone_from(last);
            from.push(0);
            for (key, _) in some {
                each(self, &key)?;
                self.delete(table, key);
            }
        }
    }

    /// All rows whose key begins with the prefix, in key order.
    pub fn prefix(&self, table: TableId, prefix: &[u8]) -> Result<Vec<(Vec<u8>, Stored)>, StoreError> {
        self.range(table, prefix, after_prefix(prefix).as_deref(), usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::state::{Cut, MemoryStore};

    const TABLE: TableId = TableId(7);

    fn stored(number: i32) -> Stored {
        Stored { row: vec![Value::Int(number)].into(), timestamp: 0 }
    }

    proptest! {
        /// Whatever is split between the base and the unit, a range sees the last write of each key, in order.
        #[test]
        fn a_range_merges(
            base in prop::collection::btree_map(0..20u8, 0..9i32, 0..10),
            own in prop::collection::btree_map(0..20u8, prop::option::of(0..9i32), 0..10),
            from in 0..20u8, to in prop::option::of(0..22u8), limit in 1..8usize,
        ) {
            let mut store = MemoryStore::new();
            let mut rows = Rows::default();
            base.iter().for_each(|(key, number)| drop(rows.insert(TABLE, vec![*key], Some(stored(*number)))));
            store.commit(&mut rows, &Cut::default()).unwrap();
            let mut unit = Unit::new(&store);
            let mut model = base;
            for (key, change) in own {
                match change {
                    Some(number) => {
                        unit.put(TABLE, vec![key], stored(number));
                        model.insert(key, number);
                    }
                    None => {
                        unit.delete(TABLE, vec![key]);
                        model.remove(&key);
                    }
                }
            }
            let end = to.map(|to| vec![to]);
            let found = unit.range(TABLE, &[from], end.as_deref(), limit).unwrap();
            let wanted: Vec<_> = model
                .range(from..)
                .filter(|(key, _)| to.is_none_or(|to| **key < to))
                .take(limit)
                .map(|(key, number)| (vec![*key], stored(*number)))
                .collect();
            prop_assert_eq!(found, wanted);
            for key in 0..20u8 {
                prop_assert_eq!(unit.get(TABLE, &[key]).unwrap(), model.get(&key).map(|number| stored(*number)));
            }
        }
    }
}
