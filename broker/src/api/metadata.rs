//! Metadata (3): which nodes there are, which topics, and who leads their partitions. Makes topics that
//! are asked for and not there, if both sides want that.
use std::collections::BTreeSet;
use std::sync::Arc;

use millrace_cluster::decide::{NewTopic, create_topics, is_internal, validate_name};
use millrace_cluster::{Image, TopicEntry};
use millrace_protocol::ErrorCode;
use millrace_protocol::messages::metadata_request::MetadataRequestTopic;
use millrace_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use millrace_protocol::messages::{BrokerId, MetadataRequest, MetadataResponse};
use uuid::Uuid;

use super::Context;
use super::view::{self, CLUSTER_OPERATIONS, NO_OPERATIONS, TOPIC_OPERATIONS};
use crate::identity::base64url;
use crate::partitions::Directory;

pub async fn handle(ctx: &Context, request: MetadataRequest, version: i16) -> MetadataResponse {
    // Before v1 "all topics" was said with an empty list.
    let asked = request.topics.filter(|topics| version > 0 || !topics.is_empty());
    let fresh = match &asked {
        Some(asked) if request.allow_auto_topic_creation => {
            create_missing(ctx, asked).await;
            ctx.node.fresh_topics.at(ctx.node.world.now())
        }
        _ => Vec::new(),
    };
    let image = ctx.node.cluster.image();
    let directory = ctx.node.partitions.directory();
    let wants_operations = request.include_topic_authorized_operations;
    let operations = if wants_operations { TOPIC_OPERATIONS } else { NO_OPERATIONS };
    let shown = |topic: &Arc<TopicEntry>| show(ctx, &directory, topic, operations);
    let topics = match asked {
        None => image.topics().map(shown).collect(),
        Some(asked) => {
            let mut told = BTreeSet::new();
            let asked = asked.iter().filter(|topic| told.insert((topic.name.clone(), topic.topic_id)));
            asked.map(|topic| one(&image, topic, version, &fresh, operations, shown)).collect()
        }
    };
    let mut response = MetadataResponse::default()
        .with_brokers(brokers(ctx, &image))
        .with_cluster_id(image.cluster_id().map(|id| view::text(&base64url(id))))
        .with_controller_id(BrokerId(ctx.node.config.node_id))
        .with_topics(topics);
    if (8..=10).contains(&version) {
        let asked = request.include_cluster_authorized_operations;
        response.cluster_authorized_operations = if asked { CLUSTER_OPERATIONS } else { NO_OPERATIONS };
    }
    response
}

fn brokers(ctx: &Context, image: &Image) -> Vec<MetadataResponseBroker> {
    let shown = image.nodes().iter().filter_map(|(id, node)| {
        let (host, port) = view::address(ctx, node)?;
        let broker = MetadataResponseBroker::default().with_node_id(BrokerId(*id)).with_host(view::text(host)).with_port(port);
        Some(broker.with_rack(node.rack.as_deref().map(view::text)))
    });
    shown.collect()
}

fn one(
    image: &Image,
    asked: &MetadataRequestTopic,
    version: i16,
    fresh: &[String],
    operations: i32,
    shown: impl Fn(&Arc<TopicEntry>) -> MetadataResponseTopic,
) -> MetadataResponseTopic {
    let refused = |error: ErrorCode| {
        let topic = MetadataResponseTopic::default().with_error_code(error.code()).with_topic_authorized_operations(operations);
        topic.with_name(asked.name.clone()).with_topic_id(asked.topic_id)
    };
    // The id first: the Java client names a topic by id with an empty name beside it. (Versions 10 and 11 have
    // the field, but no broker ever looked topics up by it.)
    if version >= 12 && asked.topic_id != Uuid::nil() {
        return image.topic_by_id(asked.topic_id).map_or_else(|| refused(ErrorCode::UnknownTopicId).with_name(None), shown);
    }
    match &asked.name {
        Some(name) => match image.topic(name) {
            Some(_) if fresh.iter().any(|made| made == name.as_str()) => refused(ErrorCode::LeaderNotAvailable),
            Some(topic) => shown(topic),
            None if validate_name(name).is_err() => refused(ErrorCode::InvalidTopicException),
            None => refused(ErrorCode::UnknownTopicOrPartition),
        },
        None => refused(ErrorCode::InvalidRequest),
    }
}

fn show(ctx: &Context, directory: &Directory, topic: &TopicEntry, operations: i32) -> MetadataResponseTopic {
    let partitions = (0..).zip(&topic.partitions).map(|(index, entry)| {
        let seen = view::partition(ctx, directory, topic, index, entry);
        MetadataResponsePartition::default()
            .with_error_code(seen.error_code())
            .with_partition_index(index)
            .with_leader_id(seen.leader)
            .with_leader_epoch(seen.leader_epoch)
            .with_replica_nodes(seen.replicas)
            .with_isr_nodes(seen.isr)
            .with_offline_replicas(seen.offline)
    });
    MetadataResponseTopic::default()
        .with_name(Some(view::topic_name(&topic.name)))
        .with_topic_id(topic.id)
        .with_is_internal(is_internal(&topic.name))
        .with_partitions(partitions.collect())
        .with_topic_authorized_operations(operations)
}

/// Makes the topics that are named and not there. Whatever is refused stays missing, which the answer
/// then says.
async fn create_missing(ctx: &Context, asked: &[MetadataRequestTopic]) {
    let image = ctx.node.cluster.image();
    let names = asked.iter().filter_map(|topic| topic.name.as_deref());
    let mut missing: Vec<String> = names.filter(|name| image.topic(name).is_none()).map(|name| name.to_string()).collect();
    missing.sort_unstable();
    missing.dedup();
    // The broker's own topics come with settings of their own, from whoever needs them.
    missing.retain(|name| !is_internal(name) && validate_name(name).is_ok());
    let wanted = ctx.node.cluster.look(|cluster| cluster.settings().flag("auto.create.topics.enable"));
    if missing.is_empty() || !wanted {
        return;
    }
    let topics: Vec<NewTopic> = missing.into_iter().map(NewTopic::named).collect();
    let created = ctx.node.change(|cluster| create_topics(cluster, &topics, &mut || ctx.node.new_id())).await;
    match created {
        Ok(outcomes) => {
            for (topic, outcome) in topics.into_iter().zip(outcomes) {
                match outcome {
                    Ok(created) => {
                        tracing::info!(topic = topic.name, partitions = created.partitions, "topic created on demand");
                        ctx.node.fresh_topics.add(topic.name, ctx.node.world.now());
                    }
                    Err(refusal) => tracing::debug!(topic = topic.name, %refusal, "topic not created on demand"),
                }
            }
        }
        Err(error) => tracing::warn!(%error, "topics could not be created on demand"),
    }
}
