//! Changed rows in memory.
//!
//! A row is found by its key's hash, because operators mostly ask for one key. The order of the keys is made when somebody first
//! asks for a range, and kept up from then on: most tables never need it.
//!
//! Invariant: nothing is told in an order that chance decides: it is the keys' order, or the one in which they came.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::OnceLock;

use indexmap::IndexMap;
use indexmap::map::Entry;

use crate::state::{Stored, TableId};

/// Of keys. Seeded by chance, so that nobody can choose keys that collide: only for maps that are walked in the order of insertion.
pub type KeyHasher = foldhash::fast::RandomState;

/// A table's changed rows: `None` deletes.
#[derive(Clone, Debug, Default)]
pub struct TableRows {
    rows: IndexMap<Vec<u8>, Option<Stored>, KeyHasher>,
    order: OnceLock<BTreeSet<Vec<u8>>>,
}

impl TableRows {
    pub fn get(&self, key: &[u8]) -> Option<&Option<Stored>> {
        self.rows.get(key)
    }

    /// What stood there before, if anything did.
    pub fn insert(&mut self, key: Vec<u8>, row: Option<Stored>) -> Option<Option<Stored>> {
        match self.rows.entry(key) {
            Entry::Occupied(mut entry) => Some(entry.insert(row)),
            Entry::Vacant(entry) => {
                if let Some(order) = self.order.get_mut() {
                    order.insert(entry.key().clone());
                }
                entry.insert(row);
                None
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// In the order in which the keys came.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &Option<Stored>)> {
        self.rows.iter().map(|(key, row)| (key.as_slice(), row))
    }

    /// In the order of the keys.
    pub fn sorted(&self) -> Vec<(&[u8], &Option<Stored>)> {
        let mut rows: Vec<_> = self.iter().collect();
        rows.sort_unstable_by_key(|(key, _)| *key);
        rows
    }

    /// Takes all rows out, in the order in which the keys came; the room stays.
    pub fn drain(&mut self) -> impl Iterator<Item = (Vec<u8>, Option<Stored>)> + '_ {
        self.order.take();
        self.rows.drain(..)
    }

    /// The rows with `from <= key < to` in key order; `to` absent is the end.
    pub fn range<'a>(&'a self, from: &[u8], to: Option<&[u8]>) -> impl Iterator<Item = (&'a [u8], &'a Option<Stored>)> + use<'a> {
        let bounds = (Bound::Included(from), to.map_or(Bound::Unbounded, Bound::Excluded));
        let empty = self.rows.is_empty() || to.is_some_and(|to| to <= from);
        let order = (!empty).then(|| self.order.get_or_init(|| self.rows.keys().cloned().collect()).range::<[u8], _>(bounds));
        order.into_iter().flatten().filter_map(|key| Some((key.as_slice(), self.rows.get(key)?)))
    }
}

impl PartialEq for TableRows {
    fn eq(&self, other: &TableRows) -> bool {
        self.rows == other.rows
    }
}

impl FromIterator<(Vec<u8>, Option<Stored>)> for TableRows {
    fn from_iter<I: IntoIterator<Item = (Vec<u8>, Option<Stored>)>>(rows: I) -> TableRows {
        TableRows { rows: rows.into_iter().collect(), order: OnceLock::new() }
    }
}

/// Changed rows of several tables. There are few of them, and they stay.
#[derive(Clone, Debug, Default)]
pub struct Rows(Vec<(TableId, TableRows)>);

impl Rows {
    pub fn table(&self, id: TableId) -> Option<&TableRows> {
        self.0.iter().find(|(table, _)| *table == id).map(|(_, rows)| rows)
    }

    pub fn table_mut(&mut self, id: TableId) -> &mut TableRows {
        let at = self.0.iter().position(|(table, _)| *table == id).unwrap_or_else(|| {
            self.0.push((id, TableRows::default()));
            self.0.len() - 1
        });
        &mut self.0[at].1
    }

    pub fn get(&self, table: TableId, key: &[u8]) -> Option<&Option<Stored>> {
        self.table(table)?.get(key)
    }

    pub fn insert(&mut self, table: TableId, key: Vec<u8>, row: Option<Stored>) -> Option<Option<Stored>> {
        self.table_mut(table).insert(key, row)
    }

    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|(_, rows)| rows.is_empty())
    }

    pub fn iter(&self) -> impl Iterator<Item = (TableId, &TableRows)> {
        self.0.iter().map(|(table, rows)| (*table, rows))
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = (TableId, &mut TableRows)> {
        self.0.iter_mut().map(|(table, rows)| (*table, rows))
    }
}

impl PartialEq for Rows {
    fn eq(&self, other: &Rows) -> bool {
        let filled = |rows: &Rows| rows.0.iter().filter(|(_, rows)| !rows.is_empty()).count();
        filled(self) == filled(other) && self.iter().all(|(table, rows)| rows.is_empty() || other.table(table) == Some(rows))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn stored(number: i64) -> Option<Stored> {
        Some(Stored { row: Vec::new().into(), timestamp: number })
    }

    proptest! {
        /// Whenever the order is first asked for, it is the one that an ordered map has.
        #[test]
        fn ranges_are_those_of_an_ordered_map(
            puts in prop::collection::vec((0..30u8, prop::option::of(0..9i64)), 0..40),
            asked_at in 0..40usize, from in 0..30u8, to in prop::option::of(0..32u8),
        ) {
            let (mut rows, mut model) = (TableRows::default(), BTreeMap::new());
            for (at, (key, number)) in puts.into_iter().enumerate() {
                let row = number.and_then(stored);
                prop_assert_eq!(rows.insert(vec![key], row.clone()), model.insert(vec![key], row));
                if at == asked_at {
                    prop_assert_eq!(rows.range(&[], None).count(), model.len());
                }
            }
            let end = to.map(|to| vec![to]);
            let found: Vec<_> = rows.range(&[from], end.as_deref()).map(|(key, row)| (key.to_vec(), row.clone())).collect();
            let wanted = model.iter().filter(|(key, _)| **key >= vec![from] && end.as_ref().is_none_or(|end| *key < end));
            prop_assert_eq!(found, wanted.map(|(key, row)| (key.clone(), row.clone())).collect::<Vec<_>>());
            let mut all: Vec<_> = rows.drain().collect();
            all.sort_by(|a, b| a.0.cmp(&b.0));
            prop_assert_eq!(all, model.into_iter().collect::<Vec<_>>());
            prop_assert!(rows.is_empty() && rows.range(&[], None).next().is_none());
        }
    }
}
