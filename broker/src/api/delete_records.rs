//! DeleteRecords (21): moves the start of a log up.
use futures_util::future::join_all;
use millrace_cluster::decide::is_internal;
use millrace_protocol::ErrorCode;
use millrace_protocol::messages::delete_records_request::DeleteRecordsPartition;
use millrace_protocol::messages::delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
use millrace_protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};
use millrace_record::Offset;

use super::{ApiError, Context, find};

/// "Up to the high watermark."
const ALL: i64 = -1;

pub async fn handle(ctx: &Context, request: DeleteRecordsRequest, _version: i16) -> DeleteRecordsResponse {
    let topics = request.topics.iter().map(|topic| async move {
        let partitions = topic.partitions.iter().map(|asked| async move {
            let result = DeleteRecordsPartitionResult::default().with_partition_index(asked.partition_index);
            match delete(ctx, &topic.name, asked).await {
                Ok(start) => result.with_low_watermark(start.0),
                Err(error) => result.with_low_watermark(-1).with_error_code(error.wire()),
            }
        });
        DeleteRecordsTopicResult::default().with_name(topic.name.clone()).with_partitions(join_all(partitions).await)
    });
    DeleteRecordsResponse::default().with_topics(join_all(topics).await)
}

async fn delete(ctx: &Context, topic: &str, asked: &DeleteRecordsPartition) -> Result<Offset, ApiError> {
    let (topic, partition) = find::named(ctx, topic, asked.partition_index)?;
    let state = partition.state();
    if !state.is_leader {
        return Err(ErrorCode::NotLeaderOrFollower.into());
    }
    if is_internal(&topic.name) {
        return Err(ErrorCode::InvalidTopicException.into());
    }
    if topic.settings.cleanup.compact && !topic.settings.cleanup.delete {
        return Err(ErrorCode::PolicyViolation.into());
    }
    let to = if asked.offset == ALL { state.high_watermark } else { Offset(asked.offset) };
    if to < Offset::ZERO || to > state.high_watermark {
        return Err(ErrorCode::OffsetOutOfRange.into());
    }
    if to <= state.start {
        return Ok(state.start);
    }
    Ok(partition.trim(to).await?)
}
