//! The usual settings of a log and of a shard, for tests that say what they need otherwise.
use std::path::PathBuf;

use millrace_log::{Cleanup, LogConfig};
use millrace_shard::{Plant, ShardSettings};

/// Nothing is old enough or too much to be kept.
pub fn log_config() -> LogConfig {
    LogConfig {
        segment_bytes: 1 << 20,
        segment_ms: 86_400_000,
        segment_jitter_ms: 0,
        segment_index_bytes: 10 << 20,
        index_interval_bytes: 4096,
        retention_bytes: None,
        retention_ms: None,
        cleanup: Cleanup::DELETE,
        delete_retention_ms: 0,
        min_compaction_lag_ms: 0,
        max_compaction_lag_ms: i64::MAX,
        min_cleanable_dirty_ratio: 0.5,
        preallocate: false,
    }
}

/// A small ring in `data/journal`, and as much of the disk as there is.
pub fn shard_settings() -> ShardSettings {
    ShardSettings {
        journal_dir: PathBuf::from("data/journal"),
        ring_bytes: 1 << 20,
        direct_bytes: 128 << 10,
        turn_bytes_max: 1 << 20,
        checkpoint_ms: 1_000,
        retention_delay_ms: 30_000,
        retention_check_ms: 300_000,
        clean_check_ms: 15_000,
        clean_map_bytes: 1 << 20,
        producer_expiration_ms: 86_400_000,
        disk_reserve_bytes: 0,
        plant: Plant::Nothing,
    }
}
