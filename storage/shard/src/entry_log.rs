//! The segmented log as Raft's storage.
use millrace_log::{Log, LogEntry, LogError};
use millrace_record::{Offset, Prefix};
use millrace_replica::{EntryLog, LogReadError};

pub(crate) struct GroupLog(pub Log);

impl EntryLog for GroupLog {
    fn first_index(&self) -> u64 {
        self.0.first_index()
    }

    fn last_index(&self) -> u64 {
        self.0.last_index()
    }

    fn term_of(&self, index: u64) -> Option<u64> {
        let epoch = self.0.term_of(index).ok()?;
        u64::try_from(epoch.0).ok()
    }

    fn entries(&self, from: u64, to: u64, bytes_max: u64) -> Result<Vec<LogEntry>, LogReadError> {
        self.0.entries(from, to, bytes_max).map_err(|e| match e {
            LogError::Removed { index, .. } => LogReadError::Compacted(index),
            e => LogReadError::Trouble(e.to_string()),
        })
    }

    fn offset_after(&self, index: u64) -> Result<Offset, LogReadError> {
        if index == self.last_index() {
            return Ok(self.0.end_offset());
        }
        // Where the next entry begins.
        let next = self.entries(index + 1, index + 2, 0)?;
        let frame = next.first().ok_or_else(|| LogReadError::Trouble(format!("entry {} cannot be read", index + 1)))?;
        let prefix = Prefix::parse(&frame.bytes).map_err(|e| LogReadError::Trouble(e.to_string()))?;
        Ok(prefix.base_offset)
    }
}
