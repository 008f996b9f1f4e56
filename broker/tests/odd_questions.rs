//! Questions that hardly anybody asks, answered as Apache Kafka 4.3.1 answered them when it was asked the same.
mod common;

use common::{Client, TestNode, topic};
use millrace_protocol::StrBytes;
use millrace_protocol::messages::metadata_request::MetadataRequestTopic;
use millrace_protocol::messages::{self as m, GroupId};

/// Everything that may be done to a topic and to a group, as Kafka counts it where nobody is kept from anything.
const ON_A_TOPIC: i32 = 3576;
const ON_A_GROUP: i32 = 3400;

async fn start() -> (TestNode, Client) {
    let node = TestNode::with("offsets.topic.num.partitions=2\n").await;
    let mut client = node.connect().await;
    client.create_topic("t", 2, &[]).await;
    (node, client)
}

async fn coordinator(client: &mut Client) {
    for _ in 0..500 {
        client.ask(&m::FindCoordinatorRequest::default().with_key(StrBytes::from_static_str("g")), 3).await;
        let beat = m::HeartbeatRequest::default().with_group_id(GroupId(StrBytes::from_static_str("g")));
        if !matches!(client.ask(&beat, 3).await.error_code, 14..=16) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the coordinator never came up");
}

#[tokio::test]
async fn what_is_named_twice_is_answered_once() {
    let (_node, mut client) = start().await;
    let named = MetadataRequestTopic::default().with_name(Some(topic("t")));
    let answer = client.ask(&m::MetadataRequest::default().with_topics(Some(vec![named.clone(), named])), 9).await;
    assert_eq!(answer.topics.len(), 1);
    let twice = m::create_topics_request::CreatableTopic::default().with_name(topic("d")).with_num_partitions(1).with_replication_factor(1);
    let answer = client.ask(&m::CreateTopicsRequest::default().with_topics(vec![twice.clone(), twice]).with_timeout_ms(5000), 7).await;
    let told: Vec<_> = answer.topics.iter().map(|topic| (topic.error_code, topic.configs.as_ref().map(Vec::len))).collect();
    assert_eq!(told, [(42, Some(0))], "refused, with no configs rather than none told");
}

#[tokio::test]
async fn operations_are_told_of_what_is_not_there_too() {
    let (_node, mut client) = start().await;
    let named = |name| MetadataRequestTopic::default().with_name(Some(topic(name)));
    let asked = m::MetadataRequest::default().with_topics(Some(vec![named("nowhere"), named("bad name")])).with_allow_auto_topic_creation(false);
    let answer = client.ask(&asked.with_include_topic_authorized_operations(true), 9).await;
    let told: Vec<_> = answer.topics.iter().map(|topic| (topic.error_code, topic.topic_authorized_operations)).collect();
    assert_eq!(told, [(3, ON_A_TOPIC), (17, ON_A_TOPIC)]);

    use m::describe_topic_partitions_request::TopicRequest;
    let named = |name| TopicRequest::default().with_name(topic(name));
    let asked = m::DescribeTopicPartitionsRequest::default().with_topics(vec![named("bad name"), named("nowhere")]).with_response_partition_limit(9);
    let answer = client.ask(&asked.with_cursor(None), 0).await;
    let told: Vec<_> = answer.topics.iter().map(|topic| (topic.error_code, topic.topic_authorized_operations)).collect();
    assert_eq!(told, [(17, ON_A_TOPIC), (3, ON_A_TOPIC)]);

    coordinator(&mut client).await;
    let asked = m::DescribeGroupsRequest::default().with_groups(vec![GroupId(StrBytes::from_static_str("none"))]);
    for (version, told) in [(5, (0, ON_A_GROUP)), (6, (69, i32::MIN))] {
        let answer = client.ask(&asked.clone().with_include_authorized_operations(true), version).await;
        assert_eq!((answer.groups[0].error_code, answer.groups[0].authorized_operations), told, "v{version}");
    }
}

#[tokio::test]
async fn members_of_a_group_that_is_not_there_are_told_one_by_one() {
    let (_node, mut client) = start().await;
    coordinator(&mut client).await;
    let member = m::leave_group_request::MemberIdentity::default().with_member_id(StrBytes::from_static_str("who"));
    let group = GroupId(StrBytes::from_static_str("none"));
    let answer = client.ask(&m::LeaveGroupRequest::default().with_group_id(group.clone()).with_members(vec![member]), 5).await;
    assert_eq!((answer.error_code, answer.members[0].error_code), (0, 25));
    let old = m::LeaveGroupRequest::default().with_group_id(group).with_member_id(StrBytes::from_static_str("who"));
    assert_eq!(client.ask(&old, 2).await.error_code, 25);
}

#[tokio::test]
async fn half_a_producer_id_and_records_of_the_brokers_own_topics_are_refused() {
    let (_node, mut client) = start().await;
    let half = m::InitProducerIdRequest::default().with_transactional_id(None).with_producer_id(m::ProducerId(1)).with_producer_epoch(-1);
    assert_eq!(client.ask(&half, 4).await.error_code, 42);
    coordinator(&mut client).await;
    use m::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
    let own = DeleteRecordsTopic::default().with_name(topic("__consumer_offsets")).with_partitions(vec![DeleteRecordsPartition::default()]);
    let answer = client.ask(&m::DeleteRecordsRequest::default().with_topics(vec![own]).with_timeout_ms(5000), 2).await;
    assert_eq!(answer.topics[0].partitions[0].error_code, 17);
}
