//! Taking away: conflicting entries at the end, trimmed segments at the start, or everything.
use std::sync::Arc;

use millrace_record::Offset;

use super::{Log, Unsynced};
use crate::epochs::Epochs;
use crate::header::SegmentHeader;
use crate::index::Sparse;
use crate::scan::{Crc, FrameScan};
use crate::segment::{Live, Segment};
use crate::start::StartFile;
use crate::{Begin, LogError, Producers, files, paths};

impl Log {
    /// Removes `index` and everything behind it. Only entries that were never committed.
    pub fn truncate_from(&mut self, index: u64) -> Result<(), LogError> {
        self.writable()?;
        let (first, last) = (self.first_index(), self.last_index());
        if index > last {
            return Ok(());
        }
        if index < first {
            return Err(LogError::Removed { index, first });
        }
        self.truncations += 1;
        self.replaying.clear();
        let mut segments = self.shared.segments().as_ref().clone();
        // Newest first: what a crash in the middle leaves is still a log without holes.
        let mut removed = Vec::new();
        while segments.len() > 1 && segments.last().is_some_and(|segment| segment.header.first_index >= index) {
            removed.extend(segments.pop());
        }
        let last = segments.last().expect("the first segment stays").clone();
        self.active = last.clone();
        let live = self.live_before(&last, index)?;
        self.forget_index(&last)?;
        let end_offset = live.end_offset;
        // From here on readers see the shorter log; the bytes go afterwards.
        *last.live_mut() = live;
        self.shared.set_end(end_offset);
        self.shared.set_segments(segments);
        self.shared.epochs.write().truncate_from(index);
        if !removed.is_empty() {
            self.remove_files(&removed)?;
            // Another segment may soon have the same name: what vouched for this one must be gone by then.
            self.sync_names()?;
        }
        let end = last.live().end;
        last.file()?.set_len(end).map_err(LogError::io("cut", &last.path))?;
        self.unsynced.retain(|part| !removed.iter().any(|gone| Arc::ptr_eq(gone, &part.segment)));
        match self.unsynced.back_mut().filter(|part| Arc::ptr_eq(&part.segment, &last)) {
            Some(part) => part.synced_to = part.synced_to.min(end),
            // The new length is what is not synced.
            None => self.unsynced.push_back(Unsynced { segment: last, synced_to: end }),
        }
        self.synced_index = self.synced_index.min(index - 1);
        self.rebuild_producers()
    }

    /// What a segment is like without the entries from `index` on.
    fn live_before(&self, segment: &Segment, index: u64) -> Result<Live, LogError> {
        let floor = segment.floor_index(index)?;
        let end = segment.live().end;
        let mut live = Live::new(&segment.header, segment.live().last_append_ms);
        if floor.max_timestamp_before != i64::MIN {
            live.first_timestamp = segment.live().first_timestamp;
        }
        (live.end, live.end_offset, live.last_index) = (floor.position, floor.offset, floor.index - 1);
        live.max_timestamp = floor.max_timestamp_before;
        let mut scan = FrameScan::new(segment.file()?.clone(), &segment.path, floor.position, end, Crc::Trust);
        while live.last_index + 1 < index {
            let next = scan.next().map_err(|error| error.into_log_error(&segment.path))?;
            let Some((_, frame, bytes)) = next else { break };
            live.push(&segment.header, &frame, bytes.len(), u64::MAX);
        }
        let mut entries = segment.live().sparse.to_vec();
        entries.retain(|entry| (entry.position as u64) < live.end);
        live.indexed_to = entries.last().map_or(live.indexed_to, |entry| entry.position as u64);
        live.sparse = Sparse::Memory(entries);
        Ok(live)
    }

    /// Moves the start of the log up to `to`, durably, and removes the segments that lie wholly below.
    pub fn trim_to(&mut self, to: Offset) -> Result<(), LogError> {
        self.writable()?;
        let to = to.min(self.end_offset());
        if to <= self.start.start {
            return Ok(());
        }
        // Nothing of the active segment is wanted any more: close it, so that it can go too.
        if to == self.end_offset() {
            let now_ms = self.active.live().last_append_ms;
            self.roll(now_ms)?;
        }
        // The log must still be one if a crash follows: it reaches the new start on disk, and what will
        // be its first segment is there before those in front of it go.
        let segments = self.shared.segments();
        let keep_from = segments.partition_point(|segment| segment.base_offset() <= to).saturating_sub(1);
        let below = |part: &Unsynced| part.segment.base_offset() < to && part.synced_to < part.segment.live().end;
        let never_synced = |part: &Unsynced| part.synced_to == 0 && Arc::ptr_eq(&part.segment, &segments[keep_from]);
        if self.unsynced.iter().any(|part| below(part) || keep_from > 0 && never_synced(part)) {
            self.sync()?;
        }
        if keep_from > 0 {
            self.keep_producers()?;
        }
        let start = StartFile { start: to, first_dirty: self.start.first_dirty.max(to) };
        self.store_start(start)?;
        self.shared.set_start(to);
        if keep_from > 0 {
            let removed = &segments[..keep_from];
            for segment in removed {
                segment.pin()?;
            }
            self.shared.set_segments(segments[keep_from..].to_vec());
            self.unsynced.retain(|part| !removed.iter().any(|gone| Arc::ptr_eq(gone, &part.segment)));
            for segment in removed {
                files::remove(self.disk.as_ref(), &segment.index_path())?;
                self.doomed.extend(files::doom(self.disk.as_ref(), &segment.path)?);
                self.names_changed += 1;
            }
        }
        let first_index = self.shared.segments()[0].header.first_index;
        self.shared.epochs.write().trim_to(to, first_index);
        Ok(())
    }

    /// Drops everything; the log then begins at `begin`: what a snapshot from elsewhere will fill.
    pub fn reset(&mut self, begin: Begin, now_ms: i64) -> Result<(), LogError> {
        self.writable()?;
        self.truncations += 1;
        let mut removed = self.shared.segments().as_ref().clone();
        removed.reverse();
        for segment in &removed {
            segment.pin()?;
        }
        // A start without its log would be damage; a log without a start begins with its first record.
        files::remove(self.disk.as_ref(), &paths::start_path(&self.dir))?;
        self.start_stored = false;
        self.sync_names()?;
        self.remove_files(&removed)?;
        for at in self.snapshots()? {
            files::remove(self.disk.as_ref(), &paths::FileKind::Snapshot.path(&self.dir, at))?;
        }
        self.sync_names()?;
        self.unsynced.clear();
        self.producers = Producers::default();
        self.snapshot_at = None;
        self.synced_index = begin.index.saturating_sub(1);
        *self.shared.epochs.write() = Epochs::default();
        let header = SegmentHeader {
            identity: self.identity,
            base_offset: begin.offset,
            first_index: begin.index,
            previous_term: begin.previous_term,
            generation: 0,
            cleaned: None,
        };
        self.begin(header, now_ms)?;
        self.unsynced.retain(|part| Arc::ptr_eq(&part.segment, &self.active));
        self.shared.set_segments(vec![self.active.clone()]);
        self.shared.set_end(begin.offset);
        self.shared.set_start(begin.offset);
        self.sync()?;
        self.store_start(StartFile { start: begin.offset, first_dirty: begin.offset })
    }

    /// Removes segment files in the order given. Their index files go before, durably: one that is alone vouches for a lost segment.
    pub(crate) fn remove_files(&mut self, segments: &[Arc<Segment>]) -> Result<(), LogError> {
        for segment in segments {
            files::remove(self.disk.as_ref(), &segment.index_path())?;
            self.names_changed += 1;
        }
        self.sync_names()?;
        for segment in segments {
            files::remove(self.disk.as_ref(), &segment.path)?;
            self.names_changed += 1;
        }
        Ok(())
    }

    /// An index file vouches for bytes: it goes, durably, before they do.
    fn forget_index(&mut self, segment: &Segment) -> Result<(), LogError> {
        let path = segment.index_path();
        self.checkpointed = 0;
        if self.disk.exists(&path).map_err(LogError::io("look for", &path))? {
            files::remove(self.disk.as_ref(), &path)?;
            self.sync_names()?;
        }
        Ok(())
    }
}
