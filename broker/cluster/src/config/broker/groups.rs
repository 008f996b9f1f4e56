//! Group coordination, offsets, producers and transactions.
use crate::config::key::{Key, Kind::*, Valid::*};

const INT_MAX: &str = "2147483647";

pub(super) const KEYS: &[Key] = &[
    Key::with("group.coordinator.rebalance.protocols", List, "classic").valid(ListOf(&["classic", "consumer", "streams"])).accepted()
        .doc("Group protocols switched on. Only the classic one is here."),
    Key::with("offsets.topic.num.partitions", Int, "50").valid(AtLeast(1)).doc("Partitions of `__consumer_offsets`; fixed once it exists."),
    Key::with("offsets.topic.replication.factor", Short, "1").valid(AtLeast(1)).doc("Replicas of `__consumer_offsets`. Kafka's 3 cannot start on one node."),
    Key::with("offsets.topic.segment.bytes", Int, "104857600").valid(AtLeast(1)).doc("Segment size of `__consumer_offsets`."),
    Key::with("offsets.topic.compression.codec", Int, "0").accepted().doc("Kafka's codec of `__consumer_offsets`."),
    Key::with("offsets.load.buffer.size", Int, "5242880").valid(AtLeast(1)).accepted().doc("Kafka's read size when a coordinator loads."),
    Key::with("offsets.commit.timeout.ms", Int, "5000").valid(AtLeast(1)).accepted().doc("How long a commit may wait for its replicas."),
    Key::with("offsets.retention.minutes", Int, "10080").valid(AtLeast(1)).doc("How long an empty group's offsets are kept."),
    Key::with("offsets.retention.check.interval.ms", Long, "600000").valid(AtLeast(1)).doc("How often expired offsets are looked for."),
    Key::with("offset.metadata.max.bytes", Int, "4096").doc("The longest note that a client may store with an offset."),
    Key::with("group.initial.rebalance.delay.ms", Int, "3000").doc("How long the first rebalance of an empty group waits for more members."),
    Key::with("group.min.session.timeout.ms", Int, "6000").doc("The shortest session time-out a member may ask for."),
    Key::with("group.max.session.timeout.ms", Int, "1800000").doc("The longest session time-out a member may ask for."),
    Key::with("group.max.size", Int, INT_MAX).valid(AtLeast(1)).doc("The most members of a group."),
    Key::with("group.coordinator.threads", Int, "4").valid(AtLeast(1)).accepted().doc("Kafka's coordinator threads."),
    Key::with("group.coordinator.append.linger.ms", Int, "-1").valid(AtLeast(-1)).accepted().doc("How long Kafka's coordinator gathers writes. The shard's turn does it here."),
    Key::with("group.consumer.session.timeout.ms", Int, "45000").valid(AtLeast(1)).accepted().doc("Session time-out of the consumer protocol, which is not here yet."),
    Key::with("group.consumer.heartbeat.interval.ms", Int, "5000").valid(AtLeast(1)).accepted().doc("Heartbeat interval of the consumer protocol, which is not here yet."),
    Key::with("group.consumer.assignors", List, "uniform,range").accepted().doc("Assignors of the consumer protocol, which is not here yet."),
    Key::with("group.consumer.migration.policy", String, "bidirectional").valid(OneOf(&["bidirectional", "disabled", "downgrade", "upgrade"])).accepted()
        .doc("Migration between group protocols, which is not here yet."),
    Key::with("group.share.record.lock.duration.ms", Int, "30000").accepted().doc("Share groups are not here yet."),
    Key::with("group.share.delivery.count.limit", Int, "5").accepted().doc("Share groups are not here yet."),
    Key::with("group.share.partition.max.record.locks", Int, "2000").accepted().doc("Share groups are not here yet."),
    Key::with("group.share.max.size", Int, "200").accepted().doc("Share groups are not here yet."),
    Key::with("share.coordinator.state.topic.replication.factor", Short, "3").accepted().doc("Share groups are not here yet."),
    Key::with("share.coordinator.state.topic.min.isr", Short, "2").accepted().doc("Share groups are not here yet."),
    Key::with("group.streams.num.standby.replicas", Int, "0").accepted().doc("Streams groups are not here yet."),
    Key::with("group.streams.session.timeout.ms", Int, "45000").accepted().doc("Streams groups are not here yet."),
    Key::with("producer.id.expiration.ms", Int, "86400000").valid(AtLeast(1)).live().doc("How long an idle producer's sequence numbers are remembered."),
    Key::with("producer.id.expiration.check.interval.ms", Int, "600000").valid(AtLeast(1)).accepted().doc("How often idle producers are looked for."),
    Key::with("transaction.max.timeout.ms", Int, "900000").valid(AtLeast(1)).accepted().doc("Transactions are not here yet."),
    Key::with("transactional.id.expiration.ms", Int, "604800000").valid(AtLeast(1)).accepted().doc("Transactions are not here yet."),
    Key::with("transaction.state.log.num.partitions", Int, "50").valid(AtLeast(1)).accepted().doc("Transactions are not here yet."),
    Key::with("transaction.state.log.replication.factor", Short, "1").valid(AtLeast(1)).accepted().doc("Transactions are not here yet."),
    Key::with("transaction.state.log.min.isr", Int, "1").valid(AtLeast(1)).accepted().doc("Transactions are not here yet."),
    Key::with("transaction.state.log.segment.bytes", Int, "104857600").valid(AtLeast(1)).accepted().doc("Transactions are not here yet."),
    Key::with("transaction.partition.verification.enable", Boolean, "true").live().accepted().doc("Transactions are not here yet."),
    Key::with("transaction.two.phase.commit.enable", Boolean, "false").accepted().doc("Transactions are not here yet."),
    Key::with("add.partitions.to.txn.retry.backoff.ms", Int, "20").valid(AtLeast(0)).accepted().doc("Transactions are not here yet."),
    Key::with("add.partitions.to.txn.retry.backoff.max.ms", Int, "100").valid(AtLeast(0)).accepted().doc("Transactions are not here yet."),
];
