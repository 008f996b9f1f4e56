//! Compaction: of each key only the latest record stays.
//!
//! ```text
//! plan (pure: is it due, how far)  ->  job (any thread: keys, then new files beside the old)
//!                                  ->  install (the log's own thread: swap the files, then the list)
//! ```
//! * Only whole, sealed, committed segments are cleaned: what the replicated log may still send lies above.
//! * Readers inside an old segment go on reading it; new reads find the new one.
//! * Any of it can fail or crash, and the log is as before or cleaned, never in between.
mod filter;
mod job;
mod keys;
mod plan;
mod swap;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use millrace_record::Offset;

pub use filter::AbortedTxn;
pub use job::{CleanJob, Cleaned};
pub(crate) use swap::finish_swaps;

use crate::paths::FileKind;
use crate::segment::Segment;
use crate::start::StartFile;
use crate::{Log, LogError, files};
use plan::SegmentFacts;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CleanReport {
    pub bytes_before: u64,
    pub bytes_after: u64,
    pub records_removed: u64,
}

impl Log {
    /// Work for another thread, if the log is due for compaction below `upto` (committed and stable).
    /// `map_bytes` is what the map of keys may take; what does not fit waits for the next round.
    pub fn prepare_clean(&mut self, now_ms: i64, upto: Offset, map_bytes: usize) -> Option<CleanJob> {
        let segments = self.shared.segments();
        let facts: Vec<SegmentFacts> = segments.iter().map(|segment| SegmentFacts::of(segment)).collect();
        let plan = plan::plan(&facts, &self.config, self.start.first_dirty, upto, now_ms)?;
        let sources = segments.iter().filter(|segment| segment.base_offset() < plan.end).cloned().collect();
        Some(CleanJob {
            disk: self.disk.clone(),
            dir: self.dir.clone(),
            identity: self.identity,
            config: self.config.clone(),
            plan,
            sources,
            last_batches: self.producers.last_batches(),
            aborted: Vec::new(),
            now_ms,
            map_bytes,
        })
    }

    /// Puts what a job rewrote in the place of what it was made from. Segments that were trimmed away in
    /// the meantime stay away. After an error in the middle the log takes no more writes: the next start
    /// finishes what was begun.
    pub fn install_clean(&mut self, cleaned: Cleaned) -> Result<CleanReport, LogError> {
        self.writable()?;
        let mut segments = self.shared.segments().as_ref().clone();
        let mut outputs = Vec::with_capacity(cleaned.outputs.len());
        for output in cleaned.outputs {
            let present = segments.iter().filter(|segment| output.replaces(segment)).count();
            if present == output.sources.len() {
                outputs.push(output);
            } else {
                files::remove(self.disk.as_ref(), &FileKind::Cleaned.path(&self.dir, output.header.base_offset))?;
            }
        }
        if !outputs.is_empty() {
            self.keep_producers().inspect_err(|_| {
                for output in &outputs {
                    let _ = self.disk.remove_file(&FileKind::Cleaned.path(&self.dir, output.header.base_offset));
                }
            })?;
        }
        for source in outputs.iter().flat_map(|output| &output.sources) {
            source.pin()?;
        }
        let ranges: Vec<_> = outputs.iter().map(|output| output.header.base_offset..output.live.end_offset).collect();
        let doomed = self.durably(|| swap::swap(self.disk.as_ref(), &self.dir, &ranges)).inspect_err(|_| self.stop())?;
        self.doomed.extend(doomed);
        let mut rewritten = Vec::with_capacity(outputs.len());
        for output in outputs {
            let at = segments.iter().position(|segment| output.replaces(segment)).expect("the sources were just counted");
            self.unsynced.retain(|part| !output.replaces(&part.segment));
            let segment = Arc::new(Segment::known(&self.disk, &self.dir, output.header, output.live));
            segments.splice(at..at + output.sources.len(), [segment.clone()]);
            rewritten.push(segment);
        }
        self.shared.set_segments(segments);
        for segment in rewritten {
            match self.write_index(&segment) {
                // The segment is safe without it, and the next start makes it again.
                Err(error) if error.is_disk_full() => {}
                written => written?,
            }
        }
        let first_dirty = self.start.first_dirty.max(cleaned.first_dirty);
        self.store_start(StartFile { first_dirty, ..self.start })?;
        Ok(cleaned.report)
    }
}
