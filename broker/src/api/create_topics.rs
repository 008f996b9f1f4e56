//! CreateTopics (19). Each topic is answered by itself, and when it can be used.
use std::collections::BTreeSet;

use millrace_cluster::config::TOPIC;
use millrace_cluster::decide::{Assignment, CreatedTopic, Decision, NewTopic, Refusal, create_topics};
use millrace_protocol::messages::create_topics_request::CreatableTopic;
use millrace_protocol::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use millrace_protocol::messages::{CreateTopicsRequest, CreateTopicsResponse, TopicName};
use millrace_protocol::StrBytes;

use super::view::text;
use super::{ApiError, Context, configs};

pub async fn handle(ctx: &Context, request: CreateTopicsRequest, version: i16) -> CreateTopicsResponse {
    let names: Vec<TopicName> = request.topics.iter().map(|topic| topic.name.clone()).collect();
    let asks: Vec<NewTopic> = request.topics.into_iter().map(ask).collect();
    let validate_only = request.validate_only;
    let decided = ctx.node.change(move |cluster| {
        let decision = create_topics(cluster, &asks, &mut || ctx.node.new_id());
        if validate_only { Decision::only_reply(decision.reply) } else { decision }
    });
    let outcomes: Vec<Result<CreatedTopic, ApiError>> = match decided.await {
        Ok(outcomes) => outcomes.into_iter().map(|outcome: Result<_, Refusal>| outcome.map_err(ApiError::from)).collect(),
        Err(error) => names.iter().map(|_| Err(error.clone())).collect(),
    };
    let topics = names.into_iter().zip(outcomes).map(|(name, outcome)| match outcome {
        Ok(created) => shown(ctx, name, created, version, validate_only),
        Err(error) => CreatableTopicResult::default()
            .with_name(name)
            .with_error_code(error.wire())
            .with_error_message(error.wire_message())
            .with_configs(Some(Vec::new())),
    });
    // A name that was given twice is refused once.
    let mut told = BTreeSet::new();
    CreateTopicsResponse::default().with_topics(topics.filter(|topic| told.insert(topic.name.clone())).collect())
}

fn ask(topic: CreatableTopic) -> NewTopic {
    let assignments = topic.assignments.into_iter().map(|assignment| Assignment {
        partition: assignment.partition_index,
        nodes: assignment.broker_ids.into_iter().map(|node| node.0).collect(),
    });
    NewTopic {
        name: topic.name.to_string(),
        partitions: topic.num_partitions,
        replication_factor: topic.replication_factor,
        assignments: assignments.collect(),
        configs: topic.configs.into_iter().map(|config| (config.name.to_string(), config.value.as_ref().map(StrBytes::to_string))).collect(),
    }
}

fn shown(ctx: &Context, name: TopicName, created: CreatedTopic, version: i16, validate_only: bool) -> CreatableTopicResult {
    let result = CreatableTopicResult::default().with_name(name).with_error_message(None);
    if version < 5 {
        return result;
    }
    let configs = ctx.node.cluster.look(|cluster| {
        let layers = cluster.layers();
        let each = TOPIC.iter().filter(|key| !key.is_internal()).map(|key| {
            let found = layers.topic(key, &created.overrides);
            CreatableTopicConfigs::default()
                .with_name(text(key.name))
                .with_value(found.value.as_deref().map(text))
                .with_config_source(configs::source(found.source))
        });
        each.collect()
    });
    let result = result.with_num_partitions(created.partitions).with_replication_factor(created.replication_factor).with_configs(Some(configs));
    // What was only checked has no id.
    if version >= 7 && !validate_only { result.with_topic_id(created.id) } else { result }
}
