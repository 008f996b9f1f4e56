//! The journal as its owner, the shard, sees it.
use std::path::Path;
use std::sync::Arc;

use millrace_world::{Disk, OpenMode, create_dir_durably, sync_names_above};

use crate::checkpoint::{self, Checkpoint};
use crate::item::{Items, TurnFrame};
use crate::replay::Replay;
use crate::ring::{Found, PAGE, Ring, frame_bytes, ring_path};
use crate::{JournalError, RING_BYTES_MIN};

/// A place between two frames.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Mark {
    /// Bytes ever written; modulo the ring's size, the place in the file.
    pub(crate) position: u64,
    /// The sequence of the frame that begins here.
    pub(crate) sequence: u64,
}

pub struct Journal {
    ring: Ring,
    checkpoint: Checkpoint,
    head: Mark,
    tail: Mark,
    failed: bool,
}

impl Journal {
    /// Opens the journal in `dir`, made with `ring_bytes` if there is none, and reads back what the
    /// last run left. `random` names a new ring.
    pub fn open(disk: Arc<dyn Disk>, dir: &Path, ring_bytes: u64, random: u64) -> Result<(Journal, Replay), JournalError> {
        create_dir_durably(&*disk, dir).map_err(|e| JournalError::io(dir, e))?;
        // Once per start: what an earlier start made, partitions' folders beside this one included, may
        // have names that a power failure would take.
        sync_names_above(&*disk, dir).map_err(|e| JournalError::io(dir, e))?;
        let Some(loaded) = checkpoint::load(&*disk, dir)? else {
            return Ok((Self::create(disk, dir, ring_bytes, random)?, Replay { is_new: true, ..Replay::default() }));
        };
        // Its name may be in the page cache alone. Frames before its tail are about to be written over,
        // so the checkpoint before it must not come back.
        disk.sync_dir(dir).map_err(|e| JournalError::io(dir, e))?;
        let path = ring_path(dir);
        let file = disk.open(&path, OpenMode::Write).map_err(|e| JournalError::io(&path, e))?;
        let ring = Ring { file, path, id: loaded.ring_id, size: loaded.ring_size };
        let checkpoint = Checkpoint { disk, dir: dir.to_path_buf(), ring_id: ring.id, ring_size: ring.size };
        let mut journal = Journal { ring, checkpoint, head: loaded.tail, tail: loaded.tail, failed: false };
        let mut replay = loaded.replay;
        journal.read_back(&mut replay)?;
        Ok((journal, replay))
    }

    /// The order matters: a ring without a checkpoint was never used.
    fn create(disk: Arc<dyn Disk>, dir: &Path, ring_bytes: u64, random: u64) -> Result<Journal, JournalError> {
        let size = ring_bytes.next_multiple_of(PAGE).max(RING_BYTES_MIN);
        let path = ring_path(dir);
        let file = disk.open(&path, OpenMode::OpenOrCreate).map_err(|e| JournalError::io(&path, e))?;
        if file.len().map_err(|e| JournalError::io(&path, e))? >= PAGE {
            let ring = Ring { file: file.clone(), path: path.clone(), id: random, size };
            if ring.looks_used()? {
                return Err(JournalError::corrupt(path, "it holds frames, but the checkpoint beside it is gone"));
            }
        }
        file.allocate(size).and_then(|()| file.sync_data()).map_err(|e| JournalError::io(&path, e))?;
        disk.sync_dir(dir).map_err(|e| JournalError::io(dir, e))?;
        let checkpoint = Checkpoint { disk, dir: dir.to_path_buf(), ring_id: random, ring_size: size };
        let start = Mark { position: 0, sequence: 1 };
        checkpoint.write(start, &TurnFrame::default())?;
        let ring = Ring { file, path, id: random, size };
        Ok(Journal { ring, checkpoint, head: start, tail: start, failed: false })
    }

    fn read_back(&mut self, replay: &mut Replay) -> Result<(), JournalError> {
        loop {
            match self.ring.read(self.head.position, self.head.sequence)? {
                Found::Frame { payload, next } => {
                    let mut items = Items::new(payload);
                    while let Some((group, item)) = items.next().map_err(|what| JournalError::corrupt(&self.ring.path, what))? {
                        replay.apply(group, item);
                    }
                    self.head = Mark { position: next, sequence: self.head.sequence + 1 };
                    replay.frames += 1;
                }
                Found::Nothing => break,
            }
            if self.head.position - self.tail.position > self.ring.size {
                return Err(JournalError::corrupt(&self.ring.path, "its frames overlap"));
            }
        }
        if let Some(later) = self.ring.later_frame(self.head.position, self.head.sequence)? {
            let what = format!("frame {} at byte {} does not hold, though frame {later} behind it does", self.head.sequence, self.head.position % self.ring.size);
            return Err(JournalError::corrupt(&self.ring.path, what));
        }
        // What was read may be in the page cache alone, if the process died and the machine did not.
        // It counts from here on, so it has to be on the disk, and before the frame that comes next.
        if replay.frames > 0 { self.ring.sync() } else { Ok(()) }
    }

    /// Writes the turn's frame and waits until it is on stable storage. After an error, `Full` and
    /// `TooBig` apart, the journal has failed for good.
    pub fn write(&mut self, frame: &TurnFrame) -> Result<(), JournalError> {
        if self.failed {
            return Err(JournalError::Failed);
        }
        if frame.len() > self.ring.frame_bytes_max() {
            return Err(JournalError::TooBig { bytes: frame.len() });
        }
        let bytes = frame_bytes(frame.len());
        if bytes > self.free() {
            return Err(JournalError::Full);
        }
        let written = self.ring.write(self.head.position, self.head.sequence, frame.payload()).and_then(|()| self.ring.sync());
        if written.is_err() {
            self.failed = true;
            return written;
        }
        self.head = Mark { position: self.head.position + bytes, sequence: self.head.sequence + 1 };
        assert!(self.head.position - self.tail.position <= self.ring.size, "a frame overtook the tail");
        Ok(())
    }

    /// Whether a frame of so many payload bytes fits before the next checkpoint ends.
    pub fn has_room(&self, payload: usize) -> bool {
        frame_bytes(payload) <= self.free()
    }

    fn free(&self) -> u64 {
        self.ring.size - (self.head.position - self.tail.position)
    }

    /// The biggest payload that one frame takes.
    pub fn frame_bytes_max(&self) -> usize {
        self.ring.frame_bytes_max()
    }

    /// Bytes that a start would have to read back now.
    pub fn used(&self) -> u64 {
        self.head.position - self.tail.position
    }

    pub fn size(&self) -> u64 {
        self.ring.size
    }

    /// Where the next frame goes: what a checkpoint taken now stands for.
    pub fn head(&self) -> Mark {
        self.head
    }

    /// The writer of checkpoints; it needs nothing of the journal while it works.
    pub fn checkpoint(&self) -> Checkpoint {
        self.checkpoint.clone()
    }

    /// A checkpoint for `mark` is durable: frames before it are not needed any more.
    pub fn checkpointed(&mut self, mark: Mark) {
        assert!(self.tail <= mark && mark <= self.head, "a checkpoint lies inside the ring");
        self.tail = mark;
    }

    /// Somebody else found out that this volume cannot be trusted with writes any more.
    pub fn fail(&mut self) {
        self.failed = true;
    }

    pub fn has_failed(&self) -> bool {
        self.failed
    }
}
