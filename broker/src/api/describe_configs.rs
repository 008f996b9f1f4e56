//! DescribeConfigs (32): every config of a topic or a broker, where its value comes from, and what else
//! would have given one.
use millrace_cluster::Scope;
use millrace_cluster::config::{Described, Key, Source, TOPIC, broker_key, broker_keys};
use millrace_cluster::decide::{Cluster, validate_name};
use millrace_protocol::messages::describe_configs_request::DescribeConfigsResource;
use millrace_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use millrace_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use millrace_protocol::{ErrorCode, StrBytes};

use super::view::text;
use super::{ApiError, Context, configs};

/// What the client wants to see of each config.
#[derive(Clone, Copy)]
struct Wish {
    synonyms: bool,
    documentation: bool,
    /// Types came with version 3.
    kinds: bool,
}

pub async fn handle(ctx: &Context, request: DescribeConfigsRequest, version: i16) -> DescribeConfigsResponse {
    if request.resources.len() > RESOURCES_MAX {
        return too_many(request);
    }
    let kinds = version >= 3;
    let wish = Wish { synonyms: request.include_synonyms, documentation: kinds && request.include_documentation, kinds };
    let results = ctx.node.cluster.look(|cluster| {
        let each = request.resources.into_iter().map(|resource| {
            let found = describe(cluster, &resource, wish);
            let DescribeConfigsResource { resource_type, resource_name, configuration_keys, .. } = resource;
            let result = DescribeConfigsResult::default().with_resource_type(resource_type).with_resource_name(resource_name);
            match found {
                Ok(mut shown) => {
                    // An empty list means all, as a missing one does.
                    if let Some(keys) = configuration_keys.filter(|keys| !keys.is_empty()) {
                        shown.retain(|config| keys.contains(&config.name));
                    }
                    result.with_error_message(None).with_configs(shown)
                }
                Err(error) => result.with_error_code(error.wire()).with_error_message(error.wire_message()),
            }
        });
        each.collect()
    });
    DescribeConfigsResponse::default().with_results(results)
}

/// A few bytes name a resource, and each is answered with kilobytes.
const RESOURCES_MAX: usize = 50_000;

fn too_many(request: DescribeConfigsRequest) -> DescribeConfigsResponse {
    let refused = request.resources.into_iter().map(|resource| {
        DescribeConfigsResult::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name)
            .with_error_code(ErrorCode::InvalidRequest.code())
            .with_error_message(None)
    });
    DescribeConfigsResponse::default().with_results(refused.collect())
}

fn describe(cluster: Cluster<'_>, resource: &DescribeConfigsResource, wish: Wish) -> Result<Vec<DescribeConfigsResourceResult>, ApiError> {
    let name: &str = &resource.resource_name;
    match resource.resource_type {
        configs::TOPIC => topic(cluster, name, wish),
        configs::BROKER if name.is_empty() => Ok(default_broker(cluster, wish)),
        configs::BROKER => match name.parse::<i32>() {
            Ok(id) if id == cluster.node_id => Ok(broker(cluster, wish)),
            Ok(id) => {
                let message = format!("Unexpected broker id, expected {} or empty string, but received {id}", cluster.node_id);
                Err(ApiError::new(ErrorCode::InvalidRequest, message))
            }
            Err(_) => Err(ApiError::new(ErrorCode::InvalidRequest, format!("Broker id must be an integer, but it is: {name}"))),
        },
        configs::BROKER_LOGGER => configs::own_loggers(cluster.node_id, name).map(|()| loggers()),
        // The classic group protocol has no configs.
        configs::GROUP if name.is_empty() => Err(ApiError::new(ErrorCode::InvalidRequest, "Group name must not be empty")),
        configs::GROUP => Ok(Vec::new()),
        other => Err(ApiError::new(ErrorCode::InvalidRequest, format!("Unsupported resource type: {other}"))),
    }
}

fn topic(cluster: Cluster<'_>, name: &str, wish: Wish) -> Result<Vec<DescribeConfigsResourceResult>, ApiError> {
    validate_name(name)?;
    if cluster.image.topic(name).is_none() {
        return Err(ErrorCode::UnknownTopicOrPartition.into());
    }
    let layers = cluster.layers();
    let overrides = cluster.image.configs(&Scope::Topic(name.to_owned()));
    let shown = |key: &'static Key| entry(key, layers.topic(key, overrides), wish, false);
    Ok(TOPIC.iter().filter(|key| !key.is_internal()).map(shown).collect())
}

fn broker(cluster: Cluster<'_>, wish: Wish) -> Vec<DescribeConfigsResourceResult> {
    let layers = cluster.layers();
    let mut shown: Vec<_> = broker_keys().map(|key| entry(key, layers.broker(key), wish, key.is_read_only())).collect();
    // Names that have no row here may have been set all the same.
    let set = [(layers.broker, Source::DynamicBroker), (layers.default_broker, Source::DynamicDefaultBroker)];
    for (values, source) in set {
        for name in values.keys().filter(|name| broker_key(name).is_none()) {
            if shown.iter().all(|config| *config.name != **name) {
                shown.push(unknown(name, source));
            }
        }
    }
    shown
}

/// What was set for all brokers, and nothing else.
fn default_broker(cluster: Cluster<'_>, wish: Wish) -> Vec<DescribeConfigsResourceResult> {
    let layers = cluster.layers();
    let each = cluster.image.configs(&Scope::DefaultBroker).iter().map(|(name, value)| match broker_key(name) {
        Some(key) => {
            let mut found = layers.broker(key);
            found.synonyms.retain(|synonym| synonym.source == Source::DynamicDefaultBroker);
            let found = Described { value: Some(value.clone()), source: Source::DynamicDefaultBroker, ..found };
            entry(key, found, wish, key.is_read_only())
        }
        None => unknown(name, Source::DynamicDefaultBroker),
    });
    each.collect()
}

/// The level that holds for each module, as Kafka shows its loggers.
fn loggers() -> Vec<DescribeConfigsResourceResult> {
    let shown = |(name, level): (String, &'static str)| {
        DescribeConfigsResourceResult::default().with_name(StrBytes::from_string(name)).with_value(Some(text(level))).with_config_source(DYNAMIC_BROKER_LOGGER).with_documentation(None)
    };
    crate::loggers::levels().effective().into_iter().map(shown).collect()
}

/// Kafka's number for where their values come from.
const DYNAMIC_BROKER_LOGGER: i8 = 6;

/// A config without a row: nothing is known of it, so it is treated as a secret.
fn unknown(name: &str, source: Source) -> DescribeConfigsResourceResult {
    DescribeConfigsResourceResult::default()
        .with_name(text(name))
        .with_value(None)
        .with_is_sensitive(true)
        .with_config_source(configs::source(source))
        .with_documentation(None)
}

fn entry(key: &'static Key, found: Described, wish: Wish, read_only: bool) -> DescribeConfigsResourceResult {
    // What is secret has no value for anybody.
    let visible = |value: String| if key.is_sensitive() { None } else { Some(StrBytes::from_string(value)) };
    let synonyms = found.synonyms.into_iter().filter(|_| wish.synonyms).map(|synonym| {
        DescribeConfigsSynonym::default()
            .with_name(text(synonym.name))
            .with_value(visible(synonym.value))
            .with_source(configs::source(synonym.source))
    });
    DescribeConfigsResourceResult::default()
        .with_name(text(key.name))
        .with_value(found.value.and_then(visible))
        .with_read_only(read_only)
        .with_config_source(configs::source(found.source))
        .with_is_sensitive(key.is_sensitive())
        .with_synonyms(synonyms.collect())
        .with_config_type(if wish.kinds { configs::kind(key) } else { 0 })
        .with_documentation(wish.documentation.then(|| text(key.doc)))
}
