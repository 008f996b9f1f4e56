//! Compaction: of each key only the latest record stays.
mod swap;

use millrace_record::Offset;

use crate::{Log, LogError};

pub(crate) use swap::finish_swaps;

/// Rewriting to be done, on any thread.
pub struct CleanJob(());

/// Segments that were rewritten and wait to be put in place.
pub struct Cleaned(());

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CleanReport {
    pub bytes_before: u64,
    pub bytes_after: u64,
    pub records_removed: u64,
}

impl CleanJob {
    pub fn run(self) -> Result<Cleaned, LogError> {
        Ok(Cleaned(self.0))
    }
}

impl Log {
    /// Work for another thread, if the log is due for compaction below `upto` (committed and stable).
    pub fn prepare_clean(&mut self, _now_ms: i64, _upto: Offset, _map_bytes: usize) -> Option<CleanJob> {
        None
    }

    pub fn install_clean(&mut self, _cleaned: Cleaned) -> Result<CleanReport, LogError> {
        Ok(CleanReport::default())
    }
}
