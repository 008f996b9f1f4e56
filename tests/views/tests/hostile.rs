//! Requests that no honest client sends: each gets a clear error or its connection closed, costs little, and others are served.
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use h2::client::SendRequest;
use http::Request;
use millrace_harness::Broker;
use millrace_proto as proto;
use millrace_proto::value::Kind;
use millrace_proto::views_client::ViewsClient;
use millrace_views_tests::{COUNTED, broker, run, views};
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};
use tonic_types::StatusExt;

/// What all of one test's requests together may add to the broker's memory.
const GROWTH_MAX: u64 = 96 << 20;

fn declared(name: &str) -> Broker {
    let broker = broker(name);
    run(async { views(&broker).execute(COUNTED).await.unwrap() });
    broker
}

async fn plain(broker: &Broker) -> ViewsClient<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{}", broker.grpc())).expect("an address");
    ViewsClient::new(endpoint.connect().await.expect("the broker listens")).max_encoding_message_size(1 << 30)
}

/// An honest client is answered, and soon.
async fn still_serves(broker: &Broker) {
    let began = Instant::now();
    let answer = tokio::time::timeout(Duration::from_secs(20), async { views(broker).get("by_key", "a").await });
    answer.await.expect("an answer in time").expect("an honest client is served");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

/// HTTP/2 by hand.
async fn raw(broker: &Broker) -> SendRequest<Bytes> {
    let (client, connection) = h2::client::handshake(TcpStream::connect(broker.grpc()).await.unwrap()).await.unwrap();
    tokio::spawn(async move {
        // How the server ends it is what the tests look at elsewhere.
        let _ = connection.await;
    });
    client.ready().await.unwrap()
}

fn call(broker: &Broker, method: &str) -> Request<()> {
    let uri = format!("http://{}/millrace.views.v1.Views/{method}", broker.grpc());
    Request::post(uri).header("content-type", "application/grpc").header("te", "trailers").body(()).unwrap()
}

/// A gRPC frame that may lie about its length.
fn frame(flag: u8, length: u32, body: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(flag);
    frame.put_u32(length);
    frame.put_slice(body);
    frame.freeze()
}

/// The status of one request with these bytes as its body.
async fn status(broker: &Broker, method: &str, body: Bytes) -> (Code, String) {
    let mut client = raw(broker).await;
    let (response, mut stream) = client.send_request(call(broker, method), false).unwrap();
    stream.send_data(body, true).unwrap();
    let mut response = tokio::time::timeout(Duration::from_secs(20), response).await.expect("an answer in time").expect("an answer");
    let headers = response.headers().clone();
    let trailers = match headers.get("grpc-status") {
        Some(_) => headers,
        None => {
            while let Some(data) = response.body_mut().data().await {
                let _ = response.body_mut().flow_control().release_capacity(data.unwrap().len());
            }
            response.body_mut().trailers().await.unwrap().expect("trailers")
        }
    };
    let code = trailers.get("grpc-status").expect("a status").to_str().unwrap().parse::<i32>().unwrap();
    (Code::from(code), trailers.get("grpc-message").map(|text| text.to_str().unwrap().to_owned()).unwrap_or_default())
}

#[test]
fn oversized_requests_are_refused_before_they_are_kept() {
    let mut broker = declared("oversized");
    run(async {
        let before = broker.anonymous_bytes();
        let mut client = plain(&broker).await;
        for _ in 0..5 {
            let sql = format!("SELECT '{}' FROM by_key;", "x".repeat(40 << 20));
            let refused = client.query(proto::QueryRequest { sql, ..Default::default() }).await.unwrap_err();
            assert!(matches!(refused.code(), Code::ResourceExhausted | Code::OutOfRange), "{refused:?}");
        }
        // A length that promises gigabytes, and a body that never comes.
        let (code, said) = status(&broker, "Get", frame(0, u32::MAX, b"little")).await;
        assert!(matches!(code, Code::ResourceExhausted | Code::OutOfRange), "{code:?} {said}");
        // Within the bound of a message, beyond that of a statement: refused by the name of its setting, in a short message.
        let sql = format!("SELECT '{}' FROM by_key;", "x".repeat(6 << 20));
        let refused = client.query(proto::QueryRequest { sql, ..Default::default() }).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().contains("views.sql.text.bytes.max") && refused.message().len() < 4000, "{}", refused.message().len());
        // A statement that is wrong is not told back whole.
        let sql = format!("SELECT nope{} FROM by_key;", "x".repeat(1 << 20));
        let refused = client.query(proto::QueryRequest { sql, ..Default::default() }).await.unwrap_err();
        assert!(refused.code() == Code::InvalidArgument && refused.message().len() < 10_000, "{:?}", refused.code());
        let keys = vec![proto::Key { values: vec![proto::Value { kind: Some(Kind::String("a".into())) }] }; 10_001];
        let refused = client.batch_get(proto::BatchGetRequest { view: "by_key".into(), keys, at_or_after: None }).await.unwrap_err();
        assert_eq!(refused.get_details_bad_request().unwrap().field_violations[0].field, "keys");
        let positions = vec![proto::Position { topic: "t".into(), partition: 0, offset: 1, log: 0 }; 100_001];
        let cut = Some(proto::Cut { positions });
        let refused = client.scan(proto::ScanRequest { view: "by_key".into(), at_or_after: cut, ..Default::default() }).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        still_serves(&broker).await;
        let grown = broker.anonymous_bytes().saturating_sub(before);
        assert!(grown < GROWTH_MAX, "grown by {} MB", grown >> 20);
    });
    assert!(broker.is_up());
}

#[test]
fn deep_and_wrong_requests_are_refused() {
    let mut broker = declared("deep");
    run(async {
        let mut client = plain(&broker).await;
        // Written from the inside out: the generated code would recurse, too.
        let mut body = proto::Value { kind: Some(Kind::Boolean(true)) }.encode_to_vec();
        for _ in 0..5000 {
            // An item of an array, which is a value's array.
            for tag in [0x0a_u8, 0x5a] {
                let mut outer = vec![tag];
                prost::encoding::encode_varint(body.len() as u64, &mut outer);
                outer.extend_from_slice(&body);
                body = outer;
            }
        }
        let mut request = vec![0x12];
        prost::encoding::encode_varint(body.len() as u64, &mut request);
        request.extend_from_slice(&body);
        let (code, said) = status(&broker, "Get", frame(0, request.len() as u32, &request)).await;
        assert!(matches!(code, Code::Internal | Code::InvalidArgument), "{code:?} {said}");
        let sql = format!("SELECT {}1{} FROM by_key;", "(".repeat(100_000), ")".repeat(100_000));
        let refused = client.query(proto::QueryRequest { sql, ..Default::default() }).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        // A key of every other type.
        let kinds = [
            Kind::Boolean(true), Kind::Integer(1), Kind::Bigint(1), Kind::Double(1.0), Kind::Bytes(vec![1]), Kind::Time(1), Kind::Date(1), Kind::Timestamp(1),
            Kind::Array(proto::Array::default()), Kind::Map(proto::Map::default()), Kind::Struct(proto::Struct::default()),
            Kind::Decimal(proto::Decimal { unscaled: "x".into(), scale: i32::MIN }),
        ];
        for kind in kinds {
            let request = proto::GetRequest { view: "by_key".into(), key: vec![proto::Value { kind: Some(kind.clone()) }], ..Default::default() };
            let refused = client.get(request).await.expect_err("a key of another type");
            assert_eq!(refused.code(), Code::InvalidArgument, "{kind:?}");
            assert_eq!(refused.get_details_bad_request().unwrap().field_violations[0].field, "key", "{kind:?}");
        }
        // Not a message, not UTF-8, compressed by nobody knows what, nothing at all.
        for (flag, bytes) in [(0, &b"\xff\xff\xff\xff"[..]), (0, b"\x0a\x02\xff\xfe"), (1, b"\x0a\x01a"), (7, b"")] {
            let (code, said) = status(&broker, "Get", frame(flag, bytes.len() as u32, bytes)).await;
            assert!(matches!(code, Code::Internal | Code::InvalidArgument | Code::Unimplemented), "{bytes:?}: {code:?} {said}");
        }
        let (code, _) = status(&broker, "Get", Bytes::new()).await;
        assert!(matches!(code, Code::Internal | Code::InvalidArgument | Code::Unknown), "{code:?}");
        let (code, _) = status(&broker, "Nothing", frame(0, 0, b"")).await;
        assert_eq!(code, Code::Unimplemented);
        // SQL in a name or a key stays a name or a key.
        for view in ["by_key; DROP TABLE by_key;", "", "`by_key`", "\u{0}", &"x".repeat(1 << 20)] {
            let refused = client.get(proto::GetRequest { view: view.into(), ..Default::default() }).await.unwrap_err();
            assert!(refused.code() == Code::NotFound && refused.message().len() < 10_000);
            let what = Some(proto::subscribe_request::What::View(view.into()));
            assert_eq!(client.subscribe(proto::SubscribeRequest { what, ..Default::default() }).await.unwrap_err().code(), Code::NotFound);
        }
        still_serves(&broker).await;
    });
    assert!(broker.is_up());
}

#[test]
fn half_open_slow_and_foreign_connections_cost_little() {
    let mut broker = declared("half-open");
    run(async {
        let before = broker.anonymous_bytes();
        let mut kept = Vec::new();
        // Not HTTP/2 at all.
        for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\x00\x00\x00\x10kafka?", &[0xff; 4096], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff"] {
            let mut socket = TcpStream::connect(broker.grpc()).await.unwrap();
            socket.write_all(bytes).await.unwrap();
            let mut answer = Vec::new();
            let ended = tokio::time::timeout(Duration::from_secs(10), socket.read_to_end(&mut answer)).await;
            assert!(ended.is_ok() || bytes.len() < 24, "a connection that cannot be HTTP/2 is kept: {bytes:?}");
        }
        // Requests that begin and never go on: a byte of a frame, or nothing; and connections closed on one side.
        for number in 0..10 {
            let mut client = raw(&broker).await;
            for _ in 0..100 {
                client = client.ready().await.unwrap();
                let (response, mut stream) = client.send_request(call(&broker, "Get"), false).unwrap();
                if number % 2 == 0 {
                    stream.send_data(Bytes::from_static(&[0]), false).unwrap();
                }
                kept.push((response, stream));
            }
        }
        for _ in 0..50 {
            let mut socket = TcpStream::connect(broker.grpc()).await.unwrap();
            socket.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00").await.unwrap();
            socket.shutdown().await.unwrap();
        }
        still_serves(&broker).await;
        let grown = broker.anonymous_bytes().saturating_sub(before);
        assert!(grown < GROWTH_MAX, "a thousand requests that never came added {} MB", grown >> 20);
        drop(kept);
        still_serves(&broker).await;
    });
    assert!(broker.is_up());
}

#[test]
fn calls_that_are_given_up_leave_nothing_running() {
    let mut broker = declared("given-up");
    run(async {
        let mut client = plain(&broker).await;
        for _ in 0..200 {
            let what = Some(proto::subscribe_request::What::View("by_key".into()));
            drop(client.subscribe(proto::SubscribeRequest { what, ..Default::default() }).await.unwrap());
        }
        let until = Instant::now() + Duration::from_secs(20);
        let left = loop {
            let left = views(&broker).execute("LIST QUERIES;").await.unwrap()[0].rows.len();
            if left == 1 || Instant::now() > until {
                break left;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        assert_eq!(left, 1, "push queries that nobody follows go on");
        // A deadline ends a subscription, too.
        let what = Some(proto::subscribe_request::What::View("by_key".into()));
        let mut request = tonic::Request::new(proto::SubscribeRequest { what, ..Default::default() });
        request.set_timeout(Duration::from_millis(500));
        let mut messages = client.subscribe(request).await.unwrap().into_inner();
        let ended = loop {
            match messages.message().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("it ended as if its query had"),
                Err(status) => break status,
            }
        };
        assert!(matches!(ended.code(), Code::DeadlineExceeded | Code::Cancelled), "{ended:?}");
    });
    assert!(broker.is_up());
}

/// Whether the server has closed a connection of a client that says nothing.
async fn is_closed(socket: &mut TcpStream) -> bool {
    let mut byte = [0];
    !matches!(tokio::time::timeout(Duration::from_millis(50), socket.read(&mut byte)).await, Err(_) | Ok(Ok(1..)))
}

#[test]
fn connections_are_bounded_and_those_too_many_wait_or_are_turned_away() {
    let options = Broker::options().named("grpc-connections").set("grpc.max.connections", 8).set("max.connections.per.ip", 12);
    let mut broker = options.ready_within(Duration::from_secs(60)).start();
    run(async {
        views(&broker).execute(COUNTED).await.unwrap();
        let mut held = Vec::new();
        for _ in 0..8 {
            held.push(TcpStream::connect(broker.grpc()).await.unwrap());
        }
        let asked = tokio::time::timeout(Duration::from_secs(1), async { views(&broker).describe("by_key").await });
        assert!(asked.await.is_err(), "a ninth connection was served beside eight");
        // Each listener has room of its own, and all share what one address may have.
        let http = async |count: usize| {
            let mut sockets = Vec::new();
            for _ in 0..count {
                sockets.push(TcpStream::connect(broker.http()).await.unwrap());
            }
            let mut closed = 0;
            for socket in &mut sockets {
                closed += usize::from(is_closed(socket).await);
            }
            closed
        };
        assert_eq!(http(2).await, 0);
        assert!(http(6).await >= 2, "more than twelve of one address are let in");
        held.truncate(4);
        still_serves(&broker).await;
    });
    assert!(broker.is_up());
}
