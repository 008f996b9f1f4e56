//! Adding entries at the end, and closing a segment to begin the next.
use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::Arc;

use millrace_record::{Frame, InternalKind, NO_TIMESTAMP, Offset};
use tracing::warn;

use super::{Log, LogEntry, Unsynced, fold};
use crate::LogError;
use crate::header::SegmentHeader;
use crate::segment::Segment;

const REPLAY_READ_BYTES: u64 = 1 << 20;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Replayed {
    Appended,
    /// The same bytes were there already.
    Present,
    /// Another epoch's entries were there, and had to go.
    Replaced,
}

/// What the entry behind the ones looked at so far must be like.
struct Cursor {
    offset: Offset,
    index: u64,
    epoch: millrace_record::Epoch,
}

impl Log {
    /// Appends stamped frames: indexes and base offsets without a gap, epochs not falling. One vectored
    /// write per segment. After an error some first part of them is in the log: ask `last_index`.
    pub fn append(&mut self, entries: &[LogEntry], now_ms: i64) -> Result<(), LogError> {
        self.writable()?;
        if self.replaying.capacity() > 0 {
            self.replaying = VecDeque::new();
        }
        let frames = self.check(entries)?;
        let mut at = 0;
        while at < entries.len() {
            let run = self.run_len(&entries[at..], &frames[at..], now_ms);
            if run == 0 {
                self.roll(now_ms)?;
                continue;
            }
            self.write(&entries[at..at + run], &frames[at..at + run], now_ms)?;
            at += run;
        }
        if self.snapshot_due {
            match self.write_snapshot() {
                // The entries are in the log. Without a snapshot the next start reads more of it.
                Err(error) if error.is_disk_full() => warn!(dir = %self.dir.display(), %error, "no snapshot of the producers"),
                written => written?,
            }
        }
        Ok(())
    }

    /// Takes one entry out of the journal: appends it, or compares it if its index is there already.
    pub fn replay(&mut self, entry: LogEntry, now_ms: i64) -> Result<Replayed, LogError> {
        if entry.index > self.last_index() {
            self.append(&[entry], now_ms)?;
            return Ok(Replayed::Appended);
        }
        if entry.index < self.first_index() {
            return Ok(Replayed::Present);
        }
        // The journal's entries come in order: one read serves many of them.
        if self.replaying.front().map(|present| present.index) != Some(entry.index) {
            self.replaying = self.entries(entry.index, self.last_index() + 1, REPLAY_READ_BYTES)?.into();
        }
        if self.replaying.pop_front().as_ref() == Some(&entry) {
            return Ok(Replayed::Present);
        }
        self.replaying.clear();
        let (frame, _) = Frame::parse(&entry.bytes)?;
        if frame.epoch() <= self.term_of(entry.index)? {
            let why = format!("entry {} of epoch {} is there with other bytes", entry.index, frame.epoch());
            return Err(LogError::corrupt(&self.active.path, 0, why));
        }
        self.truncate_from(entry.index)?;
        self.append(&[entry], now_ms)?;
        Ok(Replayed::Replaced)
    }

    /// Closes the active segment, if it has records, and begins the next.
    pub fn roll(&mut self, now_ms: i64) -> Result<(), LogError> {
        self.writable()?;
        // A segment is named by its first offset: one without records keeps its name.
        if self.end_offset() == self.active.base_offset() {
            return Ok(());
        }
        self.snapshot_due = true;
        if self.config.preallocate {
            let end = self.active.live().end;
            self.active.file()?.set_len(end).map_err(LogError::io("cut", &self.active.path))?;
        }
        let header = SegmentHeader {
            identity: self.identity,
            base_offset: self.end_offset(),
            first_index: self.last_index() + 1,
            previous_term: self.latest_epoch(),
            generation: 0,
            cleaned: None,
        };
        self.begin(header, now_ms)
    }

    /// Makes a new active segment behind all others.
    pub(super) fn begin(&mut self, header: SegmentHeader, now_ms: i64) -> Result<(), LogError> {
        let reserve = self.config.preallocate.then_some(self.config.segment_bytes);
        let segment = Arc::new(Segment::create(&self.disk, &self.dir, header, reserve, now_ms)?);
        self.names_changed += 1;
        // The segment that is closed here gets its index file once it is synced, even if it is already.
        if !self.unsynced.iter().any(|part| Arc::ptr_eq(&part.segment, &self.active)) {
            let synced_to = self.active.live().end;
            self.unsynced.push_back(Unsynced { segment: self.active.clone(), synced_to });
        }
        self.unsynced.push_back(Unsynced { segment: segment.clone(), synced_to: 0 });
        let mut segments = self.shared.segments().as_ref().clone();
        segments.push(segment.clone());
        self.shared.set_segments(segments);
        self.active = segment;
        self.checkpointed = 0;
        Ok(())
    }

    /// Reads the frames and sees that each follows on the one before.
    fn check<'a>(&self, entries: &'a [LogEntry]) -> Result<Vec<Frame<'a>>, LogError> {
        let mut next = Cursor { offset: self.end_offset(), index: self.last_index() + 1, epoch: self.latest_epoch() };
        let mut frames = Vec::with_capacity(entries.len());
        for entry in entries {
            let (frame, len) = Frame::parse(&entry.bytes)?;
            let (base, epoch) = (frame.base_offset(), frame.epoch());
            let fits = len == entry.bytes.len() && base == next.offset && entry.index == next.index && epoch >= next.epoch;
            let sound = match &frame {
                Frame::Batch(header, _) => header.last_offset_delta >= 0,
                Frame::Internal(frame) => frame.kind != InternalKind::SegmentHeader,
            };
            if !fits || !sound {
                return Err(LogError::Order(format!(
                    "entry {} at offset {base} of epoch {epoch}, where entry {} at {} of {} or later comes next",
                    entry.index, next.index, next.offset, next.epoch
                )));
            }
            if let Frame::Batch(header, _) = &frame {
                next.offset = header.next_offset();
            }
            (next.index, next.epoch) = (next.index + 1, epoch);
            frames.push(frame);
        }
        Ok(frames)
    }

    /// How many of the entries go into the active segment before it must be closed.
    fn run_len(&self, entries: &[LogEntry], frames: &[Frame<'_>], now_ms: i64) -> usize {
        let live = self.active.live();
        let base = self.active.base_offset();
        let (mut bytes, mut first_timestamp) = (live.end, live.first_timestamp);
        let (mut has_batch, mut has_records) = (live.max_timestamp != i64::MIN, live.end_offset > base);
        let span_ms = self.segment_span_ms(base);
        let index_full = (live.index_entries() as u64 + 1) * 8 > self.config.segment_index_bytes;
        for (count, (entry, frame)) in entries.iter().zip(frames).enumerate() {
            let len = entry.bytes.len() as u64;
            if has_records {
                let too_large = bytes + len > self.config.segment_bytes || index_full && count == 0;
                let too_old = match frame {
                    Frame::Batch(header, _) if has_batch && first_timestamp != NO_TIMESTAMP => {
                        header.max_timestamp.saturating_sub(first_timestamp) > span_ms
                    }
                    _ => now_ms.saturating_sub(live.begun_ms) > span_ms,
                };
                let too_far = match frame {
                    Frame::Batch(header, _) => header.last_offset() - base > i32::MAX as i64,
                    Frame::Internal(_) => false,
                };
                if too_large || too_old || too_far {
                    return count;
                }
            }
            bytes += len;
            if let Frame::Batch(header, _) = frame {
                if !has_batch {
                    first_timestamp = header.max_timestamp;
                }
                (has_batch, has_records) = (true, true);
            }
        }
        entries.len()
    }

    /// For how long records go into one segment. The jitter is a fixed function of log and segment.
    fn segment_span_ms(&self, base: Offset) -> i64 {
        let mut span = self.config.segment_ms;
        if self.config.cleanup.compact {
            span = span.min(self.config.max_compaction_lag_ms);
        }
        let mixed = (self.identity as u64 ^ (self.identity >> 64) as u64 ^ base.0 as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let jitter = (mixed >> 33) as i64 % self.config.segment_jitter_ms.max(1);
        span.saturating_sub(jitter).max(0)
    }

    /// One vectored write, then the state.
    fn write(&mut self, entries: &[LogEntry], frames: &[Frame<'_>], now_ms: i64) -> Result<(), LogError> {
        let segment = self.active.clone();
        let position = segment.live().end;
        let parts: Vec<IoSlice<'_>> = entries.iter().map(|entry| IoSlice::new(&entry.bytes)).collect();
        let file = segment.file()?;
        if let Err(error) = file.write_at(&parts, position) {
            // Part of it may be there, and whole frames would be taken for entries by the next start. So it
            // is cut off, reserved space with it; the next sync makes the cut durable. Where it cannot be
            // cut, nobody can be told that it is gone.
            if let Err(error) = file.set_len(position) {
                self.stop();
                return Err(LogError::io("cut", &segment.path)(error));
            }
            if !self.unsynced.back().is_some_and(|part| Arc::ptr_eq(&part.segment, &segment)) {
                self.unsynced.push_back(Unsynced { segment: segment.clone(), synced_to: position });
            }
            return Err(LogError::io("write", &segment.path)(error));
        }
        let end_offset = {
            let mut live = segment.live_mut();
            for (entry, frame) in entries.iter().zip(frames) {
                live.push(&segment.header, frame, entry.bytes.len(), self.config.index_interval_bytes);
            }
            live.last_append_ms = now_ms;
            live.end_offset
        };
        {
            let mut epochs = self.shared.epochs.write();
            for (entry, frame) in entries.iter().zip(frames) {
                epochs.note(frame.epoch(), frame.base_offset(), entry.index);
            }
        }
        for (entry, frame) in entries.iter().zip(frames) {
            fold(&mut self.producers, frame, &entry.bytes)?;
        }
        self.shared.set_end(end_offset);
        if !self.unsynced.back().is_some_and(|part| Arc::ptr_eq(&part.segment, &segment)) {
            self.unsynced.push_back(Unsynced { segment, synced_to: position });
        }
        Ok(())
    }
}
