//! The checkpoint: from where the ring is needed, and what was true of every group there.
//!
//! One file, replaced as a whole by a rename. Little-endian:
//! ```text
//!  0  u32  magic "MRC1"
//!  4  u32  crc32 of all that follows
//!  8  u64  ring id          16  u64  ring size
//! 24  u64  tail position    32  u64  tail sequence
//! 40       items as in a frame, to the end of the file: for every group its hard state and how far
//!          its segments are durable, and for groups that nobody opened since the start their
//!          entries out of the ring
//! ```
use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use millrace_world::{Disk, File, OpenMode};

use crate::item::Items;
use crate::journal::Mark;
use crate::replay::Replay;
use crate::{JournalError, TurnFrame};

const MAGIC: u32 = u32::from_le_bytes(*b"MRC1");
const HEADER: usize = 40;

/// Writes checkpoints, on whatever thread. Syncing the segments first is the caller's part.
#[derive(Clone)]
pub struct Checkpoint {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dir: PathBuf,
    pub(crate) ring_id: u64,
    pub(crate) ring_size: u64,
}

pub(crate) struct Loaded {
    pub ring_id: u64,
    pub ring_size: u64,
    pub tail: Mark,
    pub replay: Replay,
}

pub(crate) fn checkpoint_path(dir: &Path) -> PathBuf {
    dir.join("checkpoint")
}

impl Checkpoint {
    /// Makes `groups` durable as what was true at `mark`. When it returns, and not before,
    /// `Journal::checkpointed` may be called with the same mark.
    pub fn write(&self, mark: Mark, groups: &TurnFrame) -> Result<(), JournalError> {
        let payload = groups.payload();
        let mut header = [0; HEADER];
        header[0..4].copy_from_slice(&MAGIC.to_le_bytes());
        header[8..16].copy_from_slice(&self.ring_id.to_le_bytes());
        header[16..24].copy_from_slice(&self.ring_size.to_le_bytes());
        header[24..32].copy_from_slice(&mark.position.to_le_bytes());
        header[32..40].copy_from_slice(&mark.sequence.to_le_bytes());
        let checksum = checksum(&header, payload);
        header[4..8].copy_from_slice(&checksum.to_le_bytes());

        let path = checkpoint_path(&self.dir);
        let fresh = self.dir.join("checkpoint.new");
        let written = (|| {
            let file = self.disk.open(&fresh, OpenMode::OpenOrCreate)?;
            file.set_len(0)?;
            file.write_at(&[IoSlice::new(&header), IoSlice::new(payload)], 0)?;
            file.sync_data()?;
            self.disk.rename(&fresh, &path)?;
            self.disk.sync_dir(&self.dir)
        })();
        written.map_err(|e| JournalError::io(path, e))
    }
}

/// `None` where there is no checkpoint yet.
pub(crate) fn load(disk: &dyn Disk, dir: &Path) -> Result<Option<Loaded>, JournalError> {
    let path = checkpoint_path(dir);
    if !disk.exists(&path).map_err(|e| JournalError::io(&path, e))? {
        return Ok(None);
    }
    let bytes = disk.open(&path, OpenMode::Read).and_then(|file| read_all(&*file)).map_err(|e| JournalError::io(&path, e))?;
    let Some((header, payload)) = bytes.split_first_chunk::<HEADER>() else {
        return Err(JournalError::corrupt(path, "it is too short"));
    };
    let u32_at = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
    if u32_at(0) != MAGIC {
        return Err(JournalError::corrupt(path, "it does not begin as a checkpoint of this version"));
    }
    if u32_at(4) != checksum(header, payload) {
        return Err(JournalError::corrupt(path, "its checksum does not hold"));
    }
    let mut replay = Replay::default();
    let mut items = Items::new(bytes.slice(HEADER..));
    while let Some((group, item)) = items.next().map_err(|what| JournalError::corrupt(&path, what))? {
        replay.apply(group, item);
    }
    let tail = Mark { position: u64_at(24), sequence: u64_at(32) };
    Ok(Some(Loaded { ring_id: u64_at(8), ring_size: u64_at(16), tail, replay }))
}

fn read_all(file: &dyn File) -> std::io::Result<Bytes> {
    let length = file.len()?;
    let mut bytes = vec![0; usize::try_from(length).map_err(std::io::Error::other)?];
    let read = file.read_at(&mut bytes, 0)?;
    bytes.truncate(read);
    Ok(bytes.into())
}

fn checksum(header: &[u8; HEADER], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&header[8..]);
    hasher.update(payload);
    hasher.finalize()
}
