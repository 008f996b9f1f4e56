//! Against the generated codec, which knows the same messages from Kafka's own schemas.
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages as theirs;
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use proptest::prelude::*;

use super::*;
use crate::header::Opening;
use crate::topic::{CurrentLeader, NodeEndpoint, TopicRef};

const VERSIONS: std::ops::RangeInclusive<i16> = 4..=18;

fn name() -> theirs::TopicName {
    theirs::TopicName(StrBytes::from_static_str("orders"))
}

fn their_request(version: i16) -> theirs::FetchRequest {
    let mut partition = theirs::fetch_request::FetchPartition::default()
        .with_partition(3)
        .with_fetch_offset(1000)
        .with_partition_max_bytes(4096);
    if version >= 9 {
        partition.current_leader_epoch = 5;
    }
    if version >= 12 {
        partition.last_fetched_epoch = 4;
    }
    let mut topic = theirs::fetch_request::FetchTopic::default().with_partitions(vec![partition]);
    let mut forgotten = theirs::fetch_request::ForgottenTopic::default().with_partitions(vec![8, 9]);
    if version >= 13 {
        topic.topic_id = uuid::Uuid::from_bytes([9; 16]);
        forgotten.topic_id = topic.topic_id;
    } else {
        topic.topic = name();
        forgotten.topic = name();
    }
    let mut request = theirs::FetchRequest::default()
        .with_max_wait_ms(500)
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_isolation_level(1)
        .with_topics(vec![topic]);
    if version >= 7 {
        request = request.with_session_id(12).with_session_epoch(3).with_forgotten_topics_data(vec![forgotten]);
    }
    if version >= 11 {
        request = request.with_rack_id(StrBytes::from_static_str("east"));
    }
    match version {
        15.. => request.replica_state.replica_id = theirs::BrokerId(2),
        _ => request.replica_id = theirs::BrokerId(2),
    }
    request
}

#[test]
fn requests_of_every_version_are_read() {
    for version in VERSIONS {
        let mut body = BytesMut::new();
        their_request(version).encode(&mut body, version).unwrap();
        let request = FetchRequest::decode(&body, version).unwrap();
        let topic = if version >= 13 { TopicRef::Id([9; 16]) } else { TopicRef::Name("orders".to_owned()) };
        assert_eq!(request.replica_id, 2, "v{version}");
        assert_eq!((request.max_wait_ms, request.min_bytes, request.max_bytes), (500, 1, 1 << 20));
        assert_eq!(request.isolation_level, 1);
        assert_eq!((request.session_id, request.session_epoch), if version >= 7 { (12, 3) } else { (0, -1) });
        let partition = FetchPartition {
            index: 3,
            current_leader_epoch: if version >= 9 { 5 } else { -1 },
            fetch_offset: 1000,
            last_fetched_epoch: if version >= 12 { 4 } else { -1 },
            max_bytes: 4096,
        };
        assert_eq!(request.topics, [FetchTopic { topic: topic.clone(), partitions: vec![partition] }]);
        let forgotten = ForgottenTopic { topic, partitions: vec![8, 9] };
        assert_eq!(request.forgotten, if version >= 7 { vec![forgotten] } else { vec![] });
        assert_eq!(request.rack_id, if version >= 11 { "east" } else { "" });
    }
}

#[test]
fn responses_of_every_version_are_understood_and_their_records_not_copied() {
    for version in VERSIONS {
        let records = [Bytes::from_static(b"batch one"), Bytes::from_static(b"batch two")];
        let full = PartitionData {
            high_watermark: 50,
            last_stable_offset: 40,
            log_start_offset: 3,
            aborted: Some(vec![AbortedTransaction { producer_id: 6, first_offset: 33 }]),
            records: records.to_vec(),
            ..PartitionData::empty(0, 0)
        };
        let diverged = PartitionData {
            diverging: Some(DivergingEpoch { epoch: 2, end_offset: 20 }),
            current_leader: Some(CurrentLeader { leader_id: 1, leader_epoch: 7 }),
            ..PartitionData::empty(1, 0)
        };
        let topic = if version >= 13 { TopicRef::Id([9; 16]) } else { TopicRef::Name("orders".to_owned()) };
        let ours = FetchResponse {
            session_id: 12,
            topics: vec![TopicData { topic, partitions: vec![full, diverged] }],
            node_endpoints: vec![NodeEndpoint { node_id: 1, host: "h".to_owned(), port: 9092, rack: None }],
            ..FetchResponse::default()
        };
        let frame = ours.encode(&Opening { api_key: 1, api_version: version, correlation_id: 6 }).unwrap();
        assert!(frame.parts.iter().any(|part| part.as_ptr() == records[0].as_ptr()));
        let mut whole: BytesMut = frame.parts.iter().flat_map(|part| part.iter().copied()).collect();
        let header = whole.split_to(if version >= 12 { 9 } else { 8 });
        assert_eq!(header[..4], (whole.len() as i32 + header.len() as i32 - 4).to_be_bytes());
        let mut whole = whole.freeze();
        let read = theirs::FetchResponse::decode(&mut whole, version).unwrap();
        assert!(whole.is_empty(), "v{version}");
        assert_eq!(read.session_id, if version >= 7 { 12 } else { 0 });
        let partitions = &read.responses[0].partitions;
        assert_eq!(partitions[0].records.as_deref(), Some(&b"batch onebatch two"[..]));
        assert_eq!(partitions[0].aborted_transactions.as_ref().map(Vec::len), Some(1));
        assert_eq!(partitions[1].records.as_deref(), Some(&b""[..]), "never null");
        assert_eq!(partitions[1].aborted_transactions, None);
        assert_eq!(partitions[1].diverging_epoch.end_offset, if version >= 12 { 20 } else { -1 });
        assert_eq!(partitions[1].current_leader.leader_epoch, if version >= 12 { 7 } else { -1 });
        assert_eq!(read.node_endpoints.len(), usize::from(version >= 16));
    }
}

proptest! {
    #[test]
    fn any_damage_to_a_request_is_read_or_refused(at in 0usize..120, byte: u8, version in VERSIONS) {
        let mut body = BytesMut::new();
        their_request(version).encode(&mut body, version).unwrap();
        let at = at % body.len();
        body[at] = byte;
        let _ = FetchRequest::decode(&body, version);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), version in VERSIONS) {
        let _ = FetchRequest::decode(&bytes, version);
    }
}
