//! Bugs of other brokers around Produce, Fetch and ListOffsets, each as the client saw it. The ids are those
//! of the list of known compatibility bugs; what stands beside the code is marked there.
mod common;

use std::time::{Duration, Instant};

use common::{Client, TestNode, batch, fetch, produce, topic};
use millrace_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use millrace_protocol::messages::{self as m, fetch_response, list_offsets_response};
use millrace_record::{BatchBuilder, BatchHeader, Codec, Level, TimestampType, split};

async fn list(client: &mut Client, name: &str, timestamp: i64) -> list_offsets_response::ListOffsetsPartitionResponse {
    let partition = ListOffsetsPartition::default().with_timestamp(timestamp).with_current_leader_epoch(-1);
    let topic = ListOffsetsTopic::default().with_name(topic(name)).with_partitions(vec![partition]);
    let answer = client.ask(&m::ListOffsetsRequest::default().with_topics(vec![topic]), 7).await;
    answer.topics[0].partitions[0].clone()
}

async fn delete_before(client: &mut Client, name: &str, offset: i64) -> (i16, i64) {
    use m::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
    let partition = DeleteRecordsPartition::default().with_offset(offset);
    let topic = DeleteRecordsTopic::default().with_name(topic(name)).with_partitions(vec![partition]);
    let answer = client.ask(&m::DeleteRecordsRequest::default().with_topics(vec![topic]).with_timeout_ms(5000), 2).await;
    let result = &answer.topics[0].partitions[0];
    (result.error_code, result.low_watermark)
}

async fn read(client: &mut Client, name: &str, offset: i64) -> fetch_response::PartitionData {
    client.ask(&fetch(name, offset, 0), 11).await.responses[0].partitions[0].clone()
}

fn headers(partition: &fetch_response::PartitionData) -> Vec<BatchHeader> {
    let bytes = partition.records.clone().unwrap_or_default();
    split(&bytes).map(|batch| batch.expect("whole batches").0).collect()
}

/// Compat: P2.
#[tokio::test]
async fn every_partition_of_a_request_is_answered() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    client.create_topic("t", 3, &[]).await;
    use m::produce_request::{PartitionProduceData, TopicProduceData};
    let data = |index| PartitionProduceData::default().with_index(index).with_records(Some(batch(&["a"])));
    let asked = TopicProduceData::default().with_name(topic("t")).with_partition_data(vec![data(2), data(0), data(9)]);
    let request = m::ProduceRequest::default().with_acks(-1).with_timeout_ms(5000).with_topic_data(vec![asked]);
    let answer = client.ask(&request, 9).await;
    let told: Vec<_> = answer.responses[0].partition_responses.iter().map(|partition| (partition.index, partition.error_code)).collect();
    assert_eq!(told, [(2, 0), (0, 0), (9, 3)]);
}

/// Compat: P5.
#[tokio::test]
async fn a_batch_above_the_default_limit_is_refused() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    client.create_topic("t", 1, &[]).await;
    let value = "x".repeat(5 << 20);
    assert_eq!(client.produce("t", batch(&[value.as_str()])).await.error_code, 10);
    assert_eq!(client.produce("t", batch(&[&value[..900_000]])).await.error_code, 0);
}

/// Compat: P8.
#[tokio::test]
async fn append_time_is_told_kept_and_found() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    client.create_topic("t", 1, &[("message.timestamp.type", "LogAppendTime")]).await;
    let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis() as i64;
    let before = now();
    let first = client.produce("t", batch(&["a", "b"])).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    let second = client.produce("t", batch(&["c"])).await;
    assert!((before..=now()).contains(&first.log_append_time_ms), "{}", first.log_append_time_ms);
    assert!(second.log_append_time_ms > first.log_append_time_ms);
    let stored = headers(&read(&mut client, "t", 0).await);
    assert_eq!(stored[0].attributes.timestamp_type(), TimestampType::LogAppend);
    assert_eq!(stored[0].max_timestamp, first.log_append_time_ms);
    let found = list(&mut client, "t", first.log_append_time_ms + 1).await;
    assert_eq!((found.offset, found.timestamp), (2, second.log_append_time_ms));
}

/// Compat: P9.
#[tokio::test]
async fn a_record_of_1970_is_a_record() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    client.create_topic("t", 1, &[]).await;
    let mut builder = BatchBuilder::new(Codec::None, Level::Default);
    builder.push(0, None, Some(b"old"), &[]);
    assert_eq!(client.produce("t", builder.build().freeze()).await.error_code, 0);
    let found = list(&mut client, "t", 0).await;
    assert_eq!((found.offset, found.timestamp), (0, 0));
}

/// Compat: P11. What a producer needs to ask for metadata again, and nothing that it takes for a broken disk.
#[tokio::test]
async fn a_topic_that_went_is_unknown_to_its_producer_and_its_reader() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    client.create_topic("t", 1, &[]).await;
    client.produce("t", batch(&["a"])).await;
    let gone = client.ask(&m::DeleteTopicsRequest::default().with_topic_names(vec![topic("t")]).with_timeout_ms(5000), 5).await;
    assert_eq!(gone.responses[0].error_code, 0);
    assert_eq!(client.produce("t", batch(&["b"])).await.error_code, 3);
    assert_eq!(read(&mut client, "t", 0).await.error_code, 3);
}

/// Compat: P12. Clients before Produce v7 could not read it back.
#[tokio::test]
async fn zstd_wants_a_version_that_knows_it() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    client.create_topic("t", 1, &[]).await;
    let mut builder = BatchBuilder::new(Codec::Zstd, Level::Default);
    builder.push(1, None, Some(b"a"), &[]);
    let squeezed = builder.build().freeze();
    for (version, code) in [(6, 76), (7, 0)] {
        let answer = client.ask(&produce("t", 0, squeezed.clone(), -1), version).await;
        assert_eq!(answer.responses[0].partition_responses[0].error_code, code, "v{version}");
    }
}

/// Compat: M15, P13, F13, F14.
#[tokio::test]
async fn deleted_records_are_gone_everywhere() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    client.create_topic("t", 1, &[]).await;
    for value in ["a", "b", "c"] {
        client.produce("t", batch(&[value])).await;
    }
    assert_eq!(delete_before(&mut client, "t", 2).await, (0, 2));
    assert_eq!(delete_before(&mut client, "t", 1).await, (0, 2), "what is gone stays gone");
    assert_eq!(delete_before(&mut client, "t", 4).await, (1, -1), "beyond the end");
    assert_eq!(delete_before(&mut client, "nowhere", 0).await, (3, -1));
    assert_eq!(list(&mut client, "t", -2).await.offset, 2);
    assert_eq!(read(&mut client, "t", 0).await.error_code, 1);
    let rest = read(&mut client, "t", 2).await;
    assert_eq!((rest.log_start_offset, headers(&rest).len()), (2, 1));
    let appended = client.produce("t", batch(&["d"])).await;
    assert_eq!((appended.base_offset, appended.log_start_offset), (3, 2));
    // -1: up to the high watermark. Then nothing is left, at an end that stays where it was.
    assert_eq!(delete_before(&mut client, "t", -1).await, (0, 4));
    assert_eq!((list(&mut client, "t", -2).await.offset, list(&mut client, "t", -1).await.offset), (4, 4));
    assert_eq!(client.produce("t", batch(&["e"])).await.base_offset, 4);
}

/// Compat: F3. A session in which nothing is new waits, too.
#[tokio::test]
async fn an_empty_incremental_fetch_is_patient() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    client.create_topic("t", 1, &[]).await;
    let opened = client.ask(&fetch("t", 0, 0).with_session_id(0).with_session_epoch(0), 11).await;
    let next = fetch("t", 0, 150).with_session_id(opened.session_id).with_session_epoch(1).with_topics(Vec::new());
    let began = Instant::now();
    assert!(client.ask(&next, 11).await.responses.is_empty());
    assert!(began.elapsed() >= Duration::from_millis(140), "{:?}", began.elapsed());
}

/// Compat: F5. Every code in an answer is one that Kafka's clients expect in a Fetch.
#[tokio::test]
async fn a_fetch_of_nonsense_fails_in_words_that_consumers_know() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    client.create_topic("t", 1, &[]).await;
    let mut wrong_partition = fetch("t", 0, 0);
    wrong_partition.topics[0].partitions[0].partition = 7;
    let mut newer_epoch = fetch("t", 0, 0);
    newer_epoch.topics[0].partitions[0].current_leader_epoch = 1000;
    let mut older_epoch = fetch("t", 0, 0);
    older_epoch.topics[0].partitions[0].current_leader_epoch = 0;
    for (request, code) in [(fetch("nowhere", 0, 5000), 3), (wrong_partition, 3), (fetch("t", 10, 5000), 1), (newer_epoch, 75), (older_epoch, 74)] {
        let began = Instant::now();
        let answer = client.ask(&request, 11).await;
        assert_eq!((answer.error_code, answer.responses[0].partitions[0].error_code), (0, code));
        assert!(began.elapsed() < Duration::from_secs(4), "an error does not wait");
    }
    let mut by_id = fetch("", 0, 0);
    by_id.topics[0].topic_id = uuid::Uuid::from_u128(42);
    assert_eq!(client.ask(&by_id, 13).await.responses[0].partitions[0].error_code, 100);
}

async fn epoch_end(client: &mut Client, epoch: i32) -> (i16, i32, i64) {
    use m::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
    let partition = OffsetForLeaderPartition::default().with_leader_epoch(epoch).with_current_leader_epoch(-1);
    let topic = OffsetForLeaderTopic::default().with_topic(topic("t")).with_partitions(vec![partition]);
    let answer = client.ask(&m::OffsetForLeaderEpochRequest::default().with_topics(vec![topic]), 4).await;
    let found = &answer.topics[0].partitions[0];
    (found.error_code, found.leader_epoch, found.end_offset)
}

/// Compat: F2, F6, F7, F8, F20, F23. A start is a new leader; its own entries take no offset, and every answer
/// names the epoch in which a record was written.
#[tokio::test]
async fn epochs_are_history_and_offsets_are_dense_across_starts() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    client.create_topic("t", 1, &[]).await;
    assert_eq!(client.produce("t", batch(&["a", "b"])).await.base_offset, 0);
    let first = list(&mut client, "t", -1).await.leader_epoch;
    drop(client);
    let node = TestNode::in_folder(node.stop().await, "").await;
    let mut client = node.connect().await;
    let mut committed = fetch("t", 2, 0);
    committed.isolation_level = 1;
    let at_end = client.ask(&committed, 11).await.responses[0].partitions[0].clone();
    assert_eq!((at_end.error_code, at_end.high_watermark, at_end.last_stable_offset), (0, 2, 2), "no reset for who stands at the end");
    assert_eq!(read(&mut client, "t", -1).await.error_code, 1);

    assert_eq!(client.produce("t", batch(&["c"])).await.base_offset, 2);
    let second = list(&mut client, "t", -1).await.leader_epoch;
    assert!(second > first);
    assert_eq!(list(&mut client, "t", -2).await.leader_epoch, first);
    assert_eq!(list(&mut client, "t", 1).await.leader_epoch, first);
    assert_eq!(epoch_end(&mut client, first).await, (0, first, 2));
    assert_eq!(epoch_end(&mut client, second).await, (0, second, 3));
    assert_eq!(epoch_end(&mut client, second + 5).await, (0, -1, -1), "the future is not known");
    let epochs: Vec<_> = headers(&read(&mut client, "t", 0).await).iter().map(|header| header.epoch.0).collect();
    assert_eq!(epochs, [first, second]);
}

/// Compat: F10, F11, F12. Between two records a time finds the later one, whole batches are counted by record,
/// and a time in the future finds nothing.
#[tokio::test]
async fn times_find_the_record_at_or_after_them() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    client.create_topic("t", 1, &[]).await;
    let mut builder = BatchBuilder::new(Codec::Lz4, Level::Default);
    for (at, time) in [100, 300, 200, 500].into_iter().enumerate() {
        builder.push(time, None, Some(at.to_string().as_bytes()), &[]);
    }
    client.produce("t", builder.build().freeze()).await;
    let mut found = Vec::new();
    for time in [0, 100, 101, 301, 500, 501] {
        let answer = list(&mut client, "t", time).await;
        found.push((answer.offset, answer.timestamp));
    }
    assert_eq!(found, [(0, 100), (0, 100), (1, 300), (3, 500), (3, 500), (-1, -1)]);
    let greatest = list(&mut client, "t", -3).await;
    assert_eq!((greatest.offset, greatest.timestamp), (3, 500));
    assert_eq!(list(&mut client, "t", -1).await.offset, 4);
}

/// Compat: F15, F18, M14. More than a thousand partitions in one request, none forgotten, and no more bytes
/// than were asked for.
#[tokio::test]
async fn more_than_a_thousand_partitions_in_one_request() {
    const PARTITIONS: i32 = 1030;
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    client.create_topic("t", PARTITIONS, &[]).await;
    let value = "x".repeat(3000);
    for partition in 0..PARTITIONS {
        client.send(&produce("t", partition, batch(&[value.as_str()]), 1), 9).await;
    }
    for _ in 0..PARTITIONS {
        client.receive().await.expect("an answer");
    }
    let partitions = (0..PARTITIONS).map(|index| ListOffsetsPartition::default().with_partition_index(index).with_timestamp(-1).with_current_leader_epoch(-1));
    let asked = ListOffsetsTopic::default().with_name(topic("t")).with_partitions(partitions.collect());
    let answer = client.ask(&m::ListOffsetsRequest::default().with_topics(vec![asked]), 7).await;
    assert!(answer.topics[0].partitions.iter().all(|partition| (partition.error_code, partition.offset) == (0, 1)));

    let mut request = fetch("t", 0, 0).with_max_bytes(1 << 20);
    let one = request.topics[0].partitions[0].clone();
    request.topics[0].partitions = (0..PARTITIONS).map(|index| one.clone().with_partition(index)).collect();
    let answer = client.ask(&request, 11).await;
    let answered = &answer.responses[0].partitions;
    assert_eq!(answered.len(), PARTITIONS as usize);
    assert!(answered.iter().all(|partition| partition.error_code == 0 && partition.high_watermark == 1));
    let bytes: usize = answered.iter().filter_map(|partition| partition.records.as_ref()).map(bytes::Bytes::len).sum();
    assert!((1_000_000..=1 << 20).contains(&bytes), "{bytes}");
}

/// Compat: F16. What a partition's share allows is there: waiting for more is no use.
#[tokio::test]
async fn a_full_partition_does_not_wait_for_more_than_fits() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    client.create_topic("t", 1, &[]).await;
    let value = "x".repeat(3000);
    for _ in 0..5 {
        client.produce("t", batch(&[value.as_str()])).await;
    }
    let mut request = fetch("t", 0, 15_000).with_min_bytes(1 << 20);
    request.topics[0].partitions[0].partition_max_bytes = 10_000;
    let began = Instant::now();
    let answer = client.ask(&request, 11).await;
    assert_eq!(headers(&answer.responses[0].partitions[0]).len(), 3);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

/// Compat: F19. Small answers, one after another over many segments, leave nothing out.
#[tokio::test]
async fn small_answers_over_many_segments_are_complete() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    client.create_topic("t", 1, &[("segment.bytes", "1048576")]).await;
    let value = "x".repeat(200_000);
    for _ in 0..20 {
        client.produce("t", batch(&[value.as_str()])).await;
    }
    let mut next = 0;
    while next < 20 {
        let mut request = fetch("t", next, 0);
        request.topics[0].partitions[0].partition_max_bytes = 450_000;
        let answer = client.ask(&request, 11).await;
        let found = headers(&answer.responses[0].partitions[0]);
        assert!((1..=2).contains(&found.len()), "{} batches at {next}", found.len());
        for header in found {
            assert_eq!(header.base_offset.0, next);
            next += 1;
        }
    }
}

/// Compat: F17, F22. A session belongs to who knows its number, not to a connection, and tells of an end that
/// moved.
#[tokio::test]
async fn a_session_goes_on_over_another_connection() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    client.create_topic("t", 1, &[]).await;
    let opened = client.ask(&fetch("t", 0, 0).with_session_id(0).with_session_epoch(0), 11).await;
    drop(client);
    let mut client = node.connect().await;
    let next = |epoch| fetch("t", 0, 0).with_session_id(opened.session_id).with_session_epoch(epoch).with_topics(Vec::new());
    assert_eq!(client.ask(&next(1), 11).await.error_code, 0);
    let mut writer = node.connect().await;
    writer.produce("t", batch(&["a"])).await;
    let told = client.ask(&next(2), 11).await;
    assert_eq!((told.error_code, told.responses[0].partitions[0].high_watermark), (0, 1));
}
