//! Data into a broker, and results out of one.
use std::collections::BTreeMap;

use millrace_client::{Client, ClientConfig, ConsumerConfig, Consumer, Isolation, NewTopic, Outgoing, Producer, ProducerConfig, Record, TopicPartition};

use crate::workload::{Input, PARTITIONS};

pub type Outcome<T> = Result<T, String>;

pub fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

pub async fn connect(address: &str) -> Outcome<Client> {
    Client::connect(ClientConfig::new(address)).await.map_err(words)
}

pub async fn create(client: &Client, topics: &[&str]) -> Outcome<()> {
    let wanted = |name: &&str| NewTopic {
        name: (*name).to_owned(),
        partitions: PARTITIONS,
        replication: 1,
        assignment: BTreeMap::new(),
        configs: vec![("retention.ms".into(), "-1".into())],
    };
    let wanted: Vec<NewTopic> = topics.iter().map(wanted).collect();
    for (topic, outcome) in client.create_topics(&wanted, false).await.map_err(words)? {
        outcome.map_err(|error| format!("{topic}: {error}"))?;
    }
    // A broker may learn of a topic a moment after it was made.
    for topic in topics {
        for attempt in 0.. {
            match client.topic(topic, false).await {
                Err(_) if attempt < 100 => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
                Err(error) => return Err(words(error)),
                Ok(_) => break,
            }
        }
    }
    Ok(())
}

pub async fn produce(client: &Client, topic: &str, inputs: impl Iterator<Item = Input>) -> Outcome<()> {
    let producer = Producer::new(client.clone(), ProducerConfig { linger: std::time::Duration::from_millis(20), ..ProducerConfig::safe() }).map_err(words)?;
    for input in inputs {
        let record = Outgoing { key: Some(input.key), value: Some(input.value), headers: Vec::new(), timestamp: Some(input.timestamp) };
        drop(producer.send(topic, Some(input.partition), record).await.map_err(words)?);
    }
    producer.flush().await.map_err(words)
}

/// Records in all partitions together.
pub async fn end(client: &Client, topic: &str) -> Outcome<u64> {
    let mut sum = 0;
    for partition in 0..PARTITIONS {
        let at = TopicPartition::new(topic, partition);
        sum += client.list_offset(&at, -1, Isolation::ReadCommitted).await.map_err(words)?.offset.max(0) as u64;
    }
    Ok(sum)
}

/// Every committed record of a topic, partition by partition in order.
pub async fn read(client: &Client, topic: &str, mut each: impl FnMut(Record)) -> Outcome<()> {
    let mut consumer = Consumer::new(client.clone(), ConsumerConfig::usual());
    consumer.assign((0..PARTITIONS).map(|partition| (TopicPartition::new(topic, partition), 0)));
    let mut open = PARTITIONS;
    while open > 0 {
        let polled = consumer.next().await.map_err(words)?;
        polled.records.into_iter().for_each(&mut each);
        if polled.at_end {
            consumer.drop_partition(&polled.at);
            open -= 1;
        }
    }
    Ok(())
}
