//! What the tests of this crate share: a broker with views, and clients of both of its faces.
pub mod tools;

use std::future::Future;
use std::time::Duration;

use millrace_client::views::{Cut, Views};
use millrace_client::{Client, ClientConfig, Outgoing, Producer, ProducerConfig};
use millrace_harness::Broker;

/// A broker with an empty directory.
#[track_caller]
pub fn broker(name: &str) -> Broker {
    Broker::options().named(name).ready_within(Duration::from_secs(60)).start()
}

/// Its views; statements begin their streams at the start.
pub fn views(broker: &Broker) -> Views {
    let views = Views::connect(&broker.grpc()).expect("the harness gives addresses");
    views.with_property("auto.offset.reset", "earliest")
}

/// A producer that outlives restarts of the broker.
pub async fn producer(broker: &Broker) -> Producer {
    let client = Client::connect(ClientConfig::new(&broker.kafka())).await.expect("the broker answers");
    let config = ProducerConfig { delivery_timeout: Duration::from_secs(600), linger: Duration::from_millis(1), ..ProducerConfig::safe() };
    Producer::new(client, config).expect("the configuration is sound")
}

/// A record of key and JSON.
pub fn record(key: &str, value: impl Into<String>) -> Outgoing {
    Outgoing { key: Some(key.to_owned().into()), value: Some(value.into().into()), ..Default::default() }
}

/// Writes records and answers the cut behind all of them.
pub async fn write(producer: &Producer, topic: &str, records: impl IntoIterator<Item = Outgoing>) -> Cut {
    let mut sent = Vec::new();
    for record in records {
        sent.push(producer.send(topic, None, record).await.expect("the producer takes records"));
    }
    let mut cut = Cut::default();
    for delivery in sent {
        cut.include(&delivery.await.expect("the broker takes records"));
    }
    cut
}

/// Runs a test's steps on a runtime of its own.
pub fn run<T>(steps: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime").block_on(steps)
}

/// A stream of numbers by key, and a table that counts and sums them.
pub const COUNTED: &str = "
    CREATE STREAM src (k VARCHAR KEY, n BIGINT, g VARCHAR) WITH (kafka_topic='src', partitions=3, value_format='JSON');
    CREATE TABLE by_key AS SELECT k, COUNT(*) AS c, SUM(n) AS s, LATEST_BY_OFFSET(n) AS last FROM src GROUP BY k;";
