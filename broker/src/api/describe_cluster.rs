//! DescribeCluster (60): the cluster's id and its nodes.
use millrace_protocol::ErrorCode;
use millrace_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use millrace_protocol::messages::{BrokerId, DescribeClusterRequest, DescribeClusterResponse};

use super::Context;
use super::view::{self, CLUSTER_OPERATIONS, NO_OPERATIONS};
use crate::identity::base64url;

/// Endpoint types: brokers, controllers.
const BROKERS: i8 = 1;

pub async fn handle(ctx: &Context, request: DescribeClusterRequest, version: i16) -> DescribeClusterResponse {
    let refused = |error: ErrorCode, message: &'static str| {
        let response = DescribeClusterResponse::default().with_error_code(error.code()).with_error_message(Some(view::text(message)));
        response.with_cluster_authorized_operations(NO_OPERATIONS)
    };
    if version >= 1 && request.endpoint_type != BROKERS {
        return match request.endpoint_type {
            2 => refused(ErrorCode::MismatchedEndpointType, "This is a broker's listener; it does not know controllers."),
            _ => refused(ErrorCode::UnsupportedEndpointType, "There are brokers (1) and controllers (2)."),
        };
    }
    let image = ctx.node.cluster.image();
    let brokers = image.nodes().iter().filter_map(|(id, node)| {
        let (host, port) = view::address(ctx, node)?;
        let broker = DescribeClusterBroker::default().with_broker_id(BrokerId(*id)).with_host(view::text(host)).with_port(port);
        Some(broker.with_rack(node.rack.as_deref().map(view::text)))
    });
    let asked = request.include_cluster_authorized_operations;
    DescribeClusterResponse::default()
        .with_cluster_id(view::text(&image.cluster_id().map(base64url).unwrap_or_default()))
        .with_controller_id(BrokerId(ctx.node.config.node_id))
        .with_brokers(brokers.collect())
        .with_endpoint_type(BROKERS)
        .with_cluster_authorized_operations(if asked { CLUSTER_OPERATIONS } else { NO_OPERATIONS })
}
