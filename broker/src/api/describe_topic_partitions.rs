//! DescribeTopicPartitions (75): Metadata in pages.
use millrace_cluster::decide::{is_internal, validate_name};
use millrace_protocol::ErrorCode;
use millrace_protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use millrace_protocol::messages::{DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse};

use super::Context;
use super::view::{self, TOPIC_OPERATIONS};

pub async fn handle(ctx: &Context, request: DescribeTopicPartitionsRequest, _version: i16) -> DescribeTopicPartitionsResponse {
    let image = ctx.node.cluster.image();
    let directory = ctx.node.partitions.directory();
    let page_max = ctx.node.cluster.look(|cluster| cluster.settings().number("max.request.partition.size.limit"));
    let mut room = i64::from(request.response_partition_limit).clamp(1, page_max.max(1));

    let all = request.topics.is_empty();
    let mut names: Vec<String> = if all {
        image.topics().map(|topic| topic.name.clone()).collect()
    } else {
        request.topics.iter().map(|topic| topic.name.to_string()).collect()
    };
    names.sort_unstable();
    names.dedup();
    let mut from = 0;
    if let Some(cursor) = &request.cursor {
        names.retain(|name| name.as_str() >= cursor.topic_name.as_str());
        if names.first().is_some_and(|name| name.as_str() == cursor.topic_name.as_str()) {
            from = cursor.partition_index.max(0);
        }
    }

    let mut response = DescribeTopicPartitionsResponse::default();
    for name in names {
        let first = std::mem::take(&mut from);
        if room == 0 {
            response.next_cursor = Some(Cursor::default().with_topic_name(view::topic_name(&name)).with_partition_index(first));
            break;
        }
        let shown = DescribeTopicPartitionsResponseTopic::default().with_name(Some(view::topic_name(&name)));
        let Some(topic) = image.topic(&name) else {
            let valid = validate_name(&name).is_ok();
            let code = if valid { ErrorCode::UnknownTopicOrPartition } else { ErrorCode::InvalidTopicException };
            response.topics.push(shown.with_error_code(code.code()).with_topic_authorized_operations(TOPIC_OPERATIONS));
            continue;
        };
        let mut partitions = Vec::new();
        let mut more = None;
        for (index, entry) in (0..).zip(&topic.partitions).skip(first as usize) {
            if room == 0 {
                more = Some(Cursor::default().with_topic_name(view::topic_name(&name)).with_partition_index(index));
                break;
            }
            room -= 1;
            let seen = view::partition(ctx, &directory, topic, index, entry);
            partitions.push(
                DescribeTopicPartitionsResponsePartition::default()
                    .with_error_code(seen.error_code())
                    .with_partition_index(index)
                    .with_leader_id(seen.leader)
                    .with_leader_epoch(seen.leader_epoch)
                    .with_replica_nodes(seen.replicas)
                    .with_isr_nodes(seen.isr)
                    .with_offline_replicas(seen.offline)
                    .with_eligible_leader_replicas(Some(Vec::new()))
                    .with_last_known_elr(Some(Vec::new())),
            );
        }
        response.topics.push(
            shown
                .with_topic_id(topic.id)
                .with_is_internal(is_internal(&topic.name))
                .with_partitions(partitions)
                .with_topic_authorized_operations(TOPIC_OPERATIONS),
        );
        if more.is_some() {
            response.next_cursor = more;
            break;
        }
    }
    response
}
