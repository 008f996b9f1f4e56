//! Tiered storage. Not here yet: the names are known so that configuration files load.
use crate::config::key::{Key, Kind::*, Valid::*};

const MANAGER: &str = "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager";

pub(super) const KEYS: &[Key] = &[
    Key::with("remote.log.storage.system.enable", Boolean, "false").refused().doc("Switches tiered storage on, which is not here yet."),
    Key::unset("remote.log.storage.manager.class.name", String).accepted().doc("Kafka's plug-in for remote segments."),
    Key::unset("remote.log.storage.manager.class.path", String).accepted().doc("Where that plug-in's code is."),
    Key::with("remote.log.metadata.manager.class.name", String, MANAGER).accepted().doc("Kafka's plug-in for remote metadata."),
    Key::unset("remote.log.metadata.manager.listener.name", String).accepted().doc("The listener that plug-in uses."),
    Key::with("log.local.retention.ms", Long, "-2").valid(AtLeast(-2)).live().accepted().doc("Time kept on local disk; -2 means the topic's retention."),
    Key::with("log.local.retention.bytes", Long, "-2").valid(AtLeast(-2)).live().accepted().doc("Bytes kept on local disk; -2 means the topic's retention."),
    Key::with("remote.log.manager.task.interval.ms", Long, "30000").valid(AtLeast(1)).accepted().doc("How often uploads are looked for."),
    Key::with("remote.log.manager.copier.thread.pool.size", Int, "10").live().accepted().doc("Kafka's upload threads."),
    Key::with("remote.log.reader.threads", Int, "10").valid(AtLeast(1)).live().accepted().doc("Kafka's remote read threads."),
    Key::with("remote.log.index.file.cache.total.size.bytes", Long, "1073741824").valid(AtLeast(1)).live().accepted().doc("Kafka's cache of remote indexes."),
    Key::with("remote.log.manager.copy.max.bytes.per.second", Long, "9223372036854775807").valid(AtLeast(1)).live().accepted().doc("A limit on uploads."),
    Key::with("remote.log.manager.fetch.max.bytes.per.second", Long, "9223372036854775807").valid(AtLeast(1)).live().accepted().doc("A limit on remote reads."),
    Key::with("remote.fetch.max.wait.ms", Int, "500").valid(AtLeast(1)).live().accepted().doc("How long a remote read may take."),
];
