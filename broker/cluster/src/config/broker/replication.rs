//! Copies of a partition. Replication here is Raft, so most of Kafka's knobs have nothing to turn.
use crate::config::key::{Key, Kind::*, Valid::*};

pub(super) const KEYS: &[Key] = &[
    Key::with("replica.lag.time.max.ms", Long, "30000").accepted().doc("How far behind a replica may fall before it is shown as out of sync."),
    Key::with("num.replica.fetchers", Int, "1").live().accepted().doc("Kafka's fetcher threads."),
    Key::with("replica.fetch.max.bytes", Int, "1048576").valid(AtLeast(0)).accepted().doc("Kafka's replica fetch size of one partition."),
    Key::with("replica.fetch.response.max.bytes", Int, "10485760").valid(AtLeast(0)).accepted().doc("Kafka's replica fetch size."),
    Key::with("replica.fetch.wait.max.ms", Int, "500").accepted().doc("Kafka's replica fetch wait."),
    Key::with("replica.fetch.min.bytes", Int, "1").accepted().doc("Kafka's smallest replica fetch."),
    Key::with("replica.fetch.backoff.ms", Int, "1000").valid(AtLeast(0)).accepted().doc("Kafka's pause after a failed replica fetch."),
    Key::with("replica.socket.timeout.ms", Int, "30000").accepted().doc("Kafka's replica socket time limit."),
    Key::with("replica.socket.receive.buffer.bytes", Int, "65536").accepted().doc("Kafka's replica socket buffer."),
    Key::with("replica.high.watermark.checkpoint.interval.ms", Long, "5000").accepted().doc("Kafka's high watermark checkpoint."),
    Key::unset("replica.selector.class", Class).accepted().doc("Which replica a consumer is sent to."),
    Key::with("auto.leader.rebalance.enable", Boolean, "true").accepted().doc("Move leadership back to preferred replicas."),
    Key::with("leader.imbalance.check.interval.seconds", Long, "300").valid(AtLeast(1)).accepted().doc("How often that is looked at."),
    Key::with("leader.replication.throttled.rate", Long, "9223372036854775807").valid(AtLeast(0)).per_broker().accepted().doc("Throttle of catching up, on leaders."),
    Key::with("follower.replication.throttled.rate", Long, "9223372036854775807").valid(AtLeast(0)).per_broker().accepted().doc("Throttle of catching up, on followers."),
];
