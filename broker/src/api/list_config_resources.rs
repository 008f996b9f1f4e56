//! ListConfigResources (74): what can be configured.
use millrace_cluster::Scope;
use millrace_protocol::ErrorCode;
use millrace_protocol::messages::list_config_resources_response::ConfigResource;
use millrace_protocol::messages::{ListConfigResourcesRequest, ListConfigResourcesResponse};

use super::view::text;
use super::{Context, configs};

const CLIENT_METRICS: i8 = 16;

pub async fn handle(ctx: &Context, request: ListConfigResourcesRequest, version: i16) -> ListConfigResourcesResponse {
    // Version 0 was made for client metrics alone, of which there are none here.
    if version == 0 {
        return ListConfigResourcesResponse::default();
    }
    let known = [configs::TOPIC, configs::BROKER, configs::BROKER_LOGGER, CLIENT_METRICS, configs::GROUP];
    if request.resource_types.iter().any(|kind| !known.contains(kind)) {
        return ListConfigResourcesResponse::default().with_error_code(ErrorCode::UnsupportedVersion.code());
    }
    let wants = |kind| request.resource_types.is_empty() || request.resource_types.contains(&kind);
    let image = ctx.node.cluster.image();
    let mut found = Vec::new();
    let mut add = |kind: i8, name: &str| found.push(ConfigResource::default().with_resource_type(kind).with_resource_name(text(name)));
    if wants(configs::TOPIC) {
        image.topics().for_each(|topic| add(configs::TOPIC, &topic.name));
    }
    let nodes: Vec<String> = image.nodes().keys().map(i32::to_string).collect();
    if wants(configs::BROKER) {
        nodes.iter().for_each(|node| add(configs::BROKER, node));
    }
    if wants(configs::BROKER_LOGGER) {
        nodes.iter().for_each(|node| add(configs::BROKER_LOGGER, node));
    }
    if wants(configs::GROUP) {
        image.config_scopes().for_each(|scope| {
            if let Scope::Group(group) = scope {
                add(configs::GROUP, group);
            }
        });
    }
    ListConfigResourcesResponse::default().with_config_resources(found)
}
