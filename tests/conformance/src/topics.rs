//! A running broker's topics: made, written and read through the Kafka protocol.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use millrace_client::{
    Client, ClientConfig, Consumer, ConsumerConfig, Isolation, NewTopic, Outgoing, Position, Producer, ProducerConfig, TopicPartition,
};
use millrace_engine::Header;
use tokio::runtime::{Builder, Runtime};

use crate::bench::Written;

pub struct BrokerTopics {
    runtime: Runtime,
    client: Client,
    producer: Producer,
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

impl BrokerTopics {
    pub fn connect(broker: &str) -> Result<BrokerTopics, String> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(text)?;
        let (client, producer) = runtime.block_on(async {
            let client = Client::connect(ClientConfig::new(broker)).await.map_err(text)?;
            let producer = Producer::new(client.clone(), ProducerConfig { linger: Duration::ZERO, ..ProducerConfig::safe() });
            Ok::<_, String>((client, producer.map_err(text)?))
        })?;
        Ok(BrokerTopics { runtime, client, producer })
    }

    pub fn create(&self, topics: &BTreeMap<String, i32>) -> Result<(), String> {
        let new = |(name, partitions): (&String, &i32)| NewTopic {
            name: name.clone(),
            partitions: *partitions,
            replication: 1,
            assignment: BTreeMap::new(),
            configs: Vec::new(),
        };
        let topics: Vec<NewTopic> = topics.iter().map(new).collect();
        let outcomes = self.runtime.block_on(self.client.create_topics(&topics, false)).map_err(text)?;
        outcomes.into_iter().try_for_each(|(name, outcome)| outcome.map_err(|error| format!("{name}: {error}")))
    }

    /// Writes one record, its partition by its key, and waits until the broker has it: the order of a case's inputs is kept.
    pub fn write(&self, topic: &str, record: Written) -> Result<(), String> {
        let header = |header: &Header| millrace_client::Header {
            name: Bytes::copy_from_slice(header.key.as_bytes()),
            value: header.value.clone(),
        };
        let outgoing = Outgoing {
            key: record.key,
            value: record.value,
            headers: record.headers.iter().map(header).collect(),
            timestamp: Some(record.timestamp),
        };
        self.runtime.block_on(async {
            let delivery = self.producer.send(topic, None, outgoing).await.map_err(text)?;
            delivery.await.map(drop).map_err(text)
        })
    }

    /// All records that a topic holds now, by partition.
    pub fn read(&self, topic: &str) -> Result<Vec<Vec<Written>>, String> {
        self.runtime.block_on(async {
            let count = self.client.topic(topic, false).await.map_err(text)?.partitions.len();
            let mut consumer = Consumer::new(self.client.clone(), ConsumerConfig { max_wait: Duration::from_millis(50), ..ConsumerConfig::usual() });
            let mut places = Vec::new();
            let mut open = 0;
            for partition in 0..count {
                let at = TopicPartition::new(topic, partition as i32);
                let end = self.client.locate(&at, Position::End, Isolation::ReadCommitted).await.map_err(text)?;
                open += usize::from(end > 0);
                if end > 0 {
                    places.push((at, 0));
                }
            }
            let mut found = vec![Vec::new(); count];
            consumer.assign(places);
            while open > 0 {
                let polled = consumer.next().await.map_err(text)?;
                let partition = usize::try_from(polled.at.partition).unwrap_or_default();
                if let Some(records) = found.get_mut(partition) {
                    records.extend(polled.records.into_iter().map(written));
                }
                if polled.at_end {
                    consumer.drop_partition(&polled.at);
                    open -= 1;
                }
            }
            Ok(found)
        })
    }
}

fn written(record: millrace_client::Record) -> Written {
    let header = |header: millrace_client::Header| Header {
        key: Arc::from(String::from_utf8_lossy(&header.name).as_ref()),
        value: header.value,
    };
    Written {
        key: record.key,
        value: record.value,
        timestamp: record.timestamp,
        headers: record.headers.into_iter().map(header).collect(),
    }
}
