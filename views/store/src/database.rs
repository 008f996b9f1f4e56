//! What lies behind the resident rows: RocksDB in a broker, a simulated one in the simulator.
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use millrace_engine::state::{Cut, Rows, StoreError, Stored, TableId};

/// Called with each row in key order until told to stop.
pub type Visit<'a> = &'a mut dyn FnMut(&[u8], &Stored) -> ControlFlow<()>;

/// Opens databases; what they share lives here.
pub trait Databases: Send + Sync {
    /// Comes back with some prefix of what was written into `dir`, at least with what was synced, or with [`StoreError::Damaged`].
    /// `files` are the names that lie in the folder: where some of a database are, it is never made anew.
    fn open(&self, dir: &Path, files: &[String]) -> Result<Arc<dyn Database>, StoreError>;
}

/// Ordered tables of rows and one cut. A write is all there after a crash, or nothing of it is.
pub trait Database: Send + Sync {
    fn get(&self, table: TableId, key: &[u8]) -> Result<Option<Stored>, StoreError>;

    /// Whether nothing was ever written.
    fn is_empty(&self) -> Result<bool, StoreError>;

    /// Of the last write.
    fn cut(&self) -> Result<Cut, StoreError>;

    /// Not synced: a crash of the machine may bring back an earlier cut, never half of one.
    fn write(&self, rows: &Rows, cut: &Cut) -> Result<(), StoreError>;

    /// Makes what was written outlive a crash of the machine.
    fn sync(&self) -> Result<(), StoreError>;

    fn scan(&self, table: TableId, from: &[u8], to: Option<&[u8]>, visit: Visit<'_>) -> Result<(), StoreError>;

    /// An estimate, in bytes.
    fn disk_bytes(&self) -> u64;
}
