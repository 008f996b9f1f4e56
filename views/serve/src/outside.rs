//! What views need of the broker around them. The broker implements it; nothing here knows how.
use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use millrace_engine::state::InputId;
use millrace_shard::Partition;
use millrace_sql::catalog::NewTopic;
use millrace_store::{Caches, Databases};
use millrace_world::World;

pub type Answer<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Why the broker did not do what was asked: a sentence for the user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSummary {
    pub name: String,
    /// Replicas of each partition.
    pub replicas: Vec<usize>,
    pub internal: bool,
}

/// Who reads a topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Consumers {
    pub members: usize,
    pub groups: usize,
}

pub trait Outside: Send + Sync + 'static {
    /// Where views run: their own threads, so that no view ever holds up the log.
    fn world(&self) -> Arc<dyn World>;
    /// For state. Made if it is absent.
    fn state_dir(&self) -> PathBuf;
    /// What keeps the rows that do not fit into memory, with so many bytes for itself.
    fn databases(&self, memory_bytes: usize) -> Arc<dyn Databases> {
        Arc::new(Caches::new(memory_bytes))
    }
    fn cluster_id(&self) -> String;
    /// Where this node's HTTP is reached: `host:port`.
    fn http_address(&self) -> String;
    /// Why the broker takes no writes now, if it does not.
    fn health(&self) -> Result<(), Refused>;
    /// Members and groups of consumers per topic.
    fn consumers(&self) -> BTreeMap<String, Consumers>;
    fn topics(&self) -> Vec<TopicSummary>;
    /// In the order of their numbers; all of them open on this node.
    fn partitions(&self, topic: &str) -> Option<Vec<Partition>>;
    /// A topic that exists already is an error unless it has the partitions asked for.
    fn create_topic(&self, topic: NewTopic) -> Answer<Result<(), Refused>>;
    /// How far back each input is still needed: retention must leave that much, and may do as it likes with any other.
    fn hold(&self, needed: &BTreeMap<InputId, i64>);
    fn delete_topic(&self, name: String) -> Answer<Result<(), Refused>>;
    /// The first of a run of producer ids that nobody else has.
    fn producer_ids(&self, count: i64) -> Answer<Result<i64, Refused>>;
    /// Appends to the replicated list of commands; answers when it is committed.
    fn append_command(&self, command: Bytes) -> Answer<Result<(), Refused>>;
    /// All commands, in order.
    fn commands(&self) -> Vec<Bytes>;
}
