//! Bugs of other brokers around groups, each as the client saw it. The ids are those of the list of known
//! compatibility bugs; the transcripts of the coordinator hold the rest.
mod common;

use bytes::Bytes;
use common::{Client, TestNode, take_apart, topic};
use millrace_protocol::StrBytes;
use millrace_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use millrace_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use millrace_protocol::messages::{self as m, GroupId, JoinGroupRequest, JoinGroupResponse, SyncGroupRequest, SyncGroupResponse};

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}
fn group() -> GroupId {
    GroupId(text("g"))
}

async fn start() -> (TestNode, Client) {
    let node = TestNode::with("group.initial.rebalance.delay.ms=0\noffsets.topic.num.partitions=2\n").await;
    let mut client = node.connect().await;
    client.create_topic("t", 2, &[]).await;
    for _ in 0..500 {
        let asked = m::FindCoordinatorRequest::default().with_key(text("g"));
        client.ask(&asked, 3).await;
        // The coordinator answers once it has read its log.
        let beat = m::HeartbeatRequest::default().with_group_id(group()).with_member_id(text("nobody"));
        if client.ask(&beat, 3).await.error_code == 25 {
            return (node, client);
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the coordinator never came up");
}

fn joining(member: &StrBytes) -> JoinGroupRequest {
    JoinGroupRequest::default()
        .with_group_id(group())
        .with_session_timeout_ms(30_000)
        .with_rebalance_timeout_ms(30_000)
        .with_protocol_type(text("consumer"))
        .with_member_id(member.clone())
        .with_protocols(vec![JoinGroupRequestProtocol::default().with_name(text("range")).with_metadata(Bytes::from_static(b"mine"))])
}

/// A new member's id: the first answer gives it (Compat: G14).
async fn member_id(client: &mut Client) -> StrBytes {
    let answer = client.ask(&joining(&text("")), 5).await;
    assert_eq!(answer.error_code, 79, "MEMBER_ID_REQUIRED");
    answer.member_id
}

async fn joined(client: &mut Client, sent: i32) -> JoinGroupResponse {
    take_apart::<JoinGroupRequest>(client.receive().await.expect("an answer"), 5, sent)
}

fn syncing(member: &StrBytes, generation: i32, assignments: &[(&StrBytes, &'static [u8])]) -> SyncGroupRequest {
    let assignments = assignments.iter().map(|(member, bytes)| {
        SyncGroupRequestAssignment::default().with_member_id((*member).clone()).with_assignment(Bytes::from_static(bytes))
    });
    SyncGroupRequest::default()
        .with_group_id(group())
        .with_generation_id(generation)
        .with_member_id(member.clone())
        .with_assignments(assignments.collect())
}

async fn beat(client: &mut Client, member: &StrBytes, generation: i32) -> i16 {
    let request = m::HeartbeatRequest::default().with_group_id(group()).with_generation_id(generation).with_member_id(member.clone());
    client.ask(&request, 3).await.error_code
}

/// Compat: G2, G3, G4, G5, G7, G14. Two consumers of one client id are two members; while they find together,
/// everybody is told so; a member for whom the leader has nothing gets no bytes, and not a missing field.
#[tokio::test]
async fn two_members_of_one_client_find_together() {
    let (node, mut a) = start().await;
    let mut b = node.connect().await;
    let first = member_id(&mut a).await;
    let alone = a.ask(&joining(&first), 5).await;
    assert_eq!((alone.error_code, alone.generation_id, &alone.leader), (0, 1, &first));
    assert_eq!(a.ask(&syncing(&first, 1, &[(&first, b"all")]), 3).await.assignment, Bytes::from_static(b"all"));

    let second = member_id(&mut b).await;
    assert_ne!(first, second);
    assert_eq!(beat(&mut a, &first, 1).await, 0, "an id alone changes nothing");
    let waits = b.send(&joining(&second), 5).await;
    while beat(&mut a, &first, 1).await == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(beat(&mut a, &first, 1).await, 27, "REBALANCE_IN_PROGRESS, in a generation that is still right");
    let leader = a.ask(&joining(&first), 5).await;
    assert_eq!((leader.error_code, leader.generation_id, leader.members.len()), (0, 2, 2));
    assert!(leader.members.iter().all(|member| member.metadata == Bytes::from_static(b"mine")));
    let follower = joined(&mut b, waits).await;
    assert_eq!((follower.error_code, follower.generation_id, follower.members.len()), (0, 2, 0));
    assert_eq!(follower.leader, first);

    let waits = b.send(&syncing(&second, 2, &[]), 3).await;
    assert_eq!(a.ask(&syncing(&first, 2, &[(&first, b"all")]), 3).await.assignment, Bytes::from_static(b"all"));
    let answer: SyncGroupResponse = take_apart::<SyncGroupRequest>(b.receive().await.expect("an answer"), 3, waits);
    assert_eq!((answer.error_code, answer.assignment.len()), (0, 0));
    assert_eq!((beat(&mut a, &first, 2).await, beat(&mut b, &second, 2).await), (0, 0));
    assert_eq!(beat(&mut a, &first, 1).await, 22, "ILLEGAL_GENERATION");

    // Somebody who comes between the leader's join and its sync is waited for, not forgotten.
    let third = member_id(&mut b).await;
    let mut c = node.connect().await;
    let waits = c.send(&joining(&third), 5).await;
    while beat(&mut a, &first, 2).await == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let again_b = b.send(&joining(&second), 5).await;
    let again_a = a.send(&joining(&first), 5).await;
    assert_eq!(joined(&mut a, again_a).await.members.len(), 3);
    assert_eq!(joined(&mut b, again_b).await.generation_id, 3);
    assert_eq!(joined(&mut c, waits).await.generation_id, 3);
    let leaving = |member: &StrBytes| {
        use m::leave_group_request::MemberIdentity;
        m::LeaveGroupRequest::default().with_group_id(group()).with_members(vec![MemberIdentity::default().with_member_id(member.clone())])
    };
    let waits = b.send(&syncing(&second, 3, &[]), 3).await;
    let left = c.ask(&leaving(&third), 3).await;
    assert_eq!((left.error_code, left.members[0].error_code), (0, 0), "the array of members counts");
    let answer = take_apart::<SyncGroupRequest>(b.receive().await.expect("an answer"), 3, waits);
    assert_eq!(answer.error_code, 27, "who waited for an assignment joins again");
}

/// Compat: G8, G9, G11, F9. A client without a group commits, backwards too, and gets back what it said.
#[tokio::test]
async fn commits_are_kept_as_they_were_said() {
    let (_node, mut client) = start().await;
    for (offset, epoch, note) in [(20, 3, "far"), (5, 2, "back again")] {
        use m::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
        let partition = OffsetCommitRequestPartition::default()
            .with_partition_index(1)
            .with_committed_offset(offset)
            .with_committed_leader_epoch(epoch)
            .with_committed_metadata(Some(text(note)));
        let topic = OffsetCommitRequestTopic::default().with_name(topic("t")).with_partitions(vec![partition]);
        let request = m::OffsetCommitRequest::default().with_group_id(group()).with_generation_id_or_member_epoch(-1).with_topics(vec![topic]);
        assert_eq!(client.ask(&request, 8).await.topics[0].partitions[0].error_code, 0);

        use m::offset_fetch_request::OffsetFetchRequestTopic;
        let named = OffsetFetchRequestTopic::default().with_name(common::topic("t")).with_partition_indexes(vec![1]);
        for topics in [None, Some(vec![named])] {
            let asked = m::OffsetFetchRequest::default().with_group_id(group()).with_topics(topics);
            let found = client.ask(&asked, 7).await.topics[0].partitions[0].clone();
            assert_eq!((found.committed_offset, found.committed_leader_epoch, found.metadata), (offset, epoch, Some(text(note))));
        }
    }
}

/// Compat: G11. A group belongs to a partition of the offsets topic by a hash over their number, so that number
/// must not change under it.
#[tokio::test]
async fn the_offsets_topic_keeps_its_number_of_partitions() {
    let (_node, mut client) = start().await;
    let more = m::create_partitions_request::CreatePartitionsTopic::default().with_name(topic("__consumer_offsets")).with_count(8).with_assignments(None);
    let answer = client.ask(&m::CreatePartitionsRequest::default().with_topics(vec![more]).with_timeout_ms(5000), 3).await;
    assert_ne!(answer.results[0].error_code, 0);
    assert_eq!(beat(&mut client, &text("nobody"), 1).await, 25, "its coordinator is where it was");
}
