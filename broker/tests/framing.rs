//! What a broken or unknown frame meets: Kafka's reaction, and a node that goes on serving.
mod common;

use bytes::{BufMut, BytesMut};
use common::{TestNode, framed};
use millrace_protocol::Decodable;
use millrace_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse, MetadataRequest};
use millrace_protocol::StrBytes;

fn api_versions() -> ApiVersionsRequest {
    let name = StrBytes::from_static_str("test");
    ApiVersionsRequest::default().with_client_software_name(name.clone()).with_client_software_version(name)
}

/// Compat: V1, V2, V3, V4, V12, V21.
#[tokio::test]
async fn api_versions_answers_every_version_there_will_ever_be() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    for version in 0..=4 {
        let request = if version >= 3 { api_versions() } else { ApiVersionsRequest::default() };
        let answer = client.ask(&request, version).await;
        assert_eq!(answer.error_code, 0, "v{version}");
        let produce = answer.api_keys.iter().find(|api| api.api_key == 0).expect("Produce");
        assert_eq!((produce.min_version, produce.max_version), (0, 13), "librdkafka compresses only then");
    }
    for version in [5, 6, 99, i16::MAX, -1] {
        // The body is of a shape that nobody knows yet.
        client.send_frame(&framed(18, version, 900, true, b"\x80\x81\x82anything")).await;
        let mut frame = client.receive().await.expect("an answer");
        assert_eq!(frame.split_to(4)[..], 900i32.to_be_bytes());
        let answer = ApiVersionsResponse::decode(&mut frame, 0).expect("in the encoding of v0");
        assert!(frame.is_empty());
        assert_eq!(answer.error_code, 35, "v{version}");
        assert!(answer.api_keys.iter().any(|api| api.api_key == 18));
    }
    // The same connection goes on.
    assert_eq!(client.ask(&MetadataRequest::default(), 1).await.brokers.len(), 1);
}

/// V5: librdkafka before 2.2 skips all but the last byte of a tagged field, and reads on from there. Only
/// Kafka's own fields, each ending as Kafka's does, bring it through. Compat: V5.
#[tokio::test]
async fn api_versions_tags_survive_an_old_librdkafka() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    client.send(&api_versions(), 3).await;
    let frame = client.receive().await.expect("an answer");
    // Correlation id, error code, then a compact array of entries of 7 bytes: the header stays v0.
    let count = usize::from(frame[6]) - 1;
    assert!(frame[6] < 0x80, "one byte of count");
    let rest = &frame[7 + count * 7..];
    let feature = b"\x11metadata.version\x00\x1e\x00\x1e\x00";
    let (head, rest) = rest.split_at(5);
    assert_eq!(head, [0, 0, 0, 0, 3], "throttle time, and three fields that are not at their defaults");
    let (supported, rest) = rest.split_at(3 + feature.len());
    assert_eq!(supported, [&[0, 1 + feature.len() as u8, 2][..], feature].concat());
    let (epoch, finalized) = rest.split_at(10);
    assert_eq!(epoch[..2], [1, 8]);
    assert_eq!(finalized, [&[2, 1 + feature.len() as u8, 2][..], feature].concat());
    // What the old client makes of it: it never runs past the end.
    let tags = [supported, epoch, finalized].concat();
    let mut at = 0;
    for _ in 0..3 {
        assert!(tags[at] < 0x80 && tags[at + 1] < 0x80, "no length of more bytes");
        at += 2 + usize::from(tags[at + 1]).saturating_sub(1);
        assert!(at <= tags.len());
    }
}

#[tokio::test]
async fn bad_software_names_are_refused_in_words() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    let request = api_versions().with_client_software_name(StrBytes::from_static_str("no spaces!"));
    assert_eq!(client.ask(&request, 3).await.error_code, 42);
    assert_eq!(client.ask(&api_versions(), 3).await.error_code, 0);
}

/// Compat: V6.
#[tokio::test]
async fn a_null_client_id_is_fine() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    let mut frame = BytesMut::new();
    // ApiVersions v3: header v2 with a null client id and no tags.
    let body = [0, 18, 0, 3, 0, 0, 0, 7, 0xff, 0xff, 0, 2, b'a', 2, b'1', 0];
    frame.put_i32(body.len() as i32);
    frame.put_slice(&body);
    client.send_frame(&frame).await;
    assert_eq!(client.receive().await.expect("an answer")[..4], [0, 0, 0, 7]);
}

/// Compat: V16, V20.
#[tokio::test]
async fn broken_frames_close_the_connection_and_nothing_else() {
    let node = TestNode::with("socket.request.max.bytes=4096\n").await;
    let garbage: Vec<(&str, Vec<u8>)> = vec![
        ("a negative length", (-1i32).to_be_bytes().to_vec()),
        ("a length above socket.request.max.bytes", 4097i32.to_be_bytes().to_vec()),
        ("the largest length", i32::MAX.to_be_bytes().to_vec()),
        ("an empty frame", vec![0; 4]),
        ("a frame that ends in its header", vec![0, 0, 0, 3, 0, 3, 0]),
        ("HTTP", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("TLS", vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]),
        ("an unknown api", framed(999, 0, 1, false, b"").to_vec()),
        ("a removed api", framed(4, 0, 1, false, b"").to_vec()),
        ("a negative api", framed(-5, 0, 1, false, b"").to_vec()),
        ("Produce v2", framed(0, 2, 1, false, b"").to_vec()),
        ("Fetch from the future", framed(1, 99, 1, true, b"").to_vec()),
        ("a body that is too short", framed(3, 1, 1, false, &[0, 0]).to_vec()),
        ("more topics than bytes", framed(20, 1, 1, false, &[0x7f, 0xff, 0xff, 0xf0, 0, 0, 0, 0]).to_vec()),
        ("a name that is not text", framed(3, 1, 1, false, &[0, 0, 0, 1, 0, 2, 0xff, 0xfe]).to_vec()),
        ("tags without end", framed(3, 9, 1, true, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff]).to_vec()),
    ];
    let mut witness = node.connect().await;
    for (what, bytes) in garbage {
        let mut client = node.connect().await;
        client.send_frame(&bytes).await;
        assert!(client.is_closed().await, "{what}");
        assert_eq!(witness.ask(&MetadataRequest::default(), 1).await.brokers.len(), 1, "after {what}");
    }
}

#[tokio::test]
async fn what_was_asked_before_the_garbage_is_answered() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    let mut bytes = BytesMut::new();
    bytes.put_slice(&framed(3, 1, 51, false, &[0, 0, 0, 0]));
    bytes.put_slice(&framed(999, 1, 52, false, &[]));
    bytes.put_slice(&framed(3, 1, 53, false, &[0, 0, 0, 0]));
    client.send_frame(&bytes).await;
    assert_eq!(client.receive().await.expect("the first")[..4], 51i32.to_be_bytes());
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn bytes_behind_a_request_are_nobodys_business() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    // librdkafka from 2.12 on leaves three behind a Metadata request for all topics.
    client.send_frame(&framed(3, 1, 9, false, &[0xff, 0xff, 0xff, 0xff, 1, 2, 3])).await;
    assert_eq!(client.receive().await.expect("an answer")[..4], 9i32.to_be_bytes());
}

#[tokio::test]
async fn bytes_may_come_one_at_a_time() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    for byte in framed(3, 1, 8, false, &[0, 0, 0, 0]).iter() {
        client.send_frame(&[*byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(client.receive().await.expect("an answer")[..4], 8i32.to_be_bytes());
}

#[tokio::test]
async fn idle_connections_are_closed() {
    let node = TestNode::with("connections.max.idle.ms=300\n").await;
    let mut client = node.connect().await;
    assert_eq!(client.ask(&MetadataRequest::default(), 1).await.brokers.len(), 1);
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn there_are_no_more_connections_than_allowed() {
    let node = TestNode::with("max.connections=2\n").await;
    let mut first = node.connect().await;
    let mut second = node.connect().await;
    first.ask(&MetadataRequest::default(), 1).await;
    second.ask(&MetadataRequest::default(), 1).await;
    // As with Kafka the third one waits, and is served when there is room.
    let mut third = node.connect().await;
    third.send(&MetadataRequest::default(), 1).await;
    assert!(tokio::time::timeout(std::time::Duration::from_millis(200), third.receive()).await.is_err(), "three are served");
    drop(first);
    assert!(third.receive().await.is_some());
    second.ask(&MetadataRequest::default(), 1).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_not_read_from() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    client.create_topic("t", 1, &[]).await;
    let value = "x".repeat(900_000);
    client.produce("t", common::batch(&[value.as_str()])).await;
    let before = common::resident();
    let mut ids = Vec::new();
    for _ in 0..400 {
        ids.push(client.send(&common::fetch("t", 0, 0), 11).await);
    }
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let grown = common::resident().saturating_sub(before);
    assert!(grown < 100 << 20, "{} MiB for answers that nobody takes", grown >> 20);
    for id in ids {
        let answer = client.receive().await.expect("every answer comes in the end");
        assert_eq!(answer[..4], id.to_be_bytes());
    }
}
