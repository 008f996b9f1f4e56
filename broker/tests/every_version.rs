//! Every version of every API that the broker advertises, asked over one connection: each answer can be
//! taken apart to its last byte by the codec made from Kafka's own schemas, and the connection lives on.
mod common;

use bytes::Buf;
use common::{Client, TestNode, batch, fetch, framed, produce, topic};
use millrace::api::table::APIS;
use millrace_protocol::messages as m;
use millrace_protocol::{Decodable, Encodable, Request, StrBytes};

/// Asks `build(version)` in every version of the API's row.
async fn sweep<R: Request>(client: &mut Client, asked: &mut Vec<i16>, build: impl Fn(i16) -> R) {
    let api = APIS.iter().find(|api| api.key == R::KEY).unwrap_or_else(|| panic!("api {} has no row", R::KEY));
    for version in api.versions.clone().filter(|version| *version <= R::VERSIONS.max) {
        client.ask(&build(version), version).await;
    }
    asked.push(R::KEY);
}

fn text(text: &'static str) -> StrBytes {
    StrBytes::from_static_str(text)
}

/// Compat: V7, V10, V13, V14, V15, V19.
#[tokio::test]
async fn every_answer_is_whole_in_every_version() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    client.create_topic("t", 2, &[]).await;
    client.produce("t", batch(&["a"])).await;
    let id = client.ask(&m::MetadataRequest::default().with_topics(None), 12).await.topics[0].topic_id;
    let mut asked = Vec::new();
    data_path(&mut client, &mut asked, id).await;
    groups(&mut client, &mut asked).await;
    admin(&mut client, &mut asked).await;
    describing(&mut client, &mut asked).await;
    let rows: Vec<i16> = APIS.iter().map(|api| api.key).collect();
    asked.sort_unstable();
    assert_eq!(asked, rows, "every row has been asked");
}

/// Kafka's newest versions of two APIs are newer than the codec.
#[tokio::test]
async fn versions_that_the_codec_does_not_know_are_answered_too() {
    let beyond = APIS.iter().filter(|api| {
        millrace_protocol::messages::ApiKey::try_from(api.key).is_ok_and(|key| key.valid_versions().max < *api.versions.end())
    });
    let beyond: Vec<_> = beyond.map(|api| (api.name, *api.versions.end())).collect();
    assert_eq!(beyond, [("ListOffsets", 11), ("DescribeLogDirs", 5)], "each has its part here");

    let node = TestNode::start().await;
    let mut client = node.connect().await;
    client.create_topic("t", 1, &[]).await;
    client.produce("t", batch(&["a", "b"])).await;

    let mut body = bytes::BytesMut::new();
    use m::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
    let times = [-1, -6].map(|time| ListOffsetsPartition::default().with_timestamp(time).with_current_leader_epoch(-1));
    for (time, offset) in times.into_iter().zip([2, -1]) {
        let topic = ListOffsetsTopic::default().with_name(topic("t")).with_partitions(vec![time]);
        body.clear();
        m::ListOffsetsRequest::default().with_topics(vec![topic]).encode(&mut body, 10).expect("it encodes");
        client.send_frame(&framed(2, 11, 77, true, &body)).await;
        let mut answer = client.receive().await.expect("an answer");
        answer.advance(5);
        let answer = m::ListOffsetsResponse::decode(&mut answer, 10).expect("it is as in v10");
        let found = &answer.topics[0].partitions[0];
        assert_eq!((found.error_code, found.offset), (0, offset));
    }

    body.clear();
    m::DescribeLogDirsRequest::default().with_topics(None).encode(&mut body, 4).expect("it encodes");
    client.send_frame(&framed(35, 5, 78, true, &body)).await;
    let mut answer = client.receive().await.expect("an answer");
    assert_eq!(answer.split_to(5)[..], [0, 0, 0, 78, 0]);
    // Throttle time, no error, one folder; then the folder as in v4, `not cordoned`, and two ends.
    assert_eq!(answer.split_to(7)[..], [0, 0, 0, 0, 0, 0, 2]);
    let folder = m::describe_log_dirs_response::DescribeLogDirsResult::decode(&mut answer, 4).expect("a folder");
    assert_eq!(folder.topics[0].name.as_str(), "t");
    assert_eq!(answer[..], [0, 0]);
}

async fn data_path(client: &mut Client, asked: &mut Vec<i16>, id: uuid::Uuid) {
    sweep(client, asked, |version| {
        let mut request = produce("t", 0, batch(&["a"]), -1);
        request.transactional_id = None;
        if version >= 13 {
            request.topic_data[0].name = topic("");
            request.topic_data[0].topic_id = id;
        }
        request
    })
    .await;
    sweep(client, asked, |version| {
        let mut request = fetch("t", 0, 0);
        if version >= 13 {
            request.topics[0].topic = topic("");
            request.topics[0].topic_id = id;
        }
        request
    })
    .await;
    sweep(client, asked, |_| {
        use m::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
        let partitions = (0..3).map(|index| ListOffsetsPartition::default().with_partition_index(index).with_timestamp(-1));
        let topic = ListOffsetsTopic::default().with_name(topic("t")).with_partitions(partitions.collect());
        m::ListOffsetsRequest::default().with_topics(vec![topic])
    })
    .await;
    sweep(client, asked, |_| {
        use m::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
        let partition = OffsetForLeaderPartition::default().with_leader_epoch(1).with_current_leader_epoch(-1);
        let topic = OffsetForLeaderTopic::default().with_topic(topic("t")).with_partitions(vec![partition]);
        m::OffsetForLeaderEpochRequest::default().with_topics(vec![topic])
    })
    .await;
    sweep(client, asked, |_| m::InitProducerIdRequest::default().with_transactional_id(None)).await;
    sweep(client, asked, |_| {
        use m::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
        let partition = DeleteRecordsPartition::default().with_offset(-1);
        let topic = DeleteRecordsTopic::default().with_name(topic("t")).with_partitions(vec![partition]);
        m::DeleteRecordsRequest::default().with_topics(vec![topic])
    })
    .await;
}

async fn groups(client: &mut Client, asked: &mut Vec<i16>) {
    let group = || m::GroupId(text("g"));
    sweep(client, asked, |version| {
        let request = m::FindCoordinatorRequest::default();
        if version >= 4 { request.with_coordinator_keys(vec![text("g")]) } else { request.with_key(text("g")) }
    })
    .await;
    sweep(client, asked, |_| {
        use m::join_group_request::JoinGroupRequestProtocol;
        let protocol = JoinGroupRequestProtocol::default().with_name(text("range"));
        // A member that nobody knows: refused at once instead of waiting for others.
        m::JoinGroupRequest::default()
            .with_group_id(group())
            .with_session_timeout_ms(10_000)
            .with_rebalance_timeout_ms(10_000)
            .with_member_id(text("stranger"))
            .with_protocol_type(text("consumer"))
            .with_protocols(vec![protocol])
    })
    .await;
    sweep(client, asked, |_| m::SyncGroupRequest::default().with_group_id(group())).await;
    sweep(client, asked, |_| m::HeartbeatRequest::default().with_group_id(group())).await;
    sweep(client, asked, |version| {
        use m::leave_group_request::MemberIdentity;
        let request = m::LeaveGroupRequest::default().with_group_id(group());
        if version >= 3 { request.with_members(vec![MemberIdentity::default()]) } else { request }
    })
    .await;
    sweep(client, asked, |_| {
        use m::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
        let partition = OffsetCommitRequestPartition::default().with_committed_offset(1).with_committed_metadata(Some(text("note")));
        let topic = OffsetCommitRequestTopic::default().with_name(topic("t")).with_partitions(vec![partition]);
        let request = m::OffsetCommitRequest::default().with_group_id(group()).with_topics(vec![topic]);
        request.with_generation_id_or_member_epoch(-1)
    })
    .await;
    sweep(client, asked, |version| {
        use m::offset_fetch_request::*;
        if version >= 8 {
            let topic = OffsetFetchRequestTopics::default().with_name(topic("t")).with_partition_indexes(vec![0, 1]);
            let group = OffsetFetchRequestGroup::default().with_group_id(group()).with_topics(Some(vec![topic]));
            m::OffsetFetchRequest::default().with_groups(vec![group])
        } else {
            let topic = OffsetFetchRequestTopic::default().with_name(topic("t")).with_partition_indexes(vec![0, 1]);
            m::OffsetFetchRequest::default().with_group_id(group()).with_topics(Some(vec![topic]))
        }
    })
    .await;
    sweep(client, asked, |_| m::DescribeGroupsRequest::default().with_groups(vec![group()])).await;
    sweep(client, asked, |_| m::ListGroupsRequest::default()).await;
    sweep(client, asked, |_| {
        use m::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
        let topic = OffsetDeleteRequestTopic::default().with_name(topic("t")).with_partitions(vec![OffsetDeleteRequestPartition::default()]);
        m::OffsetDeleteRequest::default().with_group_id(group()).with_topics(vec![topic])
    })
    .await;
    sweep(client, asked, |_| m::DeleteGroupsRequest::default().with_groups_names(vec![group()])).await;
}

async fn admin(client: &mut Client, asked: &mut Vec<i16>) {
    sweep(client, asked, |version| {
        use m::create_topics_request::CreatableTopic;
        let name = |kind: &str| topic(&format!("{kind}-{version}"));
        let good = CreatableTopic::default().with_name(name("made")).with_num_partitions(1).with_replication_factor(1);
        let bad = good.clone().with_name(topic("not/a/name"));
        m::CreateTopicsRequest::default().with_topics(vec![good, bad]).with_timeout_ms(1000)
    })
    .await;
    sweep(client, asked, |_| {
        use m::create_partitions_request::CreatePartitionsTopic;
        let topic = CreatePartitionsTopic::default().with_name(topic("t")).with_count(1).with_assignments(None);
        m::CreatePartitionsRequest::default().with_topics(vec![topic])
    })
    .await;
    sweep(client, asked, |version| {
        use m::delete_topics_request::DeleteTopicState;
        let name = topic(&format!("made-{version}"));
        if version >= 6 {
            m::DeleteTopicsRequest::default().with_topics(vec![DeleteTopicState::default().with_name(Some(name))])
        } else {
            m::DeleteTopicsRequest::default().with_topic_names(vec![name, topic("nowhere")])
        }
    })
    .await;
    sweep(client, asked, |_| {
        use m::describe_configs_request::DescribeConfigsResource;
        let resource = |kind, name| DescribeConfigsResource::default().with_resource_type(kind).with_resource_name(text(name)).with_configuration_keys(None);
        m::DescribeConfigsRequest::default().with_resources(vec![resource(2, "t"), resource(4, "1"), resource(4, ""), resource(2, "nowhere")])
    })
    .await;
    sweep(client, asked, |_| {
        use m::alter_configs_request::{AlterConfigsResource, AlterableConfig};
        let config = AlterableConfig::default().with_name(text("retention.ms")).with_value(Some(text("1000")));
        let resource = AlterConfigsResource::default().with_resource_type(2).with_resource_name(text("t")).with_configs(vec![config]);
        m::AlterConfigsRequest::default().with_resources(vec![resource])
    })
    .await;
    sweep(client, asked, |_| {
        use m::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
        let config = AlterableConfig::default().with_name(text("no.such.config")).with_value(Some(text("1")));
        let resource = AlterConfigsResource::default().with_resource_type(2).with_resource_name(text("t")).with_configs(vec![config]);
        m::IncrementalAlterConfigsRequest::default().with_resources(vec![resource])
    })
    .await;
    sweep(client, asked, |_| m::ListConfigResourcesRequest::default()).await;
    sweep(client, asked, |_| {
        use m::elect_leaders_request::TopicPartitions;
        let topic = TopicPartitions::default().with_topic(topic("t")).with_partitions(vec![0, 9]);
        m::ElectLeadersRequest::default().with_topic_partitions(Some(vec![topic]))
    })
    .await;
    sweep(client, asked, |_| m::ListPartitionReassignmentsRequest::default().with_topics(None)).await;
    sweep(client, asked, |_| {
        use m::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
        let partition = |index| ReassignablePartition::default().with_partition_index(index).with_replicas(Some(vec![m::BrokerId(1)]));
        let topic = ReassignableTopic::default().with_name(topic("t")).with_partitions(vec![partition(0), partition(9)]);
        m::AlterPartitionReassignmentsRequest::default().with_topics(vec![topic])
    })
    .await;
    sweep(client, asked, |_| {
        use m::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
        let topic = AlterReplicaLogDirTopic::default().with_name(topic("t")).with_partitions(vec![0, 9]);
        m::AlterReplicaLogDirsRequest::default().with_dirs(vec![AlterReplicaLogDir::default().with_path(text("/tmp")).with_topics(vec![topic])])
    })
    .await;
}

async fn describing(client: &mut Client, asked: &mut Vec<i16>) {
    sweep(client, asked, |version| {
        use m::metadata_request::MetadataRequestTopic;
        let named = |name| MetadataRequestTopic::default().with_name(Some(topic(name)));
        let mut request = m::MetadataRequest::default().with_topics(Some(vec![named("t"), named("bad/name"), named("nowhere")]));
        request.allow_auto_topic_creation = version < 4;
        request
    })
    .await;
    sweep(client, asked, |version| {
        let request = m::ApiVersionsRequest::default();
        if version >= 3 { request.with_client_software_name(text("n")).with_client_software_version(text("1")) } else { request }
    })
    .await;
    sweep(client, asked, |_| m::DescribeClusterRequest::default().with_include_cluster_authorized_operations(true)).await;
    sweep(client, asked, |_| m::DescribeLogDirsRequest::default().with_topics(None)).await;
    sweep(client, asked, |_| {
        use m::describe_producers_request::TopicRequest;
        let topic = TopicRequest::default().with_name(topic("t")).with_partition_indexes(vec![0, 9]);
        m::DescribeProducersRequest::default().with_topics(vec![topic])
    })
    .await;
    sweep(client, asked, |_| {
        use m::describe_quorum_request::{PartitionData, TopicData};
        let topic = TopicData::default().with_topic_name(topic("__cluster_metadata")).with_partitions(vec![PartitionData::default()]);
        m::DescribeQuorumRequest::default().with_topics(vec![topic])
    })
    .await;
    sweep(client, asked, |_| {
        use m::describe_topic_partitions_request::TopicRequest;
        let named = |name| TopicRequest::default().with_name(topic(name));
        let request = m::DescribeTopicPartitionsRequest::default().with_topics(vec![named("t"), named("nowhere")]);
        request.with_response_partition_limit(1).with_cursor(None)
    })
    .await;
    if APIS.iter().any(|api| api.key == m::DescribeAclsRequest::KEY) {
        sweep(client, asked, |_| m::DescribeAclsRequest::default()).await;
    }
}
