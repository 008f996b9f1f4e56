//! A topic's configs in the words of the log beneath.
use millrace_cluster::config::TopicSettings;
use millrace_shard::{Cleanup, Flush, LogConfig, PartitionConfig};

pub fn partition_config(settings: &TopicSettings) -> PartitionConfig {
    let bytes = |n: i32| n.max(0) as u64;
    PartitionConfig {
        log: LogConfig {
            segment_bytes: bytes(settings.segment_bytes),
            segment_ms: settings.segment_ms,
            segment_jitter_ms: settings.segment_jitter_ms,
            segment_index_bytes: bytes(settings.segment_index_bytes),
            index_interval_bytes: bytes(settings.index_interval_bytes),
            retention_bytes: u64::try_from(settings.retention_bytes).ok(),
            retention_ms: (settings.retention_ms >= 0).then_some(settings.retention_ms),
            cleanup: Cleanup { delete: settings.cleanup.delete, compact: settings.cleanup.compact },
            delete_retention_ms: settings.delete_retention_ms,
            min_compaction_lag_ms: settings.min_compaction_lag_ms,
            max_compaction_lag_ms: settings.max_compaction_lag_ms,
            min_cleanable_dirty_ratio: settings.min_cleanable_dirty_ratio,
            preallocate: settings.preallocate,
        },
        flush: Flush {
            messages: u64::try_from(settings.flush_messages).unwrap_or(u64::MAX).max(1),
            ms: u64::try_from(settings.flush_ms).unwrap_or(u64::MAX),
        },
        delete_delay_ms: u64::try_from(settings.file_delete_delay_ms).unwrap_or(0),
    }
}
