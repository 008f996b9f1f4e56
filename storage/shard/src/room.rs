//! Whether a volume has room for a turn. Asked before anything is proposed, so that a full disk
//! refuses whole batches instead of breaking off in the middle of one. The answer is remembered
//! while there is plenty; close to the limit every turn asks anew, so that writing resumes as soon
//! as there is room.
use std::path::Path;
use std::time::Duration;

use millrace_world::{Disk, Moment};

/// Below this much, every turn asks.
const PLENTY: u64 = 256 << 20;
const REMEMBERED: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(crate) struct Room {
    free: u64,
    until: Moment,
}

impl Room {
    /// Whether `bytes` can be written and `reserve` remains.
    pub fn is_there(&mut self, disk: &dyn Disk, dir: &Path, bytes: u64, reserve: u64, now: Moment) -> bool {
        let needed = bytes.saturating_add(reserve);
        if now >= self.until || self.free < needed.saturating_add(PLENTY) {
            // A disk that cannot say is asked by writing.
            let Ok((_, free)) = disk.space(dir) else { return true };
            self.free = free;
            self.until = now + REMEMBERED;
        }
        if self.free < needed {
            return false;
        }
        self.free -= bytes;
        true
    }
}
