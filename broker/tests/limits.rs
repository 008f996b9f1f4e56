//! What a client may ask for at the most: just below each limit it is served, above it it gets the right code, and the connection goes on.
mod common;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use common::{Client, TestNode, batch, fetch, framed, produce, topic};
use millrace_protocol::messages as m;
use millrace_protocol::{Encodable, StrBytes};
use millrace_record::{BatchBuilder, Codec, Level};

const MESSAGE_TOO_LARGE: i16 = 10;
const INVALID_TOPIC: i16 = 17;
const OFFSET_OUT_OF_RANGE: i16 = 1;
const FENCED_LEADER_EPOCH: i16 = 74;
const UNKNOWN_LEADER_EPOCH: i16 = 75;
const FETCH_SESSION_ID_NOT_FOUND: i16 = 70;
const INVALID_FETCH_SESSION_EPOCH: i16 = 71;

/// One record whose batch has exactly so many bytes.
fn batch_of(bytes: usize) -> Bytes {
    let mut value = vec![b'x'; bytes - 75];
    loop {
        let mut builder = BatchBuilder::new(Codec::None, Level::Default);
        builder.push(1_700_000_000_000, None, Some(&value), &[]);
        let made = builder.build();
        match made.len().cmp(&bytes) {
            std::cmp::Ordering::Equal => return made.freeze(),
            std::cmp::Ordering::Less => value.push(b'x'),
            std::cmp::Ordering::Greater => drop(value.pop()),
        }
    }
}

#[tokio::test]
async fn batches_at_the_limit_are_taken_and_larger_ones_refused() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    client.create_topic("t", 1, &[("max.message.bytes", "10000")]).await;
    for (bytes, code) in [(9_999, 0), (10_000, 0), (10_001, MESSAGE_TOO_LARGE), (500_000, MESSAGE_TOO_LARGE), (10_000, 0)] {
        assert_eq!(client.produce("t", batch_of(bytes)).await.error_code, code, "{bytes}");
    }
    let latest = client.ask(&list_offsets(-1), 5).await.topics[0].partitions[0].offset;
    assert_eq!(latest, 3, "nothing of what was refused is there");
}

fn list_offsets(timestamp: i64) -> m::ListOffsetsRequest {
    use m::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
    let asked = ListOffsetsTopic::default().with_name(topic("t")).with_partitions(vec![ListOffsetsPartition::default().with_timestamp(timestamp)]);
    m::ListOffsetsRequest::default().with_topics(vec![asked])
}

#[tokio::test]
async fn requests_at_the_limit_are_served_and_a_larger_one_closes() {
    let node = TestNode::with("socket.request.max.bytes=5000\n").await;
    let mut client = node.connect().await;
    client.create_topic("t", 1, &[]).await;
    let frame = |padding: usize| {
        let mut body = BytesMut::new();
        produce("t", 0, batch_of(2_000 + padding), -1).encode(&mut body, 8).expect("it encodes");
        framed(0, 8, 1, false, &body)
    };
    let room = 5_000 - (frame(0).len() - 4);
    for padding in [room - 1, room] {
        client.send_frame(&frame(padding)).await;
        assert!(client.receive().await.is_some(), "{} bytes", frame(padding).len() - 4);
    }
    client.send_frame(&frame(room + 1)).await;
    assert!(client.is_closed().await, "5001 bytes");
}

#[tokio::test]
async fn a_bomb_in_any_codec_is_refused_and_costs_no_more_than_the_cap() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    client.create_topic("t", 1, &[]).await;
    let zeros = vec![0; 200 << 20];
    for codec in [Codec::Gzip, Codec::Lz4, Codec::Zstd] {
        let mut builder = BatchBuilder::new(codec, Level::Default);
        builder.push(1_700_000_000_000, None, Some(&zeros), &[]);
        let bomb = builder.build().freeze();
        assert!(bomb.len() < 1_000_000, "{codec:?}: {} bytes, refused for its size alone", bomb.len());
        let answer = client.produce("t", bomb).await;
        assert_ne!(answer.error_code, 0, "{codec:?}");
    }
    assert_eq!(client.produce("t", batch(&["after"])).await.base_offset, 0, "nothing was appended");
}

/// Requests under way above `queued.max.request.bytes` go one after another; none is lost and nobody is stuck.
#[tokio::test]
async fn requests_beyond_the_queue_wait_their_turn() {
    let node = TestNode::with("queued.max.request.bytes=100000\n").await;
    let mut first = node.connect().await;
    first.create_topic("t", 1, &[]).await;
    let mut clients = Vec::new();
    for _ in 0..6 {
        let mut client = node.connect().await;
        for _ in 0..5 {
            client.send(&produce("t", 0, batch_of(60_000), -1), 9).await;
        }
        clients.push(client);
    }
    for client in &mut clients {
        for _ in 0..5 {
            assert!(client.receive().await.is_some());
        }
    }
    assert_eq!(first.ask(&list_offsets(-1), 5).await.topics[0].partitions[0].offset, 30);
}

async fn create(client: &mut Client, name: &str) -> i16 {
    let new = m::create_topics_request::CreatableTopic::default().with_name(topic(name)).with_num_partitions(1).with_replication_factor(1);
    client.ask(&m::CreateTopicsRequest::default().with_topics(vec![new]).with_timeout_ms(5_000), 5).await.topics[0].error_code
}

fn files(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("its entries").path()) {
        if entry.is_dir() {
            files(&entry, found);
        }
        found.push(entry);
    }
}

#[tokio::test]
async fn no_name_reaches_outside_the_data_folder() {
    let outside = tempfile::tempdir().expect("a folder");
    let data = outside.path().join("a/b/data");
    std::fs::create_dir_all(&data).expect("folders");
    let node = TestNode::in_folder(tempfile::tempdir_in(&data).expect("a folder"), "").await;
    let mut client = node.connect().await;
    let long = "x".repeat(250);
    for name in ["", ".", "..", "../up", "a/b", "/etc/passwd", "a\\b", "nul\0", "späßchen", "a b", "a:b", "\u{202e}x", long.as_str()] {
        assert_eq!(create(&mut client, name).await, INVALID_TOPIC, "{name:?}");
    }
    assert_eq!(create(&mut client, &"x".repeat(249)).await, 0);
    assert_eq!(create(&mut client, "a.b").await, 0);
    assert_eq!(create(&mut client, "a_b").await, INVALID_TOPIC, "collides with a.b in metrics");
    // Groups may have any name: it is a key, never a path.
    for group in ["../../up", "/etc/passwd", "g\0", "späßchen"] {
        use m::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
        let asked = OffsetCommitRequestTopic::default().with_name(topic("a.b")).with_partitions(vec![OffsetCommitRequestPartition::default().with_committed_offset(1)]);
        let request = m::OffsetCommitRequest::default().with_group_id(m::GroupId(StrBytes::from_string(group.into()))).with_topics(vec![asked]);
        let mut code = 16;
        for _ in 0..100 {
            code = client.ask(&request, 7).await.topics[0].partitions[0].error_code;
            if code == 0 {
                break;
            }
            client.ask(&m::FindCoordinatorRequest::default().with_key(StrBytes::from_static_str("g")), 1).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(code, 0, "{group:?}");
    }
    let mut found = Vec::new();
    files(outside.path(), &mut found);
    let strays: Vec<_> = found.iter().filter(|path| !path.starts_with(node.dir.path()) && !node.dir.path().starts_with(path)).collect();
    assert!(strays.is_empty(), "{strays:?}");
}

#[tokio::test]
async fn fetches_that_cannot_be_get_their_code_and_no_data() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    client.create_topic("t", 1, &[]).await;
    client.produce("t", batch(&["a", "b", "c"])).await;
    for offset in [-1, -2, i64::MIN, 4, i64::MAX] {
        let answer = client.ask(&fetch("t", offset, 0), 11).await;
        assert_eq!(answer.responses[0].partitions[0].error_code, OFFSET_OUT_OF_RANGE, "{offset}");
        assert!(answer.responses[0].partitions[0].records.as_ref().is_none_or(|records| records.is_empty()));
    }
    let epoch = client.ask(&m::MetadataRequest::default().with_topics(None), 9).await.topics[0].partitions[0].leader_epoch;
    for (current, code) in [(epoch, 0), (epoch + 1, UNKNOWN_LEADER_EPOCH), (i32::MAX, UNKNOWN_LEADER_EPOCH), (epoch - 1, FENCED_LEADER_EPOCH)] {
        if current < 0 {
            continue;
        }
        let mut request = fetch("t", 0, 0);
        request.topics[0].partitions[0].current_leader_epoch = current;
        let answer = client.ask(&request, 11).await;
        assert_eq!(answer.responses[0].partitions[0].error_code, code, "epoch {current}, it is {epoch}");
    }
    // Sessions: one that never was, one from the past, one out of step.
    let session = |id, epoch| fetch("t", 0, 0).with_session_id(id).with_session_epoch(epoch);
    assert_eq!(client.ask(&session(12_345, 1), 11).await.error_code, FETCH_SESSION_ID_NOT_FOUND);
    let opened = client.ask(&session(0, 0), 11).await.session_id;
    assert!(opened > 0);
    assert_eq!(client.ask(&session(opened, 7), 11).await.error_code, INVALID_FETCH_SESSION_EPOCH);
    assert_eq!(client.ask(&session(opened, 1), 11).await.error_code, 0);
    assert_eq!(client.ask(&session(opened, 1), 11).await.error_code, INVALID_FETCH_SESSION_EPOCH, "the same epoch again");
    assert_eq!(client.ask(&session(opened, -1), 11).await.error_code, 0, "it is closed");
    assert_eq!(client.ask(&session(opened, 2), 11).await.error_code, FETCH_SESSION_ID_NOT_FOUND);
}
