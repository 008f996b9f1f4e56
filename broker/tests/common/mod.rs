//! A real node on real sockets, and a client that is no more than frames.
#![allow(dead_code, reason = "each test file uses its own part of this")]
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use millrace::config::NodeConfig;
use millrace::launch::{Running, launch};
use millrace_cluster::config::Properties;
use millrace_protocol::messages as m;
use millrace_protocol::{Decodable, Request, StrBytes};
use millrace_record::{BatchBuilder, Codec, Level};
use millrace_world::production::Production;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Nothing here takes longer, unless something is wrong.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct TestNode {
    running: Option<Running>,
    pub dir: tempfile::TempDir,
    pub address: SocketAddr,
}

impl TestNode {
    pub async fn start() -> TestNode {
        TestNode::with("").await
    }

    /// With properties of its own.
    pub async fn with(properties: &str) -> TestNode {
        TestNode::in_folder(tempfile::tempdir().expect("a folder"), properties).await
    }

    pub async fn in_folder(dir: tempfile::TempDir, properties: &str) -> TestNode {
        let text = format!(
            "listeners=PLAINTEXT://127.0.0.1:0\nhttp.listener=127.0.0.1:0\ngrpc.listener=\nlog.dirs={}\n{properties}",
            dir.path().display()
        );
        let properties = Properties::parse(&text).expect("readable properties");
        let (config, _) = NodeConfig::from_properties(properties).expect("a good configuration");
        let world = Arc::new(Production::new(tokio::runtime::Handle::current()));
        let running = launch(world.clone(), world, config).await.expect("the node starts");
        let address = running.kafka[0];
        TestNode { running: Some(running), dir, address }
    }

    pub fn http(&self) -> SocketAddr {
        self.running.as_ref().and_then(|running| running.http).expect("http is on")
    }

    fn node(&self) -> &Arc<millrace::node::Node> {
        &self.running.as_ref().expect("it runs").node
    }

    /// What a topic's partitions are served by, in words to compare.
    pub fn topic_settings(&self, topic: &str) -> String {
        format!("{:?}", self.node().partitions.directory().named(topic).expect("the topic is there").settings)
    }

    /// Bytes of the topic's first partition.
    pub fn log_size(&self, topic: &str) -> u64 {
        let directory = self.node().partitions.directory();
        directory.named(topic).and_then(|topic| topic.partition(0)).expect("the partition is open").size_bytes()
    }

    /// What the storage was told last.
    pub fn pace(&self) -> millrace_shard::Pace {
        self.node().pace()
    }

    pub async fn connect(&self) -> Client {
        Client { stream: TcpStream::connect(self.address).await.expect("the node listens"), next_id: 1 }
    }

    /// Stops cleanly and hands the data back.
    pub async fn stop(mut self) -> tempfile::TempDir {
        self.running.take().expect("it runs").stop().await.expect("it stops");
        self.dir
    }
}

pub struct Client {
    pub stream: TcpStream,
    next_id: i32,
}

impl Client {
    /// Sends a request and does not wait; the correlation id comes back.
    pub async fn send<R: Request>(&mut self, request: &R, version: i16) -> i32 {
        let id = self.next_id;
        self.next_id += 1;
        let mut body = BytesMut::new();
        request.encode(&mut body, version).expect("the request encodes");
        let flexible = R::header_version(version) >= 2;
        self.send_frame(&framed(R::KEY, version, id, flexible, &body)).await;
        id
    }

    pub async fn send_frame(&mut self, frame: &[u8]) {
        self.stream.write_all(frame).await.expect("the socket takes it");
    }

    /// The next response as it is on the wire, without its length; `None` when the node has closed.
    pub async fn receive(&mut self) -> Option<Bytes> {
        let read = async {
            let len = self.stream.read_i32().await.ok()?;
            let mut frame = vec![0; usize::try_from(len).expect("a sane length")];
            self.stream.read_exact(&mut frame).await.ok()?;
            Some(Bytes::from(frame))
        };
        tokio::time::timeout(PATIENCE, read).await.expect("an answer, or the end")
    }

    /// Asks and takes the whole answer apart; bytes left over fail.
    pub async fn ask<R: Request>(&mut self, request: &R, version: i16) -> R::Response {
        let id = self.send(request, version).await;
        let frame = self.receive().await.unwrap_or_else(|| panic!("api {} v{version}: closed", R::KEY));
        take_apart::<R>(frame, version, id)
    }

    pub async fn is_closed(&mut self) -> bool {
        self.receive().await.is_none()
    }

    pub async fn create_topic(&mut self, name: &str, partitions: i32, configs: &[(&'static str, &'static str)]) {
        use m::create_topics_request::{CreatableTopic, CreatableTopicConfig};
        let configs = configs.iter().map(|(name, value)| {
            let config = CreatableTopicConfig::default().with_name(StrBytes::from_static_str(name));
            config.with_value(Some(StrBytes::from_static_str(value)))
        });
        let topic = CreatableTopic::default()
            .with_name(topic(name))
            .with_num_partitions(partitions)
            .with_replication_factor(1)
            .with_configs(configs.collect());
        let request = m::CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(5000);
        let answer = self.ask(&request, 5).await;
        assert_eq!(answer.topics[0].error_code, 0, "{:?}", answer.topics[0].error_message);
    }

    pub async fn produce(&mut self, name: &str, batch: Bytes) -> m::produce_response::PartitionProduceResponse {
        let answer = self.ask(&produce(name, 0, batch, -1), 9).await;
        answer.responses[0].partition_responses[0].clone()
    }
}

pub fn take_apart<R: Request>(mut frame: Bytes, version: i16, id: i32) -> R::Response {
    assert_eq!(frame.split_to(4)[..], id.to_be_bytes(), "correlation id");
    let flexible = <R::Response as millrace_protocol::HeaderVersion>::header_version(version) >= 1;
    if flexible {
        assert_eq!(frame.split_to(1)[0], 0, "no tagged fields in a response header");
    }
    let response = R::Response::decode(&mut frame, version).unwrap_or_else(|error| panic!("api {} v{version}: {error}", R::KEY));
    assert!(frame.is_empty(), "api {} v{version}: {} bytes are left over", R::KEY, frame.len());
    response
}

/// A whole frame, length included.
pub fn framed(key: i16, version: i16, id: i32, flexible: bool, body: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_i32(0);
    frame.put_i16(key);
    frame.put_i16(version);
    frame.put_i32(id);
    frame.put_i16(4);
    frame.put_slice(b"test");
    if flexible {
        frame.put_u8(0);
    }
    frame.put_slice(body);
    let len = frame.len() as i32 - 4;
    frame[..4].copy_from_slice(&len.to_be_bytes());
    frame.freeze()
}

pub fn topic(name: &str) -> m::TopicName {
    m::TopicName(StrBytes::from_string(name.to_owned()))
}

/// A batch of records without keys.
pub fn batch(values: &[&str]) -> Bytes {
    let mut builder = BatchBuilder::new(Codec::None, Level::Default);
    for value in values {
        builder.push(1_700_000_000_000, None, Some(value.as_bytes()), &[]);
    }
    builder.build().freeze()
}

/// The same from an idempotent producer.
pub fn batch_from(producer: i64, epoch: i16, sequence: i32, values: &[&str]) -> Bytes {
    let builder = BatchBuilder::new(Codec::None, Level::Default);
    let mut builder = builder.producer(millrace_record::ProducerId(producer), epoch, sequence);
    for value in values {
        builder.push(1_700_000_000_000, None, Some(value.as_bytes()), &[]);
    }
    builder.build().freeze()
}

/// A request up to v12, for one partition.
pub fn produce(name: &str, partition: i32, batch: Bytes, acks: i16) -> m::ProduceRequest {
    use m::produce_request::{PartitionProduceData, TopicProduceData};
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(batch));
    let data = TopicProduceData::default().with_name(topic(name)).with_partition_data(vec![data]);
    m::ProduceRequest::default().with_acks(acks).with_timeout_ms(5000).with_topic_data(vec![data])
}

/// A request up to v12, without a session, for one partition.
pub fn fetch(name: &str, offset: i64, max_wait_ms: i32) -> m::FetchRequest {
    use m::fetch_request::{FetchPartition, FetchTopic};
    let partition = FetchPartition::default().with_partition(0).with_fetch_offset(offset).with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default().with_topic(topic(name)).with_partitions(vec![partition]);
    m::FetchRequest::default()
        .with_max_wait_ms(max_wait_ms)
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_topics(vec![topic])
}

/// Resident memory of this process, in bytes: the node runs inside it.
pub fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a line");
    let kib: usize = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number");
    kib << 10
}
