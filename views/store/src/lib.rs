//! View state larger than memory: resident rows with a database behind them: RocksDB ([`Caches`]), or the simulator's.
//!
//! A unit of work changes resident rows only; they reach RocksDB later, together with the cut they stand for, as one
//! write batch. Hot rows are therefore written once for many changes, and what a crash leaves behind is always the state at
//! some earlier cut: the input logs are the redo log, so nothing here is synced for the sake of durability unless the owner asks, because it wants to cut that log short.
//!
//! Invariants: RocksDB holds exactly the rows of its own cut; resident rows over it are exactly the rows of [`DiskStore::cut`];
//! dirty rows are never evicted before they are written; memory stays within the budget but for one unit's rows.
//! Absences: no clock (the owner says when to write back), no knowledge of plans.
mod absent;
mod budget;
mod database;
mod disk;
mod resident;
mod rocks;

pub use budget::RowBudget;
pub use database::{Database, Databases, Visit};
pub use disk::{DiskStore, WriteBack};
pub use rocks::{Caches, examine};
