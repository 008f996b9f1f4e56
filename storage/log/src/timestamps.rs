//! Looking records up by time.
use millrace_record::{Epoch, Frame, Offset, Records};

use crate::reader::LogReader;
use crate::scan::{Crc, FrameScan};
use crate::segment::Segment;
use crate::{DECOMPRESSED_BYTES_MAX, LogError};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimestampedOffset {
    pub offset: Offset,
    pub timestamp: i64,
    pub epoch: Epoch,
}

impl LogReader {
    /// The first record at or after `timestamp`, from the log's start to below `upto`.
    pub fn offset_for_timestamp(&self, timestamp: i64, upto: Offset) -> Result<Option<TimestampedOffset>, LogError> {
        let start = self.start_offset();
        for segment in self.shared.segments().iter() {
            if segment.base_offset() >= upto {
                break;
            }
            let (max_timestamp, end_offset) = (segment.live().max_timestamp, segment.live().end_offset);
            if max_timestamp < timestamp || end_offset <= start {
                continue;
            }
            if let Some(found) = first_at_or_after(segment, timestamp, start, upto)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The first record with the greatest timestamp of all, from the log's start to below `upto`.
    pub fn max_timestamp(&self, upto: Offset) -> Result<Option<TimestampedOffset>, LogError> {
        let mut best: Option<TimestampedOffset> = None;
        for segment in self.shared.segments().iter() {
            if segment.base_offset() >= upto {
                break;
            }
            let (max_timestamp, end_offset) = (segment.live().max_timestamp, segment.live().end_offset);
            if best.is_some_and(|best| max_timestamp <= best.timestamp) || end_offset <= self.start_offset() {
                continue;
            }
            // Usually the whole segment counts, and one look finds its greatest. Where a part of it lies
            // below the start or above `upto`, look for the greatest of the rest, step by step.
            let mut above = best.map_or(i64::MIN, |best| best.timestamp.saturating_add(1));
            let whole = first_at_or_after(segment, max_timestamp, self.start_offset(), upto)?;
            if whole.is_some() {
                best = whole;
                continue;
            }
            while let Some(found) = first_at_or_after(segment, above, self.start_offset(), upto)? {
                best = Some(found);
                above = found.timestamp.saturating_add(1);
            }
        }
        Ok(best)
    }
}

fn first_at_or_after(segment: &Segment, timestamp: i64, start: Offset, upto: Offset) -> Result<Option<TimestampedOffset>, LogError> {
    let end = segment.live().end;
    let floor = segment.floor_timestamp(timestamp)?;
    let mut scan = FrameScan::new(segment.file()?.clone(), &segment.path, floor.position, end, Crc::Verify);
    loop {
        let at = scan.position();
        let Some((_, frame, bytes)) = scan.next().map_err(|error| error.into_log_error(&segment.path))? else {
            return Ok(None);
        };
        let Frame::Batch(header, _) = frame else { continue };
        if header.base_offset >= upto {
            return Ok(None);
        }
        if header.max_timestamp < timestamp || header.next_offset() <= start || header.count == 0 {
            continue;
        }
        let corrupt = |error| LogError::corrupt(&segment.path, at, error);
        let records = Records::open(bytes, DECOMPRESSED_BYTES_MAX).map_err(corrupt)?;
        for record in records.iter() {
            let record = record.map_err(corrupt)?;
            let (offset, time) = (header.offset_of(&record), header.timestamp_of(&record));
            if time >= timestamp && offset >= start && offset < upto {
                return Ok(Some(TimestampedOffset { offset, timestamp: time, epoch: header.epoch }));
            }
        }
    }
}
