//! The records of the metadata log: every change of the cluster, one kind each.
use bytes::Bytes;
use uuid::Uuid;

/// The Raft group (and the log on disk) of one partition. Never used twice in a cluster's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupNumber(pub u64);

/// What a config belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    Topic(String),
    Broker(i32),
    /// Every broker.
    DefaultBroker,
    Group(String),
}

/// An address that a node is reached at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub listener: String,
    pub host: String,
    pub port: u16,
}

/// A change of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// Written once, as the log's first record.
    Cluster { id: Uuid },
    /// A node and where it is reached; replaces what was known of it.
    Node { id: i32, rack: Option<String>, endpoints: Vec<Endpoint> },
    Topic { name: String, id: Uuid },
    /// A new partition of an existing topic.
    Partition { topic: Uuid, index: i32, group: GroupNumber, replicas: Vec<i32> },
    /// The topic, its partitions and its configs are gone.
    RemoveTopic { id: Uuid },
    /// A value, or none to take it away.
    Config { scope: Scope, name: String, value: Option<String> },
    /// Producer ids below this one are given out.
    ProducerIds { next: i64 },
    /// Group numbers below this one are given out, those of deleted topics included.
    Groups { next: u64 },
    /// A finalized feature; level 0 takes it away.
    Feature { name: String, level: i16 },
    /// A statement that changed the views' catalog, in the views' own encoding.
    Command { bytes: Bytes },
    /// Everything before this is nothing: what is still true is said again behind it, in the same batch.
    Snapshot,
}
