//! DeleteTopics (20), by name or (version 6) by id.
use millrace_cluster::decide::{TopicRef, delete_topics};
use millrace_protocol::messages::delete_topics_response::DeletableTopicResult;
use millrace_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse};
use millrace_protocol::ErrorCode;
use uuid::Uuid;

use super::view::topic_name;
use super::{ApiError, Context};

pub async fn handle(ctx: &Context, request: DeleteTopicsRequest, version: i16) -> DeleteTopicsResponse {
    let topics: Vec<TopicRef> = if version >= 6 {
        request.topics.iter().map(|topic| TopicRef { name: topic.name.as_ref().map(|name| name.to_string()), id: topic.topic_id }).collect()
    } else {
        request.topic_names.iter().map(|name| TopicRef { name: Some(name.to_string()), id: Uuid::nil() }).collect()
    };
    let asked = topics.clone();
    let outcomes = match ctx.node.change(move |cluster| delete_topics(cluster, &topics)).await {
        Ok(outcomes) => outcomes.into_iter().map(|outcome| outcome.map_err(ApiError::from)).collect::<Vec<_>>(),
        Err(error) => asked.iter().map(|_| Err(error.clone())).collect(),
    };
    let responses = asked.iter().zip(outcomes).map(|(topic, outcome)| match outcome {
        Ok(gone) => DeletableTopicResult::default()
            .with_name(Some(topic_name(&gone.name)))
            .with_topic_id(gone.id)
            .with_error_message(None),
        Err(error) => DeletableTopicResult::default()
            .with_name(topic.name.as_deref().map(topic_name).or_else(|| (version < 6).then(|| topic_name(""))))
            .with_topic_id(topic.id)
            .with_error_code(code(&error, version))
            .with_error_message(error.wire_message()),
    });
    DeleteTopicsResponse::default().with_responses(responses.collect())
}

/// Clients older than version 3 do not know that deletion can be switched off.
fn code(error: &ApiError, version: i16) -> i16 {
    match error.code {
        ErrorCode::TopicDeletionDisabled if version < 3 => ErrorCode::InvalidRequest.code(),
        _ => error.wire(),
    }
}
