//! OffsetDelete (47): takes committed offsets away, except of topics that the group is reading.
use millrace_coordinator::TopicPartition;
use millrace_protocol::ErrorCode;
use millrace_protocol::messages::offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use millrace_protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};

use super::Context;
use super::error::{coordinator_code, group_code};

pub async fn handle(ctx: &Context, request: OffsetDeleteRequest, _version: i16) -> OffsetDeleteResponse {
    let image = ctx.node.cluster.image();
    let known = |topic: &str, index: i32| {
        let count = image.topic(topic).map_or(0, |topic| topic.partitions.len());
        usize::try_from(index).is_ok_and(|index| index < count)
    };
    let named = request.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|partition| TopicPartition { topic: topic.name.to_string(), partition: partition.partition_index })
    });
    let wanted: Vec<_> = named.filter(|at| known(&at.topic, at.partition)).collect();
    let results = match delete(ctx, &request.group_id, &wanted).await {
        Ok(results) => results,
        Err(code) => return OffsetDeleteResponse::default().with_error_code(code.code()),
    };
    let mut outcomes = results.into_iter();
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let code = if known(&topic.name, partition.partition_index) {
                outcomes.next().map_or(0, |outcome| outcome.map_or_else(|code| code.code(), |()| 0))
            } else {
                ErrorCode::UnknownTopicOrPartition.code()
            };
            OffsetDeleteResponsePartition::default().with_partition_index(partition.partition_index).with_error_code(code)
        });
        OffsetDeleteResponseTopic::default().with_name(topic.name.clone()).with_partitions(partitions.collect())
    });
    OffsetDeleteResponse::default().with_topics(topics.collect())
}

async fn delete(ctx: &Context, group: &str, wanted: &[TopicPartition]) -> Result<Vec<Result<(), ErrorCode>>, ErrorCode> {
    if group.is_empty() {
        return Err(ErrorCode::InvalidGroupId);
    }
    let seat = ctx.node.coordinators.seat(group).map_err(coordinator_code)?;
    let answer = seat.ask(|coordinator, now| coordinator.delete_offsets(group, wanted, now)).await.map_err(coordinator_code)?;
    let results = answer.map_err(group_code)?;
    Ok(results.into_iter().map(|result| result.map_err(group_code)).collect())
}
