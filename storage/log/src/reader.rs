use bytes::Bytes;
use millrace_record::{Epoch, Offset};

use crate::{LogError, ReadError};

/// The readers' side: any thread, any number. Shares no slow lock with the writer.
#[derive(Clone)]
pub struct LogReader;

/// Whole batches, as they lie on disk.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ReadSlices {
    pub slices: Vec<Bytes>,
    pub bytes: usize,
    /// Of the first batch; may lie below the offset that was asked for.
    pub first_offset: Option<Offset>,
    /// Where the next read goes on; equals `from` when nothing was read.
    pub next_offset: Offset,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimestampedOffset {
    pub offset: Offset,
    pub timestamp: i64,
    pub epoch: Epoch,
}

impl LogReader {
    /// Batches from the one that holds `from` up to those that end below `upto`.
    pub fn read(&self, _from: Offset, _upto: Offset, _bytes_max: usize, _at_least_one: bool) -> Result<ReadSlices, ReadError> {
        todo!()
    }
    /// The first record at or after `timestamp`, below `upto`.
    pub fn offset_for_timestamp(&self, _timestamp: i64, _upto: Offset) -> Result<Option<TimestampedOffset>, LogError> {
        todo!()
    }
    /// The record with the greatest timestamp, below `upto`.
    pub fn max_timestamp(&self, _upto: Offset) -> Result<Option<TimestampedOffset>, LogError> {
        todo!()
    }
    pub fn start_offset(&self) -> Offset {
        todo!()
    }
    pub fn end_offset(&self) -> Offset {
        todo!()
    }
    pub fn size_bytes(&self) -> u64 {
        todo!()
    }
    /// The largest epoch <= `epoch`, and where it ends. `None` for one that is not known yet.
    pub fn epoch_end_offset(&self, _epoch: Epoch) -> Option<(Epoch, Offset)> {
        todo!()
    }
    /// The epoch in which `offset` was written.
    pub fn epoch_of(&self, _offset: Offset) -> Option<Epoch> {
        todo!()
    }
    pub fn latest_epoch(&self) -> Option<Epoch> {
        todo!()
    }
}
