//! Making bytes and names durable. The slow part (`Flush::run`) can be done on another thread while the
//! log goes on appending.
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use millrace_world::Disk;
use parking_lot::Mutex;

use super::Log;
use crate::LogError;
use crate::error::SYNC;
use crate::files::{self, Durability};
use crate::segment::Segment;

/// An active segment's index file is renewed after so many bytes, so that the start after a crash does
/// not have to scan more than about that.
const CHECKPOINT_BYTES: u64 = 64 << 20;

/// fsyncs to be done.
pub struct Flush {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    /// Oldest first.
    targets: Vec<Target>,
    names: u64,
    sync_names: bool,
    truncations: u64,
    /// Set if a sync fails: the log then takes no more writes.
    stopped: Arc<AtomicBool>,
    syncing: Arc<Mutex<()>>,
}

struct Target {
    segment: Arc<Segment>,
    /// Bytes before this were synced earlier.
    from: u64,
    end: u64,
    last_index: u64,
}

/// fsyncs that were done.
pub struct Flushed(Flush);

impl Flush {
    /// Has the disk begin with the bytes, and does not wait. Of many flushes that begin so before the first
    /// of them is run, the file system makes the sizes durable together, and not one after another.
    pub fn begin_writing(&self) {
        for target in &self.targets {
            // A file that cannot be opened says so in `run`.
            if let Ok(file) = target.segment.file() {
                file.start_writeback(target.from, target.end.saturating_sub(target.from));
            }
        }
    }

    /// Blocks. After an error the log takes no more writes, and no flush that was begun before succeeds:
    /// a sync after a failed one says "done" without having done anything.
    pub fn run(self) -> Result<Flushed, LogError> {
        let syncing = self.syncing.clone();
        let _alone = syncing.lock();
        if self.stopped.load(Ordering::Acquire) {
            return Err(LogError::Stopped { dir: self.dir.clone() });
        }
        self.sync().inspect_err(|_| self.stopped.store(true, Ordering::Release))?;
        Ok(Flushed(self))
    }

    fn sync(&self) -> Result<(), LogError> {
        for target in &self.targets {
            let path = &target.segment.path;
            target.segment.file()?.sync_data().map_err(LogError::io(SYNC, path))?;
        }
        if self.sync_names {
            self.disk.sync_dir(&self.dir).map_err(LogError::io(SYNC, &self.dir))?;
        }
        Ok(())
    }
}

impl Log {
    /// Bytes of log data that no sync covers yet.
    pub fn unsynced_bytes(&self) -> u64 {
        self.unsynced.iter().map(|part| part.segment.live().end.saturating_sub(part.synced_to)).sum()
    }

    /// Entries up to here are on the disk.
    pub fn synced_index(&self) -> u64 {
        self.synced_index
    }

    /// Makes all that was appended durable, on this thread.
    pub fn sync(&mut self) -> Result<(), LogError> {
        match self.begin_flush() {
            Some(flush) => self.end_flush(flush.run()?),
            None => self.writable(),
        }
    }

    /// What must be synced for all that was appended so far to be durable; `None` if it is. Of a log that
    /// stopped nobody knows: its flush fails.
    pub fn begin_flush(&mut self) -> Option<Flush> {
        let sync_names = self.names_synced < self.names_changed;
        if self.writable().is_ok() && self.unsynced.is_empty() && !sync_names {
            return None;
        }
        let targets = self.unsynced.iter().map(|part| {
            let live = part.segment.live();
            Target { segment: part.segment.clone(), from: part.synced_to, end: live.end, last_index: live.last_index }
        });
        Some(Flush {
            disk: self.disk.clone(),
            dir: self.dir.clone(),
            targets: targets.collect(),
            names: self.names_changed,
            sync_names,
            truncations: self.truncations,
            stopped: self.stopped.clone(),
            syncing: self.syncing.clone(),
        })
    }

    /// Takes note of what a flush did, and writes the index files of segments that are sealed and synced.
    pub fn end_flush(&mut self, flushed: Flushed) -> Result<(), LogError> {
        let Flushed(flush) = flushed;
        self.names_synced = self.names_synced.max(flush.names);
        // What was cut and written again since then may not have been synced by it.
        if flush.truncations != self.truncations {
            return Ok(());
        }
        for target in flush.targets {
            self.synced_index = self.synced_index.max(target.last_index);
            let Some(at) = self.unsynced.iter().position(|part| Arc::ptr_eq(&part.segment, &target.segment)) else { continue };
            let part = &mut self.unsynced[at];
            part.synced_to = part.synced_to.max(target.end);
            if part.synced_to < target.segment.live().end {
                continue;
            }
            if !Arc::ptr_eq(&target.segment, &self.active) {
                match self.write_index(&target.segment) {
                    // The segment is safe without. The next flush finds it in the list and tries again.
                    Err(error) if error.is_disk_full() => continue,
                    written => written?,
                }
            }
            self.unsynced.remove(at);
        }
        let end = self.active.live().end;
        if self.unsynced.is_empty() && end - self.checkpointed.min(end) >= CHECKPOINT_BYTES {
            match self.checkpoint() {
                Err(error) if error.is_disk_full() => {}
                written => written?,
            }
        }
        Ok(())
    }

    /// Makes all durable, and writes what lets the next `open` read no data.
    pub fn close(&mut self) -> Result<(), LogError> {
        self.sync()?;
        // With its start on the disk the next `open` notices when a first segment has gone missing.
        if !self.start_stored && self.shared.segments().len() > 1 {
            self.store_start(self.start)?;
        }
        self.checkpoint()
    }

    /// Writes index and producers' state as of the log's end. All must be synced.
    fn checkpoint(&mut self) -> Result<(), LogError> {
        // An index file vouches for bytes on disk. What is left here waits for room for its index file:
        // the next start scans it.
        if !self.unsynced.is_empty() {
            return Ok(());
        }
        let end = self.active.live().end;
        if self.checkpointed != end {
            self.write_index(&self.active.clone())?;
            self.checkpointed = end;
        }
        self.write_snapshot()
    }

    pub(crate) fn write_index(&self, segment: &Segment) -> Result<(), LogError> {
        let epochs = self.shared.epochs.read().within(segment.header.first_index, segment.live().last_index);
        files::replace(self.disk.as_ref(), &segment.index_path(), &segment.encode_index(epochs), Durability::Relaxed)
    }
}
