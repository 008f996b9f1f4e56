//! The writer's side of a log: one owner, one thread.
//!
//! ```text
//!  append ──> active segment ──roll──> sealed, unsynced ──flush──> sealed, index file written
//!                 │                                                   │
//!            truncate_from (conflicting entries)            clean (compaction), trim_to (retention)
//! ```
//! * The state in memory moves only after the bytes are written, so an append that failed can be repeated.
//! * A sync that failed is never repeated: the log takes no more writes (`LogError::Stopped`).
//! * Names and bytes become durable in `flush` alone; `trim_to` and `truncate_from` sync what they need.
mod append;
mod entries;
mod flush;
mod shorten;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use millrace_record::{EndTxnMarker, Epoch, Frame, Offset, Records};
use millrace_world::Disk;
use parking_lot::Mutex;
use tracing::{info, warn};

pub use append::Replayed;
pub use flush::{Flush, Flushed};

use crate::error::SYNC;
use crate::files::{self, Durability};
use crate::paths::FileKind;
use crate::recover::{self, Recovered};
use crate::scan::{Crc, FrameScan};
use crate::segment::Segment;
use crate::shared::Shared;
use crate::start::StartFile;
use crate::{DECOMPRESSED_BYTES_MAX, LogConfig, LogError, LogReader, Opening, Producers, retention};

/// One frame and its place in the replicated log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogEntry {
    pub index: u64,
    /// One whole batch or internal frame, stamped.
    pub bytes: Bytes,
}

pub struct Log {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dir: PathBuf,
    pub(crate) config: LogConfig,
    pub(crate) identity: u128,
    pub(crate) shared: Arc<Shared>,
    active: Arc<Segment>,
    pub(crate) start: StartFile,
    /// Whether the disk says so: a log that never lost its first segment may have no file for it.
    start_stored: bool,
    pub(crate) producers: Producers,
    /// Segments with unsynced bytes or without an index file, oldest first.
    pub(crate) unsynced: VecDeque<Unsynced>,
    synced_index: u64,
    /// Counts changes of names in the folder, and how many of them are durable.
    names_changed: u64,
    names_synced: u64,
    /// Counts truncations: a flush that began before one says nothing about what came after.
    truncations: u64,
    /// Bytes of the active segment when its index file was last written; 0 if it has none.
    checkpointed: u64,
    /// Of the newest snapshot file of the producers.
    snapshot_at: Option<Offset>,
    /// Files of segments that the log let go of and that nobody has removed yet.
    pub(crate) doomed: Vec<PathBuf>,
    /// Entries read ahead of the journal's, to compare them with.
    replaying: VecDeque<LogEntry>,
    /// A segment was closed since then.
    snapshot_due: bool,
    /// A sync failed: what is on disk is not known.
    stopped: Arc<AtomicBool>,
    /// Held by whoever syncs: nobody may find after a failed sync that the next one succeeds.
    syncing: Arc<Mutex<()>>,
}

pub(crate) struct Unsynced {
    pub segment: Arc<Segment>,
    pub synced_to: u64,
}

impl Log {
    /// Opens the log in `dir`, or begins one there.
    pub fn open(disk: Arc<dyn Disk>, dir: &Path, config: LogConfig, opening: Opening) -> Result<(Log, Recovered), LogError> {
        let found = recover::recover(&disk, dir, &config, &opening)?;
        let active = found.segments.last().expect("recovery leaves an active segment").clone();
        let (end_offset, last_index, end) = {
            let live = active.live();
            (live.end_offset, live.last_index, live.end)
        };
        let unsynced = found.unsynced.into_iter().map(|(segment, synced_to)| Unsynced { segment, synced_to }).collect::<VecDeque<_>>();
        let covered = unsynced.iter().find(|part| Arc::ptr_eq(&part.segment, &active)).map_or(end, |part| part.synced_to);
        let mut recovered = found.recovered;
        let mut log = Log {
            shared: Arc::new(Shared::new(found.segments, found.start.start, end_offset, found.epochs)),
            disk,
            dir: dir.to_path_buf(),
            config,
            identity: opening.identity,
            active,
            start: found.start,
            start_stored: found.start_stored,
            producers: Producers::default(),
            unsynced,
            synced_index: found.covered_index.max(opening.durable_index).min(last_index),
            names_changed: 1,
            names_synced: 0,
            truncations: 0,
            checkpointed: covered,
            snapshot_at: None,
            doomed: Vec::new(),
            replaying: VecDeque::new(),
            snapshot_due: false,
            stopped: Arc::default(),
            syncing: Arc::default(),
        };
        // Nothing changed a name in a log that was closed well.
        if log.unsynced.is_empty() && recovered.cut.is_none() {
            log.names_synced = log.names_changed;
        }
        recovered.bytes_scanned += log.load_producers()?;
        Ok((log, recovered))
    }

    pub fn reader(&self) -> LogReader {
        LogReader { shared: self.shared.clone() }
    }

    pub fn config(&self) -> &LogConfig {
        &self.config
    }

    pub fn set_config(&mut self, config: LogConfig) {
        self.config = config;
    }

    pub fn start_offset(&self) -> Offset {
        self.start.start
    }

    /// The offset that the next record gets.
    pub fn end_offset(&self) -> Offset {
        self.shared.end()
    }

    pub fn size_bytes(&self) -> u64 {
        self.reader().size_bytes()
    }

    pub fn producers(&self) -> &Producers {
        &self.producers
    }

    /// For a leader that accepts several batches before it appends them: `Producers::apply` may run ahead
    /// of the log, `append` does not apply twice.
    pub fn producers_mut(&mut self) -> &mut Producers {
        &mut self.producers
    }

    /// Reads the producers' state back from snapshot and log, after accepted batches were dropped.
    pub fn rebuild_producers(&mut self) -> Result<(), LogError> {
        self.load_producers().map(drop)
    }

    /// Where retention wants the log to start, if that is further up than now. Changes nothing: a trim
    /// is an entry of the replicated log.
    pub fn retention_target(&self, now_ms: i64, high_watermark: Offset) -> Option<Offset> {
        let segments: Vec<_> = self.shared.segments().iter().map(|segment| retention::SegmentAge::of(segment)).collect();
        retention::target(&segments, &self.config, now_ms, high_watermark).filter(|&target| target > self.start.start)
    }

    /// The files of segments that a trim or a cleaning let go of since the last time. They have left the log;
    /// when their bytes go is the caller's to say. A start removes what is left of them.
    pub fn take_doomed(&mut self) -> Vec<PathBuf> {
        std::mem::take(&mut self.doomed)
    }

    pub(crate) fn writable(&self) -> Result<(), LogError> {
        if self.stopped.load(Ordering::Acquire) { Err(LogError::Stopped { dir: self.dir.clone() }) } else { Ok(()) }
    }

    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
    }

    /// Does work that syncs something. If that fails, the log takes no more writes.
    pub(crate) fn durably<T>(&self, work: impl FnOnce() -> Result<T, LogError>) -> Result<T, LogError> {
        let _alone = self.syncing.lock();
        self.writable()?;
        work().inspect_err(|error| {
            if error.is_trouble() {
                self.stop();
            }
        })
    }

    fn sync_names(&self) -> Result<(), LogError> {
        self.durably(|| self.disk.sync_dir(&self.dir).map_err(LogError::io(SYNC, &self.dir)))
    }

    /// Moves the start of the log, first on the disk.
    pub(crate) fn store_start(&mut self, start: StartFile) -> Result<(), LogError> {
        self.durably(|| start.store(self.disk.as_ref(), &self.dir))?;
        (self.start, self.start_stored) = (start, true);
        Ok(())
    }

    fn latest_epoch(&self) -> Epoch {
        let epochs = self.shared.epochs.read();
        epochs.latest().unwrap_or(self.active.header.previous_term)
    }

    /// The newest snapshot that the log reaches, and what was appended since. Returns the bytes read.
    fn load_producers(&mut self) -> Result<u64, LogError> {
        let end = self.end_offset();
        self.forget_snapshots_beyond(end)?;
        let mut snapshots = self.snapshots()?;
        self.producers = Producers::default();
        self.snapshot_at = None;
        while let Some(at) = snapshots.pop() {
            let path = FileKind::Snapshot.path(&self.dir, at);
            let bytes = files::read(self.disk.as_ref(), &path)?.unwrap_or_default();
            match Producers::decode(&bytes).filter(|(producers, _)| producers.applied_to() == at) {
                Some((producers, epoch)) if at <= self.start.start || epoch == self.epoch_before(at) => {
                    self.producers = producers;
                    self.snapshot_at = Some(at);
                    break;
                }
                Some(_) => info!(path = %path.display(), "snapshot of the producers is of another history: taking an older one"),
                None => warn!(path = %path.display(), "snapshot of the producers is damaged: taking an older one"),
            }
        }
        // What a sealed segment says of producers may be in no snapshot.
        let segments = self.shared.segments();
        let known_to = self.snapshot_at.unwrap_or(segments[0].base_offset());
        self.snapshot_due = known_to < self.active.base_offset();
        let from = self.producers.applied_to();
        let first = segments.partition_point(|segment| segment.base_offset() <= from).saturating_sub(1);
        let mut bytes_read = 0;
        for segment in &segments[first..] {
            let (end, end_offset) = (segment.live().end, segment.live().end_offset);
            if end_offset <= from {
                continue;
            }
            let position = segment.floor_offset(from)?.position;
            bytes_read += end - position;
            let mut scan = FrameScan::new(segment.file()?.clone(), &segment.path, position, end, Crc::Trust);
            loop {
                let at = scan.position();
                let next = scan.next().map_err(|error| error.into_log_error(&segment.path))?;
                let Some((_, frame, bytes)) = next else { break };
                fold(&mut self.producers, &frame, bytes).map_err(|error| LogError::corrupt(&segment.path, at, error))?;
            }
        }
        Ok(bytes_read)
    }

    /// Removes snapshots of what the log lost, for good: once the log has grown past them, and its start
    /// too, nothing would tell that they are of another history.
    fn forget_snapshots_beyond(&self, end: Offset) -> Result<(), LogError> {
        let beyond: Vec<Offset> = self.snapshots()?.into_iter().filter(|&at| at > end).collect();
        for &at in &beyond {
            files::remove(self.disk.as_ref(), &FileKind::Snapshot.path(&self.dir, at))?;
        }
        if beyond.is_empty() { Ok(()) } else { self.sync_names() }
    }

    /// Offsets of the snapshot files, in order.
    fn snapshots(&self) -> Result<Vec<Offset>, LogError> {
        let entries = self.disk.list(&self.dir).map_err(LogError::io("list", &self.dir))?;
        let of = |name: &str| FileKind::parse(name).filter(|(kind, _)| *kind == FileKind::Snapshot).map(|(_, at)| at);
        Ok(entries.iter().filter_map(|entry| of(&entry.name)).collect())
    }

    /// The epoch of the record in front of `offset`; -1 if there is none.
    fn epoch_before(&self, offset: Offset) -> Epoch {
        self.shared.epochs.read().at_offset(Offset(offset.0 - 1)).unwrap_or(Epoch(-1))
    }

    /// For before batches go: what they say of producers is to outlive them, and a crash. A snapshot beyond what the segments hold on
    /// disk would be of no use to a start that finds them shorter.
    pub(crate) fn keep_producers(&mut self) -> Result<(), LogError> {
        if self.producers.is_empty() {
            return Ok(());
        }
        if self.snapshot_due {
            self.write_snapshot()?;
        }
        let mut in_doubt = self.unsynced.iter().filter(|part| part.synced_to < part.segment.live().end);
        if in_doubt.any(|part| self.snapshot_at > Some(part.segment.base_offset())) {
            self.sync()?;
        }
        Ok(())
    }

    /// Writes the producers' state as of the log's end, and keeps only the snapshot before it besides.
    fn write_snapshot(&mut self) -> Result<(), LogError> {
        let end = self.end_offset();
        // A leader's accepted batches may run ahead of the log: such a state is not the log's.
        if self.producers.applied_to() > end {
            return Ok(());
        }
        if self.snapshot_at == Some(end) {
            self.snapshot_due = false;
            return Ok(());
        }
        let path = FileKind::Snapshot.path(&self.dir, end);
        self.producers.set_applied_to(end);
        // The segments it was folded from may be trimmed: what is known of a producer is then here alone.
        let durability = if self.producers.is_empty() { Durability::Relaxed } else { Durability::Synced };
        let bytes = self.producers.encode(self.epoch_before(end));
        self.durably(|| files::replace(self.disk.as_ref(), &path, &bytes, durability))?;
        self.snapshot_due = false;
        let previous = self.snapshot_at.replace(end);
        for at in self.snapshots()? {
            if at != end && Some(at) != previous {
                files::remove(self.disk.as_ref(), &FileKind::Snapshot.path(&self.dir, at))?;
            }
        }
        Ok(())
    }
}

/// Takes one frame into the producers' state.
fn fold(producers: &mut Producers, frame: &Frame<'_>, bytes: &[u8]) -> Result<(), millrace_record::BatchError> {
    let Frame::Batch(header, _) = frame else { return Ok(()) };
    if !header.attributes.is_control() {
        producers.apply(header);
        return Ok(());
    }
    let records = Records::open(bytes, DECOMPRESSED_BYTES_MAX)?;
    let first = records.iter().next().transpose()?;
    match first.map(|record| EndTxnMarker::parse(&record)).transpose()?.flatten() {
        Some(marker) => producers.apply_marker(header, marker),
        None => producers.skip(header),
    }
    Ok(())
}
