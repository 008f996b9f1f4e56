//! Rewriting: reads sealed segments, writes new ones beside them, changes nothing that is in use.
use std::collections::BTreeMap;
use std::io::IoSlice;
use std::path::PathBuf;
use std::sync::Arc;

use millrace_record::{Frame, Offset, ProducerId, Records};
use millrace_world::{Disk, File, OpenMode};
use tracing::debug;

use super::filter::{AbortedTxn, Filter, Kept, is_aborted};
use super::keys::KeyMap;
use super::plan::{self, Plan, SegmentFacts};
use super::CleanReport;
use crate::error::SYNC;
use crate::header::{CleanedTo, SEGMENT_HEADER_LEN, SegmentHeader};
use crate::paths::FileKind;
use crate::producers::LastBatch;
use crate::scan::{Crc, FrameScan};
use crate::segment::{Live, Segment};
use crate::{DECOMPRESSED_BYTES_MAX, LogConfig, LogError, files};

/// Bytes gathered before they are written.
const WRITE_BYTES: usize = 1 << 20;

/// Rewriting to be done, on any thread.
pub struct CleanJob {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) dir: PathBuf,
    pub(super) identity: u128,
    pub(super) config: LogConfig,
    pub(super) plan: Plan,
    /// From the oldest on, up to the plan's end.
    pub(super) sources: Vec<Arc<Segment>>,
    pub(super) last_batches: BTreeMap<ProducerId, LastBatch>,
    pub(super) aborted: Vec<AbortedTxn>,
    pub(super) now_ms: i64,
    pub(super) map_bytes: usize,
}

/// Segments that were rewritten and wait to be put in place.
pub struct Cleaned {
    pub(super) outputs: Vec<Output>,
    /// Every record below was looked at.
    pub(super) first_dirty: Offset,
    pub(super) report: CleanReport,
}

pub(super) struct Output {
    pub header: SegmentHeader,
    pub live: Live,
    pub sources: Vec<Arc<Segment>>,
}

impl Output {
    pub fn replaces(&self, segment: &Arc<Segment>) -> bool {
        self.sources.iter().any(|source| Arc::ptr_eq(source, segment))
    }
}

impl CleanJob {
    /// Reads what is to be cleaned twice: once for the keys of its dirty part, once to rewrite it.
    pub fn run(self) -> Result<Cleaned, LogError> {
        let cleaned = self.rewrite();
        if cleaned.is_err() {
            // Best effort: what stays is removed at the next start, or overwritten by the next cleaning.
            for segment in &self.sources {
                let _ = self.disk.remove_file(&FileKind::Cleaned.path(&self.dir, segment.base_offset()));
            }
        }
        cleaned
    }

    fn rewrite(&self) -> Result<Cleaned, LogError> {
        let (keys, covered_to) = self.map_keys()?;
        let sources: Vec<_> = self.sources.iter().filter(|segment| segment.base_offset() < covered_to).cloned().collect();
        let facts: Vec<SegmentFacts> = sources.iter().map(|segment| SegmentFacts::of(segment)).collect();
        let mut filter = Filter::new(&keys, covered_to, &self.last_batches, &self.aborted);
        filter.now_ms = self.now_ms;
        filter.delete_retention_ms = self.config.delete_retention_ms;
        let mut outputs = Vec::new();
        let mut report = CleanReport::default();
        for group in plan::groups(&facts, &self.config) {
            let sources = &sources[group];
            let bytes_before: u64 = sources.iter().map(|segment| segment.live().end).sum();
            let output = self.group(sources, &mut filter)?;
            report.bytes_before += bytes_before;
            report.bytes_after += output.as_ref().map_or(bytes_before, |output| output.live.end);
            outputs.extend(output);
        }
        report.records_removed = filter.records_removed;
        debug!(dir = %self.dir.display(), ?report, "rewrote segments");
        Ok(Cleaned { outputs, first_dirty: covered_to, report })
    }

    /// The latest offset of each key in the dirty part, as far as memory allows, and how far that was.
    fn map_keys(&self) -> Result<(KeyMap, Offset), LogError> {
        let mut keys = KeyMap::new(self.identity, self.map_bytes);
        let mut scratch = Vec::new();
        for segment in self.sources.iter().filter(|segment| segment.live().end_offset > self.plan.first_dirty) {
            let position = segment.floor_offset(self.plan.first_dirty)?.position;
            let mut scan = FrameScan::new(segment.file()?.clone(), &segment.path, position, segment.live().end, Crc::Verify);
            loop {
                let at = scan.position();
                let Some((_, frame, bytes)) = scan.next().map_err(|error| error.into_log_error(&segment.path))? else { break };
                let Frame::Batch(header, _) = frame else { continue };
                if header.attributes.is_control() || header.count == 0 || is_aborted(&self.aborted, &header) {
                    continue;
                }
                let corrupt = |error| LogError::corrupt(&segment.path, at, error);
                let records = Records::open_with(bytes, DECOMPRESSED_BYTES_MAX, std::mem::take(&mut scratch)).map_err(corrupt)?;
                for record in records.iter() {
                    let record = record.map_err(corrupt)?;
                    let offset = header.offset_of(&record);
                    let Some(key) = record.key.filter(|_| offset >= self.plan.first_dirty) else { continue };
                    if !keys.put(key, offset) {
                        return Ok((keys, offset));
                    }
                }
                scratch = records.into_scratch();
            }
        }
        Ok((keys, self.plan.end))
    }

    /// Rewrites neighbours into one segment. `None` if they are one segment that is clean already.
    fn group(&self, sources: &[Arc<Segment>], filter: &mut Filter<'_>) -> Result<Option<Output>, LogError> {
        let (first, last) = (&sources[0], &sources[sources.len() - 1]);
        let to = CleanedTo { end_offset: last.live().end_offset, last_index: last.live().last_index };
        let generation = sources.iter().map(|segment| segment.header.generation).max().unwrap_or(0) + 1;
        let header = SegmentHeader { generation, cleaned: Some(to), ..first.header };
        let path = FileKind::Cleaned.path(&self.dir, header.base_offset);
        let mut writer = Writer::create(self.disk.as_ref(), path, header)?;
        let mut changed = sources.len() > 1 || !first.is_cleaned();
        for segment in sources {
            let last_append_ms = segment.live().last_append_ms;
            writer.live.last_append_ms = writer.live.last_append_ms.max(last_append_ms);
            let mut scan = FrameScan::new(segment.file()?.clone(), &segment.path, SEGMENT_HEADER_LEN, segment.live().end, Crc::Verify);
            loop {
                let at = scan.position();
                let Some((_, frame, bytes)) = scan.next().map_err(|error| error.into_log_error(&segment.path))? else { break };
                // Internal frames say something to the replicated log only, which has no use for them here.
                let Frame::Batch(batch, _) = frame else { continue };
                let kept = filter.batch(&batch, bytes).map_err(|error| LogError::corrupt(&segment.path, at, error))?;
                match kept {
                    Kept::AsItIs => writer.put(bytes, self.config.index_interval_bytes)?,
                    Kept::Rewritten(rewritten) => {
                        changed |= rewritten != bytes;
                        writer.put(&rewritten, self.config.index_interval_bytes)?;
                    }
                    Kept::Gone => changed = true,
                }
            }
        }
        if !changed {
            files::remove(self.disk.as_ref(), &writer.path)?;
            return Ok(None);
        }
        let live = writer.finish(to)?;
        Ok(Some(Output { header, live, sources: sources.to_vec() }))
    }
}

/// A segment file being written.
struct Writer {
    file: Arc<dyn File>,
    path: PathBuf,
    header: SegmentHeader,
    live: Live,
    pending: Vec<u8>,
    written: u64,
}

impl Writer {
    fn create(disk: &dyn Disk, path: PathBuf, header: SegmentHeader) -> Result<Writer, LogError> {
        let file = disk.open(&path, OpenMode::OpenOrCreate).map_err(LogError::io("create", &path))?;
        file.set_len(0).map_err(LogError::io("empty", &path))?;
        let pending = header.encode().to_vec();
        Ok(Writer { file, path, live: Live::new(&header, i64::MIN), header, pending, written: 0 })
    }

    fn put(&mut self, batch: &[u8], interval: u64) -> Result<(), LogError> {
        let (frame, len) = Frame::parse(batch)?;
        self.live.push(&self.header, &frame, len, interval);
        self.pending.extend_from_slice(batch);
        if self.pending.len() >= WRITE_BYTES { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<(), LogError> {
        let wrote = self.file.write_at(&[IoSlice::new(&self.pending)], self.written);
        wrote.map_err(LogError::io("write", &self.path))?;
        self.written += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }

    fn finish(mut self, to: CleanedTo) -> Result<Live, LogError> {
        self.write()?;
        self.file.sync_data().map_err(LogError::io(SYNC, &self.path))?;
        (self.live.end_offset, self.live.last_index) = (to.end_offset, to.last_index);
        Ok(self.live)
    }
}
