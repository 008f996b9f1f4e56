//! Against the generated codec, which knows the same messages from Kafka's own schemas.
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages as theirs;
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use proptest::prelude::*;

use super::*;
use crate::Malformed;
use crate::header::Opening;
use crate::topic::{CurrentLeader, NodeEndpoint, TopicRef};

const VERSIONS: std::ops::RangeInclusive<i16> = 3..=13;

fn their_request(version: i16) -> theirs::ProduceRequest {
    let partition = |index, records: Option<&'static [u8]>| {
        theirs::produce_request::PartitionProduceData::default()
            .with_index(index)
            .with_records(records.map(Bytes::from_static))
    };
    let mut topic = theirs::produce_request::TopicProduceData::default().with_partition_data(vec![
        partition(0, Some(b"first batch")),
        partition(7, None),
        partition(1, Some(b"second")),
    ]);
    if version >= 13 {
        topic.topic_id = uuid_of(9);
    } else {
        topic.name = theirs::TopicName(StrBytes::from_static_str("orders"));
    }
    theirs::ProduceRequest::default()
        .with_transactional_id(Some(theirs::TransactionalId(StrBytes::from_static_str("tx"))))
        .with_acks(-1)
        .with_timeout_ms(1500)
        .with_topic_data(vec![topic])
}

fn uuid_of(byte: u8) -> uuid::Uuid {
    uuid::Uuid::from_bytes([byte; 16])
}

#[test]
fn requests_of_every_version_are_read() {
    for version in VERSIONS {
        let mut body = BytesMut::new();
        their_request(version).encode(&mut body, version).unwrap();
        let request = ProduceRequest::decode(body, version).unwrap();
        assert_eq!(request.transactional_id.as_deref(), Some("tx"));
        assert_eq!((request.acks, request.timeout_ms), (-1, 1500));
        let topic = &request.topics[0];
        let expected =
            if version >= 13 { TopicRef::Id([9; 16]) } else { TopicRef::Name("orders".to_owned()) };
        assert_eq!(topic.topic, expected, "v{version}");
        let records: Vec<_> = topic.partitions.iter().map(|p| (p.index, &p.records[..])).collect();
        assert_eq!(records, [(0, &b"first batch"[..]), (7, b""), (1, b"second")], "v{version}");
    }
}

#[test]
fn records_stay_in_the_frames_memory() {
    let mut body = BytesMut::new();
    their_request(9).encode(&mut body, 9).unwrap();
    let frame = body.as_ptr_range();
    let request = ProduceRequest::decode(body, 9).unwrap();
    assert!(frame.contains(&request.topics[0].partitions[0].records.as_ptr()));
}

#[test]
fn responses_of_every_version_are_understood() {
    for version in VERSIONS {
        let topic = if version >= 13 { TopicRef::Id([9; 16]) } else { TopicRef::Name("orders".to_owned()) };
        let good = PartitionResponse {
            index: 3,
            error_code: 0,
            base_offset: 42,
            log_append_time_ms: 77,
            log_start_offset: 5,
            record_errors: vec![],
            error_message: None,
            current_leader: None,
        };
        let mut bad = PartitionResponse::refused(4, 87, Some("no".to_owned()));
        bad.record_errors = vec![RecordError { batch_index: 2, message: Some("null key".to_owned()) }];
        bad.current_leader = Some(CurrentLeader { leader_id: 1, leader_epoch: 8 });
        let ours = ProduceResponse {
            topics: vec![TopicResponse { topic, partitions: vec![good, bad] }],
            throttle_time_ms: 11,
            node_endpoints: vec![NodeEndpoint { node_id: 1, host: "h".to_owned(), port: 9092, rack: None }],
        };
        let opening = Opening { api_key: 0, api_version: version, correlation_id: 6 };
        let mut frame = ours.encode(&opening).unwrap();
        let header = frame.split_to(if version >= 9 { 9 } else { 8 });
        assert_eq!(header[..4], (frame.len() as i32 + header.len() as i32 - 4).to_be_bytes());
        let read = theirs::ProduceResponse::decode(&mut frame, version).unwrap();
        assert!(frame.is_empty(), "v{version}");
        assert_eq!(read.throttle_time_ms, 11);
        let partitions = &read.responses[0].partition_responses;
        assert_eq!((partitions[0].index, partitions[0].base_offset), (3, 42));
        assert_eq!(partitions[0].log_start_offset, if version >= 5 { 5 } else { -1 });
        assert_eq!((partitions[1].error_code, partitions[1].base_offset), (87, -1));
        assert_eq!(partitions[1].record_errors.len(), usize::from(version >= 8));
        assert_eq!(partitions[1].current_leader.leader_id.0, if version >= 10 { 1 } else { -1 });
        assert_eq!(read.node_endpoints.len(), usize::from(version >= 10));
    }
}

#[test]
fn hostile_counts_are_refused() {
    // Null transactional id, acks, timeout, then an array of 2^31-1 topics.
    let body = BytesMut::from(&[0xff, 0xff, 0, 1, 0, 0, 0, 1, 0x7f, 0xff, 0xff, 0xff, 0][..]);
    assert_eq!(ProduceRequest::decode(body, 3), Err(Malformed::Count(0x7fff_ffff)));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), version in VERSIONS) {
        let _ = ProduceRequest::decode(BytesMut::from(&bytes[..]), version);
    }

    #[test]
    fn any_damage_to_a_request_is_read_or_refused(at in 0usize..60, byte: u8, version in VERSIONS) {
        let mut body = BytesMut::new();
        their_request(version).encode(&mut body, version).unwrap();
        let at = at % body.len();
        body[at] = byte;
        let _ = ProduceRequest::decode(body, version);
    }
}
