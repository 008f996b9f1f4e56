//! Produce, Fetch and ListOffsets over a real socket: what is accepted, what is refused, and with which code.
mod common;

use std::time::{Duration, Instant};

use bytes::Bytes;
use common::{Client, TestNode, batch, batch_from, fetch, produce, take_apart, topic};
use millrace_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use millrace_protocol::messages::{
    FetchRequest, InitProducerIdRequest, ListOffsetsRequest, MetadataRequest, ProduceRequest, fetch_response,
};
use millrace_record::{Offset, Records, split};

/// (offset, value) of every record that a partition's answer holds.
fn records(partition: &fetch_response::PartitionData) -> Vec<(i64, String)> {
    let bytes = partition.records.clone().unwrap_or_default();
    let mut found = Vec::new();
    for batch in split(&bytes) {
        let (header, batch) = batch.expect("whole batches");
        let records = Records::open(batch, 1 << 20).expect("readable");
        for record in records.iter() {
            let record = record.expect("readable");
            let Offset(offset) = header.offset_of(&record);
            found.push((offset, String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned()));
        }
    }
    found
}

async fn fetch_from(client: &mut Client, name: &str, offset: i64) -> fetch_response::PartitionData {
    let answer = client.ask(&fetch(name, offset, 0), 11).await;
    answer.responses[0].partitions[0].clone()
}

/// Compat: F1, F2, F4, F14, F23.
#[tokio::test]
async fn records_come_back_with_dense_offsets() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    client.create_topic("t", 1, &[]).await;
    for (values, offset) in [(&["a", "b"][..], 0), (&["c"], 2), (&["d", "e", "f"], 3)] {
        let answer = client.produce("t", batch(values)).await;
        assert_eq!((answer.error_code, answer.base_offset, answer.log_append_time_ms), (0, offset, -1));
        assert_eq!(answer.log_start_offset, 0);
    }
    let read = fetch_from(&mut client, "t", 0).await;
    let values: Vec<_> = records(&read).into_iter().map(|(_, value)| value).collect();
    assert_eq!(values, ["a", "b", "c", "d", "e", "f"]);
    assert_eq!((read.high_watermark, read.last_stable_offset, read.log_start_offset), (6, 6, 0));
    // From the middle of a batch: the whole batch comes, and the client skips.
    assert_eq!(records(&fetch_from(&mut client, "t", 4).await)[0].0, 3);
    // At the end there is nothing, and beyond it is out of range.
    let end = fetch_from(&mut client, "t", 6).await;
    assert_eq!((end.error_code, end.records.map(|records| records.len())), (0, Some(0)), "never null");
    assert_eq!(fetch_from(&mut client, "t", 7).await.error_code, 1);
    assert_eq!(fetch_from(&mut client, "t", -1).await.error_code, 1);
}

/// Compat: M19, F2.
#[tokio::test]
async fn everything_survives_a_restart() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    client.create_topic("t", 1, &[]).await;
    client.produce("t", batch(&["a", "b"])).await;
    let before = client.ask(&MetadataRequest::default().with_topics(None), 9).await;
    drop(client);
    let folder = node.stop().await;
    let node = TestNode::in_folder(folder, "").await;
    let mut client = node.connect().await;
    let after = client.ask(&MetadataRequest::default().with_topics(None), 9).await;
    assert_eq!(after.cluster_id, before.cluster_id);
    assert_eq!(after.topics[0].name, before.topics[0].name);
    assert_eq!(records(&fetch_from(&mut client, "t", 0).await).len(), 2);
    assert_eq!(client.produce("t", batch(&["c"])).await.base_offset, 2);
}

/// Compat: P3, P4, P6, P13.
#[tokio::test]
async fn a_batch_that_must_not_be_taken_is_refused_with_its_own_code() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    client.create_topic("t", 1, &[("max.message.bytes", "200")]).await;
    client.create_topic("compacted", 1, &[("cleanup.policy", "compact")]).await;
    let mut flipped = batch(&["a"]).to_vec();
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    let mut old = batch(&["a"]).to_vec();
    old[16] = 1;
    let mut two = batch(&["a"]).to_vec();
    two.extend(batch(&["b"]));
    let cases: Vec<(&str, i32, Bytes, i16)> = vec![
        ("t", 0, flipped.into(), 2),
        ("t", 0, old.into(), 87),
        ("t", 0, two.into(), 87),
        ("t", 0, Bytes::new(), 87),
        ("t", 0, batch(&["x".repeat(300).as_str()]), 10),
        ("t", 5, batch(&["a"]), 3),
        ("nowhere", 0, batch(&["a"]), 3),
        ("compacted", 0, batch(&["no key"]), 87),
    ];
    for (name, partition, bytes, code) in cases {
        let answer = client.ask(&produce(name, partition, bytes, -1), 9).await;
        let answer = &answer.responses[0].partition_responses[0];
        assert_eq!((answer.error_code, answer.base_offset), (code, -1), "{name}: {:?}", answer.error_message);
        if name == "compacted" {
            assert_eq!(answer.record_errors[0].batch_index, 0);
        }
    }
    for acks in [2, -2] {
        let answer = client.ask(&produce("t", 0, batch(&["a"]), acks), 9).await;
        assert_eq!(answer.responses[0].partition_responses[0].error_code, 21);
    }
    assert_eq!(client.produce("t", batch(&["fine"])).await.base_offset, 0, "nothing refused left a trace");
}

/// Compat: P1.
#[tokio::test]
async fn acks_0_gets_no_answer_and_an_error_closes() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    client.create_topic("t", 1, &[]).await;
    client.send(&produce("t", 0, batch(&["a"]), 0), 9).await;
    // The next thing that arrives is the answer to the next question.
    assert_eq!(client.produce("t", batch(&["b"])).await.base_offset, 1);
    client.send(&produce("nowhere", 0, batch(&["a"]), 0), 9).await;
    assert!(client.is_closed().await);
}

/// Compat: V15, P10.
#[tokio::test]
async fn answers_come_in_the_order_of_the_requests() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    client.create_topic("t", 1, &[]).await;
    let mut sent = Vec::new();
    for round in 0..50 {
        sent.push((0, client.send(&produce("t", 0, batch(&["a", "b"]), if round % 2 == 0 { -1 } else { 1 }), 9).await));
        sent.push((1, client.send(&MetadataRequest::default(), 9).await));
        sent.push((2, client.send(&fetch("t", 0, 0), 11).await));
    }
    let mut expected = 0;
    for (kind, id) in sent {
        let frame = client.receive().await.expect("an answer");
        match kind {
            0 => {
                let answer = take_apart::<ProduceRequest>(frame, 9, id);
                assert_eq!(answer.responses[0].partition_responses[0].base_offset, expected);
                expected += 2;
            }
            1 => drop(take_apart::<MetadataRequest>(frame, 9, id)),
            _ => drop(take_apart::<FetchRequest>(frame, 11, id)),
        }
    }
}

/// Compat: P10.
#[tokio::test]
async fn any_number_of_requests_may_be_on_their_way() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    client.create_topic("t", 1, &[]).await;
    let mut sent = Vec::new();
    for _ in 0..3000 {
        sent.push(client.send(&produce("t", 0, batch(&["a"]), -1), 9).await);
    }
    for (offset, id) in (0..).zip(sent) {
        let answer = take_apart::<ProduceRequest>(client.receive().await.expect("an answer"), 9, id);
        assert_eq!(answer.responses[0].partition_responses[0].base_offset, offset);
    }
}

/// Compat: V19.
#[tokio::test]
async fn an_idempotent_producer_repeats_and_nothing_is_repeated() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    client.create_topic("t", 1, &[]).await;
    let idempotent = InitProducerIdRequest::default().with_transactional_id(None);
    for version in 0..=4 {
        let answer = client.ask(&idempotent.clone().with_transaction_timeout_ms(1000), version).await;
        assert_eq!((answer.error_code, answer.producer_epoch), (0, 0), "v{version}");
    }
    let id = client.ask(&idempotent, 4).await.producer_id.0;
    assert_eq!(id, 5, "ids follow one another");
    let mut put = async |sequence, values: &[&str]| client.produce("t", batch_from(id, 0, sequence, values)).await;
    assert_eq!(put(0, &["a", "b"]).await.base_offset, 0);
    assert_eq!(put(2, &["c"]).await.base_offset, 2);
    let again = put(0, &["a", "b"]).await;
    assert_eq!((again.error_code, again.base_offset), (0, 0), "the first one's offset");
    assert_eq!(put(5, &["gap"]).await.error_code, 45);
    assert_eq!(put(3, &["d"]).await.base_offset, 3);
    assert_eq!(client.produce("t", batch_from(id, 1, 0, &["e"])).await.base_offset, 4);
    assert_eq!(client.produce("t", batch_from(id, 0, 4, &["zombie"])).await.error_code, 47);
}

/// Compat: F3.
#[tokio::test]
async fn a_long_poll_ends_with_data_or_with_patience() {
    let node = TestNode::start().await;
    let mut reader = node.connect().await;
    let mut writer = node.connect().await;
    writer.create_topic("t", 1, &[]).await;
    let began = Instant::now();
    let answer = reader.ask(&fetch("t", 0, 150), 11).await;
    assert!(began.elapsed() >= Duration::from_millis(140), "{:?}", began.elapsed());
    assert!(records(&answer.responses[0].partitions[0]).is_empty());
    let id = reader.send(&fetch("t", 0, 15_000), 11).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let began = Instant::now();
    writer.produce("t", batch(&["news"])).await;
    let answer = take_apart::<FetchRequest>(reader.receive().await.expect("an answer"), 11, id);
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(records(&answer.responses[0].partitions[0]), [(0, "news".to_owned())]);
}

/// Compat: F16.
#[tokio::test]
async fn one_batch_comes_even_if_it_is_too_large() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    client.create_topic("t", 1, &[]).await;
    let large = "x".repeat(5000);
    for _ in 0..3 {
        client.produce("t", batch(&[large.as_str()])).await;
    }
    let mut request = fetch("t", 0, 0);
    request.max_bytes = 100;
    request.topics[0].partitions[0].partition_max_bytes = 100;
    let answer = client.ask(&request, 11).await;
    assert_eq!(records(&answer.responses[0].partitions[0]).len(), 1);
}

/// Compat: F3, F17.
#[tokio::test]
async fn an_incremental_session_tells_only_news() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    client.create_topic("t", 1, &[]).await;
    let open = fetch("t", 0, 0).with_session_id(0).with_session_epoch(0);
    let opened = client.ask(&open, 11).await;
    assert!(opened.session_id > 0);
    assert_eq!(opened.responses.len(), 1);
    let next = |epoch| {
        let request = fetch("t", 0, 0).with_session_id(opened.session_id).with_session_epoch(epoch);
        request.with_topics(Vec::new())
    };
    assert!(client.ask(&next(1), 11).await.responses.is_empty());
    client.produce("t", batch(&["a"])).await;
    assert_eq!(records(&client.ask(&next(2), 11).await.responses[0].partitions[0]).len(), 1);
    assert_eq!(client.ask(&next(2), 11).await.error_code, 71);
    assert_eq!(client.ask(&next(3).with_session_id(opened.session_id ^ 1), 11).await.error_code, 70);
    client.ask(&next(-1), 11).await;
    assert_eq!(client.ask(&next(3), 11).await.error_code, 70, "ended");
}

/// Compat: F10, F11, F12, F13.
#[tokio::test]
async fn offsets_by_time_and_by_name() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    client.create_topic("t", 1, &[]).await;
    let list = |timestamp, epoch| {
        let partition = ListOffsetsPartition::default().with_timestamp(timestamp).with_current_leader_epoch(epoch);
        let topic = ListOffsetsTopic::default().with_name(topic("t")).with_partitions(vec![partition]);
        ListOffsetsRequest::default().with_topics(vec![topic])
    };
    let mut ask = async |timestamp, epoch, version| {
        let answer = client.ask(&list(timestamp, epoch), version).await;
        let found = answer.topics[0].partitions[0].clone();
        (found.error_code, found.offset, found.timestamp)
    };
    assert_eq!(ask(-1, -1, 7).await, (0, 0, -1));
    assert_eq!(ask(-3, -1, 7).await, (0, -1, -1), "no record, no greatest time");
    let mut writer = node.connect().await;
    writer.produce("t", batch(&["a", "b", "c"])).await;
    assert_eq!(ask(-1, -1, 7).await, (0, 3, -1));
    assert_eq!(ask(-2, -1, 7).await, (0, 0, -1));
    assert_eq!(ask(-3, -1, 7).await, (0, 0, 1_700_000_000_000));
    assert_eq!(ask(1_699_999_999_999, -1, 7).await, (0, 0, 1_700_000_000_000));
    assert_eq!(ask(1_700_000_000_001, -1, 7).await, (0, -1, -1), "nothing after the last");
    assert_eq!(ask(-3, -1, 6).await.0, 35, "not in this version");
    assert_eq!(ask(-9, -1, 9).await.0, 35);
    assert_eq!(ask(-1, 99, 7).await.0, 75);
    assert_eq!(ask(-1, 0, 7).await.0, 74);
}
