//! CreatePartitions (37): topics grow.
use millrace_cluster::decide::{Decision, MorePartitions, create_partitions};
use millrace_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use millrace_protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse, TopicName};

use super::{ApiError, Context};

pub async fn handle(ctx: &Context, request: CreatePartitionsRequest, _version: i16) -> CreatePartitionsResponse {
    let names: Vec<TopicName> = request.topics.iter().map(|topic| topic.name.clone()).collect();
    let validate_only = request.validate_only;
    let asks = request.topics.into_iter().map(|topic| MorePartitions {
        topic: topic.name.to_string(),
        total: topic.count,
        assignments: topic.assignments.map(|each| each.into_iter().map(|one| one.broker_ids.into_iter().map(|node| node.0).collect()).collect()),
    });
    let asks: Vec<_> = asks.collect();
    let decided = ctx.node.change(move |cluster| {
        let decision = create_partitions(cluster, &asks);
        if validate_only { Decision::only_reply(decision.reply) } else { decision }
    });
    let outcomes = match decided.await {
        Ok(outcomes) => outcomes.into_iter().map(|outcome| outcome.map_err(ApiError::from)).collect::<Vec<_>>(),
        Err(error) => names.iter().map(|_| Err(error.clone())).collect(),
    };
    let results = names.into_iter().zip(outcomes).map(|(name, outcome)| {
        let result = CreatePartitionsTopicResult::default().with_name(name);
        match outcome {
            Ok(()) => result.with_error_message(None),
            Err(error) => result.with_error_code(error.wire()).with_error_message(error.wire_message()),
        }
    });
    CreatePartitionsResponse::default().with_results(results.collect())
}
