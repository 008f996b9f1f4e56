//! OffsetFetch (9): how far groups had read. A partition that was never committed is -1, not an error.
use std::collections::BTreeMap;

use millrace_coordinator::{Committed, TopicPartition};
use millrace_protocol::ErrorCode;
use millrace_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};
use millrace_protocol::messages::{OffsetFetchRequest, OffsetFetchResponse, TopicName};

use super::Context;
use super::error::coordinator_code;
use super::view::{text, topic_name};

/// Topics in the order of the request, with their partitions.
type Found = Vec<(TopicName, Vec<(i32, Option<Committed>)>)>;
/// What is asked for; none asks for everything.
type Asked = Option<Vec<(TopicName, Vec<i32>)>>;

pub async fn handle(ctx: &Context, request: OffsetFetchRequest, version: i16) -> OffsetFetchResponse {
    if version >= 8 {
        let mut groups = Vec::with_capacity(request.groups.len());
        for asked in request.groups {
            let topics = asked.topics.map(|topics| topics.into_iter().map(|topic| (topic.name, topic.partition_indexes)).collect());
            let group = OffsetFetchResponseGroup::default().with_group_id(asked.group_id.clone());
            groups.push(match fetch(ctx, &asked.group_id, &topics).await {
                Ok(found) => group.with_topics(found.into_iter().map(batched).collect()),
                Err(code) => group.with_error_code(code.code()),
            });
        }
        return OffsetFetchResponse::default().with_groups(groups);
    }
    let topics: Asked = request.topics.map(|topics| topics.into_iter().map(|topic| (topic.name, topic.partition_indexes)).collect());
    match fetch(ctx, &request.group_id, &topics).await {
        Ok(found) => OffsetFetchResponse::default().with_topics(found.into_iter().map(|topic| single(topic, 0)).collect()),
        // Version 1 has no place for the error but the partitions.
        Err(code) if version < 2 => {
            let failed = topics.unwrap_or_default().into_iter().map(|(name, partitions)| {
                single((name, partitions.into_iter().map(|partition| (partition, None)).collect()), code.code())
            });
            OffsetFetchResponse::default().with_topics(failed.collect())
        }
        Err(code) => OffsetFetchResponse::default().with_error_code(code.code()),
    }
}

async fn fetch(ctx: &Context, group: &str, asked: &Asked) -> Result<Found, ErrorCode> {
    let seat = ctx.node.coordinators.seat(group).map_err(coordinator_code)?;
    let wanted: Option<Vec<TopicPartition>> = asked.as_ref().map(|topics| {
        let each = |(name, partitions): &(TopicName, Vec<i32>)| {
            let name = name.to_string();
            partitions.iter().map(move |partition| TopicPartition { topic: name.clone(), partition: *partition }).collect::<Vec<_>>()
        };
        topics.iter().flat_map(each).collect()
    });
    let found = seat.look(|coordinator| coordinator.fetch(group, wanted.as_deref())).await.map_err(coordinator_code)?;
    let Some(asked) = asked else {
        let mut topics: BTreeMap<String, Vec<(i32, Option<Committed>)>> = BTreeMap::new();
        for (at, committed) in found {
            topics.entry(at.topic).or_default().push((at.partition, committed));
        }
        return Ok(topics.into_iter().map(|(name, partitions)| (topic_name(&name), partitions)).collect());
    };
    // In the order in which they were asked.
    let mut found = found.into_iter().map(|(at, committed)| (at.partition, committed));
    Ok(asked.iter().map(|(name, partitions)| (name.clone(), found.by_ref().take(partitions.len()).collect())).collect())
}

/// What Kafka says where nothing was committed.
fn or_none(committed: Option<Committed>) -> Committed {
    committed.unwrap_or(Committed { offset: -1, leader_epoch: -1, metadata: String::new() })
}

fn batched((name, partitions): (TopicName, Vec<(i32, Option<Committed>)>)) -> OffsetFetchResponseTopics {
    let partitions = partitions.into_iter().map(|(index, committed)| {
        let committed = or_none(committed);
        OffsetFetchResponsePartitions::default()
            .with_partition_index(index)
            .with_committed_offset(committed.offset)
            .with_committed_leader_epoch(committed.leader_epoch)
            .with_metadata(Some(text(&committed.metadata)))
    });
    OffsetFetchResponseTopics::default().with_name(name).with_partitions(partitions.collect())
}

fn single((name, partitions): (TopicName, Vec<(i32, Option<Committed>)>), code: i16) -> OffsetFetchResponseTopic {
    let partitions = partitions.into_iter().map(|(index, committed)| {
        let committed = or_none(committed);
        OffsetFetchResponsePartition::default()
            .with_partition_index(index)
            .with_committed_offset(committed.offset)
            .with_committed_leader_epoch(committed.leader_epoch)
            .with_metadata(Some(text(&committed.metadata)))
            .with_error_code(code)
    });
    OffsetFetchResponseTopic::default().with_name(name).with_partitions(partitions.collect())
}
