//! The broker, its views, and clients of them.
use std::time::{Duration, Instant};

use millrace_client::views::{Cut, Views};
use millrace_client::{Client, ClientConfig, Outgoing, Producer, ProducerConfig};
use millrace_harness::Broker;

use crate::{Failure, Options};

pub const KEYS: u64 = 10_000;
/// Connections that the load is spread over.
pub const CONNECTIONS: usize = 4;

const STATEMENTS: &str = "
    CREATE STREAM readings (k VARCHAR KEY, n BIGINT, v DOUBLE) WITH (kafka_topic='readings', partitions=3, value_format='JSON');
    CREATE TABLE by_key AS SELECT k, COUNT(*) AS c, LATEST_BY_OFFSET(n) AS n, MAX(v) AS v FROM readings GROUP BY k;
    CREATE STREAM history (k VARCHAR KEY, n BIGINT, v DOUBLE) WITH (kafka_topic='history', partitions=3, value_format='JSON');";

/// The view that reads `history` from its start, made anew for each measurement.
pub const FILLING: &str = "CREATE TABLE filling AS SELECT k, COUNT(*) AS c, LATEST_BY_OFFSET(n) AS n, MAX(v) AS v FROM history GROUP BY k;";

pub struct Place {
    pub broker: Broker,
    pub views: Views,
    pub producer: Producer,
}

pub fn key(number: u64) -> String {
    format!("key-{:05}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % KEYS)
}

pub fn record(number: u64) -> Outgoing {
    let value = format!("{{\"N\":{number},\"V\":{}.5}}", number % 1000);
    Outgoing { key: Some(key(number).into()), value: Some(value.into()), ..Default::default() }
}

impl Place {
    pub async fn prepare(options: &Options) -> Result<Place, Failure> {
        let broker = Broker::options().named("serve-bench").ready_within(Duration::from_secs(60)).start();
        let views = Views::connect(&broker.grpc())?.with_property("auto.offset.reset", "earliest");
        views.execute(STATEMENTS).await?;
        let client = Client::connect(ClientConfig::new(&broker.kafka())).await?;
        let quick = ProducerConfig { linger: Duration::ZERO, ..ProducerConfig::safe() };
        let place = Place { producer: Producer::new(client.clone(), quick)?, broker, views };
        let bulk = Producer::new(client, ProducerConfig::safe())?;
        let began = Instant::now();
        let mut cut = Cut::default();
        fill(&bulk, "readings", 10 * KEYS, &mut cut).await?;
        place.views.scan("by_key").limit(1).at_or_after(&cut).await?;
        fill(&bulk, "history", options.records, &mut Cut::default()).await?;
        eprintln!("{} records of {} keys are there after {:.1} s", options.records + 10 * KEYS, KEYS, began.elapsed().as_secs_f64());
        Ok(place)
    }

    /// A connection each.
    pub fn connections(&self) -> Result<Vec<Views>, Failure> {
        let connect = |_| Ok(Views::connect(&self.broker.grpc())?);
        (0..CONNECTIONS).map(connect).collect()
    }
}

async fn fill(producer: &Producer, topic: &str, count: u64, cut: &mut Cut) -> Result<(), Failure> {
    let mut sent = Vec::with_capacity(20_000);
    for number in 0..count {
        sent.push(producer.send(topic, None, record(number)).await?);
        if sent.len() == 20_000 {
            for delivery in sent.drain(..) {
                cut.include(&delivery.await?);
            }
        }
    }
    for delivery in sent {
        cut.include(&delivery.await?);
    }
    Ok(())
}
