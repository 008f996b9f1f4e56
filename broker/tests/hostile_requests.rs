//! Requests of every API and version with damaged bodies. Whatever they ask for, no handler panics, the
//! node goes on serving, and its memory stays in bounds.
mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use common::{TestNode, batch, fetch, framed, produce, topic};
use millrace::api::table::{APIS, Api};
use millrace_protocol::messages as m;
use millrace_protocol::{Encodable, Message, StrBytes};

/// Damaged bodies per API and version.
const ROUNDS: usize = 40;

/// The same numbers in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }
}

/// In `version`, or the newest that the codec can write.
fn write<M: Encodable + Message>(message: &M, out: &mut BytesMut, version: i16) -> Option<()> {
    message.encode(out, version.min(M::VERSIONS.max)).ok()
}

fn body(api: &Api, version: i16) -> Option<BytesMut> {
    let mut out = BytesMut::new();
    let text = StrBytes::from_static_str;
    macro_rules! encode {
        ($message:expr) => {
            write(&$message, &mut out, version)
        };
    }
    let written = match api.key {
        0 => encode!(produce(if version >= 13 { "" } else { "t" }, 0, batch(&["a", "b"]), -1).with_transactional_id(None)),
        1 => encode!(fetch(if version >= 13 { "" } else { "t" }, 0, 0)),
        2 => {
            use m::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
            let topic = ListOffsetsTopic::default().with_name(topic("t")).with_partitions(vec![ListOffsetsPartition::default()]);
            encode!(m::ListOffsetsRequest::default().with_topics(vec![topic]))
        }
        3 => encode!(m::MetadataRequest::default().with_topics(None)),
        8 => {
            use m::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
            let topic = OffsetCommitRequestTopic::default().with_name(topic("t")).with_partitions(vec![OffsetCommitRequestPartition::default()]);
            encode!(m::OffsetCommitRequest::default().with_group_id(m::GroupId(text("g"))).with_topics(vec![topic]))
        }
        9 => encode!(m::OffsetFetchRequest::default().with_topics(Some(vec![]))),
        10 if version >= 4 => encode!(m::FindCoordinatorRequest::default().with_coordinator_keys(vec![text("g")])),
        10 => encode!(m::FindCoordinatorRequest::default().with_key(text("g"))),
        11 => {
            use m::join_group_request::JoinGroupRequestProtocol;
            let protocol = JoinGroupRequestProtocol::default().with_name(text("range")).with_metadata("meta".into());
            let request = m::JoinGroupRequest::default().with_group_id(m::GroupId(text("g"))).with_session_timeout_ms(10_000);
            encode!(request.with_protocol_type(text("consumer")).with_protocols(vec![protocol]))
        }
        12 => encode!(m::HeartbeatRequest::default().with_group_id(m::GroupId(text("g")))),
        13 => encode!(m::LeaveGroupRequest::default().with_group_id(m::GroupId(text("g")))),
        14 => encode!(m::SyncGroupRequest::default().with_group_id(m::GroupId(text("g")))),
        15 => encode!(m::DescribeGroupsRequest::default().with_groups(vec![m::GroupId(text("g"))])),
        16 => encode!(m::ListGroupsRequest::default()),
        18 => encode!(m::ApiVersionsRequest::default()),
        19 => {
            use m::create_topics_request::CreatableTopic;
            let topic = CreatableTopic::default().with_name(topic("new")).with_num_partitions(1).with_replication_factor(1);
            encode!(m::CreateTopicsRequest::default().with_topics(vec![topic]))
        }
        20 if version < 6 => encode!(m::DeleteTopicsRequest::default().with_topic_names(vec![topic("gone")])),
        21 => {
            use m::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
            let topic = DeleteRecordsTopic::default().with_name(topic("t")).with_partitions(vec![DeleteRecordsPartition::default()]);
            encode!(m::DeleteRecordsRequest::default().with_topics(vec![topic]))
        }
        22 => encode!(m::InitProducerIdRequest::default().with_transactional_id(None)),
        23 => {
            use m::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
            let topic = OffsetForLeaderTopic::default().with_topic(topic("t")).with_partitions(vec![OffsetForLeaderPartition::default()]);
            encode!(m::OffsetForLeaderEpochRequest::default().with_topics(vec![topic]))
        }
        32 => {
            use m::describe_configs_request::DescribeConfigsResource;
            let resource = DescribeConfigsResource::default().with_resource_type(2).with_resource_name(text("t"));
            encode!(m::DescribeConfigsRequest::default().with_resources(vec![resource]))
        }
        33 | 44 => encode!(m::AlterConfigsRequest::default()),
        34 => encode!(m::AlterReplicaLogDirsRequest::default().with_dirs(vec![Default::default()])),
        35 => encode!(m::DescribeLogDirsRequest::default().with_topics(None)),
        37 => {
            use m::create_partitions_request::CreatePartitionsTopic;
            let topic = CreatePartitionsTopic::default().with_name(topic("t")).with_count(2);
            encode!(m::CreatePartitionsRequest::default().with_topics(vec![topic]))
        }
        43 => encode!(m::ElectLeadersRequest::default().with_topic_partitions(None)),
        45 => encode!(m::AlterPartitionReassignmentsRequest::default().with_topics(vec![Default::default()])),
        55 => encode!(m::DescribeQuorumRequest::default().with_topics(vec![Default::default()])),
        60 => encode!(m::DescribeClusterRequest::default()),
        61 => encode!(m::DescribeProducersRequest::default().with_topics(vec![Default::default()])),
        75 => encode!(m::DescribeTopicPartitionsRequest::default().with_topics(vec![Default::default()])),
        // Whatever has no sample of its own is asked with bytes that mean nothing.
        _ => {
            out.extend_from_slice(&[0; 24]);
            Some(())
        }
    };
    written.map(|()| out)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_harms_the_node() {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        usual(info);
    }));
    let node = TestNode::with("offsets.topic.num.partitions=2\nsocket.request.max.bytes=100000\n").await;
    let mut client = node.connect().await;
    client.create_topic("t", 1, &[]).await;
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for api in APIS {
        for version in api.versions.clone() {
            let Some(whole) = body(api, version) else { continue };
            let mut client = node.connect().await;
            for _ in 0..ROUNDS {
                let mut damaged = whole.clone();
                for _ in 0..=dice.roll(3) {
                    if damaged.is_empty() {
                        break;
                    }
                    let at = dice.roll(damaged.len());
                    damaged[at] = [0, 1, 0x7f, 0x80, 0xff, dice.roll(256) as u8][dice.roll(6)];
                }
                damaged.truncate(damaged.len() - [0, 0, 0, dice.roll(damaged.len() + 1)][dice.roll(4)]);
                client.send_frame(&framed(api.key, version, 1, api.flexible(version), &damaged)).await;
                let answer = tokio::time::timeout(Duration::from_millis(300), client.receive()).await;
                if !matches!(answer, Ok(Some(_))) {
                    // Closed, or it waits for something (a group's other members): both are well.
                    client = node.connect().await;
                }
                assert_eq!(PANICS.load(Ordering::Relaxed), 0, "{} v{version}: {damaged:02x?}", api.name);
            }
        }
    }
    let mut client = node.connect().await;
    let metadata = client.ask(&m::MetadataRequest::default().with_topics(None), 9).await;
    assert!(metadata.topics.iter().any(|topic| topic.name.as_ref().is_some_and(|name| name.as_str() == "t")));
    assert_eq!(client.produce("t", batch(&["still here"])).await.error_code, 0);
}
