//! Reading: any thread, any number, while the writer appends, rolls, trims and cleans.
//!
//! A read takes a snapshot of the list of segments and reads whole batches out of it with `pread`.
//! Every batch's checksum is compared before it is handed out: what rotted on disk is an error, never
//! an answer. Absence: nothing here keeps bytes; the page cache is the cache.
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use millrace_record::{BatchHeader, Epoch, InternalFrame, MAGIC_BATCH, Offset, PREFIX_LEN, Prefix, verify_crc};

use crate::segment::Segment;
use crate::shared::Shared;
use crate::{LogError, ReadError};

#[derive(Clone)]
pub struct LogReader {
    pub(crate) shared: Arc<Shared>,
}

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

/// Read ahead of the first wanted byte: what the sparse index's floor may lie in front of it.
const SLACK: usize = 4 << 10;

impl LogReader {
    /// Batches from the one that holds `from` on, as long as they end below `upto` and fit `bytes_max`;
    /// the first one regardless of its size if `at_least_one`.
    pub fn read(&self, from: Offset, upto: Offset, bytes_max: usize, at_least_one: bool) -> Result<ReadSlices, ReadError> {
        let segments = self.shared.segments();
        let (start, end) = (self.shared.start(), self.shared.end());
        if from < start || from > end {
            return Err(ReadError::OutOfRange { offset: from, start, end });
        }
        let mut reading = Reading {
            from,
            upto: upto.min(end),
            bytes_max,
            at_least_one,
            out: ReadSlices { next_offset: from, ..ReadSlices::default() },
        };
        let first = segments.partition_point(|segment| segment.base_offset() <= from).saturating_sub(1);
        for segment in &segments[first..] {
            if let Flow::Done = reading.segment(segment)? {
                break;
            }
        }
        Ok(reading.out)
    }

    pub fn start_offset(&self) -> Offset {
        self.shared.start()
    }

    /// The offset that the next record gets.
    pub fn end_offset(&self) -> Offset {
        self.shared.end()
    }

    pub fn size_bytes(&self) -> u64 {
        self.shared.segments().iter().map(|segment| segment.live().end).sum()
    }

    /// The largest epoch that is not above `epoch`, and where it ends. `None` for one not known yet.
    pub fn epoch_end_offset(&self, epoch: Epoch) -> Option<(Epoch, Offset)> {
        self.shared.epochs.read().end_of(epoch, self.shared.end())
    }

    /// The epoch in which `offset` was, or would be, written.
    pub fn epoch_of(&self, offset: Offset) -> Option<Epoch> {
        self.shared.epochs.read().at_offset(offset)
    }

    pub fn latest_epoch(&self) -> Option<Epoch> {
        self.shared.epochs.read().latest()
    }
}

enum Flow {
    Next,
    Done,
}

struct Reading {
    from: Offset,
    upto: Offset,
    bytes_max: usize,
    at_least_one: bool,
    out: ReadSlices,
}

impl Reading {
    fn segment(&mut self, segment: &Segment) -> Result<Flow, LogError> {
        // The end first: what the index and the bytes below it say does not change any more.
        let (end, end_offset) = {
            let live = segment.live();
            (live.end, live.end_offset)
        };
        let floor = segment.floor_offset(self.from)?;
        let mut position = floor.position;
        // Offsets of an uncleaned segment are dense, so the place of the next frame is known without a
        // look at it. Frames at or above `upto` may be cut and rewritten while we read: not looked at.
        let mut expected = floor.offset;
        let mut want = self.budget().saturating_add(SLACK);
        while position < end {
            if expected >= self.upto {
                return Ok(Flow::Done);
            }
            let len = (want as u64).min(end - position) as usize;
            let chunk = read_chunk(segment, position, len)?;
            let mut step = Step { segment, position, at: 0, expected, taken: 0..0 };
            let stop = self.chunk(&chunk, &mut step)?;
            if !step.taken.is_empty() {
                self.out.slices.push(chunk.slice(step.taken.clone()));
            }
            (position, expected) = (position + step.at as u64, step.expected);
            match stop {
                Stop::Done => return Ok(Flow::Done),
                Stop::Needs(_) if position == end => {}
                Stop::Needs(bytes) if bytes as u64 > end - position => {
                    return Err(LogError::corrupt(&segment.path, position, format!("a frame of {bytes} bytes runs past the end, {end}")));
                }
                Stop::Needs(bytes) => want = bytes.max(self.budget().saturating_add(SLACK)),
            }
        }
        // Damage may pass for frames that hold no records. Where offsets are dense it is missed here at the latest.
        if !segment.is_cleaned() && expected < end_offset.min(self.upto) {
            return Err(LogError::corrupt(&segment.path, end, format!("the frames end at offset {expected} where {end_offset} comes next")));
        }
        Ok(Flow::Next)
    }

    fn budget(&self) -> usize {
        self.bytes_max.saturating_sub(self.out.bytes)
    }

    /// Steps over the frames that lie wholly in `chunk`.
    fn chunk(&mut self, chunk: &Bytes, step: &mut Step<'_>) -> Result<Stop, LogError> {
        loop {
            if step.expected >= self.upto {
                return Ok(Stop::Done);
            }
            let rest = &chunk[step.at..];
            if rest.len() < PREFIX_LEN {
                return Ok(Stop::Needs(PREFIX_LEN.max(rest.len() + 1)));
            }
            let prefix = Prefix::parse(rest).map_err(|error| step.corrupt(error))?;
            let len = prefix.frame_len();
            if prefix.magic == MAGIC_BATCH {
                step.check_place(prefix.base_offset)?;
            }
            // A batch that is not wanted ends the read before its bytes are asked for.
            let wanted = prefix.magic == MAGIC_BATCH && prefix.base_offset >= self.from;
            if wanted && (prefix.base_offset >= self.upto || !self.fits(len)) {
                return Ok(Stop::Done);
            }
            let Some(frame) = rest.get(..len) else { return Ok(Stop::Needs(len)) };
            if prefix.magic == MAGIC_BATCH {
                let header = BatchHeader::parse(frame).map_err(|error| step.corrupt(error))?;
                let next = header.next_offset();
                if next <= header.base_offset {
                    return Err(step.corrupt(format!("a batch of {} offsets", header.width())));
                }
                if next > self.from {
                    if !self.fits(len) {
                        return Ok(Stop::Done);
                    }
                    verify_crc(frame).map_err(|error| step.corrupt(error))?;
                    if next > self.upto {
                        return Ok(Stop::Done);
                    }
                    self.take(header.base_offset, next, chunk, step, len);
                }
                step.expected = next;
            } else {
                InternalFrame::parse(frame).and_then(|_| verify_crc(frame)).map_err(|error| step.corrupt(error))?;
            }
            step.at += len;
        }
    }

    fn fits(&self, len: usize) -> bool {
        len <= self.budget() || self.at_least_one && self.out.bytes == 0
    }

    /// Adds a batch to the answer: to the slice under way, if it lies right behind it.
    fn take(&mut self, base: Offset, next: Offset, chunk: &Bytes, step: &mut Step<'_>, len: usize) {
        if step.taken.end != step.at {
            if !step.taken.is_empty() {
                self.out.slices.push(chunk.slice(step.taken.clone()));
            }
            step.taken = step.at..step.at;
        }
        step.taken.end += len;
        self.out.first_offset.get_or_insert(base);
        self.out.next_offset = next;
        self.out.bytes += len;
    }
}

enum Stop {
    Done,
    /// The frame at the step's place has so many bytes, and the chunk ends before.
    Needs(usize),
}

/// Where in a chunk we are.
struct Step<'a> {
    segment: &'a Segment,
    /// Of the chunk in the segment.
    position: u64,
    at: usize,
    expected: Offset,
    /// The part of the chunk that goes into the answer and is not there yet.
    taken: std::ops::Range<usize>,
}

impl Step<'_> {
    /// A base offset lies outside the checksum; its neighbours vouch for it.
    fn check_place(&self, base: Offset) -> Result<(), LogError> {
        let fits = if self.segment.is_cleaned() { base >= self.expected && base < self.segment.live().end_offset } else { base == self.expected };
        if fits { Ok(()) } else { Err(self.corrupt(format!("offset {base} where {} comes next", self.expected))) }
    }

    fn corrupt(&self, why: impl ToString) -> LogError {
        LogError::corrupt(&self.segment.path, self.position + self.at as u64, why)
    }
}

fn read_chunk(segment: &Segment, position: u64, len: usize) -> Result<Bytes, LogError> {
    let mut chunk = BytesMut::zeroed(len);
    let read = segment.file()?.read_at(&mut chunk, position).map_err(LogError::io("read", &segment.path))?;
    if read < len {
        let why = format!("{read} bytes where {len} were written");
        return Err(LogError::corrupt(&segment.path, position, why));
    }
    Ok(chunk.freeze())
}
