//! Questions to the metadata log: what a request may do, said as the records that do it.
//!
//! Every function here is pure. It sees the image with all records so far (also those of earlier items
//! of the same request) and answers each item by itself: one bad topic does not spoil the others.
mod alter_configs;
mod create_partitions;
mod create_topics;
mod delete_topics;
mod names;
mod placement;
mod producer_ids;
mod register;

pub use alter_configs::{Change, ConfigAsk, Operation, Resource, incremental_alter, legacy_alter};
pub use create_partitions::{MorePartitions, create_partitions};
pub use create_topics::{Assignment, CreatedTopic, NewTopic, create_topics};
pub use delete_topics::{TopicRef, delete_topics};
pub use names::{is_internal, validate_name};
pub use producer_ids::{ProducerIdBlock, allocate_producer_ids};
pub use register::{Registration, register};

use std::collections::BTreeSet;

use crate::config::{BrokerSettings, Layers, Map};
use crate::record::{Record, Scope};
use crate::image::Image;

/// What a decision sees: the cluster, and the properties that this node was started with.
#[derive(Debug, Clone, Copy)]
pub struct Cluster<'a> {
    pub image: &'a Image,
    /// The node that decides.
    pub node_id: i32,
    /// Its properties file and command line.
    pub fixed: &'a Map,
}

impl<'a> Cluster<'a> {
    /// This node's config layers.
    pub fn layers(&self) -> Layers<'a> {
        Layers {
            fixed: self.fixed,
            default_broker: self.image.configs(&Scope::DefaultBroker),
            broker: self.image.configs(&Scope::Broker(self.node_id)),
        }
    }
    /// This node's broker configs.
    pub fn settings(&self) -> BrokerSettings<'a> {
        BrokerSettings { layers: self.layers() }
    }
}

/// What to write, and what to answer once it is committed.
pub type Decision<R> = millrace_fold::Decision<Record, R>;

/// Why a request is not done. Always the client's matter, never the broker's trouble.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    pub reason: Reason,
    pub message: String,
}

/// The kind of a refusal; the API layer knows Kafka's number for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    TopicExists,
    UnknownTopic,
    UnknownTopicId,
    InvalidTopic,
    InvalidPartitions,
    InvalidReplicationFactor,
    InvalidReplicaAssignment,
    InvalidConfig,
    InvalidRequest,
    PolicyViolation,
    TopicDeletionDisabled,
}

/// The items that a request names more than once. Found in one pass: a request may name a million.
fn repeated<T: Ord + Copy>(items: impl Iterator<Item = T>) -> BTreeSet<T> {
    let mut seen = BTreeSet::new();
    items.filter(|item| !seen.insert(*item)).collect()
}

pub(crate) fn refuse<T>(reason: Reason, message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { reason, message: message.into() })
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// A one-node cluster to ask questions of.
    pub(crate) struct Fixture {
        pub image: Image,
        pub fixed: Map,
    }

    impl Fixture {
        pub(crate) fn new() -> Self {
            let mut image = Image::default();
            image.take(Record::Node { id: 1, rack: None, endpoints: Vec::new() });
            Self { image, fixed: Map::new() }
        }
        pub(crate) fn cluster(&self) -> Cluster<'_> {
            Cluster { image: &self.image, node_id: 1, fixed: &self.fixed }
        }
        pub(crate) fn apply(&mut self, records: Vec<Record>) {
            records.into_iter().for_each(|record| self.image.take(record));
        }
        /// Creates a topic as a client would.
        pub(crate) fn topic(&mut self, name: &str, partitions: i32) {
            let ask = NewTopic { partitions, ..NewTopic::named(name) };
            let decision = create_topics(self.cluster(), &[ask], &mut ids());
            assert!(decision.reply[0].is_ok(), "{:?}", decision.reply[0]);
            self.apply(decision.records);
        }
    }

    /// Ids that differ and are the same in every run.
    pub(crate) fn ids() -> impl FnMut() -> uuid::Uuid {
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
        || uuid::Uuid::from_u128(u128::from(NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)))
    }
}
