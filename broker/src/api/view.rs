//! Topics, partitions and nodes as several APIs show them.
use std::path::PathBuf;

use millrace_cluster::{NodeEntry, PartitionEntry, TopicEntry};
use millrace_protocol::ErrorCode;
use millrace_protocol::StrBytes;
use millrace_protocol::messages::{BrokerId, TopicName};

use super::Context;
use crate::partitions::Directory;

/// What a client needs to know to talk to a partition.
pub struct PartitionView {
    pub error: Option<ErrorCode>,
    pub leader: BrokerId,
    pub leader_epoch: i32,
    pub replicas: Vec<BrokerId>,
    pub isr: Vec<BrokerId>,
    pub offline: Vec<BrokerId>,
}

impl PartitionView {
    pub fn error_code(&self) -> i16 {
        self.error.map_or(0, |error| error.code())
    }
}

/// Kafka's "no node".
const NOBODY: BrokerId = BrokerId(-1);

pub fn partition(ctx: &Context, directory: &Directory, topic: &TopicEntry, index: i32, entry: &PartitionEntry) -> PartitionView {
    let replicas: Vec<BrokerId> = entry.replicas.iter().map(|node| BrokerId(*node)).collect();
    let open = directory.with_id(topic.id).and_then(|topic| topic.partition(index));
    let Some(open) = open else {
        return PartitionView {
            error: Some(ErrorCode::LeaderNotAvailable),
            leader: NOBODY,
            leader_epoch: -1,
            offline: replicas.clone(),
            isr: Vec::new(),
            replicas,
        };
    };
    let state = open.state();
    let leader = if state.is_leader { BrokerId(ctx.node.config.node_id) } else { NOBODY };
    PartitionView {
        error: (!state.is_leader).then_some(ErrorCode::LeaderNotAvailable),
        leader,
        leader_epoch: state.leader_epoch,
        isr: replicas.clone(),
        replicas,
        offline: Vec::new(),
    }
}

/// The folder of this node's partitions, as clients see it.
pub fn data_dir(ctx: &Context) -> PathBuf {
    let dir = &ctx.node.config.data_dir;
    std::path::absolute(dir).unwrap_or_else(|_| dir.clone())
}

/// Where a client of this listener reaches a node: on the listener of the same name.
pub fn address<'a>(ctx: &Context, node: &'a NodeEntry) -> Option<(&'a str, i32)> {
    let endpoint = node.endpoints.iter().find(|endpoint| *endpoint.listener == *ctx.client.listener)?;
    Some((&endpoint.host, i32::from(endpoint.port)))
}

pub fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

/// All operations that an ACL could name for a topic, as bits: what everybody may do where nobody is
/// kept from anything.
pub const TOPIC_OPERATIONS: i32 = bits(&[3, 4, 5, 6, 7, 8, 10, 11]);
/// The same for the cluster.
pub const CLUSTER_OPERATIONS: i32 = bits(&[5, 7, 8, 9, 10, 11, 12]);
/// The same for a group.
pub const GROUP_OPERATIONS: i32 = bits(&[3, 6, 8, 10, 11]);
/// "Not asked for."
pub const NO_OPERATIONS: i32 = i32::MIN;

const fn bits(operations: &[u8]) -> i32 {
    let mut bits = 0;
    let mut at = 0;
    while at < operations.len() {
        bits |= 1 << operations[at];
        at += 1;
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_the_numbers_that_kafka_sends() {
        assert_eq!((TOPIC_OPERATIONS, CLUSTER_OPERATIONS), (3576, 8096));
    }
}
