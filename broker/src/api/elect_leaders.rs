//! ElectLeaders (43). A partition with one replica is led by it: there is nothing to elect.
use millrace_protocol::ErrorCode;
use millrace_protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use millrace_protocol::messages::{ElectLeadersRequest, ElectLeadersResponse};

use super::view::text;
use super::{Context, find};

pub async fn handle(ctx: &Context, request: ElectLeadersRequest, version: i16) -> ElectLeadersResponse {
    if version >= 1 && !matches!(request.election_type, 0 | 1) {
        return ElectLeadersResponse::default().with_error_code(ErrorCode::InvalidRequest.code());
    }
    // Asked for all partitions, Kafka names those alone in which it elected one.
    let asked = request.topic_partitions.unwrap_or_default();
    let results = asked.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|index| {
            let (code, message) = match find::named(ctx, &topic.topic, *index) {
                Ok((_, partition)) if partition.state().is_leader => {
                    (ErrorCode::ElectionNotNeeded, "Leader election not needed for topic partition.")
                }
                Ok(_) | Err(ErrorCode::KafkaStorageError) => {
                    (ErrorCode::EligibleLeadersNotAvailable, "Eligible topic partition leaders are not available.")
                }
                Err(code) => (code, "This server does not host this topic-partition."),
            };
            PartitionResult::default().with_partition_id(*index).with_error_code(code.code()).with_error_message(Some(text(message)))
        });
        ReplicaElectionResult::default().with_topic(topic.topic.clone()).with_partition_result(partitions.collect())
    });
    ElectLeadersResponse::default().with_replica_election_results(results.collect())
}
