//! The node's journal: what the last turns of the shard must not lose, in one place, so that one
//! fsync covers every partition that a turn touched.
//!
//! A turn's small batches and all Raft hard states go as one checksummed frame into a preallocated
//! file that is overwritten in place, round and round (the ring). The same batches go to their
//! segments through the page cache. Behind the turns, a checkpoint flushes the segments, writes
//! down all hard states, and only then lets the ring's tail move on. After a crash the segments hold
//! everything up to the checkpoint, and the ring's frames hold the rest.
//!
//! Invariants:
//! 1. A frame is written only after the one before it is on stable storage. So a bad frame with a
//!    valid one behind it is corruption of something acknowledged, and opening refuses; a bad frame
//!    with nothing behind it was never acknowledged, and is cut.
//! 2. Frames begin at multiples of 4 KiB, and no page that holds a needed frame is written again.
//! 3. The tail moves only to where a durable checkpoint says.
//! 4. After a failed write or fsync the journal takes nothing more until it is opened again.
//!
//! It knows nothing of Raft but three numbers per group, nothing of batches but their bytes, and it
//! starts no thread: the caller decides who runs the checkpoint.
//!
//! # Format
//! All integers little-endian. The ring, at a multiple of 4096:
//! ```text
//!  0  u32  magic "MRJ1"
//!  4  u32  crc32 of all that follows: header from byte 8, then the payload
//!  8  u64  ring id: random, made with the ring, so that no record's bytes can pose as a frame
//! 16  u64  sequence: one more than the frame before
//! 24  u32  payload length
//! 28       payload: items, one after another
//! ```
//! An item: `u8 kind, u64 group`, then by kind
//! `1` entry: `u64 index, u32 length, bytes` ·
//! `2` hard state: `u64 term, u64 vote, u64 commit` ·
//! `3` synced: `u64 index` (the group's segments hold everything up to here) ·
//! `4` removed: nothing.
//!
//! The checkpoint (`checkpoint`, replaced by a rename) is described in `checkpoint.rs`.
mod checkpoint;
mod error;
mod item;
mod journal;
mod replay;
mod ring;
#[cfg(test)]
mod tests;

pub use checkpoint::Checkpoint;
pub use error::JournalError;
pub use item::TurnFrame;
pub use journal::{Journal, Mark};
pub use replay::{GroupReplay, Replay, ReplayEntry};

use std::fmt;

/// The biggest payload of one frame, in a ring that is big enough for it.
const FRAME_BYTES_MAX: usize = 16 << 20;
/// The smallest ring.
const RING_BYTES_MIN: u64 = 64 << 10;

/// One Raft group of this node. Never used again for another one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct GroupId(pub u64);

impl fmt::Display for GroupId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "group {}", self.0)
    }
}

/// What a Raft replica must not forget, beside its log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct HardState {
    pub term: u64,
    /// 0: no vote in this term.
    pub vote: u64,
    pub commit: u64,
}
