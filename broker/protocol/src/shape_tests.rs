//! The walk held against the generated codec: what the codec writes passes and is consumed to the
//! last byte; what is cut, stretched or damaged never reaches an allocation.
use bytes::BytesMut;
use kafka_protocol::messages as m;
use kafka_protocol::protocol::{Encodable, HeaderVersion, Message, StrBytes};
use proptest::prelude::*;

use crate::shape::{Field, check};
use crate::{Malformed, control, shapes};

/// Every row: (name, versions, first flexible version, shape, a filled message's bytes per version).
struct Row {
    name: &'static str,
    versions: std::ops::RangeInclusive<i16>,
    flexible: fn(i16) -> bool,
    shape: &'static [Field],
    filled: fn(i16) -> BytesMut,
    /// Walk, then the generated decoder: what a body from the wire goes through.
    decode: fn(BytesMut, i16) -> Result<(), Malformed>,
}

fn text(text: &'static str) -> StrBytes {
    StrBytes::from_static_str(text)
}

/// A row whose message is `$build`, given the version.
macro_rules! row {
    ($request:ident, $shape:ident, |$version:ident| $build:expr) => {
        Row {
            name: stringify!($request),
            versions: m::$request::VERSIONS.min..=m::$request::VERSIONS.max,
            flexible: |version| m::$request::header_version(version) >= 2,
            shape: shapes::$shape,
            filled: |$version| {
                let mut out = BytesMut::new();
                let message: m::$request = $build;
                message.encode(&mut out, $version).expect(stringify!($request));
                out
            },
            decode: |body, version| {
                let flexible = m::$request::header_version(version) >= 2;
                control::decode::<m::$request>(shapes::$shape, &mut body.freeze(), version, flexible).map(drop)
            },
        }
    };
    ($request:ident, $shape:ident) => {
        row!($request, $shape, |_version| m::$request::default())
    };
}

fn rows() -> Vec<Row> {
    vec![
        row!(ListOffsetsRequest, LIST_OFFSETS, |_v| {
            use m::list_offsets_request::*;
            let partition = ListOffsetsPartition::default().with_partition_index(2).with_timestamp(-1);
            let topic = ListOffsetsTopic::default().with_name(m::TopicName(text("t"))).with_partitions(vec![partition]);
            m::ListOffsetsRequest::default().with_topics(vec![topic])
        }),
        row!(MetadataRequest, METADATA, |_v| {
            use m::metadata_request::*;
            let topic = MetadataRequestTopic::default().with_name(Some(m::TopicName(text("t"))));
            m::MetadataRequest::default().with_topics(Some(vec![topic.clone(), topic]))
        }),
        row!(OffsetCommitRequest, OFFSET_COMMIT, |_v| {
            use m::offset_commit_request::*;
            let partition = OffsetCommitRequestPartition::default().with_committed_metadata(Some(text("note")));
            let topic = OffsetCommitRequestTopic::default().with_name(m::TopicName(text("t"))).with_partitions(vec![partition]);
            m::OffsetCommitRequest::default().with_group_id(m::GroupId(text("g"))).with_topics(vec![topic])
        }),
        row!(OffsetFetchRequest, OFFSET_FETCH, |version| {
            use m::offset_fetch_request::*;
            if version <= 7 {
                let topic = OffsetFetchRequestTopic::default().with_partition_indexes(vec![1, 2]);
                m::OffsetFetchRequest::default().with_topics(Some(vec![topic]))
            } else {
                let topic = OffsetFetchRequestTopics::default().with_partition_indexes(vec![1, 2]);
                let group = OffsetFetchRequestGroup::default().with_topics(Some(vec![topic]));
                m::OffsetFetchRequest::default().with_groups(vec![group])
            }
        }),
        row!(FindCoordinatorRequest, FIND_COORDINATOR, |version| {
            let request = m::FindCoordinatorRequest::default();
            if version <= 3 { request.with_key(text("g")) } else { request.with_coordinator_keys(vec![text("a"), text("b")]) }
        }),
        row!(JoinGroupRequest, JOIN_GROUP, |_v| {
            use m::join_group_request::*;
            let protocol = JoinGroupRequestProtocol::default().with_name(text("range")).with_metadata("meta".into());
            m::JoinGroupRequest::default().with_protocols(vec![protocol])
        }),
        row!(HeartbeatRequest, HEARTBEAT),
        row!(LeaveGroupRequest, LEAVE_GROUP, |version| {
            use m::leave_group_request::*;
            let request = m::LeaveGroupRequest::default();
            if version >= 3 { request.with_members(vec![MemberIdentity::default()]) } else { request }
        }),
        row!(SyncGroupRequest, SYNC_GROUP, |_v| {
            use m::sync_group_request::*;
            let assignment = SyncGroupRequestAssignment::default().with_assignment("bytes".into());
            m::SyncGroupRequest::default().with_assignments(vec![assignment])
        }),
        row!(DescribeGroupsRequest, DESCRIBE_GROUPS, |_v| {
            m::DescribeGroupsRequest::default().with_groups(vec![m::GroupId(text("g"))])
        }),
        row!(ListGroupsRequest, LIST_GROUPS),
        row!(DeleteGroupsRequest, DELETE_GROUPS, |_v| {
            m::DeleteGroupsRequest::default().with_groups_names(vec![m::GroupId(text("g"))])
        }),
        row!(OffsetDeleteRequest, OFFSET_DELETE, |_v| {
            use m::offset_delete_request::*;
            let partition = OffsetDeleteRequestPartition::default().with_partition_index(1);
            let topic = OffsetDeleteRequestTopic::default().with_partitions(vec![partition]);
            m::OffsetDeleteRequest::default().with_topics(vec![topic])
        }),
        row!(SaslHandshakeRequest, SASL_HANDSHAKE),
        row!(SaslAuthenticateRequest, SASL_AUTHENTICATE),
        row!(ApiVersionsRequest, API_VERSIONS),
        row!(CreateTopicsRequest, CREATE_TOPICS, |_v| {
            use m::create_topics_request::*;
            let assignment = CreatableReplicaAssignment::default().with_broker_ids(vec![m::BrokerId(1)]);
            let config = CreatableTopicConfig::default().with_value(Some(text("compact")));
            let topic = CreatableTopic::default().with_assignments(vec![assignment]).with_configs(vec![config]);
            m::CreateTopicsRequest::default().with_topics(vec![topic])
        }),
        row!(DeleteTopicsRequest, DELETE_TOPICS, |version| {
            use m::delete_topics_request::*;
            let request = m::DeleteTopicsRequest::default();
            if version >= 6 {
                request.with_topics(vec![DeleteTopicState::default()])
            } else {
                request.with_topic_names(vec![m::TopicName(text("t"))])
            }
        }),
        row!(DeleteRecordsRequest, DELETE_RECORDS, |_v| {
            use m::delete_records_request::*;
            let topic = DeleteRecordsTopic::default().with_partitions(vec![DeleteRecordsPartition::default()]);
            m::DeleteRecordsRequest::default().with_topics(vec![topic])
        }),
        row!(CreatePartitionsRequest, CREATE_PARTITIONS, |_v| {
            use m::create_partitions_request::*;
            let assignment = CreatePartitionsAssignment::default().with_broker_ids(vec![m::BrokerId(1)]);
            let topic = CreatePartitionsTopic::default().with_assignments(Some(vec![assignment]));
            m::CreatePartitionsRequest::default().with_topics(vec![topic])
        }),
        row!(InitProducerIdRequest, INIT_PRODUCER_ID),
        row!(OffsetForLeaderEpochRequest, OFFSET_FOR_LEADER_EPOCH, |_v| {
            use m::offset_for_leader_epoch_request::*;
            let topic = OffsetForLeaderTopic::default().with_partitions(vec![OffsetForLeaderPartition::default()]);
            m::OffsetForLeaderEpochRequest::default().with_topics(vec![topic])
        }),
        row!(DescribeConfigsRequest, DESCRIBE_CONFIGS, |_v| {
            use m::describe_configs_request::*;
            let resource = DescribeConfigsResource::default().with_configuration_keys(Some(vec![text("a"), text("b")]));
            m::DescribeConfigsRequest::default().with_resources(vec![resource])
        }),
        row!(AlterConfigsRequest, ALTER_CONFIGS, |_v| {
            use m::alter_configs_request::*;
            let resource = AlterConfigsResource::default().with_configs(vec![AlterableConfig::default()]);
            m::AlterConfigsRequest::default().with_resources(vec![resource])
        }),
        row!(IncrementalAlterConfigsRequest, INCREMENTAL_ALTER_CONFIGS, |_v| {
            use m::incremental_alter_configs_request::*;
            let resource = AlterConfigsResource::default().with_configs(vec![AlterableConfig::default()]);
            m::IncrementalAlterConfigsRequest::default().with_resources(vec![resource])
        }),
        row!(ListConfigResourcesRequest, LIST_CONFIG_RESOURCES, |version| {
            let request = m::ListConfigResourcesRequest::default();
            if version >= 1 { request.with_resource_types(vec![2, 4]) } else { request }
        }),
        row!(DescribeLogDirsRequest, DESCRIBE_LOG_DIRS, |_v| {
            use m::describe_log_dirs_request::*;
            let topic = DescribableLogDirTopic::default().with_partitions(vec![1]);
            m::DescribeLogDirsRequest::default().with_topics(Some(vec![topic]))
        }),
        row!(AlterReplicaLogDirsRequest, ALTER_REPLICA_LOG_DIRS, |_v| {
            use m::alter_replica_log_dirs_request::*;
            let topic = AlterReplicaLogDirTopic::default().with_partitions(vec![1]);
            m::AlterReplicaLogDirsRequest::default().with_dirs(vec![AlterReplicaLogDir::default().with_topics(vec![topic])])
        }),
        row!(ElectLeadersRequest, ELECT_LEADERS, |_v| {
            use m::elect_leaders_request::*;
            m::ElectLeadersRequest::default().with_topic_partitions(Some(vec![TopicPartitions::default().with_partitions(vec![1])]))
        }),
        row!(AlterPartitionReassignmentsRequest, ALTER_PARTITION_REASSIGNMENTS, |_v| {
            use m::alter_partition_reassignments_request::*;
            let partition = ReassignablePartition::default().with_replicas(Some(vec![m::BrokerId(1)]));
            let topic = ReassignableTopic::default().with_partitions(vec![partition]);
            m::AlterPartitionReassignmentsRequest::default().with_topics(vec![topic])
        }),
        row!(ListPartitionReassignmentsRequest, LIST_PARTITION_REASSIGNMENTS, |_v| {
            use m::list_partition_reassignments_request::*;
            let topic = ListPartitionReassignmentsTopics::default().with_partition_indexes(vec![1]);
            m::ListPartitionReassignmentsRequest::default().with_topics(Some(vec![topic]))
        }),
        row!(DescribeQuorumRequest, DESCRIBE_QUORUM, |_v| {
            use m::describe_quorum_request::*;
            m::DescribeQuorumRequest::default().with_topics(vec![TopicData::default().with_partitions(vec![PartitionData::default()])])
        }),
        row!(DescribeClusterRequest, DESCRIBE_CLUSTER),
        row!(DescribeProducersRequest, DESCRIBE_PRODUCERS, |_v| {
            use m::describe_producers_request::*;
            m::DescribeProducersRequest::default().with_topics(vec![TopicRequest::default().with_partition_indexes(vec![1])])
        }),
        row!(DescribeTopicPartitionsRequest, DESCRIBE_TOPIC_PARTITIONS, |_v| {
            use m::describe_topic_partitions_request::*;
            m::DescribeTopicPartitionsRequest::default()
                .with_topics(vec![TopicRequest::default()])
                .with_cursor(Some(Cursor::default()))
        }),
        row!(DescribeClientQuotasRequest, DESCRIBE_CLIENT_QUOTAS, |_v| {
            use m::describe_client_quotas_request::*;
            m::DescribeClientQuotasRequest::default().with_components(vec![ComponentData::default()])
        }),
        row!(AlterClientQuotasRequest, ALTER_CLIENT_QUOTAS, |_v| {
            use m::alter_client_quotas_request::*;
            let entry = EntryData::default().with_entity(vec![EntityData::default()]).with_ops(vec![OpData::default()]);
            m::AlterClientQuotasRequest::default().with_entries(vec![entry])
        }),
        row!(DescribeAclsRequest, DESCRIBE_ACLS),
        row!(CreateAclsRequest, CREATE_ACLS, |_v| {
            use m::create_acls_request::*;
            m::CreateAclsRequest::default().with_creations(vec![AclCreation::default()])
        }),
        row!(DeleteAclsRequest, DELETE_ACLS, |_v| {
            use m::delete_acls_request::*;
            m::DeleteAclsRequest::default().with_filters(vec![DeleteAclsFilter::default()])
        }),
        row!(UpdateFeaturesRequest, UPDATE_FEATURES, |_v| {
            use m::update_features_request::*;
            m::UpdateFeaturesRequest::default().with_feature_updates(vec![FeatureUpdateKey::default()])
        }),
    ]
}

#[test]
fn every_version_of_every_message_is_walked_to_its_last_byte() {
    for row in rows() {
        for version in row.versions.clone() {
            let body = (row.filled)(version);
            let outcome = check(row.shape, version, (row.flexible)(version), &body);
            assert_eq!(outcome, Ok(()), "{} v{version}", row.name);
            assert_eq!((row.decode)(body.clone(), version), Ok(()), "{} v{version}", row.name);
            // Cut anywhere, it is not this message any more.
            for cut in 0..body.len() {
                let outcome = check(row.shape, version, (row.flexible)(version), &body[..cut]);
                assert!(outcome.is_err(), "{} v{version} cut at {cut}", row.name);
            }
        }
    }
}

#[test]
fn a_count_that_the_bytes_do_not_bear_out_is_refused() {
    // DeleteTopics v1: an array of 0x7ffffff0 names in a body of eight bytes.
    let body = [0x7f, 0xff, 0xff, 0xf0, 0, 0, 0, 0];
    let refused = check(shapes::DELETE_TOPICS, 1, false, &body);
    assert_eq!(refused, Err(Malformed::Count(0x7fff_fff0)));
}

proptest! {
    /// Four bytes anywhere become a hostile length: the walk and then the decoder either read it or refuse it,
    /// and what passes the walk was no longer than the body.
    #[test]
    fn hostile_lengths_are_read_or_refused(which: prop::sample::Index, at: prop::sample::Index, hostile: u32, pick: prop::sample::Index) {
        let rows = rows();
        let row = &rows[which.index(rows.len())];
        let span = (row.versions.end() - row.versions.start() + 1) as usize;
        let version = row.versions.start() + pick.index(span) as i16;
        let mut body = (row.filled)(version);
        if body.len() >= 4 {
            let at = at.index(body.len() - 3);
            body[at..at + 4].copy_from_slice(&hostile.to_be_bytes());
        }
        let walked = check(row.shape, version, (row.flexible)(version), &body);
        // Without the walk in front of it, the decoder would try to allocate what the length says.
        let decoded = (row.decode)(body, version);
        prop_assert!(walked.is_ok() || decoded == Err(walked.unwrap_err()), "{} v{version}", row.name);
    }
}
