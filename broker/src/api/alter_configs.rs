//! AlterConfigs (33): a resource's configs are exactly these; what is not named goes back to its default.
use millrace_cluster::decide::{Change, ConfigAsk, Decision, Operation, legacy_alter};
use millrace_protocol::StrBytes;
use millrace_protocol::messages::alter_configs_response::AlterConfigsResourceResponse;
use millrace_protocol::messages::{AlterConfigsRequest, AlterConfigsResponse};

use super::{ApiError, Context, configs};

pub async fn handle(ctx: &Context, request: AlterConfigsRequest, _version: i16) -> AlterConfigsResponse {
    let named: Vec<(i8, StrBytes)> =
        request.resources.iter().map(|resource| (resource.resource_type, resource.resource_name.clone())).collect();
    let asks = request.resources.into_iter().map(|resource| ConfigAsk {
        resource: configs::resource(resource.resource_type, &resource.resource_name),
        changes: resource
            .configs
            .into_iter()
            .map(|config| Change {
                name: config.name.to_string(),
                operation: Operation::Set,
                value: config.value.as_ref().map(StrBytes::to_string),
            })
            .collect(),
    });
    let (asks, validate_only) = (asks.collect::<Vec<_>>(), request.validate_only);
    let decided = ctx.node.change(move |cluster| {
        let decision = legacy_alter(cluster, &asks);
        if validate_only { Decision::only_reply(decision.reply) } else { decision }
    });
    let outcomes = match decided.await {
        Ok(outcomes) => outcomes.into_iter().map(|outcome| outcome.map_err(ApiError::from)).collect::<Vec<_>>(),
        Err(error) => named.iter().map(|_| Err(error.clone())).collect(),
    };
    let responses = named.into_iter().zip(outcomes).map(|((kind, name), outcome)| {
        let response = AlterConfigsResourceResponse::default().with_resource_type(kind).with_resource_name(name);
        match outcome {
            Ok(()) => response.with_error_message(None),
            Err(error) => response.with_error_code(error.wire()).with_error_message(error.wire_message()),
        }
    });
    AlterConfigsResponse::default().with_responses(responses.collect())
}
