//! Entries as the log holds them, and the log as Raft needs it.
use millrace_log::LogEntry;
use millrace_record::{BatchError, BatchHeader, Epoch, MAGIC_BATCH, Offset, Prefix};
use thiserror::Error;

pub(crate) fn end_offset(frame: &[u8]) -> Result<Offset, BatchError> {
    let prefix = Prefix::parse(frame)?;
    if prefix.magic == MAGIC_BATCH { Ok(BatchHeader::parse(frame)?.next_offset()) } else { Ok(prefix.base_offset) }
}

/// A term as Kafka's clients see it.
pub(crate) fn epoch(term: u64) -> Epoch {
    // At one election a millisecond this is reached after 24 days of nothing but elections.
    Epoch(i32::try_from(term).expect("Raft terms stay within Kafka's leader epochs"))
}

#[derive(Debug, Error)]
pub enum LogReadError {
    /// Trimmed away; only a snapshot can help.
    #[error("entry {0} is gone")]
    Compacted(u64),
    #[error("reading the log: {0}")]
    Trouble(String),
}

/// The log as Raft needs it. Everything that was appended reads back at once, synced or not.
pub trait EntryLog {
    /// The first index whose entry can still be read. The term of the one before it is known.
    fn first_index(&self) -> u64;
    /// 0 in a log that never held an entry.
    fn last_index(&self) -> u64;
    /// Known from `first_index() - 1` to `last_index()`.
    fn term_of(&self, index: u64) -> Option<u64>;
    /// Entries `from..to`, at least the first, no more than `bytes_max` together beyond it.
    fn entries(&self, from: u64, to: u64, bytes_max: u64) -> Result<Vec<LogEntry>, LogReadError>;
    /// The offset after the entry `index`, for `first_index() - 1` and all that can be read.
    fn offset_after(&self, index: u64) -> Result<Offset, LogReadError>;
}
