//! What may go wrong, and when. The disk counts its operations; faults are set for a number.
use std::collections::BTreeSet;

#[derive(Clone, Default, Debug)]
pub struct Faults {
    /// The power fails during this operation.
    pub power_off_at: Option<u64>,
    /// These operations fail with EIO, if they are writes or syncs.
    pub broken: BTreeSet<u64>,
    /// Bytes the volume holds; `None`: no end.
    pub capacity: Option<u64>,
    /// A lie: the free space that `space` answers is too high by so much.
    pub space_lie: u64,
    /// Nanoseconds that one sync takes, at the most.
    pub sync_nanos_max: u64,
}

/// How the crash treats what was not synced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loss {
    /// The process died, the machine did not: the page cache is all there.
    Nothing,
    /// Nothing unsynced survives.
    Everything,
    /// Each unsynced page survives, or not, or in part.
    Some,
}
