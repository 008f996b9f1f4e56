//! AlterPartitionReassignments (45): which nodes hold a partition. A cluster of one node can be asked for
//! what is already so; anything else is refused as Kafka refuses it.
use std::collections::BTreeSet;

use millrace_cluster::{Image, PartitionEntry};
use millrace_protocol::ErrorCode;
use millrace_protocol::messages::alter_partition_reassignments_request::ReassignablePartition;
use millrace_protocol::messages::alter_partition_reassignments_response::{
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use millrace_protocol::messages::{AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse};

use super::{ApiError, Context};

pub async fn handle(
    ctx: &Context,
    request: AlterPartitionReassignmentsRequest,
    _version: i16,
) -> AlterPartitionReassignmentsResponse {
    let image = ctx.node.cluster.image();
    let responses = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| {
            let entry = image.topic(&topic.name).and_then(|topic| topic.partitions.get(usize::try_from(asked.partition_index).ok()?));
            let response = ReassignablePartitionResponse::default().with_partition_index(asked.partition_index);
            match decide(&image, entry, asked, request.allow_replication_factor_change) {
                Ok(()) => response.with_error_message(None),
                Err(error) => response.with_error_code(error.wire()).with_error_message(error.wire_message()),
            }
        });
        let partitions = partitions.collect();
        ReassignableTopicResponse::default().with_name(topic.name).with_partitions(partitions)
    });
    AlterPartitionReassignmentsResponse::default()
        .with_error_message(None)
        .with_responses(responses.collect())
}

fn decide(
    image: &Image,
    entry: Option<&PartitionEntry>,
    asked: &ReassignablePartition,
    may_resize: bool,
) -> Result<(), ApiError> {
    let entry = entry.ok_or_else(|| ApiError::new(ErrorCode::UnknownTopicOrPartition, "The partition does not exist."))?;
    // Null: whatever is on its way shall stop.
    let Some(wanted) = &asked.replicas else {
        return Err(ApiError::from(ErrorCode::NoReassignmentInProgress));
    };
    let refuse = |why: String| Err(ApiError::new(ErrorCode::InvalidReplicaAssignment, why));
    if wanted.is_empty() {
        return refuse("The manual partition assignment includes an empty replica list.".to_owned());
    }
    let mut seen = BTreeSet::new();
    if let Some(twice) = wanted.iter().find(|node| !seen.insert(node.0)) {
        return refuse(format!("The manual partition assignment includes the broker {} more than once.", twice.0));
    }
    if let Some(stranger) = wanted.iter().find(|node| !image.nodes().contains_key(&node.0)) {
        return refuse(format!("The manual partition assignment includes broker {}, but no such broker is registered.", stranger.0));
    }
    if !may_resize && wanted.len() != entry.replicas.len() {
        let (from, to) = (entry.replicas.len(), wanted.len());
        let why = format!("The replication factor is changed from {from} to {to}");
        return Err(ApiError::new(ErrorCode::InvalidReplicationFactor, why));
    }
    if wanted.iter().map(|node| node.0).ne(entry.replicas.iter().copied()) {
        return refuse("Partitions do not move between nodes yet.".to_owned());
    }
    Ok(())
}
