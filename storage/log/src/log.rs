use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use millrace_record::{Epoch, Offset};
use millrace_world::Disk;

use crate::*;

/// One frame and its place in the replicated log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogEntry {
    pub index: u64,
    /// One whole batch or internal frame, stamped.
    pub bytes: Bytes,
}

/// What `Log::open` found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Recovered {
    /// The torn end of a crash, removed.
    pub cut: Option<Cut>,
    /// Bytes of log data that were read to get here; 0 or a header's worth after a clean stop.
    pub bytes_scanned: u64,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cut {
    /// The first entry that is gone.
    pub index: u64,
    pub bytes: u64,
    pub why: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Replayed {
    Appended,
    /// The same bytes were there already.
    Present,
}

/// The writer's side: one owner, one thread.
pub struct Log;

/// Work that can be done on another thread: fsync what is dirty.
pub struct Flush;
pub struct Flushed;

impl Flush {
    pub fn run(self) -> Result<Flushed, LogError> {
        todo!()
    }
}

impl Log {
    pub fn open(_disk: Arc<dyn Disk>, _dir: &Path, _config: LogConfig, _opening: Opening) -> Result<(Log, Recovered), LogError> {
        todo!()
    }
    pub fn reader(&self) -> LogReader {
        todo!()
    }
    pub fn config(&self) -> &LogConfig {
        todo!()
    }
    pub fn set_config(&mut self, _config: LogConfig) {
        todo!()
    }
    /// Appends frames in order: contiguous indexes, base offsets and rising terms, stamped already. One
    /// vectored write per segment. After an error the log holds some prefix of them: ask `last_index`.
    pub fn append(&mut self, _entries: &[LogEntry], _now_ms: i64) -> Result<(), LogError> {
        todo!()
    }
    /// One entry out of the journal: appended, or compared if its index is already there.
    pub fn replay(&mut self, _entry: LogEntry, _now_ms: i64) -> Result<Replayed, LogError> {
        todo!()
    }
    /// Removes `index` and everything behind it.
    pub fn truncate_from(&mut self, _index: u64) -> Result<(), LogError> {
        todo!()
    }
    /// Moves the start of the log up (durably) and removes the segments that lie wholly below it.
    pub fn trim_to(&mut self, _to: Offset) -> Result<(), LogError> {
        todo!()
    }
    /// Drops everything; the log then begins at `begin`.
    pub fn reset(&mut self, _begin: Begin, _now_ms: i64) -> Result<(), LogError> {
        todo!()
    }
    pub fn roll(&mut self, _now_ms: i64) -> Result<(), LogError> {
        todo!()
    }
    pub fn unsynced_bytes(&self) -> u64 {
        todo!()
    }
    /// Entries up to here are on the disk.
    pub fn synced_index(&self) -> u64 {
        todo!()
    }
    /// begin_flush + run + end_flush on this thread.
    pub fn sync(&mut self) -> Result<(), LogError> {
        todo!()
    }
    /// `None`: nothing is dirty. Only one flush may be under way.
    pub fn begin_flush(&mut self) -> Option<Flush> {
        todo!()
    }
    pub fn end_flush(&mut self, _flushed: Flushed) -> Result<(), LogError> {
        todo!()
    }
    /// sync, then write what lets the next `open` skip the scan.
    pub fn close(&mut self) -> Result<(), LogError> {
        todo!()
    }
    pub fn first_index(&self) -> u64 {
        todo!()
    }
    pub fn last_index(&self) -> u64 {
        todo!()
    }
    /// Terms of first_index-1 ..= last_index.
    pub fn term_of(&self, _index: u64) -> Result<Epoch, LogError> {
        todo!()
    }
    /// Entries `from..to`, at least one, up to `bytes_max`.
    pub fn entries(&self, _from: u64, _to: u64, _bytes_max: u64) -> Result<Vec<LogEntry>, LogError> {
        todo!()
    }
    pub fn start_offset(&self) -> Offset {
        todo!()
    }
    /// The offset that the next record gets.
    pub fn end_offset(&self) -> Offset {
        todo!()
    }
    pub fn size_bytes(&self) -> u64 {
        todo!()
    }
    pub fn producers(&self) -> &Producers {
        todo!()
    }
    /// For a leader that accepts several batches before it appends them: `Producers::apply` may run ahead
    /// of the log, `append` does not apply twice.
    pub fn producers_mut(&mut self) -> &mut Producers {
        todo!()
    }
    /// Reads the producers' state back from snapshot and log, after a proposal was dropped.
    pub fn rebuild_producers(&mut self) -> Result<(), LogError> {
        todo!()
    }
    /// Where retention wants the log to start, if that is further up than now. Pure: propose a trim.
    pub fn retention_target(&self, _now_ms: i64, _high_watermark: Offset) -> Option<Offset> {
        todo!()
    }
    /// Work for another thread, if the log is due for compaction below `upto` (committed and stable).
    pub fn prepare_clean(&mut self, _now_ms: i64, _upto: Offset, _map_bytes: usize) -> Option<CleanJob> {
        todo!()
    }
    pub fn install_clean(&mut self, _cleaned: Cleaned) -> Result<CleanReport, LogError> {
        todo!()
    }
}

pub struct CleanJob;
pub struct Cleaned;
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CleanReport {
    pub bytes_before: u64,
    pub bytes_after: u64,
    pub records_removed: u64,
}
impl CleanJob {
    pub fn run(self) -> Result<Cleaned, LogError> {
        todo!()
    }
}
