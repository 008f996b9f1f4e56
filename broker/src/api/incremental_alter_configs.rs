//! IncrementalAlterConfigs (44): single configs are set, unset, or, if they are lists, added to and
//! taken from. Open partitions have the change when the answer leaves.
//!
//! Levels of loggers are this process's own and in no log: they are changed here.
use millrace_cluster::decide::{Change, ConfigAsk, Decision, Operation, incremental_alter};
use millrace_protocol::{ErrorCode, StrBytes};
use millrace_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use millrace_protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};

use super::{ApiError, Context, configs};
use crate::loggers;

pub async fn handle(ctx: &Context, request: IncrementalAlterConfigsRequest, _version: i16) -> IncrementalAlterConfigsResponse {
    let named: Vec<(i8, StrBytes)> =
        request.resources.iter().map(|resource| (resource.resource_type, resource.resource_name.clone())).collect();
    let asks = request.resources.into_iter().map(|resource| ConfigAsk {
        resource: configs::resource(resource.resource_type, &resource.resource_name),
        changes: resource
            .configs
            .into_iter()
            .map(|config| Change {
                name: config.name.to_string(),
                operation: operation(config.config_operation),
                value: config.value.as_ref().map(StrBytes::to_string),
            })
            .collect(),
    });
    let (asks, validate_only) = (asks.collect::<Vec<_>>(), request.validate_only);
    let is_logger = |at: usize| named[at].0 == configs::BROKER_LOGGER;
    let of_loggers: Vec<Option<Result<(), ApiError>>> =
        asks.iter().enumerate().map(|(at, ask)| is_logger(at).then(|| change_loggers(ctx, &named, at, ask, validate_only))).collect();
    let asks: Vec<ConfigAsk> = asks.into_iter().enumerate().filter(|(at, _)| !is_logger(*at)).map(|(_, ask)| ask).collect();
    let decided = if asks.is_empty() {
        Ok(Vec::new())
    } else {
        let decided = ctx.node.change(move |cluster| {
            let decision = incremental_alter(cluster, &asks);
            if validate_only { Decision::only_reply(decision.reply) } else { decision }
        });
        decided.await
    };
    let mut decided = decided.map(Vec::into_iter);
    let outcomes = of_loggers.into_iter().map(|own| match (own, &mut decided) {
        (Some(outcome), _) => outcome,
        (None, Ok(outcomes)) => outcomes.next().unwrap_or(Ok(())).map_err(ApiError::from),
        (None, Err(error)) => Err(error.clone()),
    });
    let outcomes: Vec<Result<(), ApiError>> = outcomes.collect();
    let responses = named.into_iter().zip(outcomes).map(|((kind, name), outcome)| {
        let response = AlterConfigsResourceResponse::default().with_resource_type(kind).with_resource_name(name);
        match outcome {
            Ok(()) => response.with_error_message(None),
            Err(error) => response.with_error_code(error.wire()).with_error_message(error.wire_message()),
        }
    });
    IncrementalAlterConfigsResponse::default().with_responses(responses.collect())
}

fn change_loggers(ctx: &Context, named: &[(i8, StrBytes)], at: usize, ask: &ConfigAsk, validate_only: bool) -> Result<(), ApiError> {
    if named.iter().filter(|other| **other == named[at]).count() > 1 {
        return Err(ApiError::new(ErrorCode::InvalidRequest, "Each resource must appear at most once."));
    }
    configs::own_loggers(ctx.node.config.node_id, &named[at].1)?;
    let changed = configs::change_levels(loggers::levels(), ask)?;
    if !validate_only {
        loggers::set(changed);
    }
    Ok(())
}

fn operation(number: i8) -> Operation {
    match number {
        0 => Operation::Set,
        1 => Operation::Delete,
        2 => Operation::Append,
        3 => Operation::Subtract,
        other => Operation::Unknown(other),
    }
}
