//! Every config that a topic can carry.
//!
//! Ranges and types are Kafka 4.3's. The defaults stand in the broker's rows (`broker.rs`), behind
//! the synonyms named here; only keys without a synonym state one.
use super::key::{Key, Kind::*, Synonym, Valid::*};

const CODECS: &[&str] = &["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"];

/// The table. Sorted by name, as DescribeConfigs lists it.
pub const TOPIC: &[Key] = &[
    Key::behind("cleanup.policy", List, &[Synonym::same("log.cleanup.policy")]).valid(ListOf(&["compact", "delete"])).live()
        .doc("What happens to old segments: `delete` drops them by time or size, `compact` keeps the last value of each key, both may be given. Empty keeps everything."),
    Key::behind("compression.gzip.level", Int, &[Synonym::same("compression.gzip.level")]).valid(GzipLevel).live()
        .doc("Level when this broker compresses with gzip; -1 is gzip's own default."),
    Key::behind("compression.lz4.level", Int, &[Synonym::same("compression.lz4.level")]).valid(Between(1, 17)).live()
        .doc("Level when this broker compresses with lz4."),
    Key::behind("compression.type", String, &[Synonym::same("compression.type")]).valid(OneOf(CODECS)).live()
        .doc("The codec in which batches are stored. `producer` keeps what the client chose, so nothing is recompressed."),
    Key::behind("compression.zstd.level", Int, &[Synonym::same("compression.zstd.level")]).valid(Between(-131_072, 22)).live()
        .doc("Level when this broker compresses with zstd."),
    Key::behind("delete.retention.ms", Long, &[Synonym::same("log.cleaner.delete.retention.ms")]).valid(AtLeast(0)).live()
        .doc("How long a compacted topic keeps the tombstone of a deleted key, so that a reader who started in time sees the deletion."),
    Key::behind("file.delete.delay.ms", Long, &[Synonym::same("log.segment.delete.delay.ms")]).valid(AtLeast(0)).live()
        .doc("How long the files of dropped segments, and of the topic when it is deleted, stay on disk under another name. A start removes them at once."),
    Key::behind("flush.messages", Long, &[Synonym::same("log.flush.interval.messages")]).valid(AtLeast(1)).live()
        .doc("1 answers a producer only after its records are on disk. Any larger value answers from memory, as Kafka does by default, and leaves the writing to the operating system and `flush.ms`."),
    Key::behind("flush.ms", Long, &[Synonym::same("log.flush.interval.ms"), Synonym::same("log.flush.scheduler.interval.ms")]).valid(AtLeast(0)).live()
        .doc("When `flush.messages` is above 1: the longest time that records stay unflushed."),
    Key::with("follower.replication.throttled.replicas", List, "").valid(ThrottledReplicas).live().accepted()
        .doc("Replicas whose catching up is throttled on the follower: `partition:broker` pairs or `*`."),
    Key::behind("index.interval.bytes", Int, &[Synonym::same("log.index.interval.bytes")]).valid(AtLeast(0)).live()
        .doc("Bytes of log between two entries of the sparse indexes."),
    Key::unset("internal.segment.bytes", Int).live()
        .doc("Segment size below the smallest that `segment.bytes` takes. For tests; not listed."),
    Key::with("leader.replication.throttled.replicas", List, "").valid(ThrottledReplicas).live().accepted()
        .doc("Replicas whose catching up is throttled on the leader: `partition:broker` pairs or `*`."),
    Key::behind("local.retention.bytes", Long, &[Synonym::same("log.local.retention.bytes")]).valid(AtLeast(-2)).live().accepted()
        .doc("With tiered storage: bytes kept on local disk; -2 means `retention.bytes`."),
    Key::behind("local.retention.ms", Long, &[Synonym::same("log.local.retention.ms")]).valid(AtLeast(-2)).live().accepted()
        .doc("With tiered storage: time kept on local disk; -2 means `retention.ms`."),
    Key::behind("max.compaction.lag.ms", Long, &[Synonym::same("log.cleaner.max.compaction.lag.ms")]).valid(AtLeast(1)).live()
        .doc("The longest time a record of a compacted topic may wait for compaction. Also rolls the active segment that early."),
    Key::behind("max.message.bytes", Int, &[Synonym::same("message.max.bytes")]).valid(AtLeast(0)).live()
        .doc("The largest batch accepted, as it arrives (after the client's compression)."),
    Key::behind("message.timestamp.after.max.ms", Long, &[Synonym::same("log.message.timestamp.after.max.ms")]).valid(AtLeast(0)).live()
        .doc("How far ahead of the broker's clock a record's timestamp may be."),
    Key::behind("message.timestamp.before.max.ms", Long, &[Synonym::same("log.message.timestamp.before.max.ms")]).valid(AtLeast(0)).live()
        .doc("How far behind the broker's clock a record's timestamp may be."),
    Key::behind("message.timestamp.type", String, &[Synonym::same("log.message.timestamp.type")]).valid(OneOf(&["CreateTime", "LogAppendTime"])).live()
        .doc("Whose clock stamps records: the producer's (`CreateTime`) or the broker's (`LogAppendTime`)."),
    Key::behind("min.cleanable.dirty.ratio", Double, &[Synonym::same("log.cleaner.min.cleanable.ratio")]).valid(BetweenDouble(0.0, 1.0)).live()
        .doc("The share of a log that must be uncompacted before compaction starts."),
    Key::behind("min.compaction.lag.ms", Long, &[Synonym::same("log.cleaner.min.compaction.lag.ms")]).valid(AtLeast(0)).live()
        .doc("The shortest time a record stays uncompacted."),
    Key::behind("min.insync.replicas", Int, &[Synonym::same("min.insync.replicas")]).valid(AtLeast(1)).live()
        .doc("Replicas, the leader included, that must hold a record before acks=all is answered."),
    Key::behind("preallocate", Boolean, &[Synonym::same("log.preallocate")]).live()
        .doc("Reserve a new segment's file at its full size."),
    Key::with("remote.log.copy.disable", Boolean, "false").live().accepted()
        .doc("With tiered storage: stop uploading, keep reading what was uploaded."),
    Key::with("remote.log.delete.on.disable", Boolean, "false").live().accepted()
        .doc("With tiered storage: turning it off also deletes what was uploaded."),
    Key::with("remote.storage.enable", Boolean, "false").live().accepted()
        .doc("Tiered storage for this topic. Refused while the broker has none."),
    Key::behind("retention.bytes", Long, &[Synonym::same("log.retention.bytes")]).live()
        .doc("The size at which a partition's oldest segments are dropped; -1 is no limit."),
    Key::behind("retention.ms", Long, &[Synonym::same("log.retention.ms"), Synonym::minutes("log.retention.minutes"), Synonym::hours("log.retention.hours")]).valid(AtLeast(-1)).live()
        .doc("The age at which segments are dropped; -1 is no limit."),
    Key::behind("segment.bytes", Int, &[Synonym::same("log.segment.bytes")]).valid(AtLeast(1024 * 1024)).live()
        .doc("The size at which a new segment is begun."),
    Key::behind("segment.index.bytes", Int, &[Synonym::same("log.index.size.max.bytes")]).valid(AtLeast(4)).live()
        .doc("The largest size of a segment's index."),
    Key::behind("segment.jitter.ms", Long, &[Synonym::same("log.roll.jitter.ms"), Synonym::hours("log.roll.jitter.hours")]).valid(AtLeast(0)).live()
        .doc("Up to this much is taken off `segment.ms` at random, so that many partitions do not roll at once."),
    Key::behind("segment.ms", Long, &[Synonym::same("log.roll.ms"), Synonym::hours("log.roll.hours")]).valid(AtLeast(1)).live()
        .doc("The age at which a new segment is begun, so that retention and compaction can reach the old one."),
    Key::behind("unclean.leader.election.enable", Boolean, &[Synonym::same("unclean.leader.election.enable")]).live().accepted()
        .doc("Kafka's switch for electing a replica that misses records. Here a leader always has every committed record; a lost majority is recovered by hand."),
];
