//! The table of APIs: what is not here does not exist for a client.
use std::future::Future;
use std::ops::RangeInclusive;
use std::pin::Pin;

use bytes::BytesMut;
use millrace_protocol::control::{self, Unencodable};
use millrace_protocol::frame::Frame;
use millrace_protocol::header::Opening;
use millrace_protocol::{Malformed, messages, shapes};

use super::{
    Context, alter_configs, alter_partition_reassignments, alter_replica_log_dirs, api_versions, create_partitions, create_topics, delete_groups,
    delete_records, delete_topics, describe_acls, describe_cluster, describe_configs, describe_groups,
    describe_log_dirs, describe_producers, describe_quorum, describe_topic_partitions, elect_leaders,
    fetch, find_coordinator, heartbeat, incremental_alter_configs, init_producer_id, join_group, leave_group,
    list_config_resources, list_groups, list_offsets, list_partition_reassignments, metadata, offset_commit,
    offset_delete, offset_fetch, offset_for_leader_epoch, produce, sync_group,
};

/// A request whose frame is complete and whose header has been read.
pub struct Request {
    pub opening: Opening,
    pub flexible: bool,
    /// Owned alone, so that record batches in it can be stamped where they lie.
    pub body: BytesMut,
}

pub type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// How a request leaves its handler. The next request of the connection may start as soon as there is
/// an outcome; the answers still go out in the order of the requests.
pub enum Outcome {
    Now(Frame),
    /// Everything that must happen in order has happened; the answer waits for something (a commit).
    Later(Pending<Result<Frame, Fault>>),
    /// acks=0.
    Silent,
}

/// Why a connection must end instead of being answered.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("malformed request: {0}")]
    Malformed(#[from] Malformed),
    #[error(transparent)]
    Unencodable(#[from] Unencodable),
    #[error("a produce request with acks=0 failed")]
    SilentProduceFailed,
    #[error("the answer is longer than a frame can say")]
    TooLong,
}

pub struct Api {
    pub key: i16,
    pub name: &'static str,
    /// Versions that are served. (What is advertised differs for Produce alone.)
    pub versions: RangeInclusive<i16>,
    /// The first version with compact and tagged fields.
    pub flexible_from: i16,
    pub call: fn(Context, Request) -> Pending<Result<Outcome, Fault>>,
}

impl Api {
    pub fn flexible(&self, version: i16) -> bool {
        version >= self.flexible_from
    }
}

/// For APIs that never became flexible.
const NEVER: i16 = i16::MAX;

macro_rules! control {
    ($key:literal $name:ident $versions:expr, $flexible:expr, $request:ty, $shape:expr, $handler:path) => {
        Api {
            key: $key,
            name: stringify!($name),
            versions: $versions,
            flexible_from: $flexible,
            call: |ctx, request| {
                Box::pin(async move {
                    let Request { opening, flexible, body } = request;
                    let version = opening.api_version;
                    let decoded: $request =
                        control::decode($shape, &mut body.freeze(), version, flexible)?;
                    let response = $handler(&ctx, decoded, version).await;
                    Ok(Outcome::Now(control::encode(&opening, flexible, &response)?.into()))
                })
            },
        }
    };
}

/// Sorted by key.
pub static APIS: &[Api] = &[
    Api { key: 0, name: "Produce", versions: 3..=13, flexible_from: 9, call: produce::call },
    Api { key: 1, name: "Fetch", versions: 4..=18, flexible_from: 12, call: fetch::call },
    control!(2 ListOffsets 1..=11, 6, messages::ListOffsetsRequest, shapes::LIST_OFFSETS, list_offsets::handle),
    control!(3 Metadata 0..=13, 9, messages::MetadataRequest, shapes::METADATA, metadata::handle),
    control!(8 OffsetCommit 2..=9, 8, messages::OffsetCommitRequest, shapes::OFFSET_COMMIT, offset_commit::handle),
    control!(9 OffsetFetch 1..=9, 6, messages::OffsetFetchRequest, shapes::OFFSET_FETCH, offset_fetch::handle),
    control!(10 FindCoordinator 0..=6, 3, messages::FindCoordinatorRequest, shapes::FIND_COORDINATOR, find_coordinator::handle),
    control!(11 JoinGroup 0..=9, 6, messages::JoinGroupRequest, shapes::JOIN_GROUP, join_group::handle),
    control!(12 Heartbeat 0..=4, 4, messages::HeartbeatRequest, shapes::HEARTBEAT, heartbeat::handle),
    control!(13 LeaveGroup 0..=5, 4, messages::LeaveGroupRequest, shapes::LEAVE_GROUP, leave_group::handle),
    control!(14 SyncGroup 0..=5, 4, messages::SyncGroupRequest, shapes::SYNC_GROUP, sync_group::handle),
    control!(15 DescribeGroups 0..=6, 5, messages::DescribeGroupsRequest, shapes::DESCRIBE_GROUPS, describe_groups::handle),
    control!(16 ListGroups 0..=5, 3, messages::ListGroupsRequest, shapes::LIST_GROUPS, list_groups::handle),
    control!(18 ApiVersions 0..=4, 3, messages::ApiVersionsRequest, shapes::API_VERSIONS, api_versions::handle),
    control!(19 CreateTopics 2..=7, 5, messages::CreateTopicsRequest, shapes::CREATE_TOPICS, create_topics::handle),
    control!(20 DeleteTopics 1..=6, 4, messages::DeleteTopicsRequest, shapes::DELETE_TOPICS, delete_topics::handle),
    control!(21 DeleteRecords 0..=2, 2, messages::DeleteRecordsRequest, shapes::DELETE_RECORDS, delete_records::handle),
    control!(22 InitProducerId 0..=5, 2, messages::InitProducerIdRequest, shapes::INIT_PRODUCER_ID, init_producer_id::handle),
    control!(23 OffsetForLeaderEpoch 2..=4, 4, messages::OffsetForLeaderEpochRequest, shapes::OFFSET_FOR_LEADER_EPOCH, offset_for_leader_epoch::handle),
    control!(29 DescribeAcls 1..=3, 2, messages::DescribeAclsRequest, shapes::DESCRIBE_ACLS, describe_acls::handle),
    control!(32 DescribeConfigs 1..=4, 4, messages::DescribeConfigsRequest, shapes::DESCRIBE_CONFIGS, describe_configs::handle),
    control!(33 AlterConfigs 0..=2, 2, messages::AlterConfigsRequest, shapes::ALTER_CONFIGS, alter_configs::handle),
    control!(34 AlterReplicaLogDirs 1..=2, 2, messages::AlterReplicaLogDirsRequest, shapes::ALTER_REPLICA_LOG_DIRS, alter_replica_log_dirs::handle),
    Api { key: 35, name: "DescribeLogDirs", versions: 1..=5, flexible_from: 2, call: describe_log_dirs::call },
    control!(37 CreatePartitions 0..=3, 2, messages::CreatePartitionsRequest, shapes::CREATE_PARTITIONS, create_partitions::handle),
    control!(42 DeleteGroups 0..=2, 2, messages::DeleteGroupsRequest, shapes::DELETE_GROUPS, delete_groups::handle),
    control!(43 ElectLeaders 0..=2, 2, messages::ElectLeadersRequest, shapes::ELECT_LEADERS, elect_leaders::handle),
    control!(44 IncrementalAlterConfigs 0..=1, 1, messages::IncrementalAlterConfigsRequest, shapes::INCREMENTAL_ALTER_CONFIGS, incremental_alter_configs::handle),
    control!(45 AlterPartitionReassignments 0..=1, 0, messages::AlterPartitionReassignmentsRequest, shapes::ALTER_PARTITION_REASSIGNMENTS, alter_partition_reassignments::handle),
    control!(46 ListPartitionReassignments 0..=0, 0, messages::ListPartitionReassignmentsRequest, shapes::LIST_PARTITION_REASSIGNMENTS, list_partition_reassignments::handle),
    control!(47 OffsetDelete 0..=0, NEVER, messages::OffsetDeleteRequest, shapes::OFFSET_DELETE, offset_delete::handle),
    control!(55 DescribeQuorum 0..=2, 0, messages::DescribeQuorumRequest, shapes::DESCRIBE_QUORUM, describe_quorum::handle),
    control!(60 DescribeCluster 0..=2, 0, messages::DescribeClusterRequest, shapes::DESCRIBE_CLUSTER, describe_cluster::handle),
    control!(61 DescribeProducers 0..=0, 0, messages::DescribeProducersRequest, shapes::DESCRIBE_PRODUCERS, describe_producers::handle),
    control!(74 ListConfigResources 0..=1, 0, messages::ListConfigResourcesRequest, shapes::LIST_CONFIG_RESOURCES, list_config_resources::handle),
    control!(75 DescribeTopicPartitions 0..=0, 0, messages::DescribeTopicPartitionsRequest, shapes::DESCRIBE_TOPIC_PARTITIONS, describe_topic_partitions::handle),
];

pub fn find(key: i16) -> Option<&'static Api> {
    APIS.binary_search_by_key(&key, |api| api.key).ok().map(|at| &APIS[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_and_their_versions_make_sense() {
        assert!(APIS.is_sorted_by(|a, b| a.key < b.key));
        for api in APIS {
            assert!(api.versions.start() <= api.versions.end(), "{}", api.name);
            assert!(find(api.key).is_some_and(|found| found.name == api.name));
        }
    }
}
