//! ListOffsets (2): the offset at a time, or at one of the places that have a name.
use millrace_protocol::ErrorCode;
use millrace_protocol::messages::list_offsets_request::ListOffsetsPartition;
use millrace_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use millrace_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};
use millrace_record::Offset;
use millrace_shard::{TimestampedOffset, Upto};

use super::{ApiError, Context, find};

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING_UPLOAD: i64 = -6;

/// "None": no record at or after the time, or no such place.
const NOWHERE: Found = Found { offset: -1, timestamp: -1, epoch: -1 };

struct Found {
    offset: i64,
    timestamp: i64,
    epoch: i32,
}

impl From<TimestampedOffset> for Found {
    fn from(found: TimestampedOffset) -> Found {
        Found { offset: found.offset.0, timestamp: found.timestamp, epoch: found.epoch.0 }
    }
}

pub async fn handle(ctx: &Context, request: ListOffsetsRequest, version: i16) -> ListOffsetsResponse {
    let upto = if request.isolation_level == 1 { Upto::LastStable } else { Upto::HighWatermark };
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| {
            let repeated = topic.partitions.iter().filter(|other| other.partition_index == asked.partition_index).count() > 1;
            let found = if repeated {
                Err(ErrorCode::InvalidRequest.into())
            } else {
                look_up(ctx, &topic.name, asked, version, upto)
            };
            answer(asked, found, version)
        });
        ListOffsetsTopicResponse::default().with_name(topic.name.clone()).with_partitions(partitions.collect())
    });
    ListOffsetsResponse::default().with_topics(topics.collect())
}

fn answer(asked: &ListOffsetsPartition, found: Result<Found, ApiError>, version: i16) -> ListOffsetsPartitionResponse {
    let response = ListOffsetsPartitionResponse::default().with_partition_index(asked.partition_index);
    match found {
        Ok(found) => {
            let response = response.with_offset(found.offset).with_timestamp(found.timestamp);
            if version >= 4 { response.with_leader_epoch(found.epoch) } else { response }
        }
        Err(error) => response.with_error_code(error.wire()).with_offset(-1).with_timestamp(-1),
    }
}

fn look_up(ctx: &Context, topic: &str, asked: &ListOffsetsPartition, version: i16, upto: Upto) -> Result<Found, ApiError> {
    let (_, partition) = find::named(ctx, topic, asked.partition_index)?;
    let state = partition.state();
    if !state.is_leader {
        return Err(ErrorCode::NotLeaderOrFollower.into());
    }
    find::check_leader_epoch(asked.current_leader_epoch, state.leader_epoch)?;
    // With the epoch of the record there, which is not the leader's own: a client that resumes at an old
    // record with too new an epoch would never be told that the log had been cut.
    let at = |offset: Offset| {
        let epoch = partition.epoch_of(offset).map_or(-1, |epoch| epoch.0);
        Found { offset: offset.0, timestamp: -1, epoch }
    };
    let since = |first_version: i16| {
        if version >= first_version { Ok(()) } else { Err(ApiError::from(ErrorCode::UnsupportedVersion)) }
    };
    match asked.timestamp {
        LATEST => Ok(Found { epoch: state.leader_epoch, ..at(partition.limit(upto)) }),
        EARLIEST => Ok(at(state.start)),
        MAX_TIMESTAMP => {
            since(7)?;
            Ok(partition.max_timestamp(upto)?.map_or(NOWHERE, Found::from))
        }
        EARLIEST_LOCAL => {
            since(8)?;
            Ok(at(state.start))
        }
        LATEST_TIERED => {
            since(9)?;
            Ok(NOWHERE)
        }
        EARLIEST_PENDING_UPLOAD => {
            since(11)?;
            Ok(NOWHERE)
        }
        timestamp if timestamp >= 0 => Ok(partition.offset_for_timestamp(timestamp, upto)?.map_or(NOWHERE, Found::from)),
        _ => Err(ErrorCode::UnsupportedVersion.into()),
    }
}
