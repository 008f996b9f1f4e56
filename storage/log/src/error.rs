use std::io;
use std::path::{Path, PathBuf};

use millrace_record::{BatchError, Offset};
use thiserror::Error;

/// What is being done when a sync fails.
pub(crate) const SYNC: &str = "sync";

#[derive(Debug, Error)]
pub enum LogError {
    #[error("{doing} {}: {source}", path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    /// Bytes that were once written whole are not what they were. Nothing was changed.
    #[error("{} is corrupt at byte {position}: {why}", path.display())]
    Corrupt { path: PathBuf, position: u64, why: String },
    /// The folder holds somebody else's segments.
    #[error("{} belongs to log {found:#034x}, not {expected:#034x}", path.display())]
    Foreign { path: PathBuf, expected: u128, found: u128 },
    /// A caller's mistake: the entries do not follow on what is there.
    #[error("out of order: {0}")]
    Order(String),
    /// The entry was removed by retention or cleaning.
    #[error("entry {index} is below the first one, {first}")]
    Removed { index: u64, first: u64 },
    /// The entry is not there yet.
    #[error("entry {index} is beyond the last one, {last}")]
    Beyond { index: u64, last: u64 },
    /// An earlier sync failed. What is on disk is not known, and nothing more is written to it.
    #[error("{} takes no more writes: a sync failed", dir.display())]
    Stopped { dir: PathBuf },
    #[error("not a frame: {0}")]
    Frame(#[from] BatchError),
}

impl LogError {
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LogError {
        let path = path.to_path_buf();
        move |source| LogError::Io { doing, path, source }
    }

    pub(crate) fn corrupt(path: &Path, position: u64, why: impl ToString) -> LogError {
        LogError::Corrupt { path: path.to_path_buf(), position, why: why.to_string() }
    }

    /// There was no room; what was there before is untouched, and the call may be repeated later.
    pub fn is_disk_full(&self) -> bool {
        let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
        // A sync that finds no room has lost what it was to keep, like any sync that fails.
        matches!(self, LogError::Io { doing, source, .. } if *doing != SYNC && full.contains(&source.kind()))
    }

    /// The disk did not do what it was told, and what is on it is not known.
    pub(crate) fn is_trouble(&self) -> bool {
        matches!(self, LogError::Io { .. }) && !self.is_disk_full()
    }
}

#[derive(Debug, Error)]
pub enum ReadError {
    #[error("offset {offset} is outside {start}..={end}")]
    OutOfRange { offset: Offset, start: Offset, end: Offset },
    #[error(transparent)]
    Log(#[from] LogError),
}
