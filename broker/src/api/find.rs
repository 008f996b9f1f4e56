//! From what a request names to an open partition that this node leads, with Kafka's error for every
//! way in which that can fail.
use std::sync::Arc;

use millrace_protocol::ErrorCode;
use millrace_protocol::topic::TopicRef;
use millrace_shard::Partition;

use super::Context;
use crate::partitions::{Directory, Topic};

pub fn topic<'a>(directory: &'a Directory, topic: &TopicRef) -> Result<&'a Arc<Topic>, ErrorCode> {
    directory.find(topic).ok_or(match topic {
        TopicRef::Name(_) => ErrorCode::UnknownTopicOrPartition,
        TopicRef::Id(_) => ErrorCode::UnknownTopicId,
    })
}

/// The partition, open on this node.
pub fn partition(topic: &Topic, index: i32) -> Result<&Partition, ErrorCode> {
    match topic.partition(index) {
        Some(partition) => Ok(partition),
        // It is there and did not open: the log says why.
        None if topic.has(index) => Err(ErrorCode::KafkaStorageError),
        None => Err(ErrorCode::UnknownTopicOrPartition),
    }
}

/// The same, by name, for requests of the control plane.
pub fn named(ctx: &Context, name: &str, index: i32) -> Result<(Arc<Topic>, Partition), ErrorCode> {
    let directory = ctx.node.partitions.directory();
    let topic = directory.named(name).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    let partition = partition(topic, index)?.clone();
    Ok((topic.clone(), partition))
}

/// Whether the client knows an older or a newer leader than this one. -1: it does not say.
pub fn check_leader_epoch(asked: i32, current: i32) -> Result<(), ErrorCode> {
    match asked {
        -1 => Ok(()),
        asked if asked < current => Err(ErrorCode::FencedLeaderEpoch),
        asked if asked > current => Err(ErrorCode::UnknownLeaderEpoch),
        _ => Ok(()),
    }
}
