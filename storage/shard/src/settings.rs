//! What a shard is told once. No defaults here: the node's configuration knows better.
use std::path::PathBuf;

#[derive(Clone, PartialEq, Debug)]
pub struct ShardSettings {
    /// Where the journal lives. Partitions may live on other volumes.
    pub journal_dir: PathBuf,
    /// Size of a ring that has to be made; an existing one keeps its own.
    pub ring_bytes: u64,
    /// From so many bytes in one turn on, a partition's segment is synced instead of copying the
    /// bytes into the ring: the second write costs more than the second fsync.
    pub direct_bytes: usize,
    /// Appends beyond this wait for the next turn.
    pub turn_bytes_max: usize,
    /// How long anything stays in the page cache alone, ring or no ring.
    pub checkpoint_ms: u64,
    /// `log.initial.task.delay.ms`: before the first look of retention, so that a start has time for better.
    pub retention_delay_ms: u64,
    /// `log.retention.check.interval.ms`.
    pub retention_check_ms: u64,
    /// `log.cleaner.backoff.ms`.
    pub clean_check_ms: u64,
    /// `log.cleaner.dedupe.buffer.size`.
    pub clean_map_bytes: usize,
    /// `producer.id.expiration.ms`.
    pub producer_expiration_ms: i64,
    /// Appends are refused when a volume has less than this left.
    pub disk_reserve_bytes: u64,
    pub plant: Plant,
}

/// The part of the settings that may change while the shard runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pace {
    /// `log.cleaner.backoff.ms`.
    pub clean_check_ms: u64,
    /// `log.cleaner.dedupe.buffer.size`.
    pub clean_map_bytes: usize,
    /// `producer.id.expiration.ms`.
    pub producer_expiration_ms: i64,
}

/// Bugs to order, so that the simulator can prove that it would find them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Plant {
    #[default]
    Nothing,
    /// Answers leave before the turn's fsync.
    AckBeforePersist,
}
