//! DescribeProducers (61): the idempotent producers that a partition remembers.
use millrace_protocol::messages::describe_producers_response::{PartitionResponse, ProducerState, TopicResponse};
use millrace_protocol::messages::{DescribeProducersRequest, DescribeProducersResponse, ProducerId};
use millrace_protocol::ErrorCode;

use super::{ApiError, Context, find};

pub async fn handle(ctx: &Context, request: DescribeProducersRequest, _version: i16) -> DescribeProducersResponse {
    let mut topics = Vec::new();
    for topic in request.topics {
        let mut partitions = Vec::new();
        for index in topic.partition_indexes {
            let response = PartitionResponse::default().with_partition_index(index);
            partitions.push(match producers(ctx, &topic.name, index).await {
                Ok(producers) => response.with_active_producers(producers),
                Err(error) => response.with_error_code(error.wire()).with_error_message(error.wire_message()),
            });
        }
        topics.push(TopicResponse::default().with_name(topic.name).with_partitions(partitions));
    }
    DescribeProducersResponse::default().with_topics(topics)
}

async fn producers(ctx: &Context, topic: &str, index: i32) -> Result<Vec<ProducerState>, ApiError> {
    let (_, partition) = find::named(ctx, topic, index)?;
    if !partition.state().is_leader {
        return Err(ErrorCode::NotLeaderOrFollower.into());
    }
    let known = partition.producers().await?;
    let shown = known.into_iter().map(|producer| {
        ProducerState::default()
            .with_producer_id(ProducerId(producer.id.0))
            .with_producer_epoch(i32::from(producer.epoch))
            .with_last_sequence(producer.last_sequence)
            .with_last_timestamp(producer.last_timestamp)
            .with_coordinator_epoch(producer.coordinator_epoch)
            .with_current_txn_start_offset(producer.current_txn_start.map_or(-1, |offset| offset.0))
    });
    Ok(shown.collect())
}
