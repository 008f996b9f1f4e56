//! FindCoordinator (10): which node coordinates a group. Makes the offsets topic when the first client
//! asks; the answer comes when it can be used. A producer with a transactional id is sent here too, to be
//! refused by InitProducerId: to an error of this request some clients (franz-go, librdkafka) only ask again.
use millrace_cluster::decide::create_topics;
use millrace_protocol::messages::find_coordinator_response::Coordinator;
use millrace_protocol::messages::{BrokerId, FindCoordinatorRequest, FindCoordinatorResponse};
use millrace_protocol::{ErrorCode, StrBytes};

use super::{ApiError, Context, view};
use crate::coordinators::{OFFSETS_TOPIC, offsets_topic};

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;

pub async fn handle(ctx: &Context, request: FindCoordinatorRequest, version: i16) -> FindCoordinatorResponse {
    if version >= 4 {
        let mut coordinators = Vec::with_capacity(request.coordinator_keys.len());
        for key in request.coordinator_keys {
            let found = find(ctx, request.key_type, &key).await;
            coordinators.push(shown(key, found));
        }
        return FindCoordinatorResponse::default().with_coordinators(coordinators);
    }
    let Coordinator { node_id, host, port, error_code, error_message, .. } =
        shown(request.key.clone(), find(ctx, request.key_type, &request.key).await);
    FindCoordinatorResponse::default()
        .with_error_code(error_code)
        .with_error_message(error_message)
        .with_node_id(node_id)
        .with_host(host)
        .with_port(port)
}

struct Address {
    node: BrokerId,
    host: StrBytes,
    port: i32,
}

fn shown(key: StrBytes, found: Result<Address, ApiError>) -> Coordinator {
    let coordinator = Coordinator::default().with_key(key);
    match found {
        Ok(Address { node, host, port }) => {
            coordinator.with_node_id(node).with_host(host).with_port(port).with_error_message(None)
        }
        Err(error) => {
            let message = error.wire_message();
            coordinator.with_node_id(BrokerId(-1)).with_port(-1).with_error_code(error.wire()).with_error_message(message)
        }
    }
}

async fn find(ctx: &Context, key_type: i8, key: &str) -> Result<Address, ApiError> {
    match key_type {
        GROUP => {}
        TRANSACTION => return address_of(ctx, ctx.node.config.node_id),
        SHARE => return Err(ApiError::new(ErrorCode::InvalidRequest, "This broker has no share groups yet.")),
        _ => return Err(ApiError::new(ErrorCode::InvalidRequest, "There is no such coordinator type.")),
    }
    let index = match ctx.node.coordinators.partition_of(key) {
        Some(index) => index,
        None => {
            create_offsets_topic(ctx).await?;
            ctx.node.coordinators.partition_of(key).ok_or(ErrorCode::CoordinatorNotAvailable)?
        }
    };
    let image = ctx.node.cluster.image();
    let at = usize::try_from(index).map_err(|_| ErrorCode::CoordinatorNotAvailable)?;
    let topic = image.topic(OFFSETS_TOPIC).ok_or(ErrorCode::CoordinatorNotAvailable)?;
    let leader = topic.partitions.get(at).and_then(|partition| partition.replicas.first()).ok_or(ErrorCode::CoordinatorNotAvailable)?;
    address_of(ctx, *leader)
}

fn address_of(ctx: &Context, id: i32) -> Result<Address, ApiError> {
    let image = ctx.node.cluster.image();
    let node = image.nodes().get(&id).ok_or(ErrorCode::CoordinatorNotAvailable)?;
    let (host, port) = view::address(ctx, node).ok_or(ErrorCode::CoordinatorNotAvailable)?;
    Ok(Address { node: BrokerId(id), host: view::text(host), port })
}

async fn create_offsets_topic(ctx: &Context) -> Result<(), ApiError> {
    let created = ctx.node.change(|cluster| {
        let topic = offsets_topic(&cluster.settings());
        create_topics(cluster, &[topic], &mut || ctx.node.new_id())
    });
    for refused in created.await?.into_iter().filter_map(Result::err) {
        // Another client may have been a moment earlier.
        if ctx.node.cluster.image().topic(OFFSETS_TOPIC).is_none() {
            tracing::warn!(%refused, "the topic for group offsets cannot be created");
            return Err(ApiError::new(ErrorCode::CoordinatorNotAvailable, refused.message));
        }
    }
    Ok(())
}
