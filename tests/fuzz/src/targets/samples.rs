//! A good body of every API in every version that is served.
use bytes::BytesMut;
use millrace::api::table::{APIS, Api};
use millrace_protocol::messages as m;
use millrace_protocol::{Encodable, StrBytes};
use uuid::Uuid;

use super::records::batch;

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn topic(name: &str) -> m::TopicName {
    m::TopicName(text(name))
}

fn group(name: &str) -> m::GroupId {
    m::GroupId(text(name))
}

/// The batch of the produce requests.
pub fn produced() -> Vec<u8> {
    batch(millrace_record::Codec::Lz4, 3, 40)
}

/// `key (2), version (2), body`.
pub fn samples(topic_id: Uuid) -> Vec<Vec<u8>> {
    let rows = APIS.iter().flat_map(|api| api.versions.clone().map(move |version| (api, version)));
    rows.filter_map(|(api, version)| {
        let body = body(api, version, topic_id)?;
        Some([&api.key.to_be_bytes()[..], &version.to_be_bytes(), &body].concat())
    })
    .collect()
}

/// The good requests that the codec can write; what an old version cannot say is left out.
fn body(api: &Api, version: i16, topic_id: Uuid) -> Option<BytesMut> {
    let mut out = BytesMut::new();
    macro_rules! encode {
        ($message:expr) => {
            $message.encode(&mut out, version).ok()
        };
    }
    match api.key {
        0 => {
            use m::produce_request::{PartitionProduceData, TopicProduceData};
            let data = PartitionProduceData::default().with_index(0).with_records(Some(produced().into()));
            let data = TopicProduceData::default().with_partition_data(vec![data]);
            let data = if version >= 13 { data.with_topic_id(topic_id) } else { data.with_name(topic("t")) };
            encode!(m::ProduceRequest::default().with_acks(-1).with_timeout_ms(50).with_topic_data(vec![data]).with_transactional_id(None))
        }
        1 => {
            use m::fetch_request::{FetchPartition, FetchTopic};
            let partition = FetchPartition::default().with_partition(0).with_fetch_offset(0).with_partition_max_bytes(1 << 20);
            let asked = FetchTopic::default().with_partitions(vec![partition.clone(), partition.with_partition(1)]);
            let asked = if version >= 13 { asked.with_topic_id(topic_id) } else { asked.with_topic(topic("t")) };
            encode!(m::FetchRequest::default().with_max_wait_ms(0).with_min_bytes(1).with_max_bytes(1 << 20).with_topics(vec![asked]))
        }
        2 => {
            use m::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
            let asked = ListOffsetsTopic::default().with_name(topic("t")).with_partitions(vec![ListOffsetsPartition::default().with_timestamp(-1)]);
            encode!(m::ListOffsetsRequest::default().with_topics(vec![asked]))
        }
        3 => encode!(m::MetadataRequest::default().with_topics(Some(vec![m::metadata_request::MetadataRequestTopic::default().with_name(Some(topic("t")))]))),
        8 => {
            use m::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
            let partition = OffsetCommitRequestPartition::default().with_committed_metadata(Some(text("note")));
            let asked = OffsetCommitRequestTopic::default().with_name(topic("t")).with_partitions(vec![partition]);
            encode!(m::OffsetCommitRequest::default().with_group_id(group("g")).with_topics(vec![asked]))
        }
        9 if version >= 8 => {
            use m::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
            let asked = OffsetFetchRequestTopics::default().with_name(topic("t")).with_partition_indexes(vec![0, 1]);
            encode!(m::OffsetFetchRequest::default().with_groups(vec![OffsetFetchRequestGroup::default().with_group_id(group("g")).with_topics(Some(vec![asked]))]))
        }
        9 => {
            use m::offset_fetch_request::OffsetFetchRequestTopic;
            let asked = OffsetFetchRequestTopic::default().with_name(topic("t")).with_partition_indexes(vec![0, 1]);
            encode!(m::OffsetFetchRequest::default().with_group_id(group("g")).with_topics(Some(vec![asked])))
        }
        10 if version >= 4 => encode!(m::FindCoordinatorRequest::default().with_coordinator_keys(vec![text("g"), text("h")])),
        10 => encode!(m::FindCoordinatorRequest::default().with_key(text("g"))),
        11 => {
            use m::join_group_request::JoinGroupRequestProtocol;
            let protocol = JoinGroupRequestProtocol::default().with_name(text("range")).with_metadata("meta".into());
            let request = m::JoinGroupRequest::default().with_group_id(group("g")).with_session_timeout_ms(10_000).with_rebalance_timeout_ms(100);
            encode!(request.with_protocol_type(text("consumer")).with_protocols(vec![protocol]))
        }
        12 => encode!(m::HeartbeatRequest::default().with_group_id(group("g")).with_member_id(text("m"))),
        13 if version >= 3 => {
            let member = m::leave_group_request::MemberIdentity::default().with_member_id(text("m"));
            encode!(m::LeaveGroupRequest::default().with_group_id(group("g")).with_members(vec![member]))
        }
        13 => encode!(m::LeaveGroupRequest::default().with_group_id(group("g")).with_member_id(text("m"))),
        14 => {
            let assignment = m::sync_group_request::SyncGroupRequestAssignment::default().with_member_id(text("m")).with_assignment("a".into());
            encode!(m::SyncGroupRequest::default().with_group_id(group("g")).with_member_id(text("m")).with_assignments(vec![assignment]))
        }
        15 => encode!(m::DescribeGroupsRequest::default().with_groups(vec![group("g"), group("h")])),
        16 => encode!(m::ListGroupsRequest::default()),
        18 => encode!(m::ApiVersionsRequest::default()),
        19 => {
            use m::create_topics_request::{CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig};
            let plain = CreatableTopic::default().with_name(topic("new")).with_num_partitions(1).with_replication_factor(1);
            let config = CreatableTopicConfig::default().with_name(text("retention.ms")).with_value(Some(text("1")));
            let assigned = CreatableReplicaAssignment::default().with_partition_index(0).with_broker_ids(vec![m::BrokerId(1)]);
            let other = CreatableTopic::default().with_name(topic("other")).with_num_partitions(-1).with_replication_factor(-1);
            let other = other.with_configs(vec![config]).with_assignments(vec![assigned]);
            encode!(m::CreateTopicsRequest::default().with_topics(vec![plain, other]).with_timeout_ms(50))
        }
        20 if version < 6 => encode!(m::DeleteTopicsRequest::default().with_topic_names(vec![topic("new")])),
        20 => encode!(m::DeleteTopicsRequest::default().with_topics(vec![m::delete_topics_request::DeleteTopicState::default().with_name(Some(topic("new")))])),
        21 => {
            use m::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
            let asked = DeleteRecordsTopic::default().with_name(topic("t")).with_partitions(vec![DeleteRecordsPartition::default()]);
            encode!(m::DeleteRecordsRequest::default().with_topics(vec![asked]))
        }
        22 => encode!(m::InitProducerIdRequest::default().with_transactional_id(None)),
        23 => {
            use m::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
            let asked = OffsetForLeaderTopic::default().with_topic(topic("t")).with_partitions(vec![OffsetForLeaderPartition::default()]);
            encode!(m::OffsetForLeaderEpochRequest::default().with_topics(vec![asked]))
        }
        32 => {
            use m::describe_configs_request::DescribeConfigsResource;
            let resource = DescribeConfigsResource::default().with_resource_type(2).with_resource_name(text("t"));
            let broker = DescribeConfigsResource::default().with_resource_type(4).with_resource_name(text("1"));
            encode!(m::DescribeConfigsRequest::default().with_resources(vec![resource, broker]))
        }
        33 => {
            use m::alter_configs_request::{AlterConfigsResource, AlterableConfig};
            let config = AlterableConfig::default().with_name(text("retention.ms")).with_value(Some(text("5")));
            encode!(m::AlterConfigsRequest::default().with_resources(vec![AlterConfigsResource::default().with_resource_type(2).with_resource_name(text("t")).with_configs(vec![config])]))
        }
        35 => {
            let asked = m::describe_log_dirs_request::DescribableLogDirTopic::default().with_topic(topic("t")).with_partitions(vec![0, 1]);
            encode!(m::DescribeLogDirsRequest::default().with_topics(Some(vec![asked])))
        }
        37 => {
            let asked = m::create_partitions_request::CreatePartitionsTopic::default().with_name(topic("new")).with_count(2).with_assignments(None);
            encode!(m::CreatePartitionsRequest::default().with_topics(vec![asked]).with_timeout_ms(50))
        }
        42 => encode!(m::DeleteGroupsRequest::default().with_groups_names(vec![group("h")])),
        43 => {
            let asked = m::elect_leaders_request::TopicPartitions::default().with_topic(topic("t")).with_partitions(vec![0]);
            encode!(m::ElectLeadersRequest::default().with_topic_partitions(Some(vec![asked])))
        }
        44 => {
            use m::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
            let config = AlterableConfig::default().with_name(text("cleanup.policy")).with_value(Some(text("compact"))).with_config_operation(2);
            encode!(m::IncrementalAlterConfigsRequest::default().with_resources(vec![AlterConfigsResource::default().with_resource_type(2).with_resource_name(text("t")).with_configs(vec![config])]))
        }
        46 => encode!(m::ListPartitionReassignmentsRequest::default().with_topics(None)),
        47 => {
            use m::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
            let asked = OffsetDeleteRequestTopic::default().with_name(topic("t")).with_partitions(vec![OffsetDeleteRequestPartition::default()]);
            encode!(m::OffsetDeleteRequest::default().with_group_id(group("g")).with_topics(vec![asked]))
        }
        55 => encode!(m::DescribeQuorumRequest::default().with_topics(vec![Default::default()])),
        60 => encode!(m::DescribeClusterRequest::default()),
        61 => {
            let asked = m::describe_producers_request::TopicRequest::default().with_name(topic("t")).with_partition_indexes(vec![0]);
            encode!(m::DescribeProducersRequest::default().with_topics(vec![asked]))
        }
        75 => {
            let asked = m::describe_topic_partitions_request::TopicRequest::default().with_name(topic("t"));
            encode!(m::DescribeTopicPartitionsRequest::default().with_topics(vec![asked]).with_response_partition_limit(10).with_cursor(None))
        }
        // What has no sample of its own is asked with bytes that mean nothing.
        _ => {
            out.extend_from_slice(&[0; 24]);
            Some(())
        }
    }
    .map(|()| out)
}

/// A frame as it goes over a socket, its length in front.
pub fn framed(key: i16, version: i16, correlation: i32, flexible: bool, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; 4];
    frame.extend(key.to_be_bytes());
    frame.extend(version.to_be_bytes());
    frame.extend(correlation.to_be_bytes());
    frame.extend(4_i16.to_be_bytes());
    frame.extend(b"fuzz");
    if flexible {
        frame.push(0);
    }
    frame.extend(body);
    let len = (frame.len() - 4) as i32;
    frame[..4].copy_from_slice(&len.to_be_bytes());
    frame
}

/// The head of an input: key, version, and the API that both name, if it is served.
pub fn opening(input: &[u8]) -> Option<(&'static Api, i16, &[u8])> {
    let (head, body) = input.split_first_chunk::<4>()?;
    let (key, version) = (i16::from_be_bytes([head[0], head[1]]), i16::from_be_bytes([head[2], head[3]]));
    let api = millrace::api::table::find(key)?;
    api.versions.contains(&version).then_some((api, version, body))
}
