//! OffsetCommit (8): how far a group has read.
use std::collections::HashSet;

use millrace_coordinator::{CommitOffset, CommitOffsets};
use millrace_protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use millrace_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};
use millrace_protocol::{ErrorCode, StrBytes};

use super::Context;
use super::error::{coordinator_code, group_code};

pub async fn handle(ctx: &Context, request: OffsetCommitRequest, version: i16) -> OffsetCommitResponse {
    let (ask, unknown) = split(ctx, &request, version);
    let committed = if ask.offsets.is_empty() && !unknown.is_empty() { Ok(Vec::new()) } else { commit(ctx, ask).await };
    let mut outcomes = committed.as_deref().unwrap_or_default().iter();
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let code = if unknown.contains(&(topic.name.as_str(), partition.partition_index)) {
                ErrorCode::UnknownTopicOrPartition.code()
            } else {
                match &committed {
                    Err(code) => code.code(),
                    // As many as were asked, in their order.
                    Ok(_) => outcomes.next().map_or(0, |outcome| outcome.map_or_else(|code| code.code(), |()| 0)),
                }
            };
            OffsetCommitResponsePartition::default().with_partition_index(partition.partition_index).with_error_code(code)
        });
        OffsetCommitResponseTopic::default().with_name(topic.name.clone()).with_partitions(partitions.collect())
    });
    OffsetCommitResponse::default().with_topics(topics.collect())
}

/// What to ask of the group, and what names no partition.
fn split<'a>(ctx: &Context, request: &'a OffsetCommitRequest, version: i16) -> (CommitOffsets, HashSet<(&'a str, i32)>) {
    let image = ctx.node.cluster.image();
    let mut unknown = HashSet::new();
    let mut offsets = Vec::new();
    for topic in &request.topics {
        let count = image.topic(&topic.name).map_or(0, |topic| topic.partitions.len());
        for partition in &topic.partitions {
            let exists = usize::try_from(partition.partition_index).is_ok_and(|index| index < count);
            if !exists {
                unknown.insert((topic.name.as_str(), partition.partition_index));
                continue;
            }
            offsets.push(CommitOffset {
                topic: topic.name.to_string(),
                partition: partition.partition_index,
                offset: partition.committed_offset,
                leader_epoch: partition.committed_leader_epoch,
                metadata: partition.committed_metadata.as_ref().map(StrBytes::to_string).unwrap_or_default(),
            });
        }
    }
    let ask = CommitOffsets {
        group: request.group_id.to_string(),
        member: request.member_id.to_string(),
        instance: request.group_instance_id.as_ref().map(StrBytes::to_string),
        generation: request.generation_id_or_member_epoch,
        // Versions 2 to 4 could say how long the offsets live; -1 leaves it to the broker.
        retention_ms: (version <= 4 && request.retention_time_ms >= 0).then_some(request.retention_time_ms),
        offsets,
    };
    (ask, unknown)
}

async fn commit(ctx: &Context, ask: CommitOffsets) -> Result<Vec<Result<(), ErrorCode>>, ErrorCode> {
    let seat = ctx.node.coordinators.seat(&ask.group).map_err(coordinator_code)?;
    let answer = seat.ask(|coordinator, now| coordinator.commit(ask, now)).await.map_err(coordinator_code)?;
    let results = answer.map_err(group_code)?;
    Ok(results.into_iter().map(|result| result.map_err(group_code)).collect())
}
