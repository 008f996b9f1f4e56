//! State: ordered tables of rows, changed in atomic units together with the cut that they stand for.
//!
//! Invariants: a unit's rows and its cut become visible and durable together or not at all; whatever prefix of units a store comes
//! back with is right, because the cut inside says what to read again. Tables are ordered by key bytes.
//! Absences: no clock, no expiry by itself (operators delete what they no longer need).

mod bytes;
mod cut;
mod key;
mod memory;
mod rows;
mod unit;

pub use self::bytes::{CorruptRow, decode_cut, decode_row, encode_cut, encode_row, put_row, value_bytes};
pub use cut::{Cut, InputId};
pub use key::{KeyBuilder, after_prefix, decode_values, encode_values, encode_windowed, split_time};
pub use memory::MemoryStore;
pub use rows::{KeyHasher, Rows, TableRows};
pub use unit::{Pending, Unit};

use std::ops::ControlFlow;

use crate::row::Row;

/// One ordered table of a view's state. Numbers are given out when the plan is compiled, in a fixed order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId(pub u32);

/// A row at rest, with the event time it has.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    pub row: Row,
    pub timestamp: i64,
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("state cannot be read or written: {0}")]
    Io(#[from] std::io::Error),
    #[error("state is corrupt: {0}")]
    Corrupt(#[from] CorruptRow),
    /// What lies on disk is not what was written there: trying again will not help.
    #[error("state is damaged: {0}")]
    Damaged(String),
}

/// Where a view partition keeps its rows.
pub trait Store: Send {
    fn get(&self, table: TableId, key: &[u8]) -> Result<Option<Stored>, StoreError>;

    /// A row whose key begins so will be put.
    fn note_prefix(&self, _: TableId, _: &[u8]) {}

    /// `false`: no row's key begins so, where every row of the table was announced with [`Store::note_prefix`].
    fn may_have_prefix(&self, _: TableId, _: &[u8]) -> bool {
        true
    }

    /// Visits the rows with `from <= key < to` in key order until told to stop; `to` absent is the table's end.
    fn scan(
        &self,
        table: TableId,
        from: &[u8],
        to: Option<&[u8]>,
        visit: &mut dyn FnMut(&[u8], &Stored) -> ControlFlow<()>,
    ) -> Result<(), StoreError>;

    /// The cut of the last batch.
    fn cut(&self) -> Result<Cut, StoreError>;

    /// Takes the changed rows out and makes them the state, together with the cut: all or nothing.
    fn commit(&mut self, rows: &mut Rows, cut: &Cut) -> Result<(), StoreError>;
}
