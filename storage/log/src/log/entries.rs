//! The log as the replicated log sees it: entries by index.
use millrace_record::Epoch;

use super::{Log, LogEntry};
use crate::LogError;
use crate::scan::{Crc, FrameScan};

impl Log {
    /// The first entry that is still there as it was written. Below lie entries that retention removed
    /// or compaction rewrote.
    pub fn first_index(&self) -> u64 {
        let segments = self.shared.segments();
        let first = segments.get(segments.partition_point(|segment| segment.is_cleaned()));
        first.map_or(self.last_index() + 1, |segment| segment.header.first_index)
    }

    /// 0 in a log that never had an entry.
    pub fn last_index(&self) -> u64 {
        self.active.live().last_index
    }

    /// The term of an entry from `first_index - 1` to `last_index`.
    pub fn term_of(&self, index: u64) -> Result<Epoch, LogError> {
        let (first, last) = (self.first_index(), self.last_index());
        if index > last {
            return Err(LogError::Beyond { index, last });
        }
        if index + 1 < first {
            return Err(LogError::Removed { index, first });
        }
        if index + 1 == first {
            let segments = self.shared.segments();
            let segment = segments.get(segments.partition_point(|segment| segment.is_cleaned()));
            return Ok(segment.map_or(Epoch(0), |segment| segment.header.previous_term));
        }
        self.shared.epochs.read().at_index(index).ok_or(LogError::Removed { index, first })
    }

    /// Entries `from..to`: at least one, and no more once `bytes_max` is reached.
    pub fn entries(&self, from: u64, to: u64, bytes_max: u64) -> Result<Vec<LogEntry>, LogError> {
        let (first, last) = (self.first_index(), self.last_index());
        if from < first {
            return Err(LogError::Removed { index: from, first });
        }
        if from >= to {
            return Ok(Vec::new());
        }
        if to > last + 1 {
            return Err(LogError::Beyond { index: to - 1, last });
        }
        let mut out = Vec::new();
        let mut bytes_left = bytes_max;
        let segments = self.shared.segments();
        let at = segments.partition_point(|segment| segment.header.first_index <= from).saturating_sub(1);
        for segment in &segments[at..] {
            let floor = segment.floor_index(from)?;
            let mut index = floor.index;
            let end = segment.live().end;
            let mut scan = FrameScan::new(segment.file()?.clone(), &segment.path, floor.position, end, Crc::Verify);
            while let Some((_, _, bytes)) = scan.next().map_err(|error| error.into_log_error(&segment.path))? {
                if index >= from {
                    let len = bytes.len() as u64;
                    if index >= to || len > bytes_left && !out.is_empty() {
                        return Ok(out);
                    }
                    bytes_left = bytes_left.saturating_sub(len);
                    out.push(LogEntry { index, bytes: bytes::Bytes::copy_from_slice(bytes) });
                }
                index += 1;
            }
        }
        Ok(out)
    }
}
