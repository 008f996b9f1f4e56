//! What a log is told about itself. Plain settings, chosen by the caller; Kafka's names.

#[derive(Clone, PartialEq, Debug)]
pub struct LogConfig {
    /// A segment that would grow beyond this is closed and the next one begun.
    pub segment_bytes: u64,
    /// The same by time: from its first record's timestamp to the next append's.
    pub segment_ms: i64,
    /// Up to so much is taken off `segment_ms`, per segment, so that logs do not all roll at once.
    pub segment_jitter_ms: i64,
    /// Room for a segment's sparse index, at 8 bytes an entry as in Kafka; a full one rolls the segment.
    pub segment_index_bytes: u64,
    /// Bytes between two entries of the sparse index.
    pub index_interval_bytes: u64,
    /// `None`: no limit.
    pub retention_bytes: Option<u64>,
    /// `None`: no limit.
    pub retention_ms: Option<i64>,
    pub cleanup: Cleanup,
    /// How long a tombstone stays after the first cleaning that met it.
    pub delete_retention_ms: i64,
    pub min_compaction_lag_ms: i64,
    pub max_compaction_lag_ms: i64,
    /// Cleaning begins when more than this share of the log is dirty. 0 to 1.
    pub min_cleanable_dirty_ratio: f64,
    /// Reserve `segment_bytes` on disk when a segment begins.
    pub preallocate: bool,
}

/// `cleanup.policy`: a set. Empty means that everything is kept for ever.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cleanup {
    pub delete: bool,
    pub compact: bool,
}

impl Cleanup {
    pub const DELETE: Cleanup = Cleanup { delete: true, compact: false };
    pub const COMPACT: Cleanup = Cleanup { delete: false, compact: true };
    pub const BOTH: Cleanup = Cleanup { delete: true, compact: true };
    pub const NONE: Cleanup = Cleanup { delete: false, compact: false };
}

/// What `Log::open` must know beyond its settings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Opening {
    /// Whose log this is. Written into every segment; a folder with another's segments is refused.
    pub identity: u128,
    /// The caller knows that entries up to here reached the disk: damage at or below is corruption,
    /// above it may be the torn end of a crash. 0 when nothing is known.
    pub durable_index: u64,
    /// The caller knows of everything that may not have reached the disk. Without that, damage anywhere is corruption.
    pub may_be_torn: bool,
    /// Where the log begins if the folder is empty.
    pub begin: Begin,
    /// Wall clock.
    pub now_ms: i64,
}

/// The place at which an empty log begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Begin {
    pub offset: millrace_record::Offset,
    /// Of the first entry to come.
    pub index: u64,
    /// Of the entry before that.
    pub previous_term: millrace_record::Epoch,
}

impl Begin {
    /// A log from its first entry: offset 0, index 1.
    pub const NEW: Begin = Begin { offset: millrace_record::Offset(0), index: 1, previous_term: millrace_record::Epoch(0) };
}
