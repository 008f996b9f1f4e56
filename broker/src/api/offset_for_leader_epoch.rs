//! OffsetForLeaderEpoch (23): where an epoch ended, so that a client can tell whether its log did too.
use millrace_protocol::ErrorCode;
use millrace_protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use millrace_protocol::messages::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
use millrace_protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};
use millrace_record::Epoch;

use super::{Context, find};

/// An epoch, or an offset, that there is none of.
const UNDEFINED: i32 = -1;

pub async fn handle(ctx: &Context, request: OffsetForLeaderEpochRequest, _version: i16) -> OffsetForLeaderEpochResponse {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| one(ctx, &topic.topic, asked));
        OffsetForLeaderTopicResult::default().with_topic(topic.topic.clone()).with_partitions(partitions.collect())
    });
    OffsetForLeaderEpochResponse::default().with_topics(topics.collect())
}

fn one(ctx: &Context, topic: &str, asked: &OffsetForLeaderPartition) -> EpochEndOffset {
    let response = EpochEndOffset::default().with_partition(asked.partition).with_leader_epoch(UNDEFINED).with_end_offset(-1);
    match end_of(ctx, topic, asked) {
        Ok((epoch, end)) => response.with_leader_epoch(epoch).with_end_offset(end),
        Err(error) => response.with_error_code(error.code()),
    }
}

fn end_of(ctx: &Context, topic: &str, asked: &OffsetForLeaderPartition) -> Result<(i32, i64), ErrorCode> {
    let (_, partition) = find::named(ctx, topic, asked.partition)?;
    let state = partition.state();
    if !state.is_leader {
        return Err(ErrorCode::NotLeaderOrFollower);
    }
    find::check_leader_epoch(asked.current_leader_epoch, state.leader_epoch)?;
    if asked.leader_epoch < 0 || asked.leader_epoch > state.leader_epoch {
        return Ok((UNDEFINED, -1));
    }
    if asked.leader_epoch == state.leader_epoch {
        return Ok((asked.leader_epoch, state.end.0));
    }
    let end = partition.epoch_end(Epoch(asked.leader_epoch));
    Ok(end.map_or((UNDEFINED, -1), |(epoch, end)| (epoch.0, end.0)))
}
