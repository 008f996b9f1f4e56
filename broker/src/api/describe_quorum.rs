//! DescribeQuorum (55): the voters of the metadata log.
use millrace_protocol::ErrorCode;
use millrace_protocol::messages::describe_quorum_response::{Listener, Node, PartitionData, ReplicaState, TopicData};
use millrace_protocol::messages::{BrokerId, DescribeQuorumRequest, DescribeQuorumResponse};

use super::Context;
use super::view;

const METADATA_TOPIC: &str = "__cluster_metadata";

pub async fn handle(ctx: &Context, request: DescribeQuorumRequest, version: i16) -> DescribeQuorumResponse {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| {
            if topic.topic_name.as_str() == METADATA_TOPIC && asked.partition_index == 0 {
                quorum(ctx, version)
            } else {
                let unknown = ErrorCode::UnknownTopicOrPartition.code();
                PartitionData::default().with_partition_index(asked.partition_index).with_error_code(unknown)
            }
        });
        TopicData::default().with_topic_name(topic.topic_name.clone()).with_partitions(partitions.collect())
    });
    let response = DescribeQuorumResponse::default().with_topics(topics.collect());
    if version >= 2 { response.with_nodes(nodes(ctx)) } else { response }
}

fn quorum(ctx: &Context, version: i16) -> PartitionData {
    let node_id = BrokerId(ctx.node.config.node_id);
    let state = ctx.node.cluster.partition().state();
    let now = ctx.node.world.wall_ms();
    let voter = ReplicaState::default().with_replica_id(node_id).with_log_end_offset(state.end.0);
    let voter = if version >= 1 { voter.with_last_fetch_timestamp(now).with_last_caught_up_timestamp(now) } else { voter };
    PartitionData::default()
        .with_leader_id(node_id)
        .with_leader_epoch(state.leader_epoch)
        .with_high_watermark(state.high_watermark.0)
        .with_current_voters(vec![voter])
}

fn nodes(ctx: &Context) -> Vec<Node> {
    let image = ctx.node.cluster.image();
    let shown = image.nodes().iter().map(|(id, node)| {
        let listeners = node.endpoints.iter().map(|endpoint| {
            let listener = Listener::default().with_name(view::text(&endpoint.listener));
            listener.with_host(view::text(&endpoint.host)).with_port(endpoint.port)
        });
        Node::default().with_node_id(BrokerId(*id)).with_listeners(listeners.collect())
    });
    shown.collect()
}
